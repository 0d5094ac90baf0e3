"""Build a pack from files and folders, and say what it is called by."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from attest.errors import MalformedEvidence, UsageError
from attest.files import read_file
from attest.limits import DEFAULT_LIMITS, Limits
from attest.pack.assemble import refusing
from attest.pack.builder import build_pack
from attest.pack.description import NOTHING_SAID, Description, parse_description
from attest.pack.integrity import Progress
from attest.pack.manifest import ARTIFACTS
from attest.pack.paths import check_path
from attest.pack.reader import IntactPack
from attest.strictjson import JSON


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

    @property
    def can_be_merged(self) -> bool:
        """Whether the stream can name the folder in which a merge would put the artifacts."""
        try:
            check_path(f"{ARTIFACTS}{self.stream}")
        except MalformedEvidence:
            return False
        return True

    @classmethod
    def of(cls, path: Path, pack: IntactPack) -> Built:
        """What was written to a path."""
        return cls(
            path=path,
            stream=pack.stream,
            artifacts=pack.artifacts,
            bytes=pack.bytes,
            generated_at=pack.generated_at,
            pack_digest=pack.pack_digest,
            manifest_digest=pack.manifest_digest.hex(),
        )


def build(
    out: str | os.PathLike[str],
    files: Iterable[str | os.PathLike[str]],
    *,
    stream: str,
    sources: Iterable[tuple[str, str | None] | Mapping[str, JSON]] = (),
    references: Iterable[Mapping[str, JSON]] = (),
    describe: str | os.PathLike[str] | Mapping[str, JSON] | None = None,
    generated_at: datetime | None = None,
    replace: bool = False,
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> Built:
    """Write a pack, atomically; the same inputs give the same bytes.

    Args:
        out: the pack to write, ending in `.epack`.
        files: files and folders to put in.
        stream: identifier of the evidence stream.
        sources: collectors that contributed: name, and version if known; or an object with the
            fields of a manifest's source.
        references: pointers to evidence elsewhere, each an object with `name`, `uri`, `access`
            and maybe `digest`.
        describe: what the manifest says besides, as an object or the path of its JSON file:
            `sources`, `references`, `artifacts` (rules of a `match` and the fields to set),
            `profile`, `overlays`, `profile_lock`.
        generated_at: time of the manifest, aware; now if not given.
        replace: overwrite an existing pack.
        limits: bounds that hold for the pack.
        progress: told bytes done and bytes in all; each byte counts twice, written and read back.

    Raises:
        UsageError: `description_too_large`, `invalid_description`, and every code of
            `attest.pack.description.parse_description` and `attest.pack.builder.build_pack`.
    """
    limits = limits or DEFAULT_LIMITS
    path = Path(out)
    named: list[JSON] = [
        dict(item) if isinstance(item, Mapping) else _named(*item) for item in sources
    ]
    pointers: list[JSON] = [dict(item) for item in references]
    given = _from_value({"sources": named, "references": pointers}, "arguments", limits)
    written = _described(describe, limits)
    pack = build_pack(
        path,
        [Path(file) for file in files],
        stream=stream,
        description=Description(
            sources=(*given.sources, *written.sources),
            references=(*given.references, *written.references),
            artifacts=written.artifacts,
            profile=written.profile,
            overlays=written.overlays,
            profile_lock=written.profile_lock,
        ),
        generated_at=generated_at,
        replace=replace,
        limits=limits,
        progress=progress,
    )
    return Built.of(path, pack)


def _named(name: str, version: str | None) -> JSON:
    return {"name": name} if version is None else {"name": name, "version": version}


def _described(
    describe: str | os.PathLike[str] | Mapping[str, JSON] | None, limits: Limits
) -> Description:
    if describe is None:
        return NOTHING_SAID
    if isinstance(describe, Mapping):
        return _from_value(dict(describe), "describe", limits)
    data = read_file(Path(describe), limit=limits.max_manifest_bytes)
    if len(data) > limits.max_manifest_bytes:
        raise UsageError(
            "description_too_large",
            f"larger than {limits.max_manifest_bytes} bytes",
            where=os.fspath(describe),
        )
    return _parse(data, os.fspath(describe), limits)


def _from_value(value: JSON, where: str, limits: Limits) -> Description:
    try:
        # Written and read again, so that a caller's object is held to the rules of a file.
        data = json.dumps(value).encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError("invalid_description", f"is not JSON: {error}", where=where) from None
    return _parse(data, where, limits)


def _parse(data: bytes, where: str, limits: Limits) -> Description:
    with refusing():
        return parse_description(data, where=where, limits=limits)
