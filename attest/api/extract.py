"""Extract a pack into a new folder, and say what was written."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from attest.limits import DEFAULT_LIMITS, Limits
from attest.pack.extract import extract_pack
from attest.pack.integrity import Progress


@dataclass(frozen=True, kw_only=True, slots=True)
class Extracted:
    """A pack that was written out; it is intact, and who made it was not asked.

    Both digests are lowercase hex, the pack's with its `sha256:`; `bytes` is the sum of all
    artifacts; `files` are paths below `folder`, with forward slashes, in order of writing.
    """

    folder: Path
    stream: str
    artifacts: int
    bytes: int
    attestations: int
    pack_digest: str
    manifest_digest: str
    files: tuple[str, ...]


def extract(
    pack: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> Extracted:
    """Write out a pack whose every byte is what its manifest says; of any other, nothing.

    Nobody's identity is checked: that is what `attest.verify` is for, before.

    Args:
        pack: the pack.
        folder: must not exist; its parent must.
        limits: bounds that hold for the pack.
        progress: told bytes done and bytes in all.

    Raises:
        MalformedEvidence: the pack is malformed or not intact.
        UsageError: every code of `attest.pack.extract.extract_pack`.
    """
    path = Path(folder)
    done = extract_pack(Path(pack), path, limits=limits or DEFAULT_LIMITS, progress=progress)
    return Extracted(
        folder=path,
        stream=done.pack.stream,
        artifacts=done.pack.artifacts,
        bytes=done.pack.bytes,
        attestations=len(done.files) - done.pack.artifacts - 1,
        pack_digest=done.pack.pack_digest,
        manifest_digest=done.pack.manifest_digest.hex(),
        files=done.files,
    )
