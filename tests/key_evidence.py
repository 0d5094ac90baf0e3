"""Bundles that keys signed, and `intoto` entries, logged by a sandbox that checked each of them."""

from __future__ import annotations

import hashlib
import json
import tempfile
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from attest.dsse import IN_TOTO_PAYLOAD_TYPE, pae
from attest.keys import PublicKey
from attest.sandbox import Instance
from attest.trust.root import TrustRoot
from tests.evidence import (
    ARTIFACT,
    ARTIFACT_DIGEST,
    PERSON,
    PERSON_ISSUER,
    artifact_statement,
    root_of,
)
from tests.sandbox.log_requests import intoto

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey

_SIZES: dict[str, ec.EllipticCurve] = {
    "p256": ec.SECP256R1(),
    "p384": ec.SECP384R1(),
    "p521": ec.SECP521R1(),
}
_DIGESTS: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
KEYS = (*_SIZES, "ed25519", "rsa2048", "rsa3072")
KINDS = ("v1-message", "v1-dsse", "v1-intoto", "v2-message", "v2-dsse")


def supported(kind: str, key: str) -> bool:
    """Whether the logs take it: a digest signed by Ed25519 would need Ed25519ph."""
    return key != "ed25519" or kind in {"v1-dsse", "v1-intoto"}


#: Every kind with every key that it can have: `kind:key`.
KEY_SIGNED = tuple(f"{kind}:{key}" for kind in KINDS for key in KEYS if supported(kind, key))


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyEvidence:
    """Bundles by `kind:key`, the keys, one `intoto` bundle with a certificate, and the root."""

    bundles: dict[str, bytes]
    by_certificate: bytes
    trusted_root: bytes

    def root(self) -> TrustRoot:
        return root_of(self.trusted_root)


@cache
def key_named(name: str) -> Key:
    """One key of each kind."""
    if name == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if name in _SIZES:
        return ec.generate_private_key(_SIZES[name])
    return rsa.generate_private_key(public_exponent=65537, key_size=int(name.removeprefix("rsa")))


def pem_of(name: str) -> str:
    """The public key as PEM."""
    return _spki(key_named(name), Encoding.PEM).decode("ascii")


def public_key(name: str) -> PublicKey:
    """The public key as the engine takes it."""
    return PublicKey(key_named(name).public_key())


@cache
def key_evidence() -> KeyEvidence:
    """All of it, by one instance."""
    with tempfile.TemporaryDirectory() as folder:
        instance = Instance.open(Path(folder))
        return KeyEvidence(
            bundles={name: _by_key(instance, *name.split(":")) for name in KEY_SIGNED},
            by_certificate=_by_certificate(instance),
            trusted_root=json.dumps(instance.trusted_root().to_dict()).encode(),
        )


def _by_key(instance: Instance, kind: str, name: str) -> bytes:
    key = key_named(name)
    hint = b64encode(hashlib.sha256(_spki(key, Encoding.DER)).digest()).decode()
    content = kind.rpartition("-")[2]
    message = _message(content)
    signature = _sign(key, message)
    pem = _spki(key, Encoding.PEM)
    if kind.startswith("v2"):
        verifier = {"publicKey": {"rawBytes": _b64(_spki(key, Encoding.DER))}}
        details = next(iter(public_key(name).details))
        request = {
            "digest": _b64(hashlib.new(_digest(key), message).digest()),
            "signature": {
                "content": _b64(signature),
                "verifier": {**verifier, "keyDetails": details},
            },
        }
        entry = instance.rekor2.submit({"hashedRekordRequestV002": request}).to_message()
    else:
        entry = instance.rekor1.submit(_v1_request(content, key, signature, pem)).to_message()
    stamped = kind.startswith("v2") or kind == "v1-dsse"  # both ways in v1: with one and without
    return _bundle(
        instance,
        content,
        signature,
        entry.to_dict(),
        {"publicKey": {"hint": hint}},
        stamped=stamped,
    )


def _by_certificate(instance: Instance) -> bytes:
    key = key_named("p256")
    certificate = instance.ca.issue(
        public_key=key.public_key(),
        san=x509.RFC822Name(PERSON),
        issuer=PERSON_ISSUER,
        sct_log=instance.ctlog,
    )
    signature = _sign(key, _message("intoto"))
    pem = certificate.public_bytes(Encoding.PEM)
    entry = instance.rekor1.submit(_v1_request("intoto", key, signature, pem)).to_message()
    raw = {"certificate": {"rawBytes": _b64(certificate.public_bytes(Encoding.DER))}}
    return _bundle(instance, "intoto", signature, entry.to_dict(), raw, stamped=False)


def _v1_request(content: str, key: Key, signature: bytes, pem: bytes) -> dict[str, object]:
    if content == "intoto":
        return intoto(artifact_statement(), signature=signature, verifier=pem)
    if content == "dsse":
        proposed = {"envelope": json.dumps(_envelope(signature)), "verifiers": [_b64(pem)]}
        return {"apiVersion": "0.0.1", "kind": "dsse", "spec": {"proposedContent": proposed}}
    algorithm = _digest(key)
    hashed = {"algorithm": algorithm, "value": hashlib.new(algorithm, ARTIFACT).hexdigest()}
    signed = {"content": _b64(signature), "publicKey": {"content": _b64(pem)}}
    spec = {"data": {"hash": hashed}, "signature": signed}
    return {"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": spec}


def _bundle(
    instance: Instance,
    content: str,
    signature: bytes,
    entry: Mapping[str, object],
    signer: Mapping[str, object],
    *,
    stamped: bool,
) -> bytes:
    material = {**signer, "tlogEntries": [entry]}
    if stamped:
        token = instance.tsa.timestamp(hashlib.sha256(signature).digest())
        stamps = [{"signedTimestamp": _b64(token)}]
        material["timestampVerificationData"] = {"rfc3161Timestamps": stamps}
    digest = {"algorithm": "SHA2_256", "digest": _b64(ARTIFACT_DIGEST)}
    signed = (
        {"messageSignature": {"messageDigest": digest, "signature": _b64(signature)}}
        if content == "message"
        else {"dsseEnvelope": _envelope(signature)}
    )
    media_type = "application/vnd.dev.sigstore.bundle.v0.3+json"
    return json.dumps(
        {"mediaType": media_type, "verificationMaterial": material, **signed}
    ).encode()


def _message(content: str) -> bytes:
    return ARTIFACT if content == "message" else pae(IN_TOTO_PAYLOAD_TYPE, artifact_statement())


def _envelope(signature: bytes) -> dict[str, object]:
    return {
        "payload": _b64(artifact_statement()),
        "payloadType": IN_TOTO_PAYLOAD_TYPE,
        "signatures": [{"sig": _b64(signature)}],
    }


def _sign(key: Key, message: bytes) -> bytes:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    algorithm = _DIGESTS[_digest(key)]
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(message, padding.PKCS1v15(), algorithm)
    return key.sign(message, ec.ECDSA(algorithm))


def _digest(key: Key) -> str:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return {256: "sha256", 384: "sha384", 521: "sha512"}[key.curve.key_size]
    return "sha256"


def _spki(key: Key, encoding: Encoding) -> bytes:
    return key.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)


def _b64(data: bytes) -> str:
    return b64encode(data).decode("ascii")
