"""Step 6: the signature covers the content under the certificate's key."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from cryptography.exceptions import InvalidSignature

from attest.bundle import UntrustedBundle, UntrustedMessageSignature
from attest.digest import Algorithm
from attest.dsse import UntrustedEnvelope
from attest.errors import UsageError, VerificationFailed
from attest.keys import PublicKey

#: Gives the raw digest of the artifact at hand by an algorithm; None where it cannot be known.
DigestOf: TypeAlias = Callable[[Algorithm], bytes | None]

_RULE = "R-088"


@dataclass(frozen=True, kw_only=True, slots=True)
class SignedContent:
    """What the signature must cover, seen from the verifier's side.

    `message` are the PAE bytes of an envelope; None where the artifact itself is signed, whose
    raw `digest` by `algorithm` is then all that is needed. `payload_type` and `payload` are the
    envelope's.
    """

    algorithm: Algorithm
    digest: bytes
    message: bytes | None
    payload_type: str | None
    payload: bytes | None


def signed_content(bundle: UntrustedBundle, key: PublicKey, digest_of: DigestOf) -> SignedContent:
    """What a bundle's signature must cover, from the envelope or from the artifact at hand.

    Args:
        bundle: the bundle.
        key: the signer's key; it decides the hash.
        digest_of: digests of the artifact; not asked for envelopes.

    Raises:
        VerificationFailed: `digest_mismatch`, if the bundle claims another artifact;
            `unsupported_key`.
        UsageError: `digest_algorithm_needed`, if only another digest of the artifact is known.
    """
    content = bundle.content
    algorithm = key.digest or "sha512"  # Ed25519ph; a plain Ed25519 envelope needs no digest
    if key.digest is None and any(entry.kind == "hashedrekord" for entry in bundle.entries):
        raise _ed25519ph("a hashedrekord entry holds an Ed25519ph signature", "tlogEntries")
    if isinstance(content, UntrustedEnvelope):
        message = content.signed_bytes()
        return SignedContent(
            algorithm=algorithm,
            digest=hashlib.new(algorithm, message).digest(),
            message=message,
            payload_type=content.payload_type,
            payload=content.payload,
        )
    if key.digest is None:
        raise _ed25519ph("an Ed25519 key signs an artifact by Ed25519ph", "messageSignature")
    digest = _needed(digest_of, algorithm)
    _check_claim(content, digest_of)
    return SignedContent(
        algorithm=algorithm, digest=digest, message=None, payload_type=None, payload=None
    )


def _ed25519ph(message: str, where: str) -> VerificationFailed:
    return VerificationFailed(
        "unsupported_key",
        f"{message}, which cannot be checked here",
        where=where,
        rule=_RULE,
        hint="sign a statement with this key, or use an ECDSA key",
    )


def _check_claim(content: UntrustedMessageSignature, digest_of: DigestOf) -> None:
    if content.algorithm is None:
        return
    known = digest_of(content.algorithm)
    if known is not None and known != content.digest:
        raise VerificationFailed(
            "digest_mismatch",
            "the bundle signs other bytes than these",
            where="messageSignature.messageDigest",
            hint="is this the artifact, and the version of it, that was signed?",
        )


def _needed(digest_of: DigestOf, algorithm: Algorithm) -> bytes:
    digest = digest_of(algorithm)
    if digest is None:
        raise digest_needed(algorithm, "the signature covers")
    return digest


def digest_needed(algorithm: Algorithm, what: str) -> UsageError:
    """The error where only a digest that is not at hand could decide: no verdict."""
    return UsageError(
        "digest_algorithm_needed",
        f"{what} the {algorithm} digest of the artifact, which is not known here",
        hint="give the file itself" + (f", or {algorithm}:HEX" if algorithm != "sha384" else ""),
    )


def verify_signature(bundle: UntrustedBundle, key: PublicKey, content: SignedContent) -> None:
    """Check the bundle's signature.

    Raises:
        VerificationFailed: `signature_invalid`.

    Source: DSSE protocol; FIPS 186-5; R-079, R-088.
    """
    try:
        if content.message is None:
            key.verify_digest(bundle.signature, content.digest)
        else:
            key.verify(bundle.signature, content.message)
    except InvalidSignature:
        raise VerificationFailed(
            "signature_invalid",
            "the signature does not verify with the signer's key",
            where="dsseEnvelope" if content.message is not None else "messageSignature",
            rule=_RULE,
        ) from None
