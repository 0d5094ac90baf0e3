"""What a manifest says, UNVERIFIED, as lines of text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attest.pack.manifest import (
    ARTIFACTS,
    EmbeddedArtifact,
    Manifest,
    Provenance,
    ReferencedArtifact,
    Source,
    SourcePack,
    format_time,
)
from attest.strictjson import JSON
from attest.terminal import escape


def manifest_lines(manifest: Manifest) -> Iterator[str]:
    """The manifest as lines, artifacts as a tree; everything untrusted is escaped."""
    yield f"stream: {escape(manifest.stream)}"
    yield f"generated at: {format_time(manifest.generated_at)}"
    yield f"pack digest: {escape(manifest.pack_digest)}"
    if manifest.profile is not None:
        yield f"profile: {escape(manifest.profile)}"
    for overlay in manifest.overlays or ():
        yield f"overlay: {escape(overlay)}"
    for locked in manifest.profile_lock or ():
        yield f"profile lock: {escape(locked.id)} {locked.digest}"
    for source in manifest.sources:
        yield f"source: {_source_text(source)}"
    if manifest.provenance is not None:
        yield from _provenance_lines(manifest.provenance)
    embedded, references = manifest.embedded, manifest.references
    total = sum(item.size for item in embedded)
    yield f"artifacts: {len(embedded)} ({total} bytes)"
    for line in _tree(embedded):
        yield f"  {line}"
    if references:
        yield f"references: {len(references)}"
    for reference in references:
        yield f"  {escape(reference.name)}  {reference.access_policy}  {_uri(reference.uri)}"
        if reference.digest is not None:
            yield f"    {reference.digest}"


def _source_text(source: Source) -> str:
    version = "" if source.version is None else f"@{escape(source.version)}"
    said = [
        f"{label} {escape(value)}"
        for label, value in (
            ("from", source.source),
            ("commit", source.commit),
            ("binary", source.binary_digest),
        )
        if value is not None
    ]
    if source.artifacts is not None:
        said.append(f"{source.artifacts} artifacts")
    return escape(source.name) + version + (f" ({', '.join(said)})" if said else "")


def _provenance_lines(provenance: Provenance) -> Iterator[str]:
    at = "" if provenance.merged_at is None else f" at {format_time(provenance.merged_at)}"
    by = "" if provenance.merged_by is None else f" by {escape(provenance.merged_by)}"
    yield f"provenance: {provenance.type}{at}{by}"
    for pack in provenance.source_packs or ():
        count = len(pack.embedded_attestations or ())
        yield f"  {escape(pack.stream)}: {pack.artifacts} artifacts, {count} attestations"
        yield f"    pack digest {pack.pack_digest}"
        yield f"    manifest digest {pack.manifest_digest.hex()}"


def _uri(uri: str) -> str:
    """A URI without the values of its query, where a token would be (R-062)."""
    before, mark, _ = uri.partition("?")
    return escape(before) + ("?…" if mark else "")


def _tree(artifacts: Sequence[EmbeddedArtifact]) -> Iterator[str]:
    """The artifacts in the folders that they lie in, each folder once."""
    paths = ((item.path.removeprefix(ARTIFACTS).split("/"), item) for item in artifacts)
    open_folders: list[str] = []
    for (*folders, name), item in sorted(paths, key=lambda entry: entry[0]):
        common = 0
        while open_folders[common : common + 1] == folders[common : common + 1] != []:
            common += 1
        for depth in range(common, len(folders)):
            yield f"{'  ' * depth}{escape(folders[depth])}/"
        open_folders = folders
        indent = "  " * len(folders)
        yield f"{indent}{escape(name)}  {item.size} bytes  {item.digest}"
        for line in _said_of(item):
            yield f"{indent}  {line}"


def _said_of(item: EmbeddedArtifact) -> Iterator[str]:
    for label, value in (
        ("name", item.display_name),
        ("description", item.description),
        ("content type", item.content_type),
        ("schema", item.schema),
        ("semantic type", item.semantic_type),
    ):
        if value is not None:
            yield f"{label}: {escape(value)}"
    if item.collected_at is not None:
        yield f"collected at: {format_time(item.collected_at)}"
    if item.controls:
        yield f"controls: {', '.join(escape(control) for control in item.controls)}"
    if item.metadata:
        yield f"metadata: {', '.join(escape(key) for key in item.metadata)}"


def manifest_json(manifest: Manifest) -> JSON:
    """The manifest with every field that there is, null where it says nothing."""
    locks = manifest.profile_lock
    return {
        "stream": manifest.stream,
        "generated_at": format_time(manifest.generated_at),
        "pack_digest": manifest.pack_digest,
        "sources": [_source_json(item) for item in manifest.sources],
        "artifacts": [
            _embedded_json(item) if isinstance(item, EmbeddedArtifact) else _reference_json(item)
            for item in manifest.artifacts
        ],
        "provenance": None
        if manifest.provenance is None
        else _provenance_json(manifest.provenance),
        "profile": manifest.profile,
        "overlays": None if manifest.overlays is None else list(manifest.overlays),
        "profile_lock": None
        if locks is None
        else [{"id": item.id, "digest": item.digest} for item in locks],
    }


def _source_json(item: Source) -> JSON:
    return {
        "name": item.name,
        "version": item.version,
        "source": item.source,
        "commit": item.commit,
        "binary_digest": item.binary_digest,
        "artifacts": item.artifacts,
    }


def _embedded_json(item: EmbeddedArtifact) -> JSON:
    return {
        "type": "embedded",
        "path": item.path,
        "size": item.size,
        "digest": item.digest,
        "content_type": item.content_type,
        "display_name": item.display_name,
        "description": item.description,
        "collected_at": None if item.collected_at is None else format_time(item.collected_at),
        "schema": item.schema,
        "semantic_type": item.semantic_type,
        "metadata": None if item.metadata is None else dict(item.metadata),
        "controls": None if item.controls is None else list(item.controls),
    }


def _reference_json(item: ReferencedArtifact) -> JSON:
    return {
        "type": "reference",
        "name": item.name,
        "uri": item.uri,
        "access": {"policy": item.access_policy},
        "digest": item.digest,
    }


def _provenance_json(item: Provenance) -> JSON:
    packs = item.source_packs
    return {
        "type": item.type,
        "merged_at": None if item.merged_at is None else format_time(item.merged_at),
        "merged_by": item.merged_by,
        "source_packs": None if packs is None else [_source_pack_json(pack) for pack in packs],
    }


def _source_pack_json(item: SourcePack) -> JSON:
    bundles = item.embedded_attestations
    return {
        "stream": item.stream,
        "pack_digest": item.pack_digest,
        "manifest_digest": item.manifest_digest.hex(),
        "artifacts": item.artifacts,
        "embedded_attestations": None if bundles is None else [dict(bundle) for bundle in bundles],
    }
