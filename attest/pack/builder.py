"""Building a pack from files and folders: the same inputs give the same bytes."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path, PurePath
from typing import BinaryIO

from attest.errors import UsageError
from attest.files import open_file
from attest.limits import DEFAULT_LIMITS, Limits
from attest.pack.assemble import (
    PackWriter,
    assemble,
    check_output,
    file_changed,
    manifest_time,
    refusing,
)
from attest.pack.description import NOTHING_SAID, Description
from attest.pack.integrity import Progress
from attest.pack.manifest import ARTIFACTS, EmbeddedArtifact, Manifest, pack_digest
from attest.pack.paths import check_path, check_unique
from attest.pack.reader import IntactPack

_CHUNK = 1_048_576

#: By extension and by nothing of the machine's, so that every machine writes the same manifest.
CONTENT_TYPES = {
    ".csv": "text/csv",
    ".gz": "application/gzip",
    ".htm": "text/html",
    ".html": "text/html",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".log": "text/plain",
    ".md": "text/markdown",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".sarif": "application/sarif+json",
    ".svg": "image/svg+xml",
    ".tsv": "text/tab-separated-values",
    ".txt": "text/plain",
    ".xml": "application/xml",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".zip": "application/zip",
}


def build_pack(
    out: Path,
    inputs: Sequence[Path],
    *,
    stream: str,
    description: Description = NOTHING_SAID,
    generated_at: datetime | None = None,
    replace: bool = False,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> IntactPack:
    """Build a pack; it is read back and checked before it gets its name.

    A file becomes `artifacts/<its name>`; a folder gives all files below it, named from the
    folder on. The bytes depend on the inputs, the arguments and the deflate library alone.

    Args:
        out: where to write; the name ends in `.epack`.
        inputs: files and folders; symbolic links are refused.
        stream: identifier of the evidence stream.
        description: what the manifest says besides.
        generated_at: time of the manifest, aware, cut to seconds; now if not given.
        replace: overwrite an existing pack.
        limits: bounds that hold for the pack.
        progress: told bytes done and bytes in all; each byte counts twice, written and read back.

    Raises:
        UsageError: `invalid_extension`, `file_exists`, `file_not_found`, `unreadable_file`,
            `file_changed`, `output_inside_input`, `zip_symlink`, `invalid_time`,
            `unwritable_file`, `unmatched_pattern`, and every code of `open_pack` and
            `check_integrity` for what the rules forbid.

    Source: Evidence Pack R-001 to R-034a, R-042 to R-057.
    """
    taken = check_output(out, replace=replace)
    time = manifest_time(generated_at)
    files = _collect(inputs, limits)
    for path in files.values():
        if path.name == out.name and taken and out.samefile(path):
            raise UsageError(
                "output_inside_input",
                "the pack would contain itself",
                where=str(out),
                hint="write it outside the folder that it is made of",
            )
    description.check_matches(files)

    total = 0 if progress is None else sum(_size(path) for path in files.values())
    done = 0

    def written(size: int) -> None:
        nonlocal done
        done += size
        if progress is not None:
            progress(done, 2 * total)

    def read_back(again: int, of: int) -> None:
        if progress is not None:
            progress(done + again, done + of)

    def fill(writer: PackWriter) -> Manifest:
        artifacts = tuple(
            description.describe(_add(writer, name, path, written))
            for name, path in sorted(files.items(), key=_by_bytes)
        )
        return Manifest(
            stream=stream,
            generated_at=time,
            pack_digest=pack_digest(artifacts),
            sources=description.sources,
            artifacts=(*artifacts, *description.references),
            profile=description.profile,
            overlays=description.overlays,
            profile_lock=description.profile_lock,
        )

    return assemble(out, fill, replace=replace, limits=limits, progress=read_back)


def _by_bytes(item: tuple[str, Path]) -> bytes:
    return item[0].encode("utf-8")


def _collect(inputs: Sequence[Path], limits: Limits) -> dict[str, Path]:
    """Every file below the inputs by the path that it gets in the pack."""
    found: list[tuple[str, Path]] = []
    for path in inputs:
        for inner, file in _walk(path):
            name = ARTIFACTS + inner
            with refusing(str(file)):
                check_path(name)
            found.append((name, file))
            if len(found) > limits.max_artifacts:
                raise UsageError(
                    "too_many_artifacts",
                    f"there are more than {limits.max_artifacts} files",
                    where=str(path),
                    rule="R-051",
                )
    with refusing():
        check_unique([name for name, _ in found], [], rule="R-034")
    return dict(found)


def _walk(path: Path) -> Iterator[tuple[str, Path]]:
    kind = _kind(path)
    if not stat.S_ISDIR(kind):
        yield path.name, path
        return
    pending = [path]
    while pending:
        folder = pending.pop()
        try:
            children = sorted(folder.iterdir())
        except OSError as error:
            raise UsageError(
                "unreadable_file", error.strerror or str(error), where=str(folder)
            ) from None
        for child in children:
            if stat.S_ISDIR(_kind(child)):
                pending.append(child)
            else:
                yield PurePath(child.relative_to(path)).as_posix(), child


def _kind(path: Path) -> int:
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(
            "file_not_found", "the file does not exist", where=str(path), hint="check the path"
        ) from None
    except (OSError, ValueError) as error:
        raise UsageError("unreadable_file", str(error), where=str(path)) from None
    if stat.S_ISLNK(mode):
        raise UsageError(
            "zip_symlink",
            "is a symbolic link, which a pack cannot hold",
            where=str(path),
            rule="R-054",
            hint="give the file that it points to",
        )
    return mode


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0  # what is wrong with it is told when it is opened


def _add(
    writer: PackWriter, name: str, path: Path, written: Callable[[int], None]
) -> EmbeddedArtifact:
    """Copy a file into the archive, and tell how many bytes of it were written."""
    with open_file(path) as source:
        size = os.fstat(source.fileno()).st_size
        digest = writer.add_artifact(
            name, size, lambda: _pieces(source, path, size), where=str(path)
        )
    written(size)
    return EmbeddedArtifact(
        path=name,
        digest=digest,
        size=size,
        content_type=CONTENT_TYPES.get(path.suffix.lower()),
    )


def _pieces(source: BinaryIO, path: Path, size: int) -> Iterator[bytes]:
    source.seek(0)
    left = size
    while left:
        try:
            piece = source.read(min(_CHUNK, left))
        except OSError as error:
            raise UsageError(
                "unreadable_file", error.strerror or str(error), where=str(path)
            ) from None
        if not piece:
            raise file_changed(str(path))
        left -= len(piece)
        yield piece
    if source.read(1):
        raise file_changed(str(path))
