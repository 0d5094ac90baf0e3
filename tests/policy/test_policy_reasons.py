"""What a decision says of those who met it, and of those who did not."""

from __future__ import annotations

from datetime import timedelta

from attest.policy.rules import (
    EvidenceRules,
    Window,
)
from tests.policy.verified_makers import (
    ANA,
    BO,
    CY,
    EVERYBODY,
    NOW,
    PACK,
    SECOND,
    SIGNED,
    attestation,
    by,
    ci,
    code_of,
    decided,
    field,
    line,
    named,
    people,
    person,
    policy,
    revoking,
    workflow,
)


def test_a_line_names_who_met_it_and_by_what() -> None:
    rules = policy([EVERYBODY, ci()], [line("ci", "auditor", at_least=2), line("auditor")])
    decision = decided(rules, *by(BO, ANA, ANA), attestation(workflow()))
    first, second = decision.requirements
    assert [(item.principal, item.signer, item.attestation) for item in first.met] == [
        (f"email:{BO}", "auditor", 0),
        (workflow().principal, "ci", 3),
    ]
    assert (first.matched, second.matched) == ((0, 3), (1, 2))
    assert (first.at_least, second.at_least) == (2, 1)
    assert (first.require, second.require) == (
        "signed by at least 2 of ci or auditor",
        "signed by auditor",
    )
    assert first.code is None
    assert first.candidates == ()
    assert first.why == ()
    assert decision.counted == (0, 1, 2, 3)


def test_a_candidate_is_told_the_one_field_that_failed() -> None:
    rules = policy([people("p", ANA, BO), ci()], [line("p", "ci")])
    decision = decided(rules, attestation(workflow("acme/other")), *by(CY))
    [result] = decision.requirements
    assert [(item.signer, item.mismatch.field) for item in result.candidates] == [
        ("ci", "repository"),
        ("p", "email"),
    ]
    repository, email = (item.mismatch for item in result.candidates)
    assert (repository.expected, repository.actual) == (("acme/evidence",), "acme/other")
    assert (email.expected, email.actual) == ((ANA, BO), CY)
    assert result.why[-4:] == (
        f"signed by: {CY}",
        "issuer: https://accounts.google.com",
        f"email expected: {ANA} or {BO}",
        f"found: {CY}",
    )


def test_the_closest_rule_explains_a_candidate() -> None:
    late = people("late", ANA, window=Window(not_after=SIGNED - SECOND))
    rules = policy([people("q", BO), late, people("r", CY)], [line("q", "late", "r")])
    [result] = decided(rules, *by(ANA)).requirements
    [candidate] = result.candidates
    assert (candidate.signer, candidate.mismatch.code) == ("late", "signed_too_late")
    assert result.code == "signed_too_late"
    equal = policy([people("q", BO), people("r", CY)], [line("r", "q")])
    assert decided(equal, *by(ANA)).requirements[0].candidates[0].signer == "r"


def test_whoever_is_named_and_does_not_count_gives_the_code() -> None:
    late = people("late", ANA, window=Window(not_after=SIGNED - SECOND))
    rules = policy([late, people("q", BO)], [line("late", "q", at_least=2)])
    assert code_of(rules, *by(CY, ANA)) == "signed_too_late"
    assert code_of(rules, *by(BO, ANA)) == "signed_too_late"
    assert code_of(rules, *by(BO, CY)) == "not_enough_signers"
    assert code_of(rules, *by(CY)) == "certificate_identity_mismatch"


def test_of_several_codes_the_one_of_whoever_came_furthest_is_given() -> None:
    rules = policy([EVERYBODY], [line("auditor", at_least=2)],
                   evidence=EvidenceRules(predicate_types=(PACK,)),
                   revoked=revoking(identities=f"email:{ANA}"))  # fmt: skip
    future = attestation(person("di@audit.example"), NOW + timedelta(days=1))
    other = attestation(person(BO), predicate_type="https://other.example")
    assert code_of(rules, *by(ANA), other) == "predicate_type_mismatch"
    assert code_of(rules, other, *by(ANA)) == "predicate_type_mismatch"
    assert code_of(rules, other, future, *by(ANA)) == "time_in_future"


def test_an_absent_claim_is_told_as_nothing() -> None:
    rules = policy([ci("ci", field("environment", "production"))], [line("ci")])
    [result] = decided(rules, attestation(named("s"))).requirements
    assert result.candidates[0].mismatch.actual is None
    assert "found: nothing" in result.why
    [result] = decided(rules).requirements
    assert result.why == ("nothing was verified",)
