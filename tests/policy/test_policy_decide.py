"""Who counts, once and in which role; when; and what the policy says of whoever does not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from attest.errors import PolicyFileError
from attest.keys import PublicKey
from attest.policy.rules import (
    AnySigner,
    EvidenceRules,
    Pattern,
    PolicyFile,
    Revocations,
    SignerRule,
    Window,
)
from attest.verified import VerifiedAttestation
from tests.core.test_principals import certificate
from tests.policy.verified_makers import (
    ACTIONS,
    GITHUB,
    KEYS,
    NOW,
    PACK,
    SIGNED,
    attestation,
    ci,
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

ANA, BO, CY = "ana@audit.example", "bo@audit.example", "cy@vendor.example"
SECOND = timedelta(seconds=1)
EVERYBODY = people("auditor", "**@audit.example")
BOTH = policy([EVERYBODY], [line("auditor", at_least=2)])


def by(*emails: str) -> list[VerifiedAttestation]:
    return [attestation(person(email)) for email in emails]


def code_of(rules: PolicyFile, *attestations: VerifiedAttestation, **facts: object) -> str | None:
    decision = decided(rules, *attestations, **facts)  # type: ignore[arg-type]  # as decided()
    assert (decision.result == "pass") == (decision.code is None)
    return decision.code


# Counting: principals, never signatures.


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
    signer = "https://github.com/acme/evidence/.github/workflows/pack.yml@refs/heads/main"
    rules = policy(
        [ci("ci", field("repository", "acme/*"), field("signer-repository", "acme/*"))],
        [line("ci", at_least=2)],
    )
    renamed = workflow("acme/renamed", signer=signer)
    assert code_of(rules, attestation(workflow()), attestation(renamed)) == "not_enough_signers"
    forked = workflow("acme/renamed", signer=signer, number="2")
    assert code_of(rules, attestation(workflow()), attestation(forked)) is None


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


# Time.


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
    signer: PublicKey, signed: datetime, made: datetime | None, code: str | None
) -> None:
    rules = policy([people("p", ANA), key("k")], [line("p", "k")],
                   evidence=EvidenceRules(max_age=timedelta(days=90)))  # fmt: skip
    assert code_of(rules, attestation(signer, signed), generated_at=made) == code


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


# Others.


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


# Revocation.


def _certified(signer: SignerRule) -> tuple[PolicyFile, VerifiedAttestation]:
    der = certificate().public_bytes(Encoding.DER)
    return policy([signer], [line(signer.name)]), attestation(person(ANA), certificate=der)


NAMES: list[tuple[str, Callable[[VerifiedAttestation], str]]] = [
    ("certificates", lambda item: item.certificate.tbs_sha256.hex()),  # type: ignore[union-attr]  # there is one
    ("certificates", lambda item: item.certificate.sha256.hex().upper()),  # type: ignore[union-attr]  # as above
    ("certificates", lambda _: "CN=ca,O=acme#1f"),
    ("certificates", lambda _: "CN=ca,O=acme#001F"),
    ("identities", lambda _: f"email:{ANA}"),
    ("identities", lambda _: f"email:{ANA.upper()}"),
    ("log_entries", lambda _: "01" * 32),
    ("keys", lambda item: min(PublicKey.from_der(item.certificate.spki).ids)),  # type: ignore[union-attr]  # as above
    ("keys", lambda item: max(PublicKey.from_der(item.certificate.spki).ids)),  # type: ignore[union-attr]  # as above
]


@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_what_is_revoked_counts_no_more_by_whatever_name(
    kind: str, name: Callable[[VerifiedAttestation], str]
) -> None:
    rules, signed = _certified(people("p", ANA))
    assert code_of(rules, signed) is None
    for since in (None, SIGNED - SECOND, SIGNED):
        listed = revoking(since, **{kind: name(signed)})
        revoked = policy(rules.signers, rules.require, revoked=listed)
        assert code_of(revoked, signed) == "signer_revoked", since
    later = revoking(SIGNED + SECOND, **{kind: name(signed)})
    assert code_of(policy(rules.signers, rules.require, revoked=later), signed) is None


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("certificates", "00" * 32),
        ("certificates", "CN=ca,O=acme#20"),
        ("identities", f"email:{BO}"),
        ("identities", ANA),
        ("log_entries", "02" * 32),
        ("keys", "00" * 32),
    ],
)
def test_another_name_revokes_nobody(kind: str, name: str) -> None:
    rules, signed = _certified(people("p", ANA))
    listed = policy(rules.signers, rules.require, revoked=revoking(None, **{kind: name}))
    assert code_of(listed, signed) is None


@pytest.mark.parametrize("at", [0, 1])
def test_a_key_is_revoked_by_either_of_its_ids(at: int) -> None:
    name = sorted(KEYS[0].ids)[at]
    rules = policy([key("k"), key("other", 1)], [line("k", "other")], revoked=revoking(keys=name))
    assert code_of(rules, attestation(KEYS[0])) == "signer_revoked"
    assert code_of(rules, attestation(KEYS[1])) is None
    assert code_of(rules, *by(ANA)) == "certificate_identity_mismatch"


def test_a_key_is_revoked_as_a_principal_too() -> None:
    revoked = revoking(identities=f"key:{KEYS[0].key_id.hex()}")
    assert code_of(policy([key("k")], [line("k")], revoked=revoked), attestation(KEYS[0])) == (
        "signer_revoked"
    )


@pytest.mark.parametrize("repository", ["123456789", "acme/evidence", "Acme/Evidence"])
def test_a_workflow_is_revoked_by_its_repositorys_id_or_name(repository: str) -> None:
    signer = "https://github.com/acme/evidence/.github/workflows/pack.yml"
    revoked = revoking(identities=f"workflow:{ACTIONS}#{repository}#{signer}")
    rules = policy([ci()], [line("ci")], revoked=revoked)
    assert code_of(rules, attestation(workflow())) == "signer_revoked"
    assert code_of(rules, attestation(workflow(number="2"))) == (
        None if repository == "123456789" else "signer_revoked"
    )


def test_what_has_no_verified_time_was_not_signed_before_a_revocation() -> None:
    revoked = revoking(NOW + timedelta(days=1), keys=KEYS[0].key_id.hex())
    rules = policy([key("k")], [line("k")], revoked=revoked, timestamp="optional")
    assert code_of(rules, attestation(KEYS[0], timed=False)) == "signer_revoked"
    assert code_of(rules, attestation(KEYS[0])) is None


def test_the_earliest_time_says_whether_it_was_signed_before() -> None:
    revoked = revoking(SIGNED, identities=f"email:{ANA}")
    rules = policy([people("p", ANA)], [line("p")], revoked=revoked)
    assert code_of(rules, attestation(person(ANA), SIGNED, SIGNED - SECOND)) is None
    assert code_of(rules, attestation(person(ANA), SIGNED, SIGNED + SECOND)) == "signer_revoked"


def test_a_revocation_that_names_no_certificate_is_refused() -> None:
    rules, signed = _certified(people("p", ANA))
    listed = policy(rules.signers, rules.require, revoked=revoking(certificates="ca#1f"))
    with pytest.raises(PolicyFileError) as caught:
        decided(listed, signed)
    assert caught.value.code == "invalid_revocation"


def test_revoking_one_leaves_the_others() -> None:
    rules = policy([EVERYBODY], [line("auditor", at_least=2)],
                   revoked=revoking(identities=f"email:{ANA}"))  # fmt: skip
    assert code_of(rules, *by(ANA, BO)) == "signer_revoked"
    assert code_of(rules, *by(ANA, BO, "di@audit.example")) is None
    assert Revocations() == policy([], []).revoked


# Explaining.


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
