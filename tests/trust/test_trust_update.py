"""What a repository serves: good changes are taken, and nothing else ever is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from attest.errors import AttestError, NetworkError, TrustError
from attest.sandbox.tuf import Role
from attest.trust.known import known_of
from attest.trust.refresh import refresh_within
from attest.trust.registry import Registered
from attest.trust.replay import is_expired, replay
from attest.trust.store import Seen
from tests.trust.served import FIRST, NAME, SECOND, TRUSTED_ROOT, Served, digest

PAST = timedelta(days=-1)


def refused(served: Served) -> str:
    """The code with which a refresh ends; what was trusted before still is."""
    before = served.load(offline=True)
    with pytest.raises(AttestError) as caught:
        refresh_within(served.known, served.places, seconds=20)
    after = served.load(offline=True)
    assert after.root.sha256 == before.root.sha256
    assert after.replayed is not None
    assert before.replayed is not None
    assert after.replayed.versions == before.replayed.versions
    return caught.value.code


def test_the_first_use_fetches_and_the_second_does_not(served: Served) -> None:
    loaded = served.load()
    assert loaded.source == "cache"
    assert loaded.root.sha256 == digest(FIRST)
    assert loaded.root.instance == NAME
    assert loaded.root.warnings == ()
    assert loaded.root.age_seconds in range(60)
    served.asked.clear()
    assert served.load().root.sha256 == digest(FIRST)
    assert served.asked == []


def test_after_a_day_it_is_fetched_again(served: Served) -> None:
    served.load()
    served.repository.publish({TRUSTED_ROOT: SECOND})
    now = datetime.now(UTC)
    assert served.load(now=now + timedelta(hours=23)).root.sha256 == digest(FIRST)
    assert served.load(now=now + timedelta(hours=25)).root.sha256 == digest(SECOND)


def test_a_cache_from_the_future_does_not_put_fetching_off(served: Served) -> None:
    served.load()
    served.repository.publish({TRUSTED_ROOT: SECOND})
    loaded = served.load(now=datetime.now(UTC) - timedelta(days=400))
    assert loaded.root.sha256 == digest(SECOND)


def test_every_root_is_kept_and_leads_to_the_newest(served: Served) -> None:
    served.load()
    for _ in range(3):
        served.repository.publish_root(rotate=True)
    served.repository.publish({TRUSTED_ROOT: SECOND})
    found = refresh_within(served.known, served.places, seconds=20)
    assert found.cached.replayed.versions.root == 4
    kept = {path.name for path in served.cache.folder.glob("*.root.json")}
    assert kept == {"2.root.json", "3.root.json", "4.root.json"}
    assert served.load(offline=True).root.sha256 == digest(SECOND)


def wrong_rotation(served: Served) -> None:
    served.repository.publish_root(rotate=True, signers=["tuf-root-2"])
    served.repository.publish()


def rotation_without_the_new_key(served: Served) -> None:
    served.repository.publish_root(rotate=True, signers=["tuf-root-1"])
    served.repository.publish()


def skipped_root(served: Served) -> None:
    served.repository.publish_root(rotate=True)
    served.repository.publish_root(rotate=True)
    second, third = served.path("2.root.json"), served.path("3.root.json")
    second.write_bytes(third.read_bytes())


def root_of_another_version(served: Served) -> None:
    for _ in range(2):
        served.repository.publish_root()  # by one key, so that only the version is wrong
    served.path("2.root.json").write_bytes(served.path("3.root.json").read_bytes())


def expired_root(served: Served) -> None:
    served.repository.publish_root(lifetime=PAST)
    served.repository.publish()


def publish(**changes: object) -> Callable[[Served], None]:
    def change(served: Served) -> None:
        served.repository.publish({TRUSTED_ROOT: SECOND}, **changes)  # type: ignore[arg-type]  # as each case names them

    return change


def expired(role: Role) -> Callable[[Served], None]:
    return publish(lifetimes={role: PAST})


def forged(role: Role) -> Callable[[Served], None]:
    return publish(forged=(role,))


def rolled_back(*roles: Role) -> Callable[[Served], None]:
    def change(served: Served) -> None:
        served.repository.publish(versions=dict.fromkeys(roles, 1))

    return change


def wrong_target(served: Served) -> None:
    publish()(served)
    served.path(f"{digest(SECOND).hex()}.{TRUSTED_ROOT}").write_bytes(FIRST[: len(SECOND)])


def shorter_target(served: Served) -> None:
    publish()(served)
    served.path(f"{digest(SECOND).hex()}.{TRUSTED_ROOT}").write_bytes(SECOND[:-1])


def no_target(served: Served) -> None:
    served.repository.publish({"other.json": b"{}"})


def truncated(name: str) -> Callable[[Served], None]:
    def change(served: Served) -> None:
        publish()(served)
        path = served.path(name)
        path.write_bytes(path.read_bytes()[:-40])

    return change


def oversized(name: str, size: int) -> Callable[[Served], None]:
    def change(served: Served) -> None:
        publish()(served)
        path = served.path(name)
        path.write_bytes(path.read_bytes() + b" " * size)

    return change


def older_in_place(role: str) -> Callable[[Served], None]:
    """Mix and match: a role's older document, well signed, under the newer one's name."""

    def change(served: Served) -> None:
        publish()(served)
        new, old = served.path(f"3.{role}.json"), served.path(f"1.{role}.json")
        new.write_bytes(old.read_bytes())

    return change


def another_role(served: Served) -> None:
    publish()(served)
    served.path("timestamp.json").write_bytes(served.path("3.snapshot.json").read_bytes())


def no_json(served: Served) -> None:
    served.path("timestamp.json").write_bytes(b"<html>please log in</html>")


def vanished(served: Served) -> None:
    served.path("timestamp.json").unlink()


BAD: dict[str, tuple[Callable[[Served], None], str]] = {
    "rotation not signed by the old key": (wrong_rotation, "trust_metadata_invalid"),
    "rotation not signed by the new key": (rotation_without_the_new_key, "trust_metadata_invalid"),
    "a root that skips a version": (skipped_root, "trust_metadata_invalid"),
    "a root of another version": (root_of_another_version, "trust_rollback"),
    "expired root": (expired_root, "trust_metadata_expired"),
    "expired timestamp": (expired("timestamp"), "trust_metadata_expired"),
    "expired snapshot": (expired("snapshot"), "trust_metadata_expired"),
    "expired targets": (expired("targets"), "trust_metadata_expired"),
    "forged timestamp": (forged("timestamp"), "trust_metadata_invalid"),
    "forged snapshot": (forged("snapshot"), "trust_metadata_invalid"),
    "forged targets": (forged("targets"), "trust_metadata_invalid"),
    "timestamp rolled back": (rolled_back("timestamp"), "trust_rollback"),
    "snapshot rolled back": (rolled_back("snapshot"), "trust_rollback"),
    "targets rolled back": (rolled_back("targets"), "trust_rollback"),
    "all rolled back": (rolled_back("timestamp", "snapshot", "targets"), "trust_rollback"),
    "another target than described": (wrong_target, "trust_metadata_invalid"),
    "a shorter target than described": (shorter_target, "trust_metadata_invalid"),
    "no trusted root": (no_target, "trust_metadata_invalid"),
    "truncated timestamp": (truncated("timestamp.json"), "trust_metadata_invalid"),
    "truncated snapshot": (truncated("3.snapshot.json"), "trust_metadata_invalid"),
    "truncated targets": (truncated("3.targets.json"), "trust_metadata_invalid"),
    "oversized timestamp": (oversized("timestamp.json", 20_000), "trust_metadata_invalid"),
    "oversized targets": (oversized("3.targets.json", 5_000_001), "trust_metadata_invalid"),
    "older snapshot under a new name": (older_in_place("snapshot"), "trust_rollback"),
    "older targets under a new name": (older_in_place("targets"), "trust_rollback"),
    "another role's document": (another_role, "trust_metadata_invalid"),
    "no JSON": (no_json, "trust_metadata_invalid"),
    "nothing": (vanished, "unexpected_answer"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_refused_and_changes_nothing(served: Served, case: str) -> None:
    served.repository.publish()
    served.load()
    spoil, code = BAD[case]
    spoil(served)
    assert refused(served) == code


@pytest.mark.parametrize("case", BAD)
def test_a_command_that_cannot_refresh_warns_and_goes_on(served: Served, case: str) -> None:
    served.repository.publish()
    served.load()
    spoil, code = BAD[case]
    spoil(served)
    loaded = served.load(now=datetime.now(UTC) + timedelta(days=2))
    assert loaded.root.sha256 == digest(FIRST)
    (warning,) = loaded.root.warnings
    assert warning.code == "trust_refresh_failed"
    assert code in warning.message


#: On a first visit nobody can know that there was more.
UNKNOWABLE = {f"{what} rolled back" for what in ("timestamp", "snapshot", "targets", "all")}


@pytest.mark.parametrize("case", sorted(BAD.keys() - UNKNOWABLE))
def test_without_a_cache_what_is_wrong_is_not_trusted_either(served: Served, case: str) -> None:
    served.repository.publish()
    BAD[case][0](served)
    with pytest.raises(TrustError) as caught:
        served.load()
    assert caught.value.code == "trust_unavailable"
    assert not list(served.cache.folder.glob("*.json"))


def test_what_was_seen_counts_though_the_cached_metadata_is_gone(served: Served) -> None:
    for _ in range(3):
        served.repository.publish()
    served.load()
    for path in served.cache.folder.glob("*.json"):
        if path.name != "seen.json":
            path.unlink()
    rolled_back("timestamp", "snapshot", "targets")(served)
    with pytest.raises(TrustError) as caught:
        refresh_within(served.known, served.places, seconds=20)
    assert caught.value.code == "trust_rollback"


def test_with_new_online_keys_versions_may_begin_again(served: Served) -> None:
    cached = refresh_within(served.known, served.places, seconds=20).cached
    versions = cached.replayed.versions
    higher = type(versions)(root=1, timestamp=9, snapshot=9, targets=9)
    seen = Seen(checked=cached.seen.checked, versions=higher, online_keys=("other",))
    seen.check(cached.replayed)
    for keys, root in ((cached.seen.online_keys, 1), (("other",), 2)):
        highest = type(versions)(root=root, timestamp=9, snapshot=9, targets=9)
        with pytest.raises(TrustError) as caught:
            Seen(checked=seen.checked, versions=highest, online_keys=keys).check(cached.replayed)
        assert caught.value.code == "trust_rollback"


def test_a_repository_that_is_not_https_is_not_asked(served: Served) -> None:
    plain = Registered(
        profile=served.registered.profile,
        added=datetime.now(UTC),
        url="http://tuf.acme.example",
        anchor=served.repository.root,
    )
    with pytest.raises(NetworkError) as caught:
        refresh_within(known_of(plain), served.places, seconds=20)
    assert caught.value.code == "insecure_scheme"


#: What only a first look cannot know, or only the fetching judges: dates, versions seen, sizes.
REPLAYED = {case for case in BAD if case.startswith(("expired", "oversized"))} | UNKNOWABLE


@pytest.mark.parametrize("case", BAD)
def test_the_replay_alone_refuses_it_too(served: Served, case: str) -> None:
    """As from a cache into which somebody wrote what the repository serves now."""
    served.repository.publish()
    BAD[case][0](served)

    def read(name: str) -> bytes | None:
        paths = (served.repository.directory / name, served.repository.directory / "targets" / name)
        return next((path.read_bytes() for path in paths if path.is_file()), None)

    if case in REPLAYED:
        found = replay(served.repository.root, read)
        assert is_expired(found, datetime.now(UTC)) is case.startswith("expired")
        return
    with pytest.raises(TrustError) as caught:
        replay(served.repository.root, read)
    assert caught.value.code == "trust_metadata_invalid"
