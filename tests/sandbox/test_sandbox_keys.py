"""Every kind of key that signs evidence is accepted where the real services take it."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from attest.sandbox import Refusal, TransparencyLogV1, TransparencyLogV2
from tests.sandbox.log_requests import PAYLOAD_TYPE, pae
from tests.sandbox.wire_client import b64

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
PAYLOAD = b'{"k":1}'

KEYS: dict[str, Key] = {
    "p384": ec.generate_private_key(ec.SECP384R1()),
    "p521": ec.generate_private_key(ec.SECP521R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
    "rsa": rsa.generate_private_key(public_exponent=65537, key_size=2048),
}


def sign(key: Key, message: bytes, algorithm: hashes.HashAlgorithm) -> bytes:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(message, padding.PKCS1v15(), algorithm)
    return key.sign(message, ec.ECDSA(algorithm))


def encoded(key: Key, encoding: serialization.Encoding) -> bytes:
    return key.public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)


def dsse_request(key: Key, signature: bytes) -> dict[str, object]:
    envelope = {
        "payload": b64(PAYLOAD),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"sig": b64(signature)}],
    }
    proposed = {
        "envelope": json.dumps(envelope),
        "verifiers": [b64(encoded(key, serialization.Encoding.PEM))],
    }
    return {"apiVersion": "0.0.1", "kind": "dsse", "spec": {"proposedContent": proposed}}


def v2_request(key: Key, details: str, algorithm: hashes.HashAlgorithm) -> dict[str, object]:
    hasher = hashes.Hash(algorithm)
    hasher.update(PAYLOAD)
    verifier = {
        "publicKey": {"rawBytes": b64(encoded(key, serialization.Encoding.DER))},
        "keyDetails": details,
    }
    signature = {"content": b64(sign(key, PAYLOAD, algorithm)), "verifier": verifier}
    digest = b64(hasher.finalize())
    return {"hashedRekordRequestV002": {"digest": digest, "signature": signature}}


@pytest.mark.parametrize(
    ("name", "algorithm"),
    [
        ("p384", hashes.SHA384()),
        ("p384", hashes.SHA256()),
        ("p521", hashes.SHA512()),
        ("ed25519", hashes.SHA256()),
        ("rsa", hashes.SHA256()),
    ],
)
def test_v1_dsse_takes_every_key(name: str, algorithm: hashes.HashAlgorithm) -> None:
    log = TransparencyLogV1(key=ec.generate_private_key(ec.SECP256R1()))
    key = KEYS[name]
    log.submit(dsse_request(key, sign(key, pae(PAYLOAD), algorithm)))
    assert log.size == 2
    with pytest.raises(Refusal):
        log.submit(dsse_request(key, sign(key, PAYLOAD, algorithm)))
    assert log.size == 2


@pytest.mark.parametrize(
    ("name", "details", "algorithm"),
    [
        ("p384", "PKIX_ECDSA_P384_SHA_384", hashes.SHA384()),
        ("p521", "PKIX_ECDSA_P521_SHA_512", hashes.SHA512()),
        ("rsa", "PKIX_RSA_PKCS1V15_2048_SHA256", hashes.SHA256()),
    ],
)
def test_v2_takes_keys_with_their_own_digest(
    name: str, details: str, algorithm: hashes.HashAlgorithm
) -> None:
    log = TransparencyLogV2(key=ed25519.Ed25519PrivateKey.generate())
    entry = log.submit(v2_request(KEYS[name], details, algorithm))
    spec = json.loads(entry.body)["spec"]["hashedRekordV002"]
    assert spec["signature"]["verifier"]["keyDetails"] == details
    assert spec["data"]["algorithm"] == f"SHA2_{algorithm.digest_size * 8}"


@pytest.mark.parametrize(
    ("name", "details", "algorithm"),
    [
        ("p384", "PKIX_ECDSA_P384_SHA_384", hashes.SHA256()),
        ("p521", "PKIX_ECDSA_P521_SHA_512", hashes.SHA384()),
        ("rsa", "PKIX_RSA_PKCS1V15_3072_SHA256", hashes.SHA256()),
        ("ed25519", "PKIX_ED25519", hashes.SHA512()),
        ("ed25519", "PKIX_ED25519_PH", hashes.SHA512()),
    ],
)
def test_v2_refuses_other_digests_and_what_it_cannot_check(
    name: str, details: str, algorithm: hashes.HashAlgorithm
) -> None:
    log = TransparencyLogV2(key=ed25519.Ed25519PrivateKey.generate())
    with pytest.raises(Refusal) as caught:
        log.submit(v2_request(KEYS[name], details, algorithm))
    assert (caught.value.status, log.size) == (400, 1)
