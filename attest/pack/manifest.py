"""The manifest of a pack: bytes to checked values and back, and its two digests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime

from attest.errors import MalformedEvidence
from attest.limits import DEFAULT_LIMITS, Limits
from attest.pack.document import load_with_canonical
from attest.pack.manifest_fields import read_manifest
from attest.pack.manifest_model import (
    ARTIFACTS,
    ATTESTATION_SUFFIX,
    ATTESTATIONS,
    MANIFEST_NAME,
    SPEC_VERSION,
    Artifact,
    EmbeddedArtifact,
    LockedProfile,
    Manifest,
    Provenance,
    ReferencedArtifact,
    Source,
    SourcePack,
)
from attest.strictjson import JSON, canonicalize

__all__ = [
    "ARTIFACTS",
    "ATTESTATIONS",
    "ATTESTATION_SUFFIX",
    "MANIFEST_NAME",
    "SPEC_VERSION",
    "Artifact",
    "EmbeddedArtifact",
    "LockedProfile",
    "Manifest",
    "Provenance",
    "ReferencedArtifact",
    "Source",
    "SourcePack",
    "canonical_digest",
    "format_time",
    "load_both_forms",
    "load_manifest",
    "manifest_digest",
    "pack_digest",
    "parse_manifest",
    "read_manifest",
    "to_bytes",
]


_JSON_RULES = {
    "invalid_json": "R-024",
    "duplicate_keys": "R-025",
    "non_finite_number": "R-026",
    "invalid_number": "R-027",
}


def parse_manifest(data: bytes, *, limits: Limits = DEFAULT_LIMITS) -> Manifest:
    """Parse and check the bytes of a `manifest.json`.

    Raises:
        MalformedEvidence: the codes of `strictjson.loads` and `manifest_fields.read_manifest`.

    Source: Evidence Pack R-012 to R-020a, R-024 to R-034a, R-039, R-040.
    """
    return read_manifest(load_manifest(data, limits=limits), limits=limits)


def load_manifest(data: bytes, *, limits: Limits = DEFAULT_LIMITS) -> JSON:
    """Parse the JSON of a manifest and nothing more.

    Raises:
        MalformedEvidence: `invalid_json`, `duplicate_keys`, `non_finite_number`, `invalid_number`,
            `json_too_deep`.

    Source: Evidence Pack R-024 to R-027.
    """
    return load_both_forms(data, limits=limits)[0]


def load_both_forms(data: bytes, *, limits: Limits = DEFAULT_LIMITS) -> tuple[JSON, bytes | None]:
    """As `load_manifest`; with the JCS form too where that costs little, else None.

    Raises:
        MalformedEvidence: the codes of `load_manifest`.

    Source: Evidence Pack R-024 to R-027, R-068 to R-072.
    """
    try:
        return load_with_canonical(data, where=MANIFEST_NAME, max_depth=limits.max_json_depth)
    except MalformedEvidence as error:
        raise MalformedEvidence(
            error.code, error.message, where=error.where, rule=_JSON_RULES.get(error.code)
        ) from None


def manifest_digest(data: bytes) -> bytes:
    """The SHA-256 of the JCS form of a manifest: what attestations sign, 32 raw bytes.

    Raises:
        MalformedEvidence: `json_parse_error`, `invalid_manifest`, `duplicate_keys`,
            `non_finite_number`, `jcs_invalid`.

    Source: Evidence Pack, "Manifest Digest Computation", R-068 to R-072.
    """
    try:
        value, canonical = load_both_forms(data)
    except MalformedEvidence as error:
        if error.code != "invalid_json":
            raise
        # The published vectors name this failure differently here and for a whole manifest.
        raise MalformedEvidence(
            "json_parse_error", error.message, where=error.where, rule="R-046"
        ) from None
    if not isinstance(value, dict):
        raise MalformedEvidence("invalid_manifest", "must be an object", where=MANIFEST_NAME)
    return canonical_digest(value, canonical)


def canonical_digest(value: JSON, canonical: bytes | None) -> bytes:
    """The manifest digest of what `load_both_forms` gave, 32 raw bytes.

    Raises:
        MalformedEvidence: `jcs_invalid`.
    """
    if canonical is None:
        canonical = canonicalize(value, where=MANIFEST_NAME)
    return hashlib.sha256(canonical).digest()


def pack_digest(artifacts: Iterable[Artifact]) -> str:
    """The digest over all embedded artifacts, `sha256:` and lowercase hex.

    Source: Evidence Pack R-003, R-042 to R-045.
    """
    lines = sorted(
        f"{item.path}\t{item.digest}\n".encode()
        for item in artifacts
        if isinstance(item, EmbeddedArtifact)
    )
    return "sha256:" + hashlib.sha256(b"".join(lines)).hexdigest()


def to_bytes(manifest: Manifest) -> bytes:
    """The bytes of `manifest.json`: the JCS form, so that its SHA-256 is the manifest digest.

    Identifiers of profiles are written as they were read, never another in their place (R-028e).

    Raises:
        MalformedEvidence: `jcs_invalid` for values that JCS cannot write.
    """
    members: dict[str, JSON] = {
        "spec_version": SPEC_VERSION,
        "stream": manifest.stream,
        "generated_at": format_time(manifest.generated_at),
        "pack_digest": manifest.pack_digest,
        "sources": [_source(item) for item in manifest.sources],
        "artifacts": [_artifact(item) for item in manifest.artifacts],
        "provenance": None if manifest.provenance is None else _provenance(manifest.provenance),
        "profile": manifest.profile,
        "overlays": None if manifest.overlays is None else list(manifest.overlays),
        "profile_lock": None
        if manifest.profile_lock is None
        else [{"id": item.id, "digest": item.digest} for item in manifest.profile_lock],
    }
    return canonicalize(_present(members), where=MANIFEST_NAME)


def format_time(time: datetime) -> str:
    """A time as `YYYY-MM-DDTHH:MM:SSZ` (R-030); must be aware."""
    return time.astimezone(UTC).replace(tzinfo=None, microsecond=0).isoformat() + "Z"


def _present(members: dict[str, JSON]) -> dict[str, JSON]:
    return {key: value for key, value in members.items() if value is not None}


def _source(item: Source) -> JSON:
    return _present(
        {
            "name": item.name,
            "version": item.version,
            "source": item.source,
            "commit": item.commit,
            "binary_digest": item.binary_digest,
            "artifacts": item.artifacts,
        }
    )


def _artifact(item: Artifact) -> JSON:
    if isinstance(item, ReferencedArtifact):
        return _present(
            {
                "type": "reference",
                "name": item.name,
                "uri": item.uri,
                "access": {"policy": item.access_policy},
                "digest": item.digest,
            }
        )
    return _present(
        {
            "type": "embedded",
            "path": item.path,
            "digest": item.digest,
            "size": item.size,
            "content_type": item.content_type,
            "display_name": item.display_name,
            "description": item.description,
            "collected_at": None if item.collected_at is None else format_time(item.collected_at),
            "schema": item.schema,
            "semantic_type": item.semantic_type,
            "metadata": None if item.metadata is None else dict(item.metadata),
            "controls": None if item.controls is None else list(item.controls),
        }
    )


def _provenance(item: Provenance) -> JSON:
    packs = item.source_packs
    return _present(
        {
            "type": item.type,
            "merged_at": None if item.merged_at is None else format_time(item.merged_at),
            "merged_by": item.merged_by,
            "source_packs": None if packs is None else [_source_pack(pack) for pack in packs],
        }
    )


def _source_pack(item: SourcePack) -> JSON:
    bundles = item.embedded_attestations
    return _present(
        {
            "stream": item.stream,
            "pack_digest": item.pack_digest,
            "manifest_digest": item.manifest_digest.hex(),
            "artifacts": item.artifacts,
            "embedded_attestations": None
            if bundles is None
            else [dict(bundle) for bundle in bundles],
        }
    )
