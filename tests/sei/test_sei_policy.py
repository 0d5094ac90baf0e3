"""Time in policies over `.sei` signatures, which have none: the clock of who verifies decides."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from attest.policy.decide import decide
from attest.policy.qualify import Evidence
from attest.policy.rules import EvidenceRules, PolicyFile, Window
from attest.verified import VerifiedAttestation
from tests.policy.verified_makers import (
    ANA,
    KEYS,
    NOW,
    SECOND,
    SIGNED,
    attestation,
    key,
    line,
    people,
    person,
    policy,
    revoking,
)

UNTIMED = attestation(KEYS[0], timed=False, logged=False)
TIMELESS = Evidence(timeless=True)
HOUR = timedelta(hours=1)


def rules_of(
    first: datetime | None = None,
    last: datetime | None = None,
    **members: Any,  # noqa: ANN401  # of PolicyFile
) -> PolicyFile:
    """A key with a window, in a policy that asks for no log and no time."""
    window = Window(not_before=first, not_after=last)
    members = {"log": "optional", "timestamp": "optional", **members}
    return policy([key("k", window=window)], [line("k")], **members)


def code_of(
    rules: PolicyFile, *given: VerifiedAttestation, evidence: Evidence = TIMELESS
) -> str | None:
    return decide(rules, given, evidence=evidence, skipped=0, now=NOW).code


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        (rules_of(), None),
        (rules_of(NOW, NOW), None),
        (rules_of(NOW - HOUR, NOW + HOUR), None),
        (rules_of(last=NOW - SECOND), "signed_too_late"),
        (rules_of(first=NOW + SECOND), "signed_too_early"),
    ],
)
def test_a_keys_window_is_judged_by_the_clock(rules: PolicyFile, code: str | None) -> None:
    assert code_of(rules, UNTIMED) == code


def test_a_refusal_says_that_it_is_the_time_of_now() -> None:
    rules = rules_of(last=NOW - SECOND)
    decision = decide(rules, [UNTIMED], evidence=TIMELESS, skipped=0, now=NOW)
    (result,) = decision.requirements
    assert "found: 2026-11-21T12:00:00Z, which is now: it has no time" in " ".join(result.why)


@pytest.mark.parametrize("window", [{"first": NOW - HOUR}, {"last": NOW + HOUR}])
def test_in_no_other_format_does_a_missing_time_pass(window: dict[str, datetime]) -> None:
    assert code_of(rules_of(**window), UNTIMED, evidence=Evidence()) is not None


def test_a_time_that_is_proven_goes_before_the_clock() -> None:
    timed = attestation(KEYS[0], SIGNED)
    assert code_of(rules_of(last=SIGNED), timed) is None
    assert code_of(rules_of(last=SIGNED - SECOND), timed) == "signed_too_late"
    # It says only that the key signed no later.
    assert code_of(rules_of(first=SIGNED - HOUR), timed) == "signed_too_early"


def test_certificates_are_not_excused_from_their_times() -> None:
    window = Window(not_after=NOW + HOUR)
    rules = policy([people("p", ANA, window=window)], [line("p")])
    untimed = attestation(person(ANA), timed=False)
    assert code_of(rules, untimed) == "signed_too_late"


def test_nobody_knows_the_age_of_what_has_no_time() -> None:
    rules = rules_of(evidence=EvidenceRules(max_age=timedelta(days=9000)))
    assert code_of(rules, UNTIMED) == "evidence_too_old"


@pytest.mark.parametrize("lacking", ["log", "timestamp"])
def test_a_policy_that_demands_proofs_refuses_what_can_have_none(lacking: str) -> None:
    members: dict[str, Any] = {lacking: "required"}
    assert code_of(rules_of(**members), UNTIMED) == f"{lacking}_required"


@pytest.mark.parametrize("since", [None, NOW - HOUR, NOW + HOUR])
def test_a_revoked_key_is_revoked_for_all_that_has_no_time(since: datetime | None) -> None:
    for name in sorted(KEYS[0].ids):
        rules = rules_of(revoked=revoking(since, keys=name))
        assert code_of(rules, UNTIMED) == "signer_revoked"


def test_one_key_under_two_names_is_one_principal() -> None:
    def needs(number: int) -> PolicyFile:
        signers = [key("ana"), key("bo", number)]
        return policy(
            signers, [line("ana", "bo", at_least=2)], log="optional", timestamp="optional"
        )

    second = attestation(KEYS[1], timed=False, logged=False)
    assert code_of(needs(0), UNTIMED, UNTIMED) == "not_enough_signers"
    assert code_of(needs(1), UNTIMED, second) is None
