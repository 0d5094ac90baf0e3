"""The certificate authority believes nobody, and its leaves look like Fulcio's."""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from attest.sandbox import Sandbox
from attest.sandbox.ca import FULCIO_ARC
from attest.sandbox.tokens import person_claims, workflow_claims
from tests.sandbox.wire_client import Answer, Client, b64, csr, pem, sign

SIGNING_CERT = "/api/v2/signingCert"
EMAIL = "ana@acme.example"


def request_certificate(client: Client, key: ec.EllipticCurvePrivateKey, token: str) -> Answer:
    body = {"certificateSigningRequest": b64(csr(key))}
    return client.post(SIGNING_CERT, body, headers={"Authorization": f"Bearer {token}"})


def javascript_request(
    key: ec.EllipticCurvePrivateKey, token: str, *, proof: bytes
) -> dict[str, object]:
    public_key = {"algorithm": "ECDSA", "content": pem(key).decode()}
    return {
        "credentials": {"oidcIdentityToken": token},
        "publicKeyRequest": {"publicKey": public_key, "proofOfPossession": b64(proof)},
    }


def leaf(answer: Answer) -> x509.Certificate:
    assert answer.status == 200, answer.body
    return chain(answer)[0]


def chain(answer: Answer) -> list[x509.Certificate]:
    signed = answer.json()["signedCertificateEmbeddedSct"]
    assert isinstance(signed, dict)
    return [
        x509.load_pem_x509_certificate(item.encode()) for item in signed["chain"]["certificates"]
    ]


def claims_of(certificate: x509.Certificate) -> dict[int, bytes]:
    prefix = f"{FULCIO_ARC}."
    return {
        int(item.oid.dotted_string.removeprefix(prefix)): item.value.value
        for item in certificate.extensions
        if isinstance(item.value, x509.UnrecognizedExtension)
        and item.oid.dotted_string.startswith(prefix)
    }


def der_text(raw: bytes) -> str:
    assert raw[0] == 0x0C
    return raw[2:].decode() if raw[1] < 0x80 else raw[3:].decode()


def test_a_person_gets_a_certificate(
    sandbox: Sandbox, client: Client, key: ec.EllipticCurvePrivateKey
) -> None:
    answer = request_certificate(client, key, sandbox.person_token())
    certificate, intermediate, root = chain(answer)
    certificate.verify_directly_issued_by(intermediate)
    intermediate.verify_directly_issued_by(root)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.critical
    assert list(names.value) == [x509.RFC822Name(EMAIL)]
    claims = claims_of(certificate)
    assert set(claims) == {1, 8, 24}
    assert claims[1] == b"https://accounts.google.com"
    assert der_text(claims[8]) == "https://accounts.google.com"


def test_a_leaf_has_fulcios_shape(
    sandbox: Sandbox, client: Client, key: ec.EllipticCurvePrivateKey
) -> None:
    certificate = leaf(request_certificate(client, key, sandbox.person_token()))
    assert not list(certificate.subject)
    lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert lifetime == timedelta(minutes=10)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert not usage.value.key_cert_sign
    extended = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert not extended.critical
    assert list(extended.value) == [ExtendedKeyUsageOID.CODE_SIGNING]
    promises = certificate.extensions.get_extension_for_class(
        x509.PrecertificateSignedCertificateTimestamps
    )
    assert [item.log_id for item in promises.value] == [sandbox.instance.ctlog.log_id]


def test_a_workflow_gets_every_claim(
    sandbox: Sandbox, client: Client, key: ec.EllipticCurvePrivateKey
) -> None:
    token = sandbox.github_token(environment="production")
    claims = claims_of(leaf(request_certificate(client, key, token)))
    assert set(claims) == {*range(1, 7), *range(8, 25)}
    text = {arc: der_text(raw) for arc, raw in claims.items() if arc > 6}
    workflow = "https://github.com/acme/evidence/.github/workflows/pack.yml@refs/heads/main"
    assert text[9] == text[18] == workflow
    assert text[12] == "https://github.com/acme/evidence"
    assert text[14] == "refs/heads/main"
    assert text[16] == "https://github.com/acme"
    assert text[21] == "https://github.com/acme/evidence/actions/runs/1700000001/attempts/1"
    assert text[23] == "production"
    assert text[24] == "repo:acme/evidence:environment:production"
    assert claims[5] == b"acme/evidence"


def test_absent_claims_leave_no_extension(
    sandbox: Sandbox, client: Client, key: ec.EllipticCurvePrivateKey
) -> None:
    token = sandbox.github_token(runner_environment=None)
    claims = claims_of(leaf(request_certificate(client, key, token)))
    assert not {11, 23} & set(claims)


def test_the_javascript_shape_is_accepted(
    sandbox: Sandbox, client: Client, key: ec.EllipticCurvePrivateKey
) -> None:
    request = javascript_request(key, sandbox.person_token(), proof=sign(key, EMAIL.encode()))
    assert leaf(client.post(SIGNING_CERT, request)).public_key() == key.public_key()


@pytest.mark.parametrize(
    "signed", ["", "eve@acme.example", "repo:acme/evidence:ref:refs/heads/main"]
)
def test_a_proof_over_another_identity_is_refused(
    sandbox: Sandbox, client: Client, key: ec.EllipticCurvePrivateKey, signed: str
) -> None:
    request = javascript_request(key, sandbox.person_token(), proof=sign(key, signed.encode()))
    answer = client.post(SIGNING_CERT, request)
    assert (answer.status, answer.json()["code"]) == (400, 3)


def test_a_proof_by_another_key_is_refused(
    sandbox: Sandbox, client: Client, key: ec.EllipticCurvePrivateKey
) -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    request = javascript_request(key, sandbox.person_token(), proof=sign(other, EMAIL.encode()))
    assert client.post(SIGNING_CERT, request).status == 400


def test_a_request_that_it_did_not_sign_is_refused(
    sandbox: Sandbox, client: Client, key: ec.EllipticCurvePrivateKey
) -> None:
    lines = csr(key).splitlines()
    raw = bytearray(base64.b64decode(b"".join(lines[1:-1])))
    raw[-1] ^= 1
    forged = b"\n".join([lines[0], base64.b64encode(bytes(raw)), lines[-1], b""])
    answer = client.post(
        SIGNING_CERT,
        {"certificateSigningRequest": b64(forged)},
        headers={"Authorization": f"Bearer {sandbox.person_token()}"},
    )
    assert answer.status == 400


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"aud": "other"}, 401),
        ({"aud": None}, 401),
        ({"iss": "https://evil.example"}, 401),
        ({"iss": None}, 401),
        ({"sub": None}, 401),
        ({"iat": int(time.time()) + 3600}, 401),
        ({"exp": int(time.time()) - 60}, 401),
        ({"exp": None}, 401),
        ({"nbf": int(time.time()) + 3600}, 401),
        ({"email_verified": False}, 401),
        ({"email_verified": None}, 401),
        ({"email_verified": "true"}, 401),
        ({"email": None}, 400),
        ({"email": ["ana@acme.example"]}, 400),
        ({"email": "änä@acme.example"}, 400),
        ({"federated_claims": "https://accounts.google.com"}, 400),
        ({"federated_claims": {}}, 400),
    ],
)
def test_a_token_with_wrong_claims_is_refused(
    sandbox: Sandbox,
    client: Client,
    key: ec.EllipticCurvePrivateKey,
    change: dict[str, object],
    status: int,
) -> None:
    claims = person_claims(issuer=sandbox.issuer_url, email=EMAIL) | change
    answer = request_certificate(client, key, sandbox.mint_token(claims))
    assert answer.status == status
    assert answer.json()["code"] == {400: 3, 401: 16}[status]


def test_an_expired_token_is_refused(
    sandbox: Sandbox, client: Client, key: ec.EllipticCurvePrivateKey
) -> None:
    token = sandbox.person_token(lifetime_seconds=-30)
    assert request_certificate(client, key, token).status == 401


@pytest.mark.parametrize("missing", ["job_workflow_ref", "sub"])
def test_a_workflow_without_identity_is_refused(
    sandbox: Sandbox, client: Client, key: ec.EllipticCurvePrivateKey, missing: str
) -> None:
    token = sandbox.mint_token(workflow_claims(overrides={missing: None}))
    assert request_certificate(client, key, token).status in {400, 401}


def forged_tokens(sandbox: Sandbox) -> dict[str, str]:
    claims = {
        **person_claims(issuer=sandbox.issuer_url, email=EMAIL),
        "aud": "sigstore",
        "iat": int(time.time()),
        "exp": int(time.time()) + 600,
    }
    claims.pop("nonce")
    good = sandbox.person_token()
    head, body, signature = good.split(".")
    changed = json.dumps({**claims, "email": "eve@acme.example"}).encode()
    return {
        "none": jwt.encode(claims, "", algorithm="none"),
        "hmac": jwt.encode(claims, "k" * 64, algorithm="HS256"),
        "key": jwt.encode(claims, ec.generate_private_key(ec.SECP256R1()), algorithm="ES256"),
        "body": f"{head}.{base64.urlsafe_b64encode(changed).decode().rstrip('=')}.{signature}",
        "stripped": f"{head}.{body}.",
        "text": "not-a-token",
        "long": sandbox.mint_token({**claims, "padding": "A" * 20_000}),
    }


@pytest.mark.parametrize("kind", ["none", "hmac", "key", "body", "stripped", "text", "long"])
def test_a_token_that_the_issuer_did_not_sign_is_refused(
    sandbox: Sandbox, client: Client, key: ec.EllipticCurvePrivateKey, kind: str
) -> None:
    answer = request_certificate(client, key, forged_tokens(sandbox)[kind])
    assert (answer.status, answer.json()["code"]) == (401, 16)


def test_no_token_is_refused(client: Client, key: ec.EllipticCurvePrivateKey) -> None:
    assert client.post(SIGNING_CERT, {"certificateSigningRequest": b64(csr(key))}).status == 401


def test_two_different_tokens_are_refused(
    sandbox: Sandbox, client: Client, key: ec.EllipticCurvePrivateKey
) -> None:
    request = javascript_request(key, sandbox.person_token(), proof=sign(key, EMAIL.encode()))
    other = sandbox.person_token("bo@acme.example")
    answer = client.post(SIGNING_CERT, request, headers={"Authorization": f"Bearer {other}"})
    assert answer.status == 400


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"certificateSigningRequest": ',
        b'{"a": NaN}',
        b"[" * 100_000,
        b'{"certificateSigningRequest": "???"}',
        b'{"certificateSigningRequest": "aGVsbG8="}',
        b'{"publicKeyRequest": {"publicKey": {"content": "x"}, "proofOfPossession": "AA=="}}',
        b'{"publicKeyRequest": 1}',
    ],
)
def test_a_malformed_request_is_refused(sandbox: Sandbox, client: Client, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {sandbox.person_token()}"}
    answer = client.post(SIGNING_CERT, body, headers=headers)
    assert (answer.status, answer.json()["code"]) == (400, 3)


def test_weak_keys_are_refused(sandbox: Sandbox, client: Client) -> None:
    from cryptography.hazmat.primitives import hashes, serialization

    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    encoded = request.sign(weak, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    answer = client.post(
        SIGNING_CERT,
        {"certificateSigningRequest": b64(encoded)},
        headers={"Authorization": f"Bearer {sandbox.person_token()}"},
    )
    assert answer.status == 400


def test_parts_mint_what_the_service_never_would(sandbox: Sandbox) -> None:
    past = datetime(2026, 1, 2, tzinfo=UTC)
    certificate = sandbox.instance.ca.issue(
        public_key=ed25519.Ed25519PrivateKey.generate().public_key(),
        san=x509.UniformResourceIdentifier("https://example.com/who"),
        issuer=None,
        extensions={8: "https://issuer.example"},
        not_before=past,
        not_after=past + timedelta(days=1),
        sct_log=None,
    )
    assert certificate.not_valid_before_utc == past
    assert set(claims_of(certificate)) == {8}
    with pytest.raises(x509.ExtensionNotFound):
        certificate.extensions.get_extension_for_class(
            x509.PrecertificateSignedCertificateTimestamps
        )


def test_a_naive_time_is_refused(sandbox: Sandbox, key: ec.EllipticCurvePrivateKey) -> None:
    with pytest.raises(ValueError, match="naive"):
        sandbox.instance.ca.issue(
            public_key=key.public_key(),
            san=x509.RFC822Name(EMAIL),
            issuer="https://issuer.example",
            not_before=datetime(2026, 1, 2),  # noqa: DTZ001 -- the point of the test
            sct_log=None,
        )
