"""Without a network: the cache is checked anew at each use, and judged by its age."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from attest.errors import TrustError
from attest.sandbox.clock import utc_now
from attest.sandbox.store import KeyStore
from attest.sandbox.tuf import TufRepository
from attest.trust.known import Places
from attest.trust.load import AgeLimits, LoadedRoot, load_root
from attest.trust.refresh import refresh_within
from attest.trust.shipped import embedded_since
from tests.trust.served import FIRST, NAME, SECOND, TRUSTED_ROOT, Served, digest


def public(places: Places, *, name: str = "sigstore", now: datetime | None = None) -> LoadedRoot:
    return load_root(name, places=places, offline=True, now=now)


@pytest.fixture
def nowhere(tmp_path: Path) -> Places:
    return Places(cache=tmp_path / "cache", registered=tmp_path / "instances")


@pytest.fixture
def filled(served: Served) -> Served:
    """A cache with a rotation in it, of which the server knows no more."""
    served.repository.publish_root(rotate=True)
    served.repository.publish_root(rotate=True)
    served.repository.publish()
    served.load()
    served.asked.clear()
    return served


def test_what_is_cached_is_replayed(filled: Served, network_calls: list[str]) -> None:
    loaded = filled.load(offline=True)
    assert loaded.source == "cache"
    assert loaded.root.sha256 == digest(FIRST)
    assert loaded.replayed is not None
    assert loaded.replayed.versions.root == 3
    assert network_calls == []


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def enlarge(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b" " * 5_000_001)


DAMAGE: dict[str, Callable[[Path], None]] = {
    "changed": flip,
    "cut": cut,
    "removed": Path.unlink,
    "a folder": replace_by_folder,
    "far too large": enlarge,
}
CACHED = ("2.root.json", "3.root.json", "timestamp.json", "2.snapshot.json", "2.targets.json",
          f"{digest(FIRST).hex()}.{TRUSTED_ROOT}")  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", CACHED)
def test_a_damaged_cache_is_never_trusted(filled: Served, name: str, damage: str) -> None:
    DAMAGE[damage](filled.cache.folder / name)
    with pytest.raises(TrustError) as caught:
        filled.load(offline=True)
    # Without the last root what is left is sound, and older than what was seen.
    assert caught.value.code in ("trust_cache_corrupt", "trust_rollback")
    assert "attest trust update acme" in (caught.value.hint or "") or damage == "removed"


@pytest.mark.parametrize("damage", sorted(DAMAGE.keys() - {"removed", "far too large"}))
def test_damaged_versions_are_never_trusted(filled: Served, damage: str) -> None:
    DAMAGE[damage](filled.cache.folder / "seen.json")
    if damage == "changed":
        (filled.cache.folder / "seen.json").write_text('{"checked": "yesterday"}')
    with pytest.raises(TrustError) as caught:
        filled.load(offline=True)
    assert caught.value.code == "trust_cache_corrupt"


@pytest.mark.parametrize("damage", sorted(DAMAGE.keys() - {"a folder"}))
@pytest.mark.parametrize("name", [*CACHED, "seen.json"])
def test_a_damaged_cache_is_repaired(filled: Served, name: str, damage: str) -> None:
    DAMAGE[damage](filled.cache.folder / name)
    loaded = filled.load()
    assert loaded.root.sha256 == digest(FIRST)
    assert loaded.root.warnings == ()
    assert filled.load(offline=True).root.sha256 == digest(FIRST)


def test_a_corrupt_cache_that_cannot_be_repaired_is_reported(filled: Served) -> None:
    flip(filled.cache.folder / "timestamp.json")
    filled.path("timestamp.json").unlink()
    with pytest.raises(TrustError) as caught:
        filled.load()
    assert caught.value.code == "trust_cache_corrupt"


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets", "root"])
def test_older_metadata_put_back_is_a_rollback(filled: Served, role: str) -> None:
    old = filled.folder / "old"
    shutil.copytree(filled.cache.folder, old)
    if role == "root":
        filled.repository.publish_root(rotate=True)
    filled.repository.publish({TRUSTED_ROOT: SECOND})
    refresh_within(filled.known, filled.places, seconds=20)
    assert filled.load(offline=True).root.sha256 == digest(SECOND)
    seen = (filled.cache.folder / "seen.json").read_bytes()
    shutil.rmtree(filled.cache.folder)
    shutil.copytree(old, filled.cache.folder)
    (filled.cache.folder / "seen.json").write_bytes(seen)
    with pytest.raises(TrustError) as caught:
        filled.load(offline=True)
    assert caught.value.code == "trust_rollback"


def test_another_repositorys_metadata_is_not_trusted(filled: Served, tmp_path: Path) -> None:
    other = TufRepository(tmp_path / "evil", KeyStore(tmp_path / "evil-keys"), clock=utc_now)
    for _ in range(4):
        other.publish_root(rotate=True)
        other.publish({TRUSTED_ROOT: SECOND})
    for path in other.directory.rglob("*.json"):
        shutil.copy(path, filled.cache.folder / path.name)
    with pytest.raises(TrustError) as caught:
        filled.load(offline=True)
    assert caught.value.code == "trust_cache_corrupt"


def test_a_trusted_root_in_the_cache_is_not_taken_unsigned(nowhere: Places) -> None:
    assert nowhere.cache is not None
    folder = nowhere.cache / "sigstore"
    folder.mkdir(parents=True)
    (folder / TRUSTED_ROOT).write_bytes(SECOND)
    (folder / f"{digest(SECOND).hex()}.{TRUSTED_ROOT}").write_bytes(SECOND)
    loaded = public(nowhere)
    assert (loaded.source, loaded.root.sha256) == ("embedded", digest(FIRST))


def test_never_fetched_and_none_ships(served: Served) -> None:
    with pytest.raises(TrustError) as caught:
        served.load(offline=True)
    assert caught.value.code == "trust_unavailable"


def test_githubs_root_must_be_fetched_once(nowhere: Places, network_calls: list[str]) -> None:
    with pytest.raises(TrustError) as caught:
        public(nowhere, name="github")
    assert caught.value.code == "trust_unavailable"
    assert network_calls == []


@pytest.mark.parametrize(("name", "meant"), [("stagin", "staging"), ("githib", "github")])
def test_an_unknown_instance_and_what_was_meant(nowhere: Places, name: str, meant: str) -> None:
    with pytest.raises(TrustError) as caught:
        public(nowhere, name=name)
    assert caught.value.code == "unknown_instance"
    assert caught.value.hint == f"did you mean {meant}?"


@pytest.mark.parametrize("name", ["../acme", "/etc/passwd", "ACME", "a", "", "acme.json", "a\0b"])
def test_a_name_is_never_a_path(nowhere: Places, name: str) -> None:
    with pytest.raises(TrustError) as caught:
        public(nowhere, name=name)
    assert caught.value.code == "unknown_instance"


def test_a_new_machine_uses_the_embedded_root_and_tells_its_age(nowhere: Places) -> None:
    now = embedded_since("sigstore") + timedelta(days=61)
    loaded = public(nowhere, now=now)
    assert loaded.source == "embedded"
    assert loaded.root.age_seconds == 61 * 86_400
    assert [item.code for item in loaded.root.warnings] == ["trust_old"]
    assert public(nowhere, now=now - timedelta(days=1)).root.warnings == ()


@pytest.mark.parametrize(("days", "limits", "outcome"), [
    (59, AgeLimits(), None),
    (61, AgeLimits(), "trust_old"),
    (61, AgeLimits(warn_days=70), None),
    (5, AgeLimits(warn_days=4), "trust_old"),
    (729, AgeLimits(), "trust_old"),
    (731, AgeLimits(), "trust_too_old"),
    (731, AgeLimits(refuse_days=800), "trust_old"),
    (5, AgeLimits(refuse_days=4), "trust_too_old"),
    (1, AgeLimits(refuse_days=0), "trust_too_old"),
])  # fmt: skip
def test_age_limits(filled: Served, days: int, limits: AgeLimits, outcome: str | None) -> None:
    now = datetime.now(UTC) + timedelta(days=days, minutes=1)
    if outcome == "trust_too_old":
        with pytest.raises(TrustError) as caught:
            filled.load(offline=True, now=now, limits=limits)
        assert caught.value.code == outcome
        return
    codes = {item.code for item in filled.load(offline=True, now=now, limits=limits).root.warnings}
    assert codes - {"trust_expired"} == ({outcome} if outcome else set())


def test_a_date_written_into_the_cache_makes_nothing_younger(filled: Served) -> None:
    path = filled.cache.folder / "seen.json"
    seen = json.loads(path.read_bytes())
    path.write_text(json.dumps({**seen, "checked": "2099-01-01T00:00:00Z"}))
    now = datetime.now(UTC)
    assert filled.load(offline=True, now=now).root.age_seconds == 0
    with pytest.raises(TrustError) as caught:
        filled.load(offline=True, now=now + timedelta(days=30 + 731))
    assert caught.value.code == "trust_too_old"


def test_expired_metadata_is_told(filled: Served) -> None:
    for days, expected in ((29, []), (31, ["trust_expired"])):
        loaded = filled.load(offline=True, now=datetime.now(UTC) + timedelta(days=days))
        assert [item.code for item in loaded.root.warnings] == expected


def test_a_cache_below_the_anchor_has_been_superseded(filled: Served) -> None:
    # As after an upgrade that ships a newer TUF root than the cache had seen.
    filled.repository.publish_root(rotate=True)
    newer = filled.path("4.root.json").read_bytes()
    assert filled.cache.load(newer) is None
    filled.repository.publish()
    refresh_within(filled.known, filled.places, seconds=20)
    assert filled.cache.load(newer) is not None


def test_what_ships_decides_over_an_older_cache(
    filled: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The public instance's repository cannot be had here, so ours stands in for it.
    from attest.trust import known

    monkeypatch.setattr(known, "embedded_anchor", lambda _: filled.repository.root)
    shutil.move(filled.cache.folder, filled.cache.folder.with_name("sigstore"))
    places = filled.places
    assert public(places).source == "cache"
    later = datetime.now(UTC) + timedelta(days=1)
    monkeypatch.setattr(known, "embedded_since", lambda _: later)
    assert public(places, now=later).source == "embedded"


def test_offline_needs_no_network_at_all(filled: Served, tmp_path: Path) -> None:
    """In a network namespace that has not even loopback up."""
    unshare = shutil.which("unshare")
    probe = [unshare or "unshare", "-rn", "true"]
    if unshare is None or subprocess.run(probe, check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody make a network namespace")
    script = (
        "from pathlib import Path; from attest.trust.known import Places;"
        "from attest.trust.load import load_root; import sys; f = Path(sys.argv[1]);"
        "p = Places(cache=f / 'cache', registered=f / 'instances');"
        "print(load_root('acme', places=p, offline=True).root.sha256.hex());"
        "print(load_root('sigstore', places=p, offline=True).root.sha256.hex())"
    )
    words = [unshare, "-rn", sys.executable, "-c", script, str(filled.folder)]
    done = subprocess.run(words, check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == [digest(FIRST).hex()] * 2
    assert NAME in {path.name for path in (tmp_path / "cache").iterdir()}
