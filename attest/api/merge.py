"""Merge packs into one, and say what it is called by and made of."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from attest.api.build import Built
from attest.bundle import parse_bundle
from attest.engine.content import PackContent, check_content
from attest.errors import AttestError
from attest.limits import DEFAULT_LIMITS, Limits
from attest.pack.integrity import Progress
from attest.pack.manifest import SourcePack
from attest.pack.merge import merge_packs


@dataclass(frozen=True, kw_only=True, slots=True)
class MergedSource:
    """A pack inside a merged one; digests as in `Built`, `attestations` is how many came along."""

    stream: str
    artifacts: int
    pack_digest: str
    manifest_digest: str
    attestations: int

    @classmethod
    def of(cls, item: SourcePack) -> MergedSource:
        """What provenance says of a source pack."""
        return cls(
            stream=item.stream,
            artifacts=item.artifacts,
            pack_digest=item.pack_digest,
            manifest_digest=item.manifest_digest.hex(),
            attestations=len(item.embedded_attestations or ()),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Merged:
    """A merged pack that was written, and its source packs in the order of their streams.

    `left_out` names the packs whose own attestations are not carried: they were merged packs
    already, and their manifest is not part of the new one.
    """

    built: Built
    sources: tuple[MergedSource, ...]
    left_out: tuple[Path, ...]


def merge(
    out: str | os.PathLike[str],
    packs: Iterable[str | os.PathLike[str]],
    *,
    stream: str,
    merged_by: str | None = None,
    merged_at: datetime | None = None,
    replace: bool = False,
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> Merged:
    """Merge intact packs into a new one, atomically; the same packs give the same bytes.

    Attestations are carried when they are well-formed and speak of their pack. Their signatures
    are not verified: whom to trust is for whoever receives the merged pack to say.

    Args:
        out: the pack to write, ending in `.epack`.
        packs: two or more packs, of different streams; their order does not matter.
        stream: identifier of the new stream.
        merged_by: who merges, recorded as it is.
        merged_at: time of the merge, aware; now if not given.
        replace: overwrite an existing pack.
        limits: bounds that hold for every pack.
        progress: told bytes done and bytes in all; each counts thrice: checked, written, read back.

    Raises:
        MalformedEvidence: a source pack, or an attestation of it, is malformed.
        VerificationFailed: an attestation does not speak of the pack that it lies in, with a code
            of `attest.engine.content.check_content`.
        UsageError: every code of `attest.pack.merge.merge_packs`.
    """
    limits = limits or DEFAULT_LIMITS
    path = Path(out)

    def check(name: str, data: bytes, manifest_digest: bytes) -> None:
        try:
            bundle = parse_bundle(data, in_pack=True, where=name, limits=limits)
            check_content(bundle.content, PackContent(manifest_digest=manifest_digest))
        except AttestError as error:
            if error.where is None or not error.where.startswith(name):
                error.where = name if error.where is None else f"{name}: {error.where}"
            raise

    merged = merge_packs(
        path,
        [Path(item) for item in packs],
        stream=stream,
        check_attestation=check,
        merged_by=merged_by,
        merged_at=merged_at,
        replace_out=replace,
        limits=limits,
        progress=progress,
    )
    provenance = merged.pack.manifest.provenance
    packs_inside = provenance.source_packs if provenance is not None else None
    return Merged(
        built=Built.of(path, merged.pack),
        sources=tuple(MergedSource.of(item) for item in packs_inside or ()),
        left_out=merged.left_out,
    )
