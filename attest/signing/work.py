"""A signature on its way to a bundle: what was signed, by whom, and the timestamps it has so far.

Nothing here is secret: it can be kept while a log is down and be completed later.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TypeAlias, get_args

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key

from attest.digest import SIZES, Algorithm
from attest.dsse import IN_TOTO_PAYLOAD_TYPE, pae
from attest.errors import MalformedEvidence, SigningError
from attest.keys import PublicKey
from attest.strictjson import JSON, Members, decode_base64, decode_hex, encode_base64

_CODE = "malformed_pending"


@dataclass(frozen=True, kw_only=True, slots=True)
class EnvelopeContent:
    """A payload in a DSSE envelope; its PAE is what is signed."""

    payload: bytes
    payload_type: str = IN_TOTO_PAYLOAD_TYPE

    @property
    def message(self) -> bytes:
        """The bytes that the signature covers."""
        return pae(self.payload_type, self.payload)


@dataclass(frozen=True, kw_only=True, slots=True)
class DigestContent:
    """An artifact by its raw digest; the signature covers the artifact's bytes."""

    digest: bytes
    algorithm: Algorithm = "sha256"

    def __post_init__(self) -> None:
        """Refuse what is no digest.

        Raises:
            ValueError: its length is not the algorithm's.
        """
        if len(self.digest) != SIZES[self.algorithm]:
            raise ValueError(f"a {self.algorithm} digest has {SIZES[self.algorithm]} bytes")


Content: TypeAlias = EnvelopeContent | DigestContent


@dataclass(frozen=True, kw_only=True)
class Verifier:
    """Who signed, as logs and bundles name it: a certificate (DER), or else a key (DER SPKI)."""

    spki: bytes
    certificate: bytes | None = None

    @classmethod
    def of_certificate(cls, certificate: x509.Certificate) -> Verifier:
        """The signer that a certificate names.

        Raises:
            UnsupportedKeyError: its key is of a kind that Sigstore does not use.
        """
        key = PublicKey(certificate.public_key())
        return cls(spki=key.spki, certificate=certificate.public_bytes(Encoding.DER))

    @cached_property
    def key(self) -> PublicKey:
        """The key that verifies the signature."""
        return PublicKey(load_der_public_key(self.spki))

    @property
    def pem(self) -> bytes:
        """The certificate or the key as PEM with a final newline, as Rekor v1 writes it."""
        der, label = self.certificate or self.spki, "CERTIFICATE"
        if self.certificate is None:
            label = "PUBLIC KEY"
        text = encode_base64(der)
        lines = [text[at : at + 64] for at in range(0, len(text), 64)]
        return "\n".join(
            (f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", "")
        ).encode()

    @cached_property
    def window(self) -> tuple[datetime, datetime] | None:
        """When (UTC) the certificate is valid, both ends inclusive; None for a key."""
        if self.certificate is None:
            return None
        leaf = x509.load_der_x509_certificate(self.certificate)
        return leaf.not_valid_before_utc, leaf.not_valid_after_utc


@dataclass(frozen=True, kw_only=True, slots=True)
class SignedWork:
    """A signature that is made, and the RFC 3161 timestamps (DER) that it has.

    `signature` is DER for ECDSA, raw otherwise. `timestamps` are those of every authority that
    was asked, or none yet.
    """

    content: Content
    verifier: Verifier
    signature: bytes
    timestamps: tuple[bytes, ...] = ()

    def digest(self, algorithm: Algorithm) -> bytes:
        """The raw digest of what the signature covers.

        Raises:
            ValueError: only another digest of the artifact is known.
        """
        if isinstance(self.content, EnvelopeContent):
            return hashlib.new(algorithm, self.content.message).digest()
        if self.content.algorithm != algorithm:
            raise ValueError(f"only the {self.content.algorithm} digest is known")
        return self.content.digest

    def to_json(self) -> dict[str, JSON]:
        """What `from_json` reads again: base64 for bytes, hex for digests."""
        content: dict[str, JSON] = (
            {
                "payloadType": self.content.payload_type,
                "payload": encode_base64(self.content.payload),
            }
            if isinstance(self.content, EnvelopeContent)
            else {self.content.algorithm: self.content.digest.hex()}
        )
        verifier: dict[str, JSON] = (
            {"publicKey": encode_base64(self.verifier.spki)}
            if self.verifier.certificate is None
            else {"certificate": encode_base64(self.verifier.certificate)}
        )
        return {
            "content": content,
            "verifier": verifier,
            "signature": encode_base64(self.signature),
            "timestamps": [encode_base64(item) for item in self.timestamps],
        }

    @classmethod
    def from_json(cls, value: JSON, *, where: str) -> SignedWork:
        """Read what `to_json` wrote, strictly; nothing in it is verified here.

        Args:
            value: the parsed JSON.
            where: its name for errors.

        Raises:
            SigningError: `malformed_pending`.
        """
        try:
            return _work(Members(value, where=where, code=_CODE))
        except MalformedEvidence as error:
            raise SigningError(
                _CODE,
                f"the kept signature cannot be read: {error.message}",
                where=error.where,
                hint="sign again",
            ) from None


def _work(members: Members) -> SignedWork:
    work = SignedWork(
        content=_content(members.members("content")),
        verifier=_verifier(members.members("verifier")),
        signature=members.base64("signature"),
        timestamps=tuple(_timestamp(item, members) for item in members.array("timestamps")),
    )
    members.no_others()
    return work


def _content(members: Members) -> Content:
    content: Content
    if members.has("payload"):
        content = EnvelopeContent(
            payload=members.base64("payload", empty=True),
            payload_type=members.string("payloadType"),
        )
        members.no_others()
        return content
    for algorithm in get_args(Algorithm):
        if members.has(algorithm):
            path, text = members.path(algorithm), members.string(algorithm)
            digest = decode_hex(text, where=path, code=_CODE, size=SIZES[algorithm])
            members.no_others()
            return DigestContent(digest=digest, algorithm=algorithm)
    raise MalformedEvidence(_CODE, "holds neither a payload nor a digest", where=members.where)


def _verifier(members: Members) -> Verifier:
    name = "certificate" if members.has("certificate") else "publicKey"
    der = members.base64(name)
    members.no_others()
    try:
        if name == "certificate":
            return Verifier.of_certificate(x509.load_der_x509_certificate(der))
        return Verifier(spki=PublicKey.from_der(der).spki)
    # Parsers of certificates have no common error, and warn where a filter raises.
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion, UserWarning) as error:
        raise members.fail(name, f"cannot be read: {error}") from None


def _timestamp(value: JSON, members: Members) -> bytes:
    path = members.path("timestamps")
    if not isinstance(value, str):
        raise members.fail("timestamps", "must hold base64 texts")
    return decode_base64(value, where=path, code=_CODE)
