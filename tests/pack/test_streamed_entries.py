"""Stored entries whose size stands behind them: to readers of streams, too, they have one end."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest

from attest.errors import MalformedEvidence
from attest.pack.reader import open_pack
from tests.pack.zipbytes import GOOD, Item, Zip, deflate, extra, manifest, manifest_item

SIGNATURE = b"PK\x07\x08"
CHUNK = 262_144


def descriptor(data: bytes, *, wide: bool = False) -> bytes:
    fields = "<L2Q" if wide else "<3L"
    return SIGNATURE + struct.pack(fields, zlib.crc32(data), len(data), len(data))


def hiding(front: bytes, *, wide: bool = False) -> bytes:
    """Content that a reader of streams takes for `front`, and an entry of another name after it."""
    hidden = Item(name=b"artifacts/hidden", content=b"never listed").local()
    return front + descriptor(front, wide=wide) + hidden


def streamed(content: bytes, *, wide: bool = False, method: int = 0) -> Zip:
    name = "artifacts/streamed"
    packed = deflate(content) if method else content
    values = (zlib.crc32(content), len(packed), len(content))
    item = Item(
        name=name.encode(),
        content=content,
        method=method,
        flags=0x0808,
        local_crc=0,
        local_size=0xFFFFFFFF if wide else 0,
        local_compressed=0xFFFFFFFF if wide else 0,
        local_extra=extra(1, bytes(16)) if wide else b"",
        after=SIGNATURE + struct.pack("<L2Q" if wide else "<3L", *values),
    )
    return Zip(items=(manifest_item(manifest({name: content})), item))


def code_of(tmp_path: Path, archive: Zip) -> str | None:
    path = tmp_path / "a.epack"
    path.write_bytes(archive.build())
    try:
        with open_pack(path) as pack:
            pack.check_integrity()
    except MalformedEvidence as error:
        return error.code
    return None


def first_end(content: bytes) -> int | None:
    """Where a reader of streams stops within the content, if it stops there."""
    for at in range(len(content) - 15):
        if content[at : at + 16] == descriptor(content[:at]):
            return at
    return None


HIDING = {
    "at the start": hiding(b""),
    "behind text": hiding(b"all is well\n"),
    "wide": hiding(b"all is well\n", wide=True),
    "across pieces": hiding(bytes(CHUNK - 2)),
    "in the second piece": hiding(bytes(CHUNK + 5)),
    "another checksum": hiding(b"")[:4] + b"\1" + hiding(b"")[5:],
    "after another signature": hiding(SIGNATURE * 3),
    "cut at the end": b"all is well\n" + descriptor(b"all is well\n")[:8],
    "only a signature at the end": b"x" + SIGNATURE,
}


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("content", HIDING.values(), ids=HIDING)
def test_an_earlier_end_is_refused(tmp_path: Path, content: bytes, *, wide: bool) -> None:
    assert code_of(tmp_path, streamed(content, wide=wide)) == "invalid_zip_format"


def test_they_would_hide_something() -> None:
    assert first_end(HIDING["behind text"]) == len(b"all is well\n")
    assert first_end(HIDING["at the start"]) == 0


ALLOWED = {
    "nothing": b"",
    "text": b"all is well\n" * 40_000,
    "an archive": GOOD.build(),
    "a streamed archive": streamed(b"inner\n").build(),
    "a streamed archive behind text": b"text" + streamed(b"inner\n").build(),
    "signatures": SIGNATURE * 1000 + bytes(12),
}


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("content", ALLOWED.values(), ids=ALLOWED)
def test_other_content_is_accepted(tmp_path: Path, content: bytes, *, wide: bool) -> None:
    assert first_end(content[:5000]) is None
    assert code_of(tmp_path, streamed(content, wide=wide)) is None


@pytest.mark.parametrize("content", HIDING.values(), ids=HIDING)
def test_what_is_deflated_or_has_its_size_in_front_has_one_end(
    tmp_path: Path, content: bytes
) -> None:
    assert code_of(tmp_path, streamed(content, method=8)) in (None, "zip_bomb")
    item = Item(name=b"artifacts/x", content=content)
    archive = Zip(items=(manifest_item(manifest({"artifacts/x": content})), item))
    assert code_of(tmp_path, archive) is None
