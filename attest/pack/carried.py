"""The attestations that a merged pack carries of its sources, each with its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from attest.pack.manifest_model import Manifest, SourcePack
from attest.strictjson import canonicalize


@dataclass(frozen=True, kw_only=True, slots=True)
class Carried:
    """One attestation: its place in the manifest, its JCS bytes, and what it must sign.

    `manifest_digest` is that of its source, 32 raw bytes. The JCS form of a bundle is a part of
    the manifest's, so it is what the merger signed.
    """

    place: str
    data: bytes
    manifest_digest: bytes


def carried(manifest: Manifest) -> Iterator[Carried]:
    """Every attestation of every source, in the order of the manifest.

    Source: Evidence Pack "Provenance (Merged Packs)".
    """
    provenance = manifest.provenance
    for at, source in enumerate((provenance and provenance.source_packs) or ()):
        yield from carried_of(source, at)


def carried_of(source: SourcePack, at: int) -> Iterator[Carried]:
    """The attestations of one source.

    Args:
        source: a source of a merged pack.
        at: its position in the provenance.
    """
    for number, bundle in enumerate(source.embedded_attestations or ()):
        place = f"{place_of(at)}.embedded_attestations[{number}]"
        yield Carried(
            place=place,
            data=canonicalize(dict(bundle), where=place),
            manifest_digest=source.manifest_digest,
        )


def place_of(at: int) -> str:
    """Where a source stands, by its position."""
    return f"provenance.source_packs[{at}]"
