"""The central directory of a ZIP archive, read so strictly that no other reader can differ.

The whole file must be one run of local entries, the central directory and the end records, with
nothing before, between or after them, and every local header must say what the directory says.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from attest.errors import MalformedEvidence
from attest.limits import Limits
from attest.pack import records
from attest.pack.local import CentralRecord, Entry, ReadAt, broken, check_entries, read_extra
from attest.pack.paths import are_plain, check_path, check_unique

#: An archive comment has at most 65,535 bytes, so the end record lies in this tail.
_TAIL = records.END.size + records.MAX16
#: Room per entry in the central directory: names have 240 bytes, comments may be longer.
_RECORD_ROOM = 1024
#: Compression hints, data descriptor, UTF-8; every other flag changes how an entry is read.
_ALLOWED_FLAGS = 0x0006 | records.FLAG_DESCRIPTOR | records.FLAG_UTF8
_FILE_TYPE = 0o170000
_REGULAR, _FOLDER, _SYMLINK = 0o100000, 0o040000, 0o120000
_DOS_VOLUME, _DOS_FOLDER, _WINDOWS_LINK = 0x08, 0x10, 0x400


@dataclass(frozen=True, kw_only=True, slots=True)
class Directory:
    """All entries in directory order, where the directory starts, and the archive comment."""

    entries: tuple[Entry, ...]
    offset: int
    comment: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class _End:
    count: int
    offset: int
    size: int
    comment: bytes


def read_directory(read: ReadAt, length: int, *, limits: Limits) -> Directory:
    """Read and judge the structure of an archive.

    Args:
        read: positioned reading of the archive.
        length: of the archive in bytes.
        limits: bounds on entries, sizes and compression ratio.

    Raises:
        MalformedEvidence: `invalid_zip_format`, `encrypted_entry`, `unsupported_method`,
            `zip_symlink`, `zip_special_file`, `directory_slash_mismatch`,
            `invalid_directory_entry`, `zip_bomb`, `artifact_too_large`, `pack_too_large`,
            `too_many_entries`, `duplicate_path`, and the codes of `paths.check_path`.

    Source: Evidence Pack R-009 to R-023, R-049 to R-059; PKWARE APPNOTE.TXT 4.3 to 4.5.
    """
    end = _find_end(read, length)
    # Artifacts and as many explicit folders, attestations, manifest, three top-level folders.
    most = 2 * limits.max_artifacts + limits.max_attestations + 4
    if end.count > most:
        raise MalformedEvidence(
            "too_many_entries", f"{end.count} entries are more than {most}", rule="R-051"
        )
    if end.size > _RECORD_ROOM * (end.count + 64):
        raise broken("the central directory is too large for its entries")
    central = _read_central(read(end.offset, end.size), end.count)
    for item in central:
        _check_sizes(item, limits)
    if sum(item.size for item in central) > limits.max_pack_bytes:
        raise MalformedEvidence(
            "pack_too_large",
            f"all entries together exceed {limits.max_pack_bytes} bytes",
            rule="R-052",
        )
    check_unique(
        [item.name for item in central if not item.name.endswith("/")],
        [item.name[:-1] for item in central if item.name.endswith("/")],
        rule="R-059",
    )
    return Directory(
        entries=check_entries(read, central, end.offset), offset=end.offset, comment=end.comment
    )


def _find_end(read: ReadAt, length: int) -> _End:
    start = max(0, length - _TAIL)
    tail = read(start, length - start)
    at = tail.rfind(records.END_SIGNATURE)
    if at < 0 or len(tail) - at < records.END.size:
        raise broken("no ZIP end record: the file is not a ZIP archive, or is cut off")
    fields: tuple[int, ...] = records.END.unpack_from(tail, at)[1:]
    disk, first_disk, here, count, size, offset, comment_size = fields
    comment = tail[at + records.END.size :]
    # The last signature of the file must be the end record: one inside a comment never is.
    if len(comment) != comment_size:
        raise broken("bytes after the ZIP end record, or an end record inside a comment")
    if disk or first_disk or here != count:
        raise broken("the archive is split over several disks")
    position = start + at
    directory_end = position
    locator_at = position - records.LOCATOR.size
    if locator_at >= 0 and read(locator_at, 4) == records.LOCATOR_SIGNATURE:
        directory_end, large = _read_zip64(read, locator_at)
        for small, big, sentinel in zip(
            (count, size, offset), large, (records.MAX16, records.MAX32, records.MAX32), strict=True
        ):
            if small not in (big, sentinel):
                raise broken("the ZIP64 end record contradicts the end record")
        count, size, offset = large
    elif count == records.MAX16 or records.MAX32 in (size, offset):
        raise broken("the ZIP64 end record is missing", rule="R-002")
    if offset + size != directory_end:
        raise broken("the central directory does not end where the end record begins")
    if count * records.CENTRAL.size > size:
        raise broken("the central directory is shorter than its number of entries")
    return _End(count=count, offset=offset, size=size, comment=comment)


def _read_zip64(read: ReadAt, locator_at: int) -> tuple[int, tuple[int, int, int]]:
    fields: tuple[int, ...] = records.LOCATOR.unpack(read(locator_at, records.LOCATOR.size))[1:]
    disk, position, disks = fields
    if disk or disks != 1 or position + records.END64.size != locator_at:
        raise broken("the ZIP64 locator does not point at the record before it")
    raw = read(position, records.END64.size)
    rest: tuple[int, ...] = records.END64.unpack(raw)[1:]
    record_size, _made, needed, disk, first_disk, here, count, size, offset = rest
    if raw[:4] != records.END64_SIGNATURE or record_size != records.END64.size - 12:
        raise broken("the ZIP64 end record is damaged or extended")
    if disk or first_disk or here != count or needed & 0xFF > 45:
        raise broken("the ZIP64 end record asks for disks or features that packs do not have")
    return position, (count, size, offset)


def _read_central(data: bytes, count: int) -> list[CentralRecord]:
    if records.END_SIGNATURE in data:
        raise broken("an end record inside the central directory")
    found: list[CentralRecord] = []
    seen: set[tuple[int, ...]] = set()
    at = 0
    for _ in range(count):
        if len(data) - at < records.CENTRAL.size:
            raise broken("the central directory is cut off")
        fields: tuple[int, ...] = records.CENTRAL.unpack_from(data, at)[1:]
        name_size, extra_size, comment_size = fields[9:12]
        name_at = at + records.CENTRAL.size
        extra_at = name_at + name_size
        end = extra_at + extra_size + comment_size
        if not data.startswith(records.CENTRAL_SIGNATURE, at) or end > len(data):
            raise broken("the central directory is damaged")
        found.append(
            _judge_central(
                fields,
                data[name_at:extra_at],
                data[extra_at : extra_at + extra_size] if extra_size else b"",
                data[at:end],
                seen,
            )
        )
        at = end
    if at != len(data):
        raise broken("the central directory has bytes that belong to no entry")
    paths = [item.name.removesuffix("/") for item in found]
    if not are_plain(paths):
        for item, path in zip(found, paths, strict=True):
            check_path(path, where=item.name)
    return found


def _judge_central(
    fields: tuple[int, ...],
    raw_name: bytes,
    raw_extra: bytes,
    record: bytes,
    seen: set[tuple[int, ...]],
) -> CentralRecord:
    """Judge one record; `seen` are features and attributes that were found good before."""
    (
        _made, needed, flags, method, _time, _date, crc, compressed, size,
        _name_size, _extra_size, _comment_size, disk, _internal, attributes, offset,
    ) = fields  # fmt: skip
    name = _decode_name(raw_name, flags)
    features = (needed, flags, method, disk)
    if features not in seen:
        _check_features(name, needed, flags, method, disk)
        seen.add(features)
    if raw_extra or records.MAX32 in (size, compressed, offset):
        large = read_extra(raw_extra, raw_name, name).get(records.ZIP64_EXTRA)
        size, compressed, offset = _resolve_zip64((size, compressed, offset), large, name)
    is_folder = name[-1:] == "/"
    if (is_folder, attributes) not in seen:
        _check_type(name, attributes)
        seen.add((is_folder, attributes))
    return CentralRecord(name, raw_name, flags, method, crc, compressed, size, offset, record)


def _check_features(name: str, needed: int, flags: int, method: int, disk: int) -> None:
    if flags & 0x2041:  # encrypted, strongly encrypted, masked
        raise MalformedEvidence("encrypted_entry", "the entry is encrypted", where=name)
    if flags & ~_ALLOWED_FLAGS or needed & 0xFF > 45 or disk:
        raise broken("the entry asks for ZIP features that packs do not have", name)
    if method not in (records.STORED, records.DEFLATED):
        raise MalformedEvidence(
            "unsupported_method",
            f"compression method {method} is neither stored nor deflated",
            where=name,
        )


def _resolve_zip64(values: tuple[int, ...], large: bytes | None, name: str) -> tuple[int, ...]:
    """Size, compressed size and offset, each from the ZIP64 field where it says so."""
    wanted = [value == records.MAX32 for value in values]
    if (large is None and any(wanted)) or (large is not None and len(large) != 8 * sum(wanted)):
        raise broken("the ZIP64 field lacks values or has some that nothing asks for", name)
    wide = iter(struct.unpack(f"<{sum(wanted)}Q", large or b""))
    return tuple(
        next(wide) if is_large else small for is_large, small in zip(wanted, values, strict=True)
    )


def _decode_name(raw: bytes, flags: int) -> str:
    # Without the UTF-8 flag readers guess the encoding of anything beyond ASCII.
    encoding = "utf-8" if flags & records.FLAG_UTF8 else "ascii"
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        raise MalformedEvidence(
            "invalid_path",
            "an entry name is not UTF-8, or lacks the UTF-8 flag",
            where=raw.decode("ascii", "backslashreplace"),
            rule="R-011",
        ) from None


def _check_type(name: str, attributes: int) -> None:
    """Refuse links, devices and attributes that contradict the slash (R-022, R-054, R-055)."""
    kind = attributes >> 16 & _FILE_TYPE
    is_folder = name.endswith("/")
    if kind == _SYMLINK or attributes & _WINDOWS_LINK:
        raise MalformedEvidence("zip_symlink", "is a symbolic link", where=name, rule="R-054")
    if kind not in (0, _REGULAR, _FOLDER) or attributes & _DOS_VOLUME:
        raise MalformedEvidence(
            "zip_special_file", "is a device or another special file", where=name, rule="R-055"
        )
    says_folder = kind == _FOLDER or bool(attributes & _DOS_FOLDER)
    if (says_folder and not is_folder) or (kind == _REGULAR and is_folder):
        raise MalformedEvidence(
            "directory_slash_mismatch",
            "the attributes and the trailing slash disagree about being a folder",
            where=name,
            rule="R-022",
        )


def _check_sizes(item: CentralRecord, limits: Limits) -> None:
    if item.name.endswith("/"):
        if item.size or item.compressed or item.crc:
            raise MalformedEvidence(
                "invalid_directory_entry", "a folder has content", where=item.name, rule="R-021"
            )
        return
    if item.method == records.STORED and item.size != item.compressed:
        raise broken("a stored entry has two different sizes", item.name)
    if item.size > limits.max_compression_ratio * item.compressed:
        raise MalformedEvidence(
            "zip_bomb",
            f"inflates to more than {limits.max_compression_ratio} times its size",
            where=item.name,
            rule="R-051",
        )
    # The manifest and the attestations have limits of their own, kept where they are read.
    if item.name.startswith("artifacts/") and item.size > limits.max_artifact_bytes:
        raise MalformedEvidence(
            "artifact_too_large",
            f"has {item.size} bytes, more than {limits.max_artifact_bytes}",
            where=item.name,
            rule="R-051",
        )
