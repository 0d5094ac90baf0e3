"""Local entries of a ZIP archive, held against the central directory.

Source: PKWARE APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.9 and 4.5.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from operator import attrgetter
from typing import NamedTuple, TypeAlias

from attest.errors import MalformedEvidence
from attest.pack import records

#: Reads exactly so many bytes at an offset, or raises.
ReadAt: TypeAlias = Callable[[int, int], bytes]

_HEAD = records.LOCAL.size
_by_offset = attrgetter("offset")
_LONGEST_DESCRIPTOR = 24
#: Entries shorter than this are read many at a time, each time so much.
_SHORT = 16_384
_WINDOW = 262_144


# Both are tuples: a pack has ten thousand of each, and a dataclass takes three times as long.
class Entry(NamedTuple):
    """One entry, after central directory and local header were found to agree.

    `data` to `data + compressed` is its content; `offset` to `end` everything that belongs to it,
    its data descriptor included. `record` is its central directory record, byte for byte.
    """

    name: str
    method: int
    crc: int
    compressed: int
    size: int
    offset: int
    data: int
    end: int
    record: bytes

    @property
    def is_folder(self) -> bool:
        """Whether it is a directory entry (R-021)."""
        return self.name.endswith("/")

    @property
    def is_streamed(self) -> bool:
        """Whether a data descriptor follows the content."""
        flags: int = records.CENTRAL.unpack_from(self.record)[3]
        return bool(flags & records.FLAG_DESCRIPTOR)


class CentralRecord(NamedTuple):
    """What the central directory says about an entry, ZIP64 values resolved."""

    name: str
    raw_name: bytes
    flags: int
    method: int
    crc: int
    compressed: int
    size: int
    offset: int
    record: bytes

    @property
    def is_streamed(self) -> bool:
        """Whether a data descriptor follows the content."""
        return bool(self.flags & records.FLAG_DESCRIPTOR)


def check_entries(
    read: ReadAt, central: list[CentralRecord], directory_at: int
) -> tuple[Entry, ...]:
    """Check that the local entries cover the file from its first byte to the directory."""
    order = sorted(central, key=_by_offset)
    ends = [item.offset for item in order[1:]] + [directory_at]
    entries: dict[int, Entry] = {}
    expected = 0
    window, window_at = b"", 0
    for item, end in zip(order, ends, strict=False):  # an empty archive has one end too many
        name, raw_name, flags, method, crc, compressed, size, offset, record = item
        if offset != expected or end > directory_at:
            raise broken("bytes that belong to no entry, or overlapping entries", name)
        data = offset + _HEAD + len(raw_name)
        if end - offset < _SHORT and data > window_at + len(window):
            window, window_at = read(offset, min(_WINDOW, directory_at - offset)), offset
        # Nearly every local header repeats the directory's record, which has then no extra field.
        if (
            data + compressed == end
            and not flags & records.FLAG_DESCRIPTOR
            and window.startswith(
                records.LOCAL_SIGNATURE + record[6:32] + raw_name, offset - window_at
            )
            and record[30:32] == b"\0\0"
        ):
            entry = Entry(name, method, crc, compressed, size, offset, data, end, record)
        else:
            entry = _check_local(read, item, end)
        entries[offset] = entry
        expected = end
    if expected != directory_at:
        raise broken("bytes before the central directory belong to no entry")
    return tuple(entries[item.offset] for item in central)


def _check_local(read: ReadAt, item: CentralRecord, end: int) -> Entry:
    name, central_name, flags, method, crc, compressed, size, offset, record = item
    guess = min(_HEAD + len(central_name) + 64, end - offset)
    if guess < _HEAD:
        raise broken("overlapping entries", name)
    head = read(offset, guess)
    fields: tuple[int, ...] = records.LOCAL.unpack_from(head)[1:]
    _needed, local_flags, local_method, _time, _date, *sizes, name_size, extra_size = fields
    extra_at = _HEAD + name_size
    data = offset + extra_at + extra_size
    if head[:4] != records.LOCAL_SIGNATURE or data + compressed > end:
        raise broken("the local header is damaged, or entries overlap", name)
    if data - offset > len(head):
        head = read(offset, data - offset)
    raw_name = head[_HEAD:extra_at]
    if local_flags != flags or local_method != method or raw_name != central_name:
        raise broken("the local header and the central directory disagree", name)
    large = None
    if extra_size:
        raw_extra = head[extra_at : extra_at + extra_size]
        large = read_extra(raw_extra, raw_name, name).get(records.ZIP64_EXTRA)
    if large is not None or sizes != [crc, compressed, size]:
        _check_local_sizes(item, sizes, large)
    rest = end - data - compressed
    if flags & records.FLAG_DESCRIPTOR and rest <= _LONGEST_DESCRIPTOR:
        _check_descriptor(read(end - rest, rest), item, wide=large is not None)
    elif rest:
        raise broken("bytes after the entry belong to no entry", name)
    return Entry(name, method, crc, compressed, size, offset, data, end, record)


def _check_local_sizes(item: CentralRecord, local: list[int], large: bytes | None) -> None:
    crc, compressed, size = local
    streamed = item.is_streamed
    if large is not None:
        # Both sizes or neither: with one alone, readers disagree about which value is which.
        asked = size == compressed == records.MAX32 or (streamed and size == compressed == 0)
        if len(large) != 16 or not asked:
            raise broken("the ZIP64 field of the local header is damaged", item.name)
        size, compressed = struct.unpack("<2Q", large)
    # A streamed entry has its values after the content; those not known before it are zero.
    for found, true in zip(
        (crc, compressed, size), (item.crc, item.compressed, item.size), strict=True
    ):
        if found != true and not (streamed and found == 0):
            raise broken("the local header and the central directory disagree", item.name)


def _check_descriptor(raw: bytes, item: CentralRecord, *, wide: bool) -> None:
    """Compare a data descriptor: 32-bit sizes, or 64-bit where ZIP64 is announced or needed."""
    is_wide = wide or max(item.size, item.compressed) >= records.MAX32
    expected = struct.pack("<L2Q" if is_wide else "<3L", item.crc, item.compressed, item.size)
    if raw not in (expected, records.DESCRIPTOR_SIGNATURE + expected):
        raise broken("the data descriptor and the central directory disagree", item.name)


def read_extra(raw: bytes, raw_name: bytes, name: str) -> dict[int, bytes]:
    """The extra fields of a header by identifier; none of them may rename the entry."""
    fields: dict[int, bytes] = {}
    at = 0
    while at < len(raw):
        if len(raw) - at < records.EXTRA.size:
            raise broken("the extra field is damaged", name)
        identifier, size = records.EXTRA.unpack_from(raw, at)
        at += records.EXTRA.size + size
        if at > len(raw) or identifier in fields:
            raise broken("the extra field is damaged or repeats itself", name)
        fields[identifier] = raw[at - size : at]
    other_name = fields.get(records.UNICODE_PATH_EXTRA)
    if other_name is not None and other_name[5:] != raw_name:
        raise broken("the extra field gives the entry another name", name)
    return fields


def broken(message: str, where: str | None = None, rule: str | None = None) -> MalformedEvidence:
    """The error for an archive that is damaged or could be read in two ways."""
    return MalformedEvidence("invalid_zip_format", message, where=where, rule=rule)
