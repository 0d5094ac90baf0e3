"""Building a pack from files and folders: the same inputs give the same bytes."""

from __future__ import annotations

import hashlib
import os
import stat
import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import BinaryIO

from attest.atomic import create_file, replace_file
from attest.errors import MalformedEvidence, UsageError
from attest.files import open_file
from attest.limits import DEFAULT_LIMITS, Limits
from attest.pack import records
from attest.pack.manifest import (
    ARTIFACTS,
    MANIFEST_NAME,
    EmbeddedArtifact,
    Manifest,
    ReferencedArtifact,
    Source,
    pack_digest,
    to_bytes,
)
from attest.pack.paths import check_path, check_unique
from attest.pack.reader import EXTENSION, IntactPack, Pack

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
    sources: Sequence[Source] = (),
    references: Sequence[ReferencedArtifact] = (),
    generated_at: datetime | None = None,
    replace: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> IntactPack:
    """Build a pack; it is read back and checked before it gets its name.

    A file becomes `artifacts/<its name>`; a folder gives all files below it, named from the
    folder on. The bytes depend on the inputs, the arguments and the deflate library alone.

    Args:
        out: where to write; the name ends in `.epack`.
        inputs: files and folders; symbolic links are refused.
        stream: identifier of the evidence stream.
        sources: collectors, recorded as they are.
        references: pointers to evidence elsewhere.
        generated_at: time of the manifest, aware, cut to seconds; now if not given.
        replace: overwrite an existing pack.
        limits: bounds that hold for the pack.

    Raises:
        UsageError: `invalid_extension`, `file_exists`, `file_not_found`, `unreadable_file`,
            `file_changed`, `output_inside_input`, `zip_symlink`, `invalid_time`,
            `unwritable_file`, and every code of `open_pack` and `check_integrity` for what the
            rules forbid.

    Source: Evidence Pack R-001 to R-034a, R-042 to R-057.
    """
    if out.suffix != EXTENSION:
        raise UsageError(
            "invalid_extension",
            f"the name of a pack ends in {EXTENSION}",
            where=str(out),
            rule="R-001",
        )
    # `Path.exists` raises for names that are too long and folders that are closed to us.
    taken = os.path.exists(out)  # noqa: PTH110
    if taken and not replace:
        raise UsageError(
            "file_exists",
            "the file exists already",
            where=str(out),
            hint="choose another name or ask to replace it",
        )
    time = datetime.now(UTC) if generated_at is None else generated_at
    if time.tzinfo is None:
        raise UsageError("invalid_time", "generated_at needs a time zone")
    files = _collect(inputs, limits)
    for path in files.values():
        if path.name == out.name and taken and out.samefile(path):
            raise UsageError(
                "output_inside_input",
                "the pack would contain itself",
                where=str(out),
                hint="write it outside the folder that it is made of",
            )
    built: list[IntactPack] = []

    def write(file: BinaryIO) -> None:
        writer = _Writer(file, limits)
        writer.add_folder(ARTIFACTS)
        artifacts = tuple(
            writer.add_file(name, path) for name, path in sorted(files.items(), key=_by_bytes)
        )
        manifest = Manifest(
            stream=stream,
            generated_at=time,
            pack_digest=pack_digest(artifacts),
            sources=tuple(sources),
            artifacts=(*artifacts, *references),
        )
        writer.add_bytes(MANIFEST_NAME, to_bytes(manifest))
        writer.finish()
        built.append(Pack(out, file, limits=limits).check_integrity())

    try:
        (replace_file if replace else create_file)(out, write)
    except MalformedEvidence as error:
        # Nobody handed us evidence: what the rules forbid here is a wrong call.
        raise _refused(error, error.where) from None
    return built[0]


def _by_bytes(item: tuple[str, Path]) -> bytes:
    return item[0].encode("utf-8")


def _refused(error: MalformedEvidence, where: str | None) -> UsageError:
    return UsageError(error.code, error.message, hint=error.hint, where=where, rule=error.rule)


def _collect(inputs: Sequence[Path], limits: Limits) -> dict[str, Path]:
    """Every file below the inputs by the path that it gets in the pack."""
    found: list[tuple[str, Path]] = []
    for path in inputs:
        for inner, file in _walk(path):
            name = ARTIFACTS + inner
            try:
                check_path(name)
            except MalformedEvidence as error:
                raise _refused(error, str(file)) from None
            found.append((name, file))
            if len(found) > limits.max_artifacts:
                raise UsageError(
                    "too_many_artifacts",
                    f"there are more than {limits.max_artifacts} files",
                    where=str(path),
                    rule="R-051",
                )
    try:
        check_unique([name for name, _ in found], [], rule="R-034")
    except MalformedEvidence as error:
        raise _refused(error, error.where) from None
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


class _Writer:
    """Writes entries one after the other, and the directory at the end."""

    def __init__(self, file: BinaryIO, limits: Limits) -> None:
        self._file = file
        self._limits = limits
        self._total = 0
        self._directory: list[bytes] = []

    def add_folder(self, name: str) -> None:
        self._directory.append(self._place(name, records.STORED, 0, 0, 0, self._file.tell()))

    def add_bytes(self, name: str, data: bytes) -> None:
        start = self._file.tell()
        record = self._place(name, records.STORED, zlib.crc32(data), len(data), len(data), start)
        self._directory.append(record)
        self._file.write(data)

    def add_file(self, name: str, path: Path) -> EmbeddedArtifact:
        """Copy a file into the archive, deflated where that helps."""
        start = self._file.tell()
        with open_file(path) as source:
            before = os.fstat(source.fileno())
            size = before.st_size
            self._check_size(path, size)
            # The header has a fixed length; it is written again when sizes and CRC are known.
            self._place(name, records.DEFLATED, 0, 0, size, start)
            deflater = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
            hasher = hashlib.sha256()
            crc = compressed = 0
            for piece in _pieces(source, path, size):
                hasher.update(piece)
                crc = zlib.crc32(piece, crc)
                compressed += self._file.write(deflater.compress(piece))
            compressed += self._file.write(deflater.flush())
            method = records.DEFLATED
            # Stored where deflating gains nothing, or so much that readers fear a bomb.
            most = min(self._limits.max_compression_ratio, DEFAULT_LIMITS.max_compression_ratio)
            if compressed >= size or size > most * compressed:
                method, compressed = records.STORED, size
                self._store_again(source, path, size, hasher.digest(), name, start)
        self._file.seek(start)
        self._directory.append(self._place(name, method, crc, compressed, size, start))
        self._file.seek(compressed, os.SEEK_CUR)
        return EmbeddedArtifact(
            path=name,
            digest=f"sha256:{hasher.hexdigest()}",
            size=size,
            content_type=CONTENT_TYPES.get(path.suffix.lower()),
        )

    def _store_again(
        self, source: BinaryIO, path: Path, size: int, digest: bytes, name: str, start: int
    ) -> None:
        self._file.seek(start)
        self._file.truncate()
        self._place(name, records.STORED, 0, size, size, start)
        source.seek(0)
        hasher = hashlib.sha256()
        for piece in _pieces(source, path, size):
            hasher.update(piece)
            self._file.write(piece)
        if hasher.digest() != digest:
            raise _changed(path)

    def finish(self) -> None:
        offset = self._file.tell()
        data = b"".join(self._directory)
        self._file.write(data)
        self._file.write(
            records.end_records(count=len(self._directory), size=len(data), offset=offset)
        )
        self._file.flush()

    def _check_size(self, path: Path, size: int) -> None:
        self._total += size
        for code, found, most in (
            ("artifact_too_large", size, self._limits.max_artifact_bytes),
            ("pack_too_large", self._total, self._limits.max_pack_bytes),
        ):
            if found > most:
                raise UsageError(
                    code, f"{found} bytes are more than {most}", where=str(path), rule="R-051"
                )

    def _place(
        self, name: str, method: int, crc: int, compressed: int, size: int, start: int
    ) -> bytes:
        """Write a local header where the file stands; gives the central record."""
        entry = records.NewEntry(
            name=name, method=method, crc=crc, compressed=compressed, size=size, offset=start
        )
        self._file.write(records.local_header(entry))
        return records.central_record(entry)


def _pieces(source: BinaryIO, path: Path, size: int) -> Iterator[bytes]:
    left = size
    while left:
        try:
            piece = source.read(min(_CHUNK, left))
        except OSError as error:
            raise UsageError(
                "unreadable_file", error.strerror or str(error), where=str(path)
            ) from None
        if not piece:
            raise _changed(path)
        left -= len(piece)
        yield piece
    if source.read(1):
        raise _changed(path)


def _changed(path: Path) -> UsageError:
    return UsageError(
        "file_changed", "the file changed while it was read", where=str(path), hint="try again"
    )
