"""Build a pack from files and folders, and say what it is called by."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from attest.limits import DEFAULT_LIMITS, Limits
from attest.pack.builder import build_pack
from attest.pack.manifest import Source


@dataclass(frozen=True, kw_only=True, slots=True)
class Built:
    """A pack that was written; `manifest_digest` is what a signature will cover.

    Both digests are lowercase hex, the pack's with its `sha256:`; `bytes` is the sum of all
    artifacts; `generated_at` is UTC.
    """

    path: Path
    stream: str
    artifacts: int
    bytes: int
    generated_at: datetime
    pack_digest: str
    manifest_digest: str


def build(
    out: str | os.PathLike[str],
    files: Iterable[str | os.PathLike[str]],
    *,
    stream: str,
    sources: Iterable[tuple[str, str | None]] = (),
    generated_at: datetime | None = None,
    replace: bool = False,
    limits: Limits | None = None,
) -> Built:
    """Write a pack, atomically; the same inputs give the same bytes.

    Args:
        out: the pack to write, ending in `.epack`.
        files: files and folders to put in.
        stream: identifier of the evidence stream.
        sources: collectors that contributed: name, and version if known.
        generated_at: time of the manifest, aware; now if not given.
        replace: overwrite an existing pack.
        limits: bounds that hold for the pack.

    Raises:
        UsageError: every code of `attest.pack.builder.build_pack`.
    """
    path = Path(out)
    pack = build_pack(
        path,
        [Path(file) for file in files],
        stream=stream,
        sources=[Source(name=name, version=version) for name, version in sources],
        generated_at=generated_at,
        replace=replace,
        limits=limits or DEFAULT_LIMITS,
    )
    return Built(
        path=path,
        stream=pack.stream,
        artifacts=pack.artifacts,
        bytes=pack.bytes,
        generated_at=pack.generated_at,
        pack_digest=pack.pack_digest,
        manifest_digest=pack.manifest_digest.hex(),
    )
