"""What is revoked counts no more, by whichever of its names the policy knows it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from attest.claims import CertificateIdentity
from attest.errors import PolicyFileError
from attest.keys import PublicKey
from attest.policy.rules import (
    PolicyFile,
    Revocations,
    SignerRule,
)
from attest.verified import VerifiedAttestation
from tests.core.test_principals import certificate
from tests.policy.verified_makers import (
    ACTIONS,
    ANA,
    BO,
    EVERYBODY,
    KEYS,
    NOW,
    SECOND,
    SIGNED,
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


FILE = ".github/workflows/pack.yml"
URI = f"https://github.com/acme/evidence/{FILE}"


@pytest.mark.parametrize("repository", ["123456789", "acme/evidence", "Acme/Evidence"])
@pytest.mark.parametrize("file", [FILE, URI])
def test_a_workflow_is_revoked_by_its_repositorys_id_or_name(repository: str, file: str) -> None:
    revoked = revoking(identities=f"workflow:{ACTIONS}#{repository}#{file}")
    rules = policy([ci()], [line("ci")], revoked=revoked)
    assert code_of(rules, attestation(workflow())) == "signer_revoked"
    assert code_of(rules, attestation(workflow(number="2"))) == (
        None if repository == "123456789" else "signer_revoked"
    )


OLD = workflow(number=None)


@pytest.mark.parametrize("file", [FILE, URI])
def test_a_certificate_without_an_id_goes_with_a_revoked_one_of_its_name(file: str) -> None:
    revoked = revoking(identities=f"workflow:{ACTIONS}#123456789#{file}")
    rules = policy([ci("ci", field("ref", "refs/heads/main"))], [line("ci")], revoked=revoked)
    told = attestation(workflow(ref="refs/heads/old"))
    assert code_of(rules, attestation(OLD), told) == "signer_revoked"
    assert code_of(rules, told, attestation(OLD)) == "signer_revoked"
    # Another workflow's, another repository's and another issuer's can be told from it.
    for other in (
        workflow(number=None, path=".github/workflows/other.yml"),
        workflow("acme/other", number=None),
        workflow(number="2"),
    ):
        assert code_of(rules, attestation(other), told) is None, other
    assert code_of(rules, attestation(OLD), attestation(workflow(issuer="https://i"))) is None


def test_a_certificate_without_an_id_does_not_go_with_a_revoked_subject() -> None:
    told = workflow(ref="refs/heads/old")
    revoked = revoking(identities=f"subject:{ACTIONS}#{told.subject}")
    rules = policy([ci("ci", field("ref", "refs/heads/main"))], [line("ci")], revoked=revoked)
    assert code_of(rules, attestation(OLD), attestation(told)) is None


def test_a_certificate_without_an_id_counts_where_it_was_signed_before() -> None:
    revoked = revoking(SIGNED, identities=f"workflow:{ACTIONS}#123456789#{FILE}")
    rules = policy([ci()], [line("ci")], revoked=revoked)
    assert code_of(rules, attestation(OLD, SIGNED - SECOND), attestation(workflow())) is None
    assert code_of(rules, attestation(OLD), attestation(workflow())) == "signer_revoked"


def test_a_renamed_repository_stays_revoked() -> None:
    revoked = revoking(identities=workflow().principal)
    rules = policy([ci("ci", field("repository-id", "123456789"))], [line("ci")], revoked=revoked)
    assert code_of(rules, attestation(workflow("acme/renamed"))) == "signer_revoked"


@pytest.mark.parametrize("signer", [workflow(), person(ANA, ACTIONS)])
def test_an_identity_is_revoked_by_its_subject_too(signer: CertificateIdentity) -> None:
    revoked = revoking(identities=f"subject:{signer.issuer}#{signer.subject}")
    anybody = ci("ci", field("subject", "**"))
    assert code_of(policy([anybody], [line("ci")]), attestation(signer)) is None
    rules = policy([anybody], [line("ci")], revoked=revoked)
    assert code_of(rules, attestation(signer)) == "signer_revoked"


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
    assert code_of(rules, *by(BO, ANA)) == "signer_revoked"
    assert code_of(rules, *by(BO, "di@audit.example", ANA)) is None
    assert Revocations() == policy([], []).revoked


@pytest.mark.parametrize("name", ["00" * 32, "CN=ca,O=acme#1f"])
def test_a_key_has_no_certificate_that_could_be_revoked(name: str) -> None:
    rules = policy([key("k")], [line("k")], revoked=revoking(certificates=name))
    assert code_of(rules, attestation(KEYS[0])) is None
