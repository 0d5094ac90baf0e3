"""Many targets side by side: order, failures that cost no other, certificates that end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from attest.api import signers
from attest.api.batch import Outcome, sign_each
from attest.api.sign import Options, open_session
from attest.errors import AttestError
from attest.oidc import IdentityToken
from attest.sandbox import Sandbox
from attest.signing.identity import TokenSource
from attest.signing.instance import SigningInstance
from attest.signing.keyless import MARGIN


@pytest.fixture(autouse=True)
def _working(sandbox: Sandbox) -> Iterator[None]:
    yield
    sandbox.faults.clear()


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    made = [tmp_path / f"{number:02d}.txt" for number in range(12)]
    for path in made:
        path.write_text(path.name)
    return made


def source_of(sandbox: Sandbox, *lifetimes: float, who: str = "ana@acme.example") -> TokenSource:
    """Tokens of one person, each valid for so many seconds; then none."""
    left = list(lifetimes)

    def ask() -> str:
        return sandbox.person_token(email=who, lifetime_seconds=left.pop(0))

    return TokenSource("github-actions", ask, renewable=True)


def certificates(outcomes: list[Outcome]) -> set[bytes | None]:
    return {
        item.signed.attestation.certificate_sha256
        for item in outcomes
        if item.signed is not None and item.signed.attestation is not None
    }


def codes(outcomes: list[Outcome]) -> list[str | None]:
    return [item.error.code if isinstance(item.error, AttestError) else None for item in outcomes]


def test_one_certificate_in_the_order_of_the_targets(
    files: list[Path], person: IdentityToken, instance: SigningInstance, sandbox: Sandbox
) -> None:
    size = sandbox.instance.rekor1.size
    with open_session(token=person, instance=instance) as session:
        outcomes = list(sign_each(session, files, options=Options()))
    assert [item.target for item in outcomes] == [str(path) for path in files]
    assert codes(outcomes) == [None] * len(files)
    assert len(certificates(outcomes)) == 1
    assert sandbox.instance.rekor1.size == size + len(files)


def test_the_same_target_twice_is_signed_once(
    files: list[Path], person: IdentityToken, instance: SigningInstance, sandbox: Sandbox
) -> None:
    size = sandbox.instance.rekor1.size
    with open_session(token=person, instance=instance) as session:
        outcomes = list(sign_each(session, [files[0]] * 6, options=Options()))
    assert sorted(item.signed.kept for item in outcomes if item.signed) == [False] + [True] * 5
    assert sandbox.instance.rekor1.size == size + 1


def test_failures_cost_no_other_its_signature(
    files: list[Path], person: IdentityToken, instance: SigningInstance
) -> None:
    files[3].unlink()
    files[5].with_name("05.txt.sigstore.json").write_text("somebody else's")
    with open_session(token=person, instance=instance) as session:
        outcomes = list(sign_each(session, files, options=Options()))
    expected: list[str | None] = [None] * len(files)
    expected[3], expected[5] = "file_not_found", "bundle_exists"
    assert codes(outcomes) == expected
    assert files[5].with_name("05.txt.sigstore.json").read_text() == "somebody else's"


def test_a_certificate_that_ends_soon_makes_way(
    files: list[Path],
    sandbox: Sandbox,
    instance: SigningInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(signers, "_RENEW", timedelta(minutes=11))  # longer than one lasts
    with open_session(token=source_of(sandbox, 600), instance=instance) as session:
        outcomes = list(sign_each(session, files[:3], options=Options(), threads=1))
    assert codes(outcomes) == [None] * 3
    assert len(certificates(outcomes)) == 3


def test_a_certificate_outlives_the_token_that_got_it(
    files: list[Path], sandbox: Sandbox, instance: SigningInstance
) -> None:
    token = IdentityToken.from_text(sandbox.person_token(lifetime_seconds=8))
    with open_session(token=token, instance=instance) as session:
        first = list(sign_each(session, files[:1], options=Options()))
        time.sleep(max(token.seconds_left(), 0) + 0.1)
        rest = list(sign_each(session, files[1:], options=Options()))
    assert codes(first + rest) == [None] * len(files)
    assert len(certificates(first + rest)) == 1


class Later(datetime):
    """A clock by which every certificate of now has ended."""

    shift = timedelta()

    @classmethod
    # UTC is all that is asked.
    def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
        assert tz is UTC
        return datetime.now(UTC) + cls.shift


def test_a_token_that_cannot_be_renewed_stops_the_rest_and_resuming_goes_on(
    files: list[Path],
    sandbox: Sandbox,
    instance: SigningInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(signers, "datetime", Later)
    monkeypatch.setattr(Later, "shift", timedelta())
    token = TokenSource.of(IdentityToken.from_text(sandbox.person_token(lifetime_seconds=6)))
    with open_session(token=token, instance=instance) as session:
        first = list(sign_each(session, files[:4], options=Options()))
        monkeypatch.setattr(Later, "shift", timedelta(minutes=10) - MARGIN + timedelta(seconds=1))
        monkeypatch.setattr(signers, "_TOKEN_SECONDS", 6.0)
        size = sandbox.instance.rekor1.size
        rest = list(sign_each(session, files[4:], options=Options()))
        assert session.signers.lost is not None
    assert codes(first) == [None] * 4
    assert codes(rest) == ["token_expires_soon"] * 8
    assert sandbox.instance.rekor1.size == size
    monkeypatch.setattr(Later, "shift", timedelta())
    with open_session(token=source_of(sandbox, 600), instance=instance) as session:
        outcomes = list(sign_each(session, files, options=Options(keep=True, resume=True)))
    kept = [item.signed.kept for item in outcomes if item.signed is not None]
    assert kept == [True] * 4 + [False] * 8


def test_nobody_is_asked_twice_after_a_refusal(
    files: list[Path], sandbox: Sandbox, instance: SigningInstance
) -> None:
    sandbox.faults.inject("ca-refuses:1")
    with open_session(token=source_of(sandbox, 600), instance=instance) as session:
        outcomes = list(sign_each(session, files, options=Options()))
    assert codes(outcomes) == ["certificate_refused"] * len(files)


def test_another_identity_never_takes_over(
    files: list[Path],
    sandbox: Sandbox,
    instance: SigningInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(signers, "_RENEW", timedelta(minutes=11))
    monkeypatch.setattr(signers, "_TOKEN_SECONDS", 60.0)
    people = ["ana@acme.example", "eve@acme.example"]

    def ask() -> str:
        lifetime = 50 if len(people) == 2 else 600
        return sandbox.person_token(email=people.pop(0), lifetime_seconds=lifetime)

    source = TokenSource("github-actions", ask, renewable=True)
    with open_session(token=source, instance=instance) as session:
        outcomes = list(sign_each(session, files, options=Options()))
    assert set(codes(outcomes)) == {"identity_changed"}
    assert not list(files[0].parent.glob("*.sigstore.json"))


def test_a_log_that_is_down_loses_nothing(
    files: list[Path], sandbox: Sandbox, instance: SigningInstance
) -> None:
    sandbox.faults.inject("log-500")
    keep = Options(keep=True)
    with open_session(token=source_of(sandbox, 600), instance=instance) as session:
        outcomes = list(sign_each(session, files, options=keep))
    assert codes(outcomes) == ["signature_pending"] * len(files)
    sandbox.faults.clear()
    size = sandbox.instance.rekor1.size
    with open_session(token=source_of(sandbox), instance=instance) as session:
        resumed = list(sign_each(session, files, options=Options(keep=True, resume=True)))
    assert [item.signed.resumed for item in resumed if item.signed] == [True] * len(files)
    assert len(certificates(resumed)) == 1
    assert sandbox.instance.rekor1.size == size + len(files)
    assert not list(files[0].parent.glob("*.pending.json"))
