"""The `.sig` beside an artefact: a DSSE envelope by a P-256 key, made, read and verified."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from attest.digest import Algorithm
from attest.dsse import IN_TOTO_PAYLOAD_TYPE, pae
from attest.errors import (
    MalformedEvidence,
    SigningError,
    Untrusted,
    UsageError,
    VerificationFailed,
)
from attest.keys import PublicKey
from attest.limits import DEFAULT_LIMITS, Limits
from attest.statement import STATEMENT_V1, Statement, file_statement, parse_statement
from attest.strictjson import Members, canonicalize, decode_hex, encode_base64, loads
from attest.verified import KeyIdentity, VerifiedAttestation

#: The predicate type that is written; the document leaves it open, and none is asked for.
PREDICATE_TYPE = "urn:attest:sei:v1"
#: Raw digests of an artefact exactly as stored.
DigestOf: TypeAlias = Callable[[Algorithm], bytes]
_CODE = "invalid_sei_signature"
_SCALAR = 32
_RAW = 2 * _SCALAR


class SeiKey(Protocol):
    """A P-256 key that signs, wherever its secret half is kept."""

    @property
    def public(self) -> PublicKey:
        """Its public half."""

    def sign(self, message: bytes) -> bytes:
        """Sign a message by ECDSA with SHA-256, as DER.

        Raises:
            UsageError, SigningError: it cannot.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class UntrustedSignature:
    """A `.sig` as read: `keyid` is lowercase hex, `signature` is raw r and s."""

    where: str
    payload_type: str
    payload: bytes
    keyid: str
    signature: bytes


def key_id_of(key: PublicKey) -> str:
    """The `keyid` of a key: lowercase hex of SHA-256 of its uncompressed SEC1 point.

    Raises:
        UsageError: `unsupported_key` for another key than ECDSA P-256.
    """
    point_id = key.point_id
    if point_id is None or not key.is_p256:
        raise UsageError(
            "unsupported_key",
            "is no ECDSA P-256 key, with which alone .sei artefacts are signed",
            hint="make one with `attest key generate`",
        )
    return point_id.hex()


def sign_artefact(data: bytes, name: str, key: SeiKey) -> bytes:
    """Sign an artefact's bytes: the bytes of its `.sig`.

    Args:
        data: the artefact exactly as stored.
        name: its path below the repository, with `/`; the name of the statement's subject.
        key: signs.

    Raises:
        UsageError: `unsupported_key`, and those of the key.
        SigningError: `key_signature_invalid`, and those of the key.

    Source: "The .sei/* artefacts", the signature; DSSE v1.0.0; in-toto Statement v1; RFC 8785.
    """
    keyid = key_id_of(key.public)
    digest = hashlib.sha256(data).digest()
    payload = file_statement([(name, digest)], predicate_type=PREDICATE_TYPE, predicate={})
    message = pae(IN_TOTO_PAYLOAD_TYPE, payload)
    signature = key.sign(message)
    try:
        key.public.verify(signature, message)
    except InvalidSignature:
        raise SigningError(
            "key_signature_invalid",
            "what the key returned is no signature by it",
            hint="check that the key named is the one whose public half is given there",
        ) from None
    return encode_signature(payload, keyid, _raw(signature))


def encode_signature(payload: bytes, keyid: str, signature: bytes) -> bytes:
    """The `.sig` of a payload of the in-toto type, its key id and raw signature."""
    envelope = {
        "payloadType": IN_TOTO_PAYLOAD_TYPE,
        "payload": encode_base64(payload),
        "signatures": [{"keyid": keyid, "sig": encode_base64(signature)}],
    }
    return json.dumps(envelope, separators=(",", ":")).encode("ascii")


def _raw(der: bytes) -> bytes:
    r, s = decode_dss_signature(der)
    return r.to_bytes(_SCALAR, "big") + s.to_bytes(_SCALAR, "big")


def parse_signature(
    data: bytes, where: str, *, limits: Limits = DEFAULT_LIMITS
) -> UntrustedSignature:
    """Parse a `.sig` strictly; members that nobody knows are left alone, since nothing signs them.

    Args:
        data: the file's bytes.
        where: its path, for errors.
        limits: bounds on its size and nesting.

    Raises:
        MalformedEvidence: `bundle_too_large`, a code of `strictjson.loads`,
            `invalid_sei_signature`, `invalid_keyid`, `der_signature`, `signature_length`.
    """
    if len(data) > limits.max_bundle_bytes:
        raise MalformedEvidence(
            "bundle_too_large", f"is larger than {limits.max_bundle_bytes} bytes", where=where
        )
    document = loads(data, where=where, max_depth=limits.max_json_depth)
    root = Members(document, where=where, code=_CODE)
    signatures = root.list_of_members("signatures")
    if len(signatures) != 1:
        raise root.fail("signatures", f"must hold exactly one signature, has {len(signatures)}")
    [signature] = signatures
    raw = signature.base64("sig")
    _check_form(raw, signature.path("sig"))
    keyid = signature.string("keyid", "")
    decode_hex(keyid, where=signature.path("keyid"), code="invalid_keyid", size=_SCALAR)
    return UntrustedSignature(
        where=where,
        payload_type=root.string("payloadType"),
        payload=root.base64("payload"),
        keyid=keyid,
        signature=raw,
    )


def _check_form(signature: bytes, where: str) -> None:
    if len(signature) == _RAW:
        return
    try:
        decode_dss_signature(signature)
    except ValueError:
        raise MalformedEvidence(
            "signature_length",
            f"has {len(signature)} bytes, where r and s of P-256 have {_RAW}",
            where=where,
        ) from None
    raise MalformedEvidence(
        "der_signature",
        f"is in DER, where a .sig holds r and s as they are, in {_RAW} bytes",
        where=where,
        hint="ask whoever made it to sign it in the form of the .sei document",
    )


def digests_of(data: bytes) -> DigestOf:
    """The digests of an artefact, each made when it is first asked for."""

    @cache
    def digest_of(algorithm: Algorithm) -> bytes:
        return hashlib.new(algorithm, data).digest()

    return digest_of


def verify_signature(
    signature: UntrustedSignature,
    digest_of: DigestOf,
    keys: Sequence[PublicKey],
    *,
    limits: Limits = DEFAULT_LIMITS,
) -> VerifiedAttestation:
    """Verify a `.sig` with the key that it names, and that it speaks of the artefact.

    Args:
        signature: as parsed.
        digest_of: digests of the artefact.
        keys: those whose signatures count.
        limits: bounds on the statement.

    Raises:
        Untrusted: `untrusted_key` where none of the keys signed it nor is named by it.
        VerificationFailed: `keyid_mismatch`, `unsupported_key`, `signature_invalid`, and those of
            `check_statement`.
        MalformedEvidence: those of `check_statement`.

    Source: "The .sei/* artefacts", steps 3 to 5 of the check; FIPS 186-5; DSSE v1.0.0.
    """
    key = _named(signature, keys)
    if not _signed(signature, key):
        raise VerificationFailed(
            "signature_invalid",
            "the signature does not verify with the key that its keyid names",
            where=signature.where,
        )
    return VerifiedAttestation(
        signer=KeyIdentity(key_id=key.key_id.hex()),
        certificate=None,
        statement=check_statement(signature, digest_of, limits=limits),
        times=(),
        log_entries=(),
        instance="",
    )


def check_statement(
    signature: UntrustedSignature, digest_of: DigestOf, *, limits: Limits = DEFAULT_LIMITS
) -> Statement:
    """Check that the statement speaks of the artefact; by itself this says nothing of who signed.

    Payload type, predicate and the subject's name are not judged: the document leaves them open.

    Args:
        signature: as parsed.
        digest_of: digests of the artefact.
        limits: bounds on the statement.

    Raises:
        MalformedEvidence: `statement_not_canonical`, a code of `parse_statement` or `canonicalize`.
        VerificationFailed: `invalid_statement_type`, `invalid_subject`, `digest_mismatch`.

    Source: "The .sei/* artefacts", statement, canonical payload and subject.
    """
    where = "statement"
    statement = parse_statement(signature.payload, max_depth=limits.max_json_depth)
    if statement.type != STATEMENT_V1:
        raise VerificationFailed(
            "invalid_statement_type", f"_type is not {STATEMENT_V1!r}", where=f"{where}._type"
        )
    document = loads(signature.payload, where=where, max_depth=limits.max_json_depth)
    if canonicalize(document, where=where) != signature.payload:
        raise MalformedEvidence(
            "statement_not_canonical", "is not in its canonical form (RFC 8785)", where=where
        )
    if len(statement.subjects) != 1:
        message = f"must name exactly one subject, names {len(statement.subjects)}"
        raise VerificationFailed("invalid_subject", message, where=f"{where}.subject")
    named = statement.subjects[0].checkable()
    if "sha256" not in named:
        raise VerificationFailed(
            "invalid_subject", "has no sha256", where=f"{where}.subject[0].digest"
        )
    # The document asks for SHA-256; one that is named beside it is signed too, and must be true.
    for algorithm, digest in named.items():
        if digest != digest_of(algorithm):
            name = f"SHA-{algorithm.removeprefix('sha')}"
            raise VerificationFailed(
                "digest_mismatch",
                f"was signed with {name} {digest.hex()}, is {digest_of(algorithm).hex()}",
                where=f"{where}.subject[0].digest",
                hint="the artefact was changed after signing, or the signature is another"
                " artefact's",
            )
    return statement


def _named(signature: UntrustedSignature, keys: Sequence[PublicKey]) -> PublicKey:
    """The key that the keyid names; one that signed under another's id is an error, not skipped."""
    for key in keys:
        if key.point_id is not None and key.point_id.hex() == signature.keyid:
            if key.is_p256:
                return key
            raise VerificationFailed(
                "unsupported_key",
                "the keyid names a key of another curve than P-256",
                where=signature.where,
            )
    for key in keys:
        if key.is_p256 and _signed(signature, key):
            raise VerificationFailed(
                "keyid_mismatch",
                f"signed by the key {key_id_of(key)}, and its keyid is {signature.keyid}",
                where=signature.where,
            )
    raise Untrusted(
        "untrusted_key",
        f"signed with the key {signature.keyid}, which was not given",
        where=signature.where,
        hint="if you trust it, register its public key, got from its owner and not from here",
    )


def _signed(signature: UntrustedSignature, key: PublicKey) -> bool:
    r, s = (
        int.from_bytes(half, "big")
        for half in (signature.signature[:_SCALAR], signature.signature[_SCALAR:])
    )
    message = pae(signature.payload_type, signature.payload)
    try:
        key.verify(encode_dss_signature(r, s), message)
    except InvalidSignature:
        return False
    return True
