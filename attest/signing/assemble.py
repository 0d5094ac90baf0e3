"""A finished signature as a Sigstore bundle v0.3, in canonical JSON."""

from __future__ import annotations

from collections.abc import Sequence

from attest.bundle import MEDIA_TYPE, UntrustedLogEntry
from attest.signing.work import EnvelopeContent, SignedWork, Verifier
from attest.strictjson import JSON, canonicalize, encode_base64

#: The names that protobuf messages give to hash algorithms.
HASHES = {"sha256": "SHA2_256", "sha384": "SHA2_384", "sha512": "SHA2_512"}


def assemble_bundle(work: SignedWork, entries: Sequence[UntrustedLogEntry]) -> bytes:
    """Put a bundle together; nothing is verified here.

    Args:
        work: the signature, with its timestamps.
        entries: where it is logged.

    Returns:
        UTF-8 JSON (JCS).

    Source: sigstore_bundle.proto; Evidence Pack R-062a to R-065d.
    """
    stamps: list[JSON] = [{"signedTimestamp": encode_base64(item)} for item in work.timestamps]
    document: dict[str, JSON] = {
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": {
            **_signer(work.verifier),
            "tlogEntries": [_entry(entry) for entry in entries],
            "timestampVerificationData": {"rfc3161Timestamps": stamps},
        },
        **_content(work),
    }
    return canonicalize(document)


def _signer(verifier: Verifier) -> dict[str, JSON]:
    if verifier.certificate is not None:
        return {"certificate": {"rawBytes": encode_base64(verifier.certificate)}}
    return {"publicKey": {"hint": encode_base64(verifier.key.key_id)}}


def _content(work: SignedWork) -> dict[str, JSON]:
    signature = encode_base64(work.signature)
    content = work.content
    if isinstance(content, EnvelopeContent):
        return {
            "dsseEnvelope": {
                "payload": encode_base64(content.payload),
                "payloadType": content.payload_type,
                "signatures": [{"sig": signature}],
            }
        }
    digest: JSON = {
        "algorithm": HASHES[content.algorithm],
        "digest": encode_base64(content.digest),
    }
    return {"messageSignature": {"messageDigest": digest, "signature": signature}}


def _entry(entry: UntrustedLogEntry) -> JSON:
    """A log entry in protobuf JSON: 64-bit integers are texts, what is absent is left out."""
    found: dict[str, JSON] = {
        "logIndex": str(entry.index),
        "logId": {"keyId": encode_base64(entry.log_id)},
        "kindVersion": {"kind": entry.kind, "version": entry.version},
        "canonicalizedBody": encode_base64(entry.body),
    }
    if entry.integrated_time:
        found["integratedTime"] = str(entry.integrated_time)
    if entry.promise is not None:
        found["inclusionPromise"] = {"signedEntryTimestamp": encode_base64(entry.promise)}
    proof = entry.proof
    if proof is not None:
        found["inclusionProof"] = {
            "logIndex": str(proof.index),
            "rootHash": encode_base64(proof.root_hash),
            "treeSize": str(proof.tree_size),
            "hashes": [encode_base64(item) for item in proof.hashes],
            "checkpoint": {"envelope": proof.checkpoint or ""},
        }
    return found
