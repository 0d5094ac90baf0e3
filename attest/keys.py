"""Public keys: loading, the hash that goes with each, signature checks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from attest.digest import Algorithm

_Hash: TypeAlias = hashes.SHA256 | hashes.SHA384 | hashes.SHA512

#: Checks a signature over data; raises InvalidSignature.
_Check: TypeAlias = Callable[[bytes, bytes], None]

_HASHES: dict[Algorithm, _Hash] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
_P256 = "PKIX_ECDSA_P256_SHA_256"
#: Curve -> hash and name in Sigstore's algorithm registry (protobuf PublicKeyDetails).
_CURVES: dict[str, tuple[Algorithm, str]] = {
    "secp256r1": ("sha256", _P256),
    "secp384r1": ("sha384", "PKIX_ECDSA_P384_SHA_384"),
    "secp521r1": ("sha512", "PKIX_ECDSA_P521_SHA_512"),
}
_RSA_BITS = (2048, 3072, 4096)
#: An uncompressed point of P-256: its size in bytes, and the first of them.
_POINT, _UNCOMPRESSED = 65, 0x04


class UnsupportedKeyError(ValueError):
    """A key of a kind that Sigstore's algorithm registry does not have."""


class PublicKey:
    """A public key with the one way in which it signs.

    Raises:
        UnsupportedKeyError: a kind of key that Sigstore's algorithm registry does not have.

    Source: sigstore/architecture-docs, algorithm-registry.md.
    """

    __slots__ = ("_verify", "_verify_prehashed", "details", "digest", "spki")

    def __init__(self, key: PublicKeyTypes) -> None:
        #: DER SubjectPublicKeyInfo.
        self.spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        #: The digest that its signatures cover; None where the message itself is signed.
        self.digest: Algorithm | None = None
        #: Names that a log entry may give it (PublicKeyDetails).
        self.details: frozenset[str]
        self._verify: _Check
        self._verify_prehashed: _Check | None = None
        if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
            self.digest, name = _CURVES[key.curve.name]
            self.details = frozenset({name})
            self._verify = _ecdsa(key, _HASHES[self.digest])
            self._verify_prehashed = _ecdsa(key, Prehashed(_HASHES[self.digest]))
        elif isinstance(key, ed25519.Ed25519PublicKey):
            self.details = frozenset({"PKIX_ED25519"})
            self._verify = key.verify
        elif isinstance(key, rsa.RSAPublicKey) and key.key_size in _RSA_BITS:
            self.digest = "sha256"
            self.details = frozenset({f"PKIX_RSA_PKCS1V15_{key.key_size}_SHA256"})
            self._verify = _rsa(key, _HASHES[self.digest])
            self._verify_prehashed = _rsa(key, Prehashed(_HASHES[self.digest]))
        else:
            raise UnsupportedKeyError("not a kind of public key that Sigstore uses")

    @classmethod
    def from_der(cls, data: bytes) -> PublicKey:
        """Load a DER SubjectPublicKeyInfo.

        Raises:
            UnsupportedKeyError: of a kind that Sigstore does not use.
            ValueError: not a key.
        """
        try:
            return cls(load_der_public_key(data))
        except UnsupportedAlgorithm as error:
            raise UnsupportedKeyError(str(error)) from None

    @classmethod
    def from_point(cls, data: bytes) -> PublicKey:
        """Load an uncompressed point of P-256: 65 bytes (SEC 1, section 2.3.3).

        Raises:
            ValueError: not one.
        """
        if len(data) != _POINT or data[0] != _UNCOMPRESSED:
            raise ValueError("not 65 bytes that begin with 04")
        return cls(ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), data))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and self.spki == other.spki

    def __hash__(self) -> int:
        return hash(self.spki)

    def __reduce__(self) -> tuple[object, ...]:
        """Reach another process as its SPKI."""
        return PublicKey.from_der, (self.spki,)

    @property
    def key_id(self) -> bytes:
        """SHA-256 of the SPKI: the key id of ECDSA logs and CT logs (RFC 6962, section 3.2)."""
        return hashlib.sha256(self.spki).digest()

    @property
    def pem(self) -> bytes:
        """The key as PEM, as `attest verify --key` takes it."""
        key = load_der_public_key(self.spki)
        return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    @property
    def is_p256(self) -> bool:
        """Whether it is an ECDSA key on the curve P-256."""
        return _P256 in self.details

    @property
    def point(self) -> bytes | None:
        """An EC key's uncompressed point (SEC 1, section 2.3.3); None of others."""
        key = load_der_public_key(self.spki)
        if not isinstance(key, ec.EllipticCurvePublicKey):
            return None
        return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    @property
    def point_id(self) -> bytes | None:
        """SHA-256 of an EC key's uncompressed point; None of others."""
        point = self.point
        return None if point is None else hashlib.sha256(point).digest()

    @property
    def ids(self) -> frozenset[str]:
        """Every id that names it, in hex: of the SPKI, and of an EC key's uncompressed point."""
        return frozenset(item.hex() for item in (self.key_id, self.point_id) if item is not None)

    def verify(self, signature: bytes, message: bytes) -> None:
        """Check a signature over a message.

        Args:
            signature: DER for ECDSA, raw otherwise.
            message: the message bytes.

        Raises:
            cryptography.exceptions.InvalidSignature: it does not verify.
        """
        self._verify(signature, message)

    def verify_digest(self, signature: bytes, digest: bytes) -> None:
        """Check a signature over a message whose digest by `self.digest` is given (raw).

        Raises:
            cryptography.exceptions.InvalidSignature: it does not verify.
            ValueError: this kind of key signs messages, not digests.
        """
        if self._verify_prehashed is None:
            raise ValueError("an Ed25519 key signs the message itself")
        self._verify_prehashed(signature, digest)


def _ecdsa(key: ec.EllipticCurvePublicKey, algorithm: _Hash | Prehashed) -> _Check:
    scheme = ec.ECDSA(algorithm)
    return lambda signature, data: key.verify(signature, data, scheme)


def _rsa(key: rsa.RSAPublicKey, algorithm: _Hash | Prehashed) -> _Check:
    scheme = padding.PKCS1v15()
    return lambda signature, data: key.verify(signature, data, scheme, algorithm)
