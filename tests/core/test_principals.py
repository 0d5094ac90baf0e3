"""Who is counted as one and the same, and what names a certificate."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from attest.claims import CertificateFacts, CertificateIdentity, SubjectKind
from attest.keys import PublicKey

ACTIONS = "https://token.actions.githubusercontent.com"
SIGNER = "https://github.com/acme/x/.github/workflows/pack.yml"
RENAMED = f"{SIGNER.replace('acme/x', 'acme/renamed')}@refs/heads/main"
GITLAB = "https://gitlab.com/g/p//.gitlab-ci.yml@refs/heads/main"


def identity(
    subject: str = f"{SIGNER}@refs/heads/main",
    *,
    kind: SubjectKind = "uri",
    issuer: str = ACTIONS,
    **claims: str,
) -> CertificateIdentity:
    named = {name.replace("_", "-"): value for name, value in claims.items()}
    return CertificateIdentity(subject=subject, kind=kind, issuer=issuer, claims=named)


def workflow(
    signer: str = f"{SIGNER}@refs/heads/main",
    number: str | None = "123",
    uri: str = "https://github.com/acme/x",
) -> CertificateIdentity:
    if number is None:
        return identity(signer, build_signer_uri=signer, source_repository_uri=uri)
    return identity(
        signer,
        build_signer_uri=signer,
        source_repository_uri=uri,
        source_repository_identifier=number,
    )


@pytest.mark.parametrize(
    ("one", "same"),
    [
        (workflow(), workflow(f"{SIGNER}@refs/tags/v1")),
        # A branch whose name holds an `@` makes no second workflow of it.
        (workflow(), workflow(f"{SIGNER}@refs/heads/a@refs/heads/main")),
        (workflow(), workflow(SIGNER.replace("acme", "Acme") + "@refs/heads/main")),
        (workflow(), workflow(RENAMED, uri="https://github.com/acme/renamed")),
        (
            workflow(GITLAB, uri="https://gitlab.com/g/p"),
            workflow(GITLAB.replace("g/p", "h/q"), uri="https://gitlab.com/h/q"),
        ),
        # What differs from run to run is nobody's name.
        (
            identity(
                "https://g.codefresh.io/acme/x:1/2",
                build_signer_uri="https://g/build/3",
                source_repository_uri="https://github.com/acme/x",
            ),
            identity(
                "https://g.codefresh.io/acme/x:1/2",
                build_signer_uri="https://g/build/4",
                source_repository_uri="https://github.com/acme/x",
            ),
        ),
        (
            identity(
                "https://circleci.com/p/1",
                build_signer_uri="https://circleci.com/p/1",
                source_repository_uri="https://github.com/acme/x",
            ),
            identity(
                "https://circleci.com/p/1",
                build_signer_uri="https://circleci.com/p/1",
                source_repository_uri="https://github.com/acme/x.git",
            ),
        ),
        (workflow(number=None), workflow(number=None, uri="https://github.com/Acme/X")),
        (
            identity("ana@acme.example", kind="email", issuer="https://a.example"),
            identity("ANA@Acme.example", kind="email", issuer="https://b.example"),
        ),
        # As the public CA wrote them until 2023: no URI of the signer, only the SAN.
        (
            identity(github_workflow_repository="acme/x"),
            identity(f"{SIGNER}@refs/tags/v1", github_workflow_repository="acme/x"),
        ),
    ],
)
def test_these_two_are_one(one: CertificateIdentity, same: CertificateIdentity) -> None:
    assert one.principal == same.principal


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (workflow(), workflow(number="124")),
        (workflow(), workflow(SIGNER.replace("pack", "test") + "@refs/heads/main")),
        (identity("https://a.example/x", issuer="a"), identity("https://a.example/x", issuer="b")),
        (identity("https://a.example/x"), identity("https://a.example/y")),
        # Another repository's workflow with the same path, or one whose project begins alike.
        (workflow(), workflow(SIGNER.replace("acme", "other") + "@refs/heads/main")),
        (
            workflow(GITLAB, uri="https://gitlab.com/g/p"),
            workflow(GITLAB.replace("g/p", "g/p/q"), uri="https://gitlab.com/g/p"),
        ),
        (identity("ana", kind="username"), identity("ana", kind="email")),
        # The e-mail in a user name is vouched for by nobody as an e-mail.
        (identity("a@b.example", kind="username"), identity("a@b.example", kind="email")),
    ],
)
def test_these_two_are_two(one: CertificateIdentity, other: CertificateIdentity) -> None:
    assert one.principal != other.principal


def test_a_workflow_with_and_without_its_repositorys_id_shares_a_name() -> None:
    with_id, without = workflow(), workflow(number=None)
    before_2023 = identity(github_workflow_repository="acme/x")
    assert with_id.principal != without.principal
    assert with_id.named_principal == without.principal == without.named_principal
    assert before_2023.principal == without.principal


def test_a_workflow_goes_by_its_path_and_by_what_else_somebody_might_write() -> None:
    assert workflow().names == {
        f"workflow:{ACTIONS}#123#.github/workflows/pack.yml",
        f"workflow:{ACTIONS}#acme/x#.github/workflows/pack.yml",
        f"workflow:{ACTIONS}#123#{SIGNER}",
        f"workflow:{ACTIONS}#acme/x#{SIGNER}",
        f"subject:{ACTIONS}#{SIGNER}@refs/heads/main",
    }
    shared = workflow(SIGNER.replace("acme/x", "acme/shared") + "@refs/tags/v1")
    assert shared.principal == f"workflow:{ACTIONS}#123#{SIGNER.replace('acme/x', 'acme/shared')}"


def test_a_person_has_one_name() -> None:
    ana = identity("Ana@acme.example", kind="email", source_repository_uri="https://h/acme/x")
    assert ana.named_principal == ana.principal == "email:ana@acme.example"
    assert ana.names == {ana.principal, f"subject:{ACTIONS}#Ana@acme.example"}


def certificate(serial: int = 0x1F) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name.from_rfc4514_string("CN=ca,O=acme")
    now = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(issuer, x509.Name([]), key.public_key(), serial)
    builder = builder.not_valid_before(now).not_valid_after(now + timedelta(minutes=10))
    return builder.sign(key, hashes.SHA256())


def test_a_certificate_is_named_by_its_hashes() -> None:
    made = certificate()
    facts = CertificateFacts(der=made.public_bytes(Encoding.DER))
    assert facts.sha256 == made.fingerprint(hashes.SHA256())
    assert facts.tbs_sha256 == hashlib.sha256(made.tbs_certificate_bytes).digest()
    assert facts.spki == made.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )


@pytest.mark.parametrize("name", ["CN=ca,O=acme#1f", "CN=ca,O=acme#001F", "CN=ca,O=acme#1F"])
def test_a_certificate_is_named_by_issuer_and_serial(name: str) -> None:
    facts = CertificateFacts(der=certificate().public_bytes(Encoding.DER))
    assert facts.is_issued_as(name)


@pytest.mark.parametrize(
    "name", ["CN=ca,O=acme#20", "CN=ca#1f", "O=acme,CN=ca#1f", "CN=cb,O=acme#1f"]
)
def test_another_issuer_or_serial_names_another_certificate(name: str) -> None:
    facts = CertificateFacts(der=certificate().public_bytes(Encoding.DER))
    assert not facts.is_issued_as(name)


@pytest.mark.parametrize("name", ["ca#1f", "CN=ca,O=acme#", "CN=ca,O=acme#xy", "CN=ca,,#1f"])
def test_what_names_no_certificate_is_refused(name: str) -> None:
    facts = CertificateFacts(der=certificate().public_bytes(Encoding.DER))
    with pytest.raises(ValueError):  # noqa: PT011  # whatever the library says of it
        facts.is_issued_as(name)


def test_a_key_has_the_ids_of_both_of_its_encodings() -> None:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    key = PublicKey(public)
    assert len(point) == 65
    assert key.ids == {key.key_id.hex(), hashlib.sha256(point).hexdigest()}


def test_a_key_without_a_point_has_one_id() -> None:
    key = PublicKey(ed25519.Ed25519PrivateKey.generate().public_key())
    assert key.ids == {key.key_id.hex()}
