"""Who counts, once and in which role; and who else may have signed."""

from __future__ import annotations

from attest.claims import CertificateIdentity
from attest.policy.rules import (
    AnySigner,
)
from tests.policy.verified_makers import (
    ANA,
    BO,
    BOTH,
    CY,
    EVERYBODY,
    GITHUB,
    KEYS,
    attestation,
    by,
    ci,
    code_of,
    decided,
    field,
    key,
    line,
    people,
    person,
    policy,
    revoking,
    workflow,
)


def test_two_people_who_match_one_rule_are_two() -> None:
    assert code_of(BOTH, *by(ANA, BO)) is None


def test_one_identity_signing_twice_is_one() -> None:
    assert code_of(BOTH, *by(ANA, ANA)) == "not_enough_signers"
    assert code_of(BOTH, *by(ANA, ANA.upper().replace("AUDIT.EXAMPLE", "audit.example"))) == (
        "not_enough_signers"
    )


def test_one_email_from_two_issuers_is_one_person() -> None:
    rules = policy(
        [EVERYBODY, people("github", "**@audit.example", issuer=GITHUB)],
        [line("auditor", "github", at_least=2)],
    )
    twice = attestation(person(ANA)), attestation(person(ANA, GITHUB))
    assert code_of(rules, *twice) == "not_enough_signers"
    assert code_of(rules, *twice, attestation(person(BO, GITHUB))) is None


def test_one_workflow_on_two_refs_is_one() -> None:
    rules = policy([ci("ci", field("repository", "acme/*"))], [line("ci", at_least=2)])
    main = attestation(workflow())
    for ref in ("refs/tags/v1", "refs/heads/a@b"):
        assert code_of(rules, main, attestation(workflow(ref=ref))) == "not_enough_signers"
    other = workflow(path=".github/workflows/test.yml")
    assert code_of(rules, main, attestation(other)) is None


def test_one_renamed_repository_is_one() -> None:
    rules = policy([ci("ci", field("repository-id", "123456789"))], [line("ci", at_least=2)])
    both = attestation(workflow()), attestation(workflow("acme/renamed"))
    assert code_of(rules, *both) == "not_enough_signers"
    anybody = policy([ci("ci", field("repository", "acme/*"))], [line("ci", at_least=2)])
    assert code_of(anybody, *both) == "not_enough_signers"
    forked = workflow("acme/renamed", number="2")
    assert code_of(anybody, attestation(workflow()), attestation(forked)) is None


def test_one_pipeline_that_runs_twice_is_one() -> None:
    """Codefresh names each run where others name the workflow that signed."""
    issuer, pipeline = "https://oidc.codefresh.io", "https://g.codefresh.io/acme/pack:1/2"
    first, second = (
        attestation(
            CertificateIdentity(
                subject=pipeline,
                kind="uri",
                issuer=issuer,
                claims={
                    "build-signer-uri": f"https://g.codefresh.io/build/{run}",
                    "source-repository-uri": "https://github.com/acme/evidence",
                },
            )
        )
        for run in (1, 2)
    )
    rule = ci("ci", field("subject", "https://g.codefresh.io/acme/**"), issuer=issuer)
    assert code_of(policy([rule], [line("ci")]), first) is None
    assert code_of(policy([rule], [line("ci", at_least=2)]), first, second) == "not_enough_signers"


def test_one_workflow_with_and_without_its_repositorys_id_is_one() -> None:
    rules = policy([ci()], [line("ci", at_least=2)])
    with_id, without = attestation(workflow()), attestation(workflow(number=None))
    assert code_of(rules, with_id, without) == "not_enough_signers"
    assert code_of(rules, without, with_id) == "not_enough_signers"
    # A name that was given to two repositories stands for two, and not for three.
    second = attestation(workflow(number="2"))
    three = policy([ci()], [line("ci", at_least=3)])
    assert code_of(rules, with_id, without, second) is None
    assert code_of(three, with_id, without, second) == "not_enough_signers"
    assert code_of(three, second, without, with_id) == "not_enough_signers"


def test_a_workflow_whose_name_had_several_ids_goes_by_the_least() -> None:
    first, second = workflow(number="1"), workflow(number="2")
    old = attestation(workflow(number=None, ref="refs/heads/old"))
    rules = policy([ci("ci", field("ref", "refs/heads/old"))], [line("ci")])
    for given in ((first, second), (second, first)):
        decision = decided(rules, old, *map(attestation, given))
        [met] = decision.requirements[0].met
        assert met.principal == first.principal


def test_one_key_under_two_names_is_one() -> None:
    rules = policy([key("old"), key("new")], [line("old"), line("new")])
    assert code_of(rules, attestation(KEYS[0]), attestation(KEYS[0])) == "not_enough_signers"
    two = policy([key("old"), key("new", 1)], [line("old"), line("new")])
    assert code_of(two, attestation(KEYS[0]), attestation(KEYS[1])) is None


def test_one_person_in_two_roles_fills_one() -> None:
    rules = policy([people("vendor", ANA, CY), people("auditor", ANA)],
                   [line("vendor"), line("auditor")])  # fmt: skip
    decision = decided(rules, *by(ANA, ANA))
    assert decision.code == "not_enough_signers"
    assert [item.status for item in decision.requirements] == ["pass", "fail"]
    [first, _] = decision.requirements[1].candidates
    assert first.mismatch.field == "principal"
    assert first.mismatch.actual == "fills signed by vendor"
    # Not greedily: whoever may fill both lines is moved where there is no other.
    assert code_of(rules, *by(ANA, CY)) is None
    assert code_of(rules, *by(CY, ANA)) is None


def test_a_principal_qualifies_by_one_attestation_that_meets_every_field() -> None:
    asked = ci("ci", field("repository", "acme/evidence"), field("ref", "refs/heads/main"),
               field("environment", "production"))  # fmt: skip
    rules = policy([asked], [line("ci")])
    halves = (
        attestation(workflow(deployment_environment="test")),
        attestation(workflow(ref="refs/heads/x")),
    )
    assert code_of(rules, *halves) == "certificate_identity_mismatch"
    assert code_of(rules, *halves, attestation(workflow())) is None


def test_every_line_must_hold_and_the_first_that_does_not_decides() -> None:
    rules = policy([EVERYBODY, ci()], [line("auditor", at_least=2), line("ci")])
    assert code_of(rules, *by(ANA, BO), attestation(workflow())) is None
    assert code_of(rules, *by(ANA, BO)) == "certificate_identity_mismatch"
    assert code_of(rules, *by(ANA)) == "not_enough_signers"
    assert code_of(rules, attestation(workflow())) == "certificate_identity_mismatch"


def test_any_of_several_signers_will_do_and_two_may_be_asked_of_them() -> None:
    rules = policy([EVERYBODY, key("release")], [line("auditor", "release", at_least=2)])
    assert code_of(rules, *by(ANA), attestation(KEYS[0])) is None
    assert code_of(rules, *by(ANA, BO)) is None
    assert code_of(rules, attestation(KEYS[0])) == "not_enough_signers"


def test_nothing_verified_is_a_failure_and_so_is_asking_nothing() -> None:
    assert code_of(BOTH) == "no_verified_attestation"
    assert code_of(policy([EVERYBODY], []), *by(ANA)) == "policy_not_met"
    assert code_of(policy([EVERYBODY], [line("auditor", at_least=0)])) == "no_verified_attestation"


def test_whoever_signed_will_do_only_where_that_is_said() -> None:
    rules = policy([AnySigner(name="anybody")], [line("anybody")])
    assert code_of(rules, *by(ANA)) is None
    assert code_of(rules, attestation(KEYS[3])) is None
    assert code_of(rules) == "no_verified_attestation"


def test_a_key_is_no_certificate_and_the_other_way_round() -> None:
    assert code_of(policy([key("k")], [line("k")]), *by(ANA)) == "certificate_identity_mismatch"
    assert code_of(policy([EVERYBODY], [line("auditor")]), attestation(KEYS[0])) == (
        "certificate_identity_mismatch"
    )
    assert code_of(policy([key("k", 1)], [line("k")]), attestation(KEYS[0])) == (
        "certificate_identity_mismatch"
    )


def test_others_are_reported_or_forbidden() -> None:
    reporting = policy([people("p", ANA)], [line("p")])
    forbidding = policy([people("p", ANA)], [line("p")], others="forbid")
    assert code_of(forbidding, *by(ANA, ANA)) is None
    for attestations, skipped in ((by(ANA, BO), 0), (by(ANA), 1)):
        assert code_of(reporting, *attestations, skipped=skipped) is None
        assert code_of(forbidding, *attestations, skipped=skipped) == "other_attestations"
    assert decided(reporting, *by(BO, ANA)).others == (0,)
    # What is not required still decides first.
    assert code_of(forbidding, *by(BO)) == "certificate_identity_mismatch"


def test_a_signer_whom_no_line_names_is_none_of_the_others() -> None:
    rules = policy([people("p", ANA), people("q", BO)], [line("p")], others="forbid")
    decision = decided(rules, *by(BO, ANA))
    assert decision.code is None
    assert decision.counted == (1,)


def test_whoever_is_revoked_still_counts_among_the_others() -> None:
    revoked = revoking(identities=f"email:{BO}")
    rules = policy([EVERYBODY], [line("auditor")], revoked=revoked)
    assert code_of(rules, *by(ANA, BO)) is None
    forbidding = policy([EVERYBODY], [line("auditor")], revoked=revoked, others="forbid")
    assert code_of(forbidding, *by(ANA, BO)) == "other_attestations"
