"""Adding an attestation to a pack, atomically."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

from attest.atomic import locked, replace_file
from attest.errors import UsageError
from attest.limits import DEFAULT_LIMITS, Limits
from attest.pack import records
from attest.pack.archive import Archive
from attest.pack.local import Entry
from attest.pack.manifest import ATTESTATIONS
from attest.pack.paths import check_path
from attest.pack.reader import Pack, check_attestation_name, expect_manifest, open_pack

_CHUNK = 1_048_576


def add_attestation(
    path: Path,
    name: str,
    data: bytes,
    *,
    expect_manifest_digest: bytes,
    replace: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> None:
    """Put one attestation into a pack; every other entry keeps its bytes.

    The pack is read again under a lock, and what is written is read again before it takes the
    pack's place. On any failure the pack is byte for byte what it was.

    Args:
        path: the pack; a symbolic link is followed.
        name: entry name, `attestations/*.sigstore.json`, or the last part of it.
        data: the bundle.
        expect_manifest_digest: manifest digest that the bundle signs, 32 raw bytes.
        replace: put it in the place of an attestation of the same name.
        limits: bounds that hold for the pack before and after.

    Raises:
        VerificationFailed: `pack_changed`.
        UsageError: `file_exists`, `bundle_too_large`, `unwritable_file`, and those of `open_pack`.
        MalformedEvidence: the codes of `open_pack`.
    """
    entry_name = ATTESTATIONS + name.removeprefix(ATTESTATIONS)
    check_path(entry_name)
    check_attestation_name(entry_name)
    if len(data) > limits.max_bundle_bytes:
        raise UsageError(
            "bundle_too_large",
            f"has {len(data)} bytes, more than {limits.max_bundle_bytes}",
            where=entry_name,
        )
    real = Path(os.path.realpath(path))
    # Looked at before the lock, so that a wrong path leaves no trace beside it.
    with open_pack(real, limits=limits) as pack:
        expect_manifest(pack, expect_manifest_digest)

    def write(out: BinaryIO) -> None:
        # Closed again before the replacement, which Windows refuses on an open file.
        with open_pack(real, limits=limits) as pack:
            expect_manifest(pack, expect_manifest_digest)
            if entry_name in pack.attestation_names and not replace:
                raise UsageError(
                    "file_exists",
                    "the pack has an attestation of this name",
                    where=entry_name,
                    hint="replace it with --replace",
                )
            _copy_with(pack.archive, out, entry_name, data)
        out.flush()
        _check_written(Pack(real, out, limits=limits), entry_name, data, expect_manifest_digest)

    with locked(real):
        replace_file(real, write)


def _check_written(pack: Pack, name: str, data: bytes, manifest_digest: bytes) -> None:
    expect_manifest(pack, manifest_digest)
    if pack.read_attestation(name) != data:
        raise UsageError("unwritable_file", "what was written reads back differently", where=name)


def _copy_with(archive: Archive, out: BinaryIO, name: str, data: bytes) -> None:
    """Copy an archive without the named entry, then append it with the given content."""
    kept = [entry for entry in archive.directory.entries if entry.name != name]
    moved: dict[str, int] = {}
    position = 0
    for entry in sorted(kept, key=lambda item: item.offset):
        moved[entry.name] = position
        _copy_span(archive, entry, out)
        position += entry.end - entry.offset
    added = records.NewEntry(
        name=name,
        method=records.STORED,
        crc=zlib.crc32(data),
        compressed=len(data),
        size=len(data),
        offset=position,
    )
    header = records.local_header(added)
    out.write(header)
    out.write(data)
    position += len(header) + len(data)
    size = 0
    for entry in kept:
        size += out.write(_moved_record(entry, moved[entry.name]))
    size += out.write(records.central_record(added))
    out.write(
        records.end_records(
            count=len(kept) + 1, size=size, offset=position, comment=archive.directory.comment
        )
    )


def _copy_span(archive: Archive, entry: Entry, out: BinaryIO) -> None:
    out.writelines(
        archive.read_at(at, min(_CHUNK, entry.end - at))
        for at in range(entry.offset, entry.end, _CHUNK)
    )


def _moved_record(entry: Entry, offset: int) -> bytes:
    """The central record of an entry, pointing at its new place; nothing moves to the back."""
    if offset == entry.offset:
        return entry.record
    record = bytearray(entry.record)
    at = records.CENTRAL.size - 4
    if struct.unpack_from("<L", record, at)[0] != records.MAX32:
        struct.pack_into("<L", record, at, offset)
        return bytes(record)
    # The offset is the last value of the ZIP64 field, which the reader has checked.
    fields: tuple[int, ...] = records.CENTRAL.unpack_from(record)[1:]
    at = records.CENTRAL.size + fields[9]
    while True:
        identifier, size = records.EXTRA.unpack_from(record, at)
        at += records.EXTRA.size + size
        if identifier == records.ZIP64_EXTRA:
            struct.pack_into("<Q", record, at - 8, offset)
            return bytes(record)
