"""The ZIP archive of a pack: positioned reads and checked content, in bounded memory."""

from __future__ import annotations

import os
import sys
import threading
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from attest.errors import MalformedEvidence, UsageError
from attest.limits import Limits
from attest.pack import records
from attest.pack.directory import Directory, read_directory
from attest.pack.local import Entry

_CHUNK = 262_144
#: Up to here an entry is read in one piece.
SMALL = 65_536


class Archive:
    """An open archive whose structure was checked.

    Args:
        file: the archive, open for reading; used by position, never by its own offset where the
            platform allows.
        limits: bounds on entries, sizes and compression ratio.

    Raises:
        MalformedEvidence: the codes of `directory.read_directory`.
        UsageError: `unreadable_file`.
    """

    __slots__ = ("_file", "_lock", "directory")

    def __init__(self, file: BinaryIO, *, limits: Limits) -> None:
        self._file = file
        self._lock = threading.Lock()
        length = os.fstat(file.fileno()).st_size
        self.directory: Directory = read_directory(self.read_at, length, limits=limits)

    def read_at(self, offset: int, size: int) -> bytes:
        """Read exactly `size` bytes at `offset`.

        Raises:
            MalformedEvidence: `invalid_zip_format` if the archive ends before.
            UsageError: `unreadable_file` if the file system refuses.
        """
        try:
            data = self._read_some(offset, size)
            while len(data) < size:
                more = self._read_some(offset + len(data), size - len(data))
                if not more:
                    raise MalformedEvidence("invalid_zip_format", "the archive is cut off")
                data += more
        except (OSError, OverflowError) as error:
            raise UsageError("unreadable_file", f"cannot read the archive: {error}") from error
        return data

    if sys.platform != "win32":

        def _read_some(self, offset: int, size: int) -> bytes:
            return os.pread(self._file.fileno(), size, offset)

    else:

        def _read_some(self, offset: int, size: int) -> bytes:
            with self._lock:
                self._file.seek(offset)
                return self._file.read(size)

    def chunks(self, entry: Entry) -> Iterator[bytes]:
        """The content of an entry, piece by piece; its checksum is checked after the last.

        A caller must not use what it has read before the iterator has ended. A small entry is one
        piece, and judged before this returns.

        Raises:
            MalformedEvidence: `invalid_zip_format`, `crc_mismatch`.

        Source: Evidence Pack R-052, R-053.
        """
        if entry.size <= SMALL and entry.compressed <= SMALL:
            pieces = iter((self._whole(entry),))
        else:
            pieces = self._pieces(entry)
        if entry.method == records.STORED and entry.is_streamed:
            return _with_one_end(entry, pieces)
        return pieces

    def _pieces(self, entry: Entry) -> Iterator[bytes]:
        crc = 0
        pieces = self._inflated(entry) if entry.method == records.DEFLATED else self.raw(entry)
        for piece in pieces:
            crc = zlib.crc32(piece, crc)
            yield piece
        _check_crc(entry, crc)

    def read(self, entry: Entry, *, limit: int, code: str) -> bytes:
        """A whole entry in memory.

        Args:
            entry: one of this archive.
            limit: the most bytes that are read.
            code: what an entry beyond the limit is refused with.

        Raises:
            MalformedEvidence: the given code, and those of `chunks`.
        """
        if entry.size > limit:
            raise MalformedEvidence(
                code, f"has {entry.size} bytes, more than {limit}", where=entry.name, rule="R-051"
            )
        return b"".join(self.chunks(entry))

    def _whole(self, entry: Entry) -> bytes:
        """A small entry in one piece: what `raw` and `_inflated` do, without their steps."""
        data = self.read_at(entry.data, entry.compressed)
        if entry.method == records.DEFLATED:
            inflater = zlib.decompressobj(-zlib.MAX_WBITS)
            try:
                data = inflater.decompress(data, entry.size + 1)
            except zlib.error as error:
                raise _damaged(entry, f"the deflated content is damaged: {error}") from None
            if inflater.unused_data or len(data) > entry.size:
                raise _damaged(entry, "the content goes on after its declared end")
            if len(data) < entry.size or not inflater.eof:
                raise _damaged(entry, "the content ends before its declared size")
        _check_crc(entry, zlib.crc32(data))
        return data

    def raw(self, entry: Entry) -> Iterator[bytes]:
        """What the archive holds of an entry, piece by piece: compressed, and not checked."""
        for at in range(0, entry.compressed, _CHUNK):
            yield self.read_at(entry.data + at, min(_CHUNK, entry.compressed - at))

    def _inflated(self, entry: Entry) -> Iterator[bytes]:
        """Inflate, never to a byte more than the directory declares (R-053)."""
        left = entry.size
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        for raw in self.raw(entry):
            pending, full = raw, True
            # A full piece may have left output behind although all input is consumed.
            while pending or full:
                # One byte more than is left shows an entry that inflates to too much.
                room = min(_CHUNK, left + 1)
                try:
                    piece = inflater.decompress(pending, room)
                except zlib.error as error:
                    raise _damaged(entry, f"the deflated content is damaged: {error}") from None
                if inflater.unused_data or len(piece) > left:
                    raise _damaged(entry, "the content goes on after its declared end")
                left -= len(piece)
                pending, full = inflater.unconsumed_tail, len(piece) == room
                if piece:
                    yield piece
        if left or not inflater.eof:
            raise _damaged(entry, "the content ends before its declared size")


def _with_one_end(entry: Entry, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Refuse a stored entry in which a reader of streams would find an earlier end.

    Its size stands behind it, so a reader that has no directory takes the first data descriptor
    that gives the number of bytes before it; what follows could be other entries to that reader.
    """
    end, last = 0, b""
    for piece in pieces:
        window = last + piece
        at = window.find(records.DESCRIPTOR_SIGNATURE)
        while at >= 0:
            size = (end - len(last) + at) & records.MAX32
            if window[at + 8 : at + 12] == size.to_bytes(4, "little"):
                raise _damaged(entry, "the content holds a data descriptor of itself")
            at = window.find(records.DESCRIPTOR_SIGNATURE, at + 1)
        end, last = end + len(piece), window[-11:]
        yield piece
    if records.DESCRIPTOR_SIGNATURE in last:  # the true descriptor would complete it
        raise _damaged(entry, "the content ends with the beginning of a data descriptor")


def _check_crc(entry: Entry, crc: int) -> None:
    if crc != entry.crc:
        raise MalformedEvidence(
            "crc_mismatch", "the content does not have its ZIP checksum", where=entry.name
        )


def _damaged(entry: Entry, message: str) -> MalformedEvidence:
    return MalformedEvidence("invalid_zip_format", message, where=entry.name)
