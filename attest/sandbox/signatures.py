"""Public keys as the services accept them, and the checks they make with them."""

from __future__ import annotations

import hashlib
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from attest.sandbox.messages import HashAlgorithm, PublicKeyDetails
from attest.sandbox.refusal import bad_request

SigningKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey
"""A public key that may sign evidence."""

MINIMUM_RSA_BITS: Final = 2048

DIGESTS: Final[dict[str, hashes.HashAlgorithm]] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
"""Digest algorithms by the name Rekor and the timestamp authority use."""

PROTO_DIGESTS: Final[dict[str, HashAlgorithm]] = {
    "sha256": HashAlgorithm.from_string("SHA2_256"),
    "sha384": HashAlgorithm.from_string("SHA2_384"),
    "sha512": HashAlgorithm.from_string("SHA2_512"),
}

# By name: betterproto declares the members of its enums as plain integers to a type checker.
_CURVES: Final[dict[str, tuple[PublicKeyDetails, str]]] = {
    "secp256r1": (PublicKeyDetails.from_string("PKIX_ECDSA_P256_SHA_256"), "sha256"),
    "secp384r1": (PublicKeyDetails.from_string("PKIX_ECDSA_P384_SHA_384"), "sha384"),
    "secp521r1": (PublicKeyDetails.from_string("PKIX_ECDSA_P521_SHA_512"), "sha512"),
}
_RSA: Final[dict[int, PublicKeyDetails]] = {
    2048: PublicKeyDetails.from_string("PKIX_RSA_PKCS1V15_2048_SHA256"),
    3072: PublicKeyDetails.from_string("PKIX_RSA_PKCS1V15_3072_SHA256"),
    4096: PublicKeyDetails.from_string("PKIX_RSA_PKCS1V15_4096_SHA256"),
}


def signing_key(key: object) -> SigningKey:
    """`key` if evidence may be signed with it; otherwise a 400."""
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        return key
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= MINIMUM_RSA_BITS:
        return key
    raise bad_request("unsupported key: use ECDSA P-256, P-384 or P-521, Ed25519, or RSA >= 2048")


def load_pem_key(pem: bytes, path: str) -> SigningKey:
    """The public key in a PEM `SubjectPublicKeyInfo`."""
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise bad_request(f"{path}: not a PEM public key") from error
    return signing_key(key)


def load_der_key(der: bytes, path: str) -> SigningKey:
    """The public key in a DER `SubjectPublicKeyInfo`."""
    try:
        key = serialization.load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise bad_request(f"{path}: not a DER public key") from error
    return signing_key(key)


def load_der_certificate_key(der: bytes, path: str) -> SigningKey:
    """The public key of a DER certificate."""
    try:
        key = x509.load_der_x509_certificate(der).public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise bad_request(f"{path}: not a DER certificate") from error
    return signing_key(key)


def load_pem_verifier(pem: bytes, path: str) -> tuple[SigningKey, bytes]:
    """A PEM certificate or public key: its key, and the PEM re-encoded as Rekor v1 stores it."""
    if b"-----BEGIN CERTIFICATE-----" not in pem:
        key = load_pem_key(pem, path)
        return key, key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        key = signing_key(certificate.public_key())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise bad_request(f"{path}: not a PEM certificate") from error
    return key, certificate.public_bytes(serialization.Encoding.PEM)


def key_details(key: SigningKey) -> tuple[PublicKeyDetails, str]:
    """How Rekor v2 names this key, and the digest its signatures are made over."""
    if isinstance(key, ec.EllipticCurvePublicKey):
        return _CURVES[key.curve.name]
    if isinstance(key, rsa.RSAPublicKey) and key.key_size in _RSA:
        return _RSA[key.key_size], "sha256"
    # Rekor needs Ed25519ph where only a digest is at hand, and `cryptography` has only the
    # pure form: refusing is honest, accepting unchecked would not be.
    raise bad_request("unsupported key for a hashed entry: Ed25519ph and odd RSA sizes are not")


def verify_digest(key: SigningKey, signature: bytes, digest: bytes, algorithm: str) -> None:
    """Check a signature over a digest; 400 if it is wrong."""
    prehashed = Prehashed(DIGESTS[algorithm])
    if len(digest) != prehashed.digest_size:
        raise bad_request(f"digest: {len(digest)} bytes is not a {algorithm}")
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, digest, ec.ECDSA(prehashed))
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, digest, padding.PKCS1v15(), prehashed)
        else:
            raise bad_request("Ed25519 signs messages: a digest needs Ed25519ph, not offered here")
    except InvalidSignature as error:
        raise bad_request("signature: does not verify over the digest") from error


def verify_message(key: SigningKey, signature: bytes, message: bytes, *, what: str) -> None:
    """Check a signature over a message; 400 naming `what` if it is wrong."""
    if isinstance(key, ed25519.Ed25519PublicKey):
        try:
            key.verify(signature, message)
        except InvalidSignature as error:
            raise bad_request(f"{what}: signature does not verify") from error
        return
    # Fulcio and Rekor v1 load every key with SHA-256; newer ones go by the curve. Both occur.
    natural = _CURVES[key.curve.name][1] if isinstance(key, ec.EllipticCurvePublicKey) else "sha256"
    if not any(_verifies(key, signature, message, name) for name in {natural, "sha256"}):
        raise bad_request(f"{what}: signature does not verify")


def _verifies(
    key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey, signature: bytes, message: bytes, name: str
) -> bool:
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, message, padding.PKCS1v15(), DIGESTS[name])
        else:
            key.verify(signature, message, ec.ECDSA(DIGESTS[name]))
    except InvalidSignature:
        return False
    return True


def spki(key: SigningKey) -> bytes:
    """DER `SubjectPublicKeyInfo`."""
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def log_id(key: SigningKey) -> bytes:
    """SHA-256 of the SPKI: the id of a CT log or a Rekor v1 log (RFC 6962, section 3.2)."""
    return hashlib.sha256(spki(key)).digest()
