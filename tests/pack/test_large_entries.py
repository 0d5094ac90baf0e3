"""Entries that are read piece by piece, and end records of other disks, spoiled one at a time."""

from __future__ import annotations

import random
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from attest.errors import MalformedEvidence
from attest.pack.reader import open_pack
from tests.pack.zipbytes import GOOD, Item, Zip, deflate, manifest, manifest_item

NAME = "artifacts/large"
LARGE = random.Random(7).randbytes(400_000) + b"all is well\n" * 40_000


def code_of(tmp_path: Path, archive: Zip | bytes) -> str | None:
    path = tmp_path / "a.epack"
    path.write_bytes(archive if isinstance(archive, bytes) else archive.build())
    try:
        with open_pack(path) as pack:
            pack.check_integrity()
    except MalformedEvidence as error:
        return error.code
    return None


def packed(raw: bytes) -> Zip:
    item = Item(name=NAME.encode(), content=LARGE, method=8, raw=raw)
    return Zip(items=(manifest_item(manifest({NAME: LARGE})), item))


RAW = deflate(LARGE)


def test_the_large_entry_is_sound(tmp_path: Path) -> None:
    assert code_of(tmp_path, packed(RAW)) is None


@pytest.mark.parametrize(
    "raw",
    [
        RAW + b"\0",
        RAW + RAW,
        RAW[:-1],
        RAW[:200_000],
        b"\xff" * len(RAW),
        deflate(LARGE + b"!"),
        deflate(LARGE[:-1]),
        # A last block that says it is not the last: all content, and no end.
        struct.pack("<B2H", 0, 0xFFFF, 0) + LARGE[:0xFFFF],
    ],
    ids=["byte more", "twice", "cut", "half", "noise", "longer", "shorter", "no last block"],
)
def test_a_spoiled_large_entry_is_refused(tmp_path: Path, raw: bytes) -> None:
    assert code_of(tmp_path, packed(raw)) == "invalid_zip_format"


def test_all_content_without_an_end_is_refused(tmp_path: Path) -> None:
    blocks = b"".join(
        struct.pack("<B2H", 0, len(part), len(part) ^ 0xFFFF) + part
        for part in (LARGE[at : at + 0xFFFF] for at in range(0, len(LARGE), 0xFFFF))
    )
    assert code_of(tmp_path, packed(blocks)) == "invalid_zip_format"
    assert code_of(tmp_path, packed(blocks + b"\1\0\0\xff\xff")) is None


END = GOOD.build()
END64 = replace(GOOD, zip64=True).build()


def patched(data: bytes, at: int, value: bytes) -> bytes:
    place = len(data) + at
    return data[:place] + value + data[place + len(value) :]


@pytest.mark.parametrize(
    "data",
    [
        patched(END, -22 + 6, b"\1\0"),
        patched(END64, -22 - 20 - 56 + 20, b"\1\0\0\0"),
        patched(END64, -22 - 20 - 56, b"PK\x06\x05"),
        patched(END64, -22 - 20 + 4, b"\1\0\0\0"),
    ],
    ids=["disk", "ZIP64 disk", "ZIP64 signature", "ZIP64 locator's disk"],
)
def test_end_records_of_other_disks_or_kinds_are_refused(tmp_path: Path, data: bytes) -> None:
    assert code_of(tmp_path, data) == "invalid_zip_format"
    assert code_of(tmp_path, END) is None
    assert code_of(tmp_path, END64) is None
