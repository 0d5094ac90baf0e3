"""Writing a new pack: entry after entry, read back before it gets its name."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from attest.atomic import create_file, replace_file
from attest.errors import MalformedEvidence, UsageError
from attest.limits import DEFAULT_LIMITS, Limits
from attest.pack import records
from attest.pack.archive import Archive
from attest.pack.integrity import Progress
from attest.pack.local import Entry
from attest.pack.manifest import ARTIFACTS, MANIFEST_NAME, Manifest, to_bytes
from attest.pack.reader import EXTENSION, IntactPack, Pack


def check_output(out: Path, *, replace: bool) -> bool:
    """Refuse a name that no new pack may have; tells whether something has it already.

    Raises:
        UsageError: `invalid_extension`, `file_exists`.
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
            hint="choose another name, or overwrite it with --replace",
        )
    return taken


def manifest_time(given: datetime | None) -> datetime:
    """The time of a new manifest: the one given, else now.

    Raises:
        UsageError: `invalid_time` for one without a time zone.
    """
    time = datetime.now(UTC) if given is None else given
    if time.tzinfo is None:
        raise UsageError("invalid_time", "generated_at needs a time zone")
    return time


@contextmanager
def refusing(where: str | None = None) -> Iterator[None]:
    """Turn what the rules forbid into a wrong call: nobody handed us evidence.

    Args:
        where: what the error names instead of the place inside the pack.
    """
    try:
        yield
    except MalformedEvidence as error:
        raise UsageError(
            error.code,
            error.message,
            hint=error.hint,
            where=error.where if where is None else where,
            rule=error.rule,
        ) from None


def assemble(
    out: Path,
    fill: Callable[[PackWriter], Manifest],
    *,
    replace: bool,
    limits: Limits,
    progress: Progress | None = None,
) -> IntactPack:
    """Write a pack atomically; it is read back and checked before it gets its name.

    Args:
        out: where to write.
        fill: adds the artifacts and gives the manifest that lists them.
        replace: overwrite an existing pack.
        limits: bounds that hold for the pack.
        progress: told bytes done and bytes in all while the pack is read back.

    Raises:
        UsageError: `file_exists`, `unwritable_file`, and every code of `open_pack` and
            `check_integrity` for what the rules forbid.
    """
    built: list[IntactPack] = []

    def write(file: BinaryIO) -> None:
        writer = PackWriter(file, limits)
        writer.add_folder(ARTIFACTS)
        manifest = fill(writer)
        with refusing():
            writer.add_bytes(MANIFEST_NAME, to_bytes(manifest))
            writer.finish()
            built.append(Pack(out, file, limits=limits).check_integrity(progress=progress))

    (replace_file if replace else create_file)(out, write)
    return built[0]


class PackWriter:
    """Writes entries one after the other, and the directory at the end.

    Args:
        file: gets the archive, from its start on; can be read and repositioned.
        limits: bounds on sizes and compression ratio.
    """

    def __init__(self, file: BinaryIO, limits: Limits) -> None:
        self._file = file
        self._limits = limits
        self._total = 0
        self._directory: list[bytes] = []

    def add_folder(self, name: str) -> None:
        """Add a folder; its name ends with a slash."""
        self._directory.append(self._place(name, records.STORED, 0, 0, 0, self._file.tell()))

    def add_bytes(self, name: str, data: bytes) -> None:
        """Add an entry from memory, stored."""
        start = self._file.tell()
        record = self._place(name, records.STORED, zlib.crc32(data), len(data), len(data), start)
        self._directory.append(record)
        self._file.write(data)

    def add_artifact(
        self, name: str, size: int, read: Callable[[], Iterator[bytes]], *, where: str
    ) -> str:
        """Add an entry piece by piece, deflated where that helps; gives its digest.

        Args:
            name: the entry's name.
            size: how many bytes `read` gives.
            read: gives the content from its start, once or twice, the same each time.
            where: what errors name.

        Returns:
            `sha256:` and lowercase hex.

        Raises:
            UsageError: `artifact_too_large`, `pack_too_large`, `file_changed`.
        """
        self._check_size(size, where)
        start = self._file.tell()
        # The header has a fixed length; it is written again when sizes and CRC are known.
        self._place(name, records.DEFLATED, 0, 0, size, start)
        deflater = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
        hasher = hashlib.sha256()
        crc = compressed = 0
        for piece in read():
            hasher.update(piece)
            crc = zlib.crc32(piece, crc)
            compressed += self._file.write(deflater.compress(piece))
        compressed += self._file.write(deflater.flush())
        method = records.DEFLATED
        if not self._is_worth(compressed, size):
            method, compressed = records.STORED, size
            self._file.seek(start)
            self._file.truncate()
            self._place(name, method, crc, size, size, start)
            if self._store(read()) != hasher.digest():
                raise file_changed(where)
        self._file.seek(start)
        self._directory.append(self._place(name, method, crc, compressed, size, start))
        self._file.seek(compressed, os.SEEK_CUR)
        return f"sha256:{hasher.hexdigest()}"

    def copy_artifact(self, name: str, archive: Archive, entry: Entry, *, where: str) -> bool:
        """Add an entry of another archive as it is compressed there, with headers of our own.

        What is copied is not looked at: whoever assembles a pack reads it back.

        Args:
            name: the new entry's name.
            archive: where the entry lies.
            entry: what to copy.
            where: what errors name.

        Returns:
            False if it must be compressed anew, and nothing was written.

        Raises:
            UsageError: `artifact_too_large`, `pack_too_large`.
        """
        if entry.method != records.STORED and not self._is_worth(entry.compressed, entry.size):
            return False
        self._check_size(entry.size, where)
        start = self._file.tell()
        self._directory.append(
            self._place(name, entry.method, entry.crc, entry.compressed, entry.size, start)
        )
        self._file.writelines(archive.raw(entry))
        return True

    def _is_worth(self, compressed: int, size: int) -> bool:
        """Whether deflating gains, and not so much that readers fear a bomb (R-051)."""
        most = min(self._limits.max_compression_ratio, DEFAULT_LIMITS.max_compression_ratio)
        return compressed < size <= most * compressed

    def finish(self) -> None:
        """Write the directory; nothing can be added after it."""
        offset = self._file.tell()
        data = b"".join(self._directory)
        self._file.write(data)
        self._file.write(
            records.end_records(count=len(self._directory), size=len(data), offset=offset)
        )
        self._file.flush()

    def _store(self, pieces: Iterator[bytes]) -> bytes:
        hasher = hashlib.sha256()
        for piece in pieces:
            hasher.update(piece)
            self._file.write(piece)
        return hasher.digest()

    def _check_size(self, size: int, where: str) -> None:
        self._total += size
        for code, found, most in (
            ("artifact_too_large", size, self._limits.max_artifact_bytes),
            ("pack_too_large", self._total, self._limits.max_pack_bytes),
        ):
            if found > most:
                raise UsageError(
                    code, f"{found} bytes are more than {most}", where=where, rule="R-051"
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


def file_changed(where: str) -> UsageError:
    """The error for a file that changed while it was read; the caller raises it."""
    return UsageError(
        "file_changed", "the file changed while it was read", where=where, hint="try again"
    )
