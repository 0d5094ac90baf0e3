"""What a decision says of those who met it, and of those who did not."""

from __future__ import annotations

from datetime import timedelta

import pytest

from attest.claims import CertificateIdentity
from attest.keys import PublicKey
from attest.policy.rules import (
    EvidenceRules,
    Window,
)
from tests.policy.verified_makers import (
    ANA,
    BO,
    CY,
    EVERYBODY,
    GITHUB,
    KEYS,
    NOW,
    PACK,
    SECOND,
    SIGNED,
    attestation,
    by,
    ci,
    claim,
    code_of,
    decided,
    field,
    key,
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


def test_where_only_subjects_are_asked_for_their_parts_that_differ_are_told() -> None:
    rules = policy([ci("ci", field("subject", workflow().subject))], [line("ci")])
    [result] = decided(rules, attestation(workflow(ref="refs/heads/x"))).requirements
    [candidate] = result.candidates
    assert candidate.differs == ("differs in ref: expected refs/heads/main, found refs/heads/x",)
    [result] = decided(rules, attestation(KEYS[0])).requirements
    assert [item.differs for item in result.candidates] == [()]
    more = policy([ci()], [line("ci")])
    [result] = decided(more, attestation(workflow("acme/other"))).requirements
    assert [item.differs for item in result.candidates] == [()]


REUSED = "https://github.com/acme/shared/.github/workflows/sign.yml@refs/tags/v2"


@pytest.mark.parametrize(
    ("met", "other", "actual"),
    [
        # A key, an issuer, a field, and a workflow that is not the repository's own.
        (KEYS[0], KEYS[1], KEYS[1].key_id.hex()),
        (person(ANA), person(BO, GITHUB), GITHUB),
        (person(ANA), person(CY), CY),
        (workflow(), workflow("acme/evidence", path="x.yml", signer=REUSED), REUSED),
    ],
)
def test_who_is_not_named_is_too_few_and_is_told_what_they_are(
    met: CertificateIdentity | PublicKey, other: CertificateIdentity | PublicKey, actual: str
) -> None:
    """Whatever it is that tells them from whom the line names."""
    signers = (key("k"), people("p", ANA, BO), ci("ci", field("repository", "acme/evidence")))
    rules = policy(signers, [line("k", "p", "ci", at_least=2)])
    decision = decided(rules, attestation(met), attestation(other))
    assert decision.code == "not_enough_signers"
    nearest = {"k": KEYS[0], "p": person(ANA), "ci": workflow()}
    [name] = [name for name, signer in nearest.items() if signer == met]
    alone = decided(policy(signers, [line(name, at_least=2)]), attestation(met), attestation(other))
    assert alone.code == "not_enough_signers"
    [result] = alone.requirements
    assert [item.mismatch.actual for item in result.candidates] == [actual]


def test_a_key_has_nothing_that_a_certificate_says() -> None:
    rules = policy([people("p", ANA), key("k")], [line("p", at_least=1), line("k")])
    first, second = decided(rules, attestation(KEYS[1])).requirements
    assert [item.mismatch.actual for item in first.candidates] == [None]
    assert [item.mismatch.actual for item in second.candidates] == [KEYS[1].key_id.hex()]
    _, second = decided(rules, attestation(person(ANA))).requirements
    assert [item.mismatch.actual for item in second.candidates] == [None]


def test_a_claim_that_differs_is_told_by_its_own_name() -> None:
    asked = ci("ci", field("subject", "**"), claim("build-trigger", "release"))
    [result] = decided(policy([asked], [line("ci")]), attestation(workflow())).requirements
    [candidate] = result.candidates
    assert (candidate.mismatch.field, candidate.mismatch.actual) == ("build-trigger", "push")
