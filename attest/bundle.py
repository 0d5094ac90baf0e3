"""Sigstore bundles v0.1 to v0.3, parsed strictly into untrusted parts (step 1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from attest.digest import SIZES, Algorithm
from attest.dsse import UntrustedEnvelope
from attest.errors import MalformedEvidence
from attest.limits import DEFAULT_LIMITS, Limits
from attest.strictjson import JSON, Members, decode_base64, kind, loads

Version: TypeAlias = Literal["0.1", "0.2", "0.3"]

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
#: What signing keeps while a log is down: half a bundle, which must never pass for one.
PENDING_MEDIA_TYPE = "application/vnd.attest.pending.v1+json"
_MEDIA_TYPE = re.compile(
    r"application/vnd\.dev\.sigstore\.bundle(?:\+json;version=(0\.[123])|\.v(0\.3)\+json)"
)
_HASHES: dict[str, Algorithm] = {
    "SHA2_256": "sha256",
    "SHA2_384": "sha384",
    "SHA2_512": "sha512",
}
_CODE = "malformed_bundle"
_HASH_SIZE = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class UntrustedMessageSignature:
    """A signature over an artifact's bytes, and the digest that the bundle claims for them."""

    algorithm: Algorithm | None
    digest: bytes | None
    signature: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class UntrustedInclusionProof:
    """An inclusion proof as read; `checkpoint` is None where the bundle has none."""

    index: int
    root_hash: bytes
    tree_size: int
    hashes: tuple[bytes, ...]
    checkpoint: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class UntrustedLogEntry:
    """A log entry as read; `integrated_time` in seconds since 1970 UTC, 0 if absent."""

    index: int
    log_id: bytes
    kind: str
    version: str
    integrated_time: int
    promise: bytes | None
    proof: UntrustedInclusionProof | None
    body: bytes
    where: str


@dataclass(frozen=True, kw_only=True, slots=True)
class UntrustedBundle:
    """A bundle as read: bytes to be checked, no claims.

    `certificate` is the DER of the leaf; None where a `publicKey` signed, which is then named by
    `key_hint`. Further certificates of a chain are dropped here, so that nothing can take them for
    trust.
    """

    version: Version
    certificate: bytes | None
    key_hint: str
    entries: tuple[UntrustedLogEntry, ...]
    timestamps: tuple[bytes, ...]
    content: UntrustedEnvelope | UntrustedMessageSignature

    @property
    def signature(self) -> bytes:
        """The signature bytes, which timestamps must cover."""
        return self.content.signature


def parse_bundle(
    data: bytes, *, in_pack: bool = False, where: str = "bundle", limits: Limits = DEFAULT_LIMITS
) -> UntrustedBundle:
    """Parse one bundle strictly.

    Args:
        data: the JSON bytes.
        in_pack: hold it to the rules for attestations in packs: v0.3, DSSE, inclusion proof.
        where: name of the file for errors.
        limits: bounds on size, depth and counts.

    Raises:
        MalformedEvidence: `bundle_too_large`, a code of `strictjson.loads`,
            `invalid_bundle_media_type`, `bundle_pending`, `missing_verification_material`,
            `missing_dsse_envelope`, `missing_tlog_entry`, `missing_inclusion_proof`,
            `malformed_bundle`.

    Source: sigstore_bundle.proto; Evidence Pack R-062a to R-065e, R-075, R-076, R-084; step 1.
    """
    if len(data) > limits.max_bundle_bytes:
        raise MalformedEvidence(
            "bundle_too_large", f"larger than {limits.max_bundle_bytes} bytes", where=where
        )
    value = loads(data, where=where, max_depth=limits.max_json_depth)
    return parse_bundle_json(value, in_pack=in_pack, where=where, limits=limits)


def parse_bundle_json(
    value: JSON, *, in_pack: bool = False, where: str = "bundle", limits: Limits = DEFAULT_LIMITS
) -> UntrustedBundle:
    """As `parse_bundle`, of JSON that was parsed already, and held to the bounds on it.

    Raises:
        MalformedEvidence: as `parse_bundle`.
    """
    root = Members(value, where=where, code=_CODE)
    version = _version(root, in_pack=in_pack)
    material = _material(root)
    content = _content(root, in_pack=in_pack)
    root.no_others()
    certificate, key_hint = _signer(material, version)
    entries = _entries(material, version, in_pack=in_pack, limits=limits)
    timestamps = _timestamps(material, limits)
    material.no_others()
    return UntrustedBundle(
        version=version,
        certificate=certificate,
        key_hint=key_hint,
        entries=entries,
        timestamps=timestamps,
        content=content,
    )


def _version(root: Members, *, in_pack: bool) -> Version:
    media_type = root.raw("mediaType")
    if media_type == PENDING_MEDIA_TYPE:
        raise MalformedEvidence(
            "bundle_pending",
            "is a signature that waits for its log, and proves nothing yet",
            where=root.path("mediaType"),
            rule="R-062a",
            hint="whoever signed it completes it with `attest sign TARGET --resume`",
        )
    match = _MEDIA_TYPE.fullmatch(media_type) if isinstance(media_type, str) else None
    if match is None:
        raise MalformedEvidence(
            "invalid_bundle_media_type",
            f"mediaType {media_type!r} is not a Sigstore bundle v0.1 to v0.3",
            where=root.path("mediaType"),
            rule="R-062a",
        )
    text = match[1] or match[2]
    version: Version = "0.1" if text == "0.1" else "0.2" if text == "0.2" else "0.3"
    if in_pack and version != "0.3":
        raise MalformedEvidence(
            "invalid_bundle_media_type",
            f"a bundle v{version} in a pack, where v0.3 is required",
            where=root.path("mediaType"),
            rule="R-062a",
        )
    return version


def _material(root: Members) -> Members:
    if not root.has("verificationMaterial"):
        raise MalformedEvidence(
            "missing_verification_material",
            "has no verificationMaterial",
            where=root.path("verificationMaterial"),
            rule="R-063a",
        )
    return root.members("verificationMaterial")


def _content(root: Members, *, in_pack: bool) -> UntrustedEnvelope | UntrustedMessageSignature:
    dsse, message = root.has("dsseEnvelope"), root.has("messageSignature")
    if in_pack and not dsse:
        hint = (
            "the document's own example, `cosign sign-blob`, makes such a bundle: it signs the "
            "bytes of manifest.json, where the rules want an in-toto statement about its digest; "
            "use `attest sign PACK`"
        )
        raise MalformedEvidence(
            "missing_dsse_envelope",
            "has no dsseEnvelope",
            where=root.path("dsseEnvelope"),
            rule="R-064a",
            hint=hint if message else None,
        )
    if dsse == message:
        raise MalformedEvidence(
            _CODE, "needs exactly one of dsseEnvelope and messageSignature", where=root.where
        )
    return _envelope(root.members("dsseEnvelope")) if dsse else _message(root)


def _envelope(envelope: Members) -> UntrustedEnvelope:
    payload_type = envelope.string("payloadType", "")
    payload = envelope.base64("payload", empty=True)
    signatures = envelope.list_of_members("signatures")
    if len(signatures) != 1:
        raise envelope.fail("signatures", f"must hold exactly one signature, has {len(signatures)}")
    signature = signatures[0].base64("sig")
    signatures[0].string("keyid", "")
    signatures[0].no_others()
    envelope.no_others()
    return UntrustedEnvelope(payload_type=payload_type, payload=payload, signature=signature)


def _message(root: Members) -> UntrustedMessageSignature:
    message = root.members("messageSignature")
    algorithm: Algorithm | None = None
    digest: bytes | None = None
    if message.has("messageDigest"):
        claimed = message.members("messageDigest")
        algorithm = _HASHES.get(claimed.string("algorithm"))
        digest = claimed.base64("digest")
        if algorithm is None or len(digest) != SIZES[algorithm]:
            raise message.fail("messageDigest", "is not a SHA-256, SHA-384 or SHA-512 digest")
        claimed.no_others()
    signature = message.base64("signature")
    message.no_others()
    return UntrustedMessageSignature(algorithm=algorithm, digest=digest, signature=signature)


def _signer(material: Members, version: Version) -> tuple[bytes | None, str]:
    """The leaf certificate, or None and the hint at the key."""
    single, chain, key = (
        material.has("certificate"),
        material.has("x509CertificateChain"),
        material.has("publicKey"),
    )
    if single + chain + key != 1:
        raise MalformedEvidence(
            "missing_verification_material",
            "needs exactly one of certificate, x509CertificateChain and publicKey",
            where=material.where,
            rule="R-063a",
        )
    if key:
        public_key = material.members("publicKey")
        hint = public_key.string("hint", "")
        public_key.no_others()
        return None, hint
    if single:
        if version != "0.3":
            raise material.fail("certificate", f"does not exist in bundle v{version}")
        certificate = material.members("certificate")
        leaf = certificate.base64("rawBytes")
        certificate.no_others()
        return leaf, ""
    certificates = material.members("x509CertificateChain")
    listed = certificates.list_of_members("certificates")
    certificates.no_others()
    if not listed:
        raise certificates.fail("certificates", "is empty")
    leaf, *_ = [item.base64("rawBytes") for item in listed]
    for item in listed:
        item.no_others()
    return leaf, ""


def _entries(
    material: Members, version: Version, *, in_pack: bool, limits: Limits
) -> tuple[UntrustedLogEntry, ...]:
    listed = material.list_of_members("tlogEntries")
    if len(listed) > limits.max_log_entries:
        raise material.fail("tlogEntries", f"holds more than {limits.max_log_entries} entries")
    if in_pack and not listed:
        raise MalformedEvidence(
            "missing_tlog_entry",
            "has no transparency log entry",
            where=material.path("tlogEntries"),
            rule="R-063a",
        )
    entries = tuple(_entry(item, version, in_pack=in_pack) for item in listed)
    if len({(entry.log_id, entry.body) for entry in entries}) != len(entries):
        raise material.fail("tlogEntries", "holds the same entry twice")
    return entries


def parse_log_entry(item: Members) -> UntrustedLogEntry:
    """Read one log entry as a bundle v0.3 has it, which is also how a v2 log answers.

    Args:
        item: the entry's object.

    Raises:
        MalformedEvidence: `missing_inclusion_proof`, and the code of `item`.
    """
    return _entry(item, "0.3", in_pack=False)


def _entry(item: Members, version: Version, *, in_pack: bool) -> UntrustedLogEntry:
    log_id = item.members("logId")
    key_id = log_id.base64("keyId")
    log_id.no_others()
    kind_version = item.members("kindVersion")
    name, body_version = kind_version.string("kind"), kind_version.string("version")
    kind_version.no_others()
    promise: bytes | None = None
    if item.has("inclusionPromise"):
        members = item.members("inclusionPromise")
        promise = members.base64("signedEntryTimestamp")
        members.no_others()
    proof = _proof(item.members("inclusionProof")) if item.has("inclusionProof") else None
    complete = proof is not None and proof.checkpoint is not None
    if (in_pack or version != "0.1") and not complete:
        raise MalformedEvidence(
            "missing_inclusion_proof",
            "has no inclusion proof with a checkpoint",
            where=item.path("inclusionProof"),
            rule="R-075",
        )
    entry = UntrustedLogEntry(
        index=item.int64("logIndex"),
        log_id=key_id,
        kind=name,
        version=body_version,
        integrated_time=item.int64("integratedTime"),
        promise=promise,
        proof=proof,
        body=item.base64("canonicalizedBody"),
        where=item.where,
    )
    item.no_others()
    return entry


def _proof(proof: Members) -> UntrustedInclusionProof:
    checkpoint: str | None = None
    if proof.has("checkpoint"):
        members = proof.members("checkpoint")
        checkpoint = members.string("envelope", "") or None
        members.no_others()
    hashes: list[bytes] = []
    for position, text in enumerate(proof.array("hashes")):
        where = f"{proof.path('hashes')}[{position}]"
        hashes.append(_hash(text, where))
    parsed = UntrustedInclusionProof(
        index=proof.int64("logIndex"),
        root_hash=_hash(proof.raw("rootHash"), proof.path("rootHash")),
        tree_size=proof.int64("treeSize"),
        hashes=tuple(hashes),
        checkpoint=checkpoint,
    )
    proof.no_others()
    return parsed


def _hash(value: JSON, where: str) -> bytes:
    if not isinstance(value, str):
        raise MalformedEvidence(_CODE, f"must be a string, is {kind(value)}", where=where)
    data = decode_base64(value, where=where, code=_CODE)
    if len(data) != _HASH_SIZE:
        raise MalformedEvidence(_CODE, f"must hold 32 bytes, holds {len(data)}", where=where)
    return data


def _timestamps(material: Members, limits: Limits) -> tuple[bytes, ...]:
    if not material.has("timestampVerificationData"):
        return ()
    data = material.members("timestampVerificationData")
    listed = data.list_of_members("rfc3161Timestamps")
    data.no_others()
    if len(listed) > limits.max_timestamps:
        raise data.fail("rfc3161Timestamps", f"holds more than {limits.max_timestamps}")
    timestamps = tuple(item.base64("signedTimestamp") for item in listed)
    for item in listed:
        item.no_others()
    if len(set(timestamps)) != len(timestamps):
        raise data.fail("rfc3161Timestamps", "holds the same timestamp twice")
    return timestamps
