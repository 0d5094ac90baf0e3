"""When it was signed, and what the evidence itself must be."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from attest.claims import CertificateIdentity
from attest.errors import PolicyFileError
from attest.keys import PublicKey
from attest.policy.rules import (
    EvidenceRules,
    Pattern,
    PolicyFile,
    SignerRule,
    Window,
)
from attest.policy.times import utc
from tests.policy.verified_makers import (
    ANA,
    KEYS,
    NOW,
    PACK,
    SECOND,
    SIGNED,
    attestation,
    by,
    code_of,
    decided,
    key,
    line,
    people,
    person,
    policy,
)


def windowed(first: datetime | None = None, last: datetime | None = None) -> PolicyFile:
    window = Window(not_before=first, not_after=last)
    return policy([people("p", ANA, window=window)], [line("p")])


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        (windowed(SIGNED, SIGNED), None),
        (windowed(last=SIGNED - SECOND), "signed_too_late"),
        (windowed(first=SIGNED + SECOND), "signed_too_early"),
    ],
)
def test_a_certificates_window_is_judged_at_its_earliest_time(
    rules: PolicyFile, code: str | None
) -> None:
    later = SIGNED + timedelta(hours=1)
    assert code_of(rules, attestation(person(ANA), later, SIGNED)) == code
    assert code_of(rules, attestation(person(ANA), SIGNED, later), generated_at=None) == code


@pytest.mark.parametrize(
    ("window", "made", "code"),
    [
        ({"not_after": SIGNED}, None, None),
        ({"not_after": SIGNED - SECOND}, SIGNED - 2 * SECOND, "signed_too_late"),
        ({"not_before": SIGNED}, SIGNED, None),
        ({"not_before": SIGNED - SECOND}, SIGNED - SECOND, None),
        ({"not_before": SIGNED}, SIGNED - SECOND, "signed_too_early"),
        ({"not_before": SIGNED - timedelta(days=9)}, None, "signed_too_early"),
        # Signed before it was made: one of the two times is a lie.
        ({"not_before": SIGNED - timedelta(days=9)}, SIGNED + SECOND, "signed_too_early"),
    ],
)
def test_a_keys_verified_time_is_only_an_upper_bound(
    window: dict[str, datetime], made: datetime | None, code: str | None
) -> None:
    rules = policy([key("k", window=Window(**window))], [line("k")])
    assert code_of(rules, attestation(KEYS[0]), generated_at=made) == code


@pytest.mark.parametrize("window", [{"not_after": NOW}, {"not_before": SIGNED - SECOND}])
def test_without_a_verified_time_every_time_condition_fails(window: dict[str, datetime]) -> None:
    untimed = attestation(KEYS[0], timed=False)
    rules = policy([key("k", window=Window(**window))], [line("k")], timestamp="optional")
    assert code_of(rules, untimed) in ("signed_too_late", "signed_too_early")
    assert code_of(policy([key("k")], [line("k")], timestamp="optional"), untimed) is None
    fresh = policy([key("k")], [line("k")], timestamp="optional",
                   evidence=EvidenceRules(max_age=timedelta(days=900)))  # fmt: skip
    assert code_of(fresh, untimed) == "evidence_too_old"


@pytest.mark.parametrize(
    ("signer", "signed", "made", "code"),
    [
        (person(ANA), NOW - timedelta(days=90), None, None),
        (person(ANA), NOW - timedelta(days=90) - SECOND, NOW, "evidence_too_old"),
        (KEYS[0], NOW - SECOND, NOW - timedelta(days=90), None),
        (KEYS[0], NOW - SECOND, NOW - timedelta(days=90) - SECOND, "evidence_too_old"),
        (KEYS[0], NOW - SECOND, None, "evidence_too_old"),
        (KEYS[0], NOW - SECOND, NOW, "evidence_too_old"),
    ],
)
def test_evidence_has_a_largest_age(
    signer: CertificateIdentity | PublicKey,
    signed: datetime,
    made: datetime | None,
    code: str | None,
) -> None:
    rules = policy([people("p", ANA), key("k")], [line("p", "k")],
                   evidence=EvidenceRules(max_age=timedelta(days=90)))  # fmt: skip
    assert code_of(rules, attestation(signer, signed), generated_at=made) == code


@pytest.mark.parametrize(
    ("signer", "made", "told"),
    [
        (person(ANA), NOW, ("signed at", utc(SIGNED))),
        (person(ANA), None, ("signed at", utc(SIGNED))),
        (KEYS[0], SIGNED - SECOND, ("made at", utc(SIGNED - SECOND))),
        (KEYS[0], None, ("signed at", None)),
    ],
)
def test_who_is_too_old_is_told_by_which_time(
    signer: CertificateIdentity | PublicKey, made: datetime | None, told: tuple[str, str | None]
) -> None:
    rules = policy([people("p", ANA), key("k")], [line("p", "k")],
                   evidence=EvidenceRules(max_age=timedelta(hours=1)))  # fmt: skip
    [result] = decided(rules, attestation(signer), generated_at=made).requirements
    [candidate] = result.candidates
    assert (candidate.mismatch.field, candidate.mismatch.actual) == told


def test_a_time_in_the_future_fails_beyond_what_clocks_drift() -> None:
    rules = policy([people("p", ANA)], [line("p")])
    drift = timedelta(minutes=5)
    assert code_of(rules, attestation(person(ANA), NOW + drift)) is None
    assert code_of(rules, attestation(person(ANA), NOW + drift + SECOND)) == "time_in_future"
    # One of several times is enough.
    assert code_of(rules, attestation(person(ANA), SIGNED, NOW + 2 * drift)) == "time_in_future"


def test_the_last_date_there_is_can_be_now() -> None:
    rules = policy([people("p", ANA)], [line("p")])
    assert code_of(rules, *by(ANA), now=datetime.max.replace(tzinfo=NOW.tzinfo)) is None


def test_a_policy_that_has_expired_decides_nothing() -> None:
    rules = policy([people("p", ANA)], [line("p")], expires=NOW)
    assert code_of(rules, *by(ANA)) is None
    for attestations in (by(ANA), []):
        with pytest.raises(PolicyFileError) as caught:
            decided(rules, *attestations, now=NOW + SECOND)
        assert caught.value.code == "policy_expired"
        assert caught.value.exit_code == 2


# Evidence.


@pytest.mark.parametrize(
    ("streams", "stream", "code"),
    [
        (["acme/prod"], "acme/prod", None),
        (["acme/test", "acme/*"], "acme/prod", None),
        (["acme/*"], "acme/prod/eu", "stream_mismatch"),
        (["acme/Prod"], "acme/prod", "stream_mismatch"),
        (["**"], None, "stream_mismatch"),
    ],
)
def test_the_stream_must_be_the_one(
    streams: list[str], stream: str | None, code: str | None
) -> None:
    kinds = [Pattern(kind="glob" if "*" in item else "exact", text=item) for item in streams]
    rules = policy([people("p", ANA)], [line("p")], evidence=EvidenceRules(stream=tuple(kinds)))
    assert code_of(rules, *by(ANA), stream=stream) == code


@pytest.mark.parametrize(
    ("types", "actual", "code"),
    [
        ((PACK,), PACK, None),
        (("https://other.example", PACK), PACK, None),
        (("https://other.example",), PACK, "predicate_type_mismatch"),
        ((f"{PACK}/",), PACK, "predicate_type_mismatch"),
        ((PACK,), None, "predicate_type_mismatch"),
    ],
)
def test_the_predicate_type_must_be_the_one(
    types: tuple[str, ...], actual: str | None, code: str | None
) -> None:
    rules = policy([people("p", ANA)], [line("p")], evidence=EvidenceRules(predicate_types=types))
    assert code_of(rules, attestation(person(ANA), predicate_type=actual)) == code


def test_keys_must_be_logged_and_timed_unless_the_policy_lets_them() -> None:
    signers: list[SignerRule] = [key("k"), people("p", ANA)]
    require = [line("k", "p")]
    unlogged = attestation(KEYS[0], logged=False)
    untimed = attestation(KEYS[0], timed=False)
    assert code_of(policy(signers, require), unlogged) == "log_required"
    assert code_of(policy(signers, require), untimed) == "timestamp_required"
    assert code_of(policy(signers, require, log="optional"), unlogged) is None
    assert code_of(policy(signers, require, timestamp="optional"), untimed) is None
    assert code_of(policy(signers, require, log="optional"), untimed) == "timestamp_required"
    assert code_of(policy(signers, require, timestamp="optional"), unlogged) == "log_required"


def test_what_certificates_must_prove_is_the_instances_to_say() -> None:
    # GitHub's own instance has no log.
    rules = policy([people("p", ANA)], [line("p")])
    assert code_of(rules, attestation(person(ANA), logged=False)) is None
