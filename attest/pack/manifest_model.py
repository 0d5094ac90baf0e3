"""What a manifest says, as checked values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from attest.strictjson import JSON

MANIFEST_NAME = "manifest.json"
ARTIFACTS = "artifacts/"
ATTESTATIONS = "attestations/"
ATTESTATION_SUFFIX = ".sigstore.json"
SPEC_VERSION = "1.0"


@dataclass(frozen=True, kw_only=True, slots=True)
class EmbeddedArtifact:
    """An artifact whose bytes are in the pack; `digest` is `sha256:` and lowercase hex."""

    path: str
    digest: str
    size: int
    content_type: str | None = None
    display_name: str | None = None
    description: str | None = None
    collected_at: datetime | None = None
    schema: str | None = None
    semantic_type: str | None = None
    metadata: Mapping[str, JSON] | None = None
    controls: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ReferencedArtifact:
    """A pointer to bytes elsewhere; informational, and never fetched unless asked (R-037)."""

    name: str
    uri: str
    access_policy: str
    digest: str | None = None


Artifact: TypeAlias = EmbeddedArtifact | ReferencedArtifact


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A collector that contributed artifacts; informational."""

    name: str
    version: str | None = None
    source: str | None = None
    commit: str | None = None
    binary_digest: str | None = None
    artifacts: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SourcePack:
    """A pack that was merged into this one; `manifest_digest` is 32 raw bytes."""

    stream: str
    pack_digest: str
    manifest_digest: bytes
    artifacts: int
    embedded_attestations: tuple[Mapping[str, JSON], ...] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """Where a pack came from; worth nothing unless the manifest is signed."""

    type: str
    merged_at: datetime | None = None
    merged_by: str | None = None
    source_packs: tuple[SourcePack, ...] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LockedProfile:
    """One pinned identifier of `profile_lock`."""

    id: str
    digest: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """A checked manifest; times are UTC, digests `sha256:` and lowercase hex."""

    stream: str
    generated_at: datetime
    pack_digest: str
    sources: tuple[Source, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    provenance: Provenance | None = None
    profile: str | None = None
    overlays: tuple[str, ...] | None = None
    profile_lock: tuple[LockedProfile, ...] | None = None

    @property
    def embedded(self) -> tuple[EmbeddedArtifact, ...]:
        """The artifacts whose bytes are in the pack, in manifest order."""
        return tuple(item for item in self.artifacts if isinstance(item, EmbeddedArtifact))

    @property
    def references(self) -> tuple[ReferencedArtifact, ...]:
        """The artifacts that only point elsewhere, in manifest order."""
        return tuple(item for item in self.artifacts if isinstance(item, ReferencedArtifact))
