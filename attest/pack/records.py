"""The ZIP records that packs are made of, as bytes.

Source: PKWARE APPNOTE.TXT 6.3.10, sections 4.3 and 4.5.3.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

LOCAL = struct.Struct("<4s5H3L2H")
CENTRAL = struct.Struct("<4s6H3L5H2L")
END = struct.Struct("<4s4H2LH")
END64 = struct.Struct("<4sQ2H2L4Q")
LOCATOR = struct.Struct("<4sLQL")
EXTRA = struct.Struct("<2H")

LOCAL_SIGNATURE = b"PK\x03\x04"
CENTRAL_SIGNATURE = b"PK\x01\x02"
END_SIGNATURE = b"PK\x05\x06"
END64_SIGNATURE = b"PK\x06\x06"
LOCATOR_SIGNATURE = b"PK\x06\x07"
DESCRIPTOR_SIGNATURE = b"PK\x07\x08"

STORED = 0
DEFLATED = 8
FLAG_DESCRIPTOR = 0x0008
FLAG_UTF8 = 0x0800
ZIP64_EXTRA = 0x0001
UNICODE_PATH_EXTRA = 0x7075

#: "The value is in the ZIP64 record."
MAX16 = 0xFFFF
MAX32 = 0xFFFFFFFF

# Fixed metadata, so that the same inputs give the same bytes: 1980-01-01, Unix, 0644 or 0755.
_DATE = (1 << 5) | 1
_MADE_BY_UNIX = (3 << 8) | 45
_FILE_ATTRIBUTES = 0o100644 << 16
_FOLDER_ATTRIBUTES = (0o040755 << 16) | 0x10
_VERSION = 20
_VERSION_ZIP64 = 45


@dataclass(frozen=True, kw_only=True, slots=True)
class NewEntry:
    """An entry that this project writes; a name that ends with `/` is a folder."""

    name: str
    method: int
    crc: int
    compressed: int
    size: int
    offset: int

    @property
    def is_large(self) -> bool:
        """Whether its sizes need ZIP64 (R-002)."""
        return self.size >= MAX32 or self.compressed >= MAX32


def local_header(entry: NewEntry) -> bytes:
    """The local file header of an entry, with ZIP64 sizes where they are needed."""
    name = entry.name.encode("utf-8")
    extra = b""
    size, compressed = entry.size, entry.compressed
    if entry.is_large:
        extra = EXTRA.pack(ZIP64_EXTRA, 16) + struct.pack("<2Q", size, compressed)
        size = compressed = MAX32
    fixed = LOCAL.pack(
        LOCAL_SIGNATURE,
        _VERSION_ZIP64 if extra else _VERSION,
        FLAG_UTF8,
        entry.method,
        0,
        _DATE,
        entry.crc,
        compressed,
        size,
        len(name),
        len(extra),
    )
    return fixed + name + extra


def central_record(entry: NewEntry) -> bytes:
    """The central directory record of an entry."""
    name = entry.name.encode("utf-8")
    large: list[int] = []
    size, compressed, offset = entry.size, entry.compressed, entry.offset
    if entry.is_large:
        large += [size, compressed]
        size = compressed = MAX32
    if offset >= MAX32:
        large.append(offset)
        offset = MAX32
    extra = b""
    if large:
        extra = EXTRA.pack(ZIP64_EXTRA, 8 * len(large)) + struct.pack(f"<{len(large)}Q", *large)
    fixed = CENTRAL.pack(
        CENTRAL_SIGNATURE,
        _MADE_BY_UNIX,
        _VERSION_ZIP64 if extra else _VERSION,
        FLAG_UTF8,
        entry.method,
        0,
        _DATE,
        entry.crc,
        compressed,
        size,
        len(name),
        len(extra),
        0,
        0,
        0,
        _FOLDER_ATTRIBUTES if entry.name.endswith("/") else _FILE_ATTRIBUTES,
        offset,
    )
    return fixed + name + extra


def end_records(*, count: int, size: int, offset: int, comment: bytes = b"") -> bytes:
    """The end of an archive, with the ZIP64 records where they are needed (R-002).

    Args:
        count: entries in the central directory.
        size: its length in bytes.
        offset: where it starts.
        comment: the archive comment.
    """
    large = b""
    if count >= MAX16 or size >= MAX32 or offset >= MAX32:
        large = END64.pack(
            END64_SIGNATURE, 44, _MADE_BY_UNIX, _VERSION_ZIP64, 0, 0, count, count, size, offset
        ) + LOCATOR.pack(LOCATOR_SIGNATURE, 0, offset + size, 1)
    entries = min(count, MAX16)
    return (
        large
        + END.pack(
            END_SIGNATURE,
            0,
            0,
            entries,
            entries,
            min(size, MAX32),
            min(offset, MAX32),
            len(comment),
        )
        + comment
    )
