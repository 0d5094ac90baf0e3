"""Every kind of key that signs evidence is accepted where the real services take it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import cache

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from attest.sandbox import Refusal, TransparencyLogV1, TransparencyLogV2
from tests.sandbox.log_requests import PAYLOAD_TYPE, change, intoto, pae
from tests.sandbox.wire_client import b64

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
PAYLOAD = b'{"k":1}'

CURVES: dict[str, ec.EllipticCurve] = {
    "p192": ec.SECP192R1(),
    "k256": ec.SECP256K1(),
    "p256": ec.SECP256R1(),
    "p384": ec.SECP384R1(),
    "p521": ec.SECP521R1(),
}


@cache
def key_named(name: str) -> Key:
    """One key of each kind: `ed25519`, a curve, or `rsa` and its bits."""
    if name == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if name in CURVES:
        return ec.generate_private_key(CURVES[name])
    return rsa.generate_private_key(public_exponent=65537, key_size=int(name.removeprefix("rsa")))


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


def intoto_request(key: Key, signature: bytes) -> dict[str, object]:
    verifier = encoded(key, serialization.Encoding.PEM)
    return intoto(PAYLOAD, signature=signature, verifier=verifier)


def v1_request(key: Key, algorithm: hashes.HashAlgorithm) -> dict[str, object]:
    digest = hashlib.new(algorithm.name, PAYLOAD).hexdigest()
    signature = {
        "content": b64(sign(key, PAYLOAD, algorithm)),
        "publicKey": {"content": b64(encoded(key, serialization.Encoding.PEM))},
    }
    hashed = {"algorithm": algorithm.name, "value": digest}
    spec = {"data": {"hash": hashed}, "signature": signature}
    return {"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": spec}


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
        ("p256", hashes.SHA256()),
        ("p384", hashes.SHA384()),
        ("p384", hashes.SHA256()),
        ("p521", hashes.SHA512()),
        ("rsa2048", hashes.SHA256()),
        ("rsa3072", hashes.SHA256()),
        ("rsa4096", hashes.SHA512()),
    ],
)
def test_v1_hashedrekord_takes_a_public_key(name: str, algorithm: hashes.HashAlgorithm) -> None:
    log = TransparencyLogV1(key=ec.generate_private_key(ec.SECP256R1()))
    request = v1_request(key_named(name), algorithm)
    entry = log.submit(request)
    assert json.loads(entry.body) == request
    with pytest.raises(Refusal) as caught:
        log.submit(change(request, "spec.data.hash.value", "00" * algorithm.digest_size))
    assert (caught.value.status, log.size) == (400, 2)


@pytest.mark.parametrize("name", ["ed25519", "rsa1024", "p192", "k256"])
def test_v1_hashedrekord_refuses_keys_it_cannot_or_must_not_check(name: str) -> None:
    log = TransparencyLogV1(key=ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(Refusal) as caught:
        log.submit(v1_request(key_named(name), hashes.SHA512()))
    assert (caught.value.status, log.size) == (400, 1)


@pytest.mark.parametrize(
    ("name", "algorithm"),
    [
        ("p256", hashes.SHA256()),
        ("p384", hashes.SHA384()),
        ("p384", hashes.SHA256()),
        ("p521", hashes.SHA512()),
        ("ed25519", hashes.SHA256()),
        ("rsa2048", hashes.SHA256()),
        ("rsa3072", hashes.SHA256()),
        ("rsa4096", hashes.SHA256()),
    ],
)
@pytest.mark.parametrize("request_of", [dsse_request, intoto_request])
def test_v1_envelopes_take_every_key(
    request_of: Callable[[Key, bytes], dict[str, object]],
    name: str,
    algorithm: hashes.HashAlgorithm,
) -> None:
    log = TransparencyLogV1(key=ec.generate_private_key(ec.SECP256R1()))
    key = key_named(name)
    entry = log.submit(request_of(key, sign(key, pae(PAYLOAD), algorithm)))
    assert b64(encoded(key, serialization.Encoding.PEM)).encode() in entry.body
    with pytest.raises(Refusal) as caught:
        log.submit(request_of(key, sign(key, PAYLOAD, algorithm)))
    assert (caught.value.status, log.size) == (400, 2)


@pytest.mark.parametrize(
    ("name", "algorithm"),
    [
        ("p384", hashes.SHA512()),
        ("p256", hashes.SHA512()),
        ("rsa2048", hashes.SHA512()),
        ("rsa1024", hashes.SHA256()),
        ("p192", hashes.SHA256()),
        ("k256", hashes.SHA256()),
    ],
)
@pytest.mark.parametrize("request_of", [dsse_request, intoto_request])
def test_v1_envelopes_refuse_other_keys_and_digests(
    request_of: Callable[[Key, bytes], dict[str, object]],
    name: str,
    algorithm: hashes.HashAlgorithm,
) -> None:
    log = TransparencyLogV1(key=ec.generate_private_key(ec.SECP256R1()))
    key = key_named(name)
    with pytest.raises(Refusal) as caught:
        log.submit(request_of(key, sign(key, pae(PAYLOAD), algorithm)))
    assert (caught.value.status, log.size) == (400, 1)


@pytest.mark.parametrize(
    ("name", "details", "algorithm"),
    [
        ("p256", "PKIX_ECDSA_P256_SHA_256", hashes.SHA256()),
        ("p384", "PKIX_ECDSA_P384_SHA_384", hashes.SHA384()),
        ("p521", "PKIX_ECDSA_P521_SHA_512", hashes.SHA512()),
        ("rsa2048", "PKIX_RSA_PKCS1V15_2048_SHA256", hashes.SHA256()),
        ("rsa3072", "PKIX_RSA_PKCS1V15_3072_SHA256", hashes.SHA256()),
        ("rsa4096", "PKIX_RSA_PKCS1V15_4096_SHA256", hashes.SHA256()),
    ],
)
def test_v2_takes_keys_with_their_own_digest(
    name: str, details: str, algorithm: hashes.HashAlgorithm
) -> None:
    log = TransparencyLogV2(key=ed25519.Ed25519PrivateKey.generate())
    entry = log.submit(v2_request(key_named(name), details, algorithm))
    spec = json.loads(entry.body)["spec"]["hashedRekordV002"]
    assert spec["signature"]["verifier"]["keyDetails"] == details
    assert spec["data"]["algorithm"] == f"SHA2_{algorithm.digest_size * 8}"


@pytest.mark.parametrize(
    ("name", "details", "algorithm"),
    [
        ("p384", "PKIX_ECDSA_P384_SHA_384", hashes.SHA256()),
        ("p521", "PKIX_ECDSA_P521_SHA_512", hashes.SHA384()),
        ("rsa2048", "PKIX_RSA_PKCS1V15_3072_SHA256", hashes.SHA256()),
        ("rsa2304", "PKIX_RSA_PKCS1V15_2048_SHA256", hashes.SHA256()),
        ("rsa1024", "PKIX_RSA_PKCS1V15_2048_SHA256", hashes.SHA256()),
        ("k256", "PKIX_ECDSA_P256_SHA_256", hashes.SHA256()),
        ("ed25519", "PKIX_ED25519", hashes.SHA512()),
        ("ed25519", "PKIX_ED25519_PH", hashes.SHA512()),
    ],
)
def test_v2_refuses_other_digests_and_what_it_cannot_check(
    name: str, details: str, algorithm: hashes.HashAlgorithm
) -> None:
    log = TransparencyLogV2(key=ed25519.Ed25519PrivateKey.generate())
    with pytest.raises(Refusal) as caught:
        log.submit(v2_request(key_named(name), details, algorithm))
    assert (caught.value.status, log.size) == (400, 1)
