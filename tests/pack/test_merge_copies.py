"""Merging copies artifacts as they are compressed, and trusts no copy unread."""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path

import pytest

from attest.errors import UsageError
from attest.limits import Limits
from attest.pack.merge import merge_packs
from tests.pack.merging import WHEN, merged, read
from tests.pack.zipbytes import Item, Zip, deflate, manifest, manifest_item

TEXT = b"".join(b"line %d of a log\n" % number for number in range(5000))
BUNDLE = (
    b'{"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",'
    b' "verificationMaterial": {}, "dsseEnvelope": {}}'
)
NAME = "artifacts/log.txt"


def level(content: bytes, number: int) -> bytes:
    deflater = zlib.compressobj(number, zlib.DEFLATED, -15)
    return deflater.compress(content) + deflater.flush()


def written(path: Path, stream: str, content: bytes, **options: object) -> Path:
    item = Item(name=NAME.encode(), content=content, **options)  # type: ignore[arg-type]  # any field
    value = manifest({NAME: content}) | {"stream": stream}
    path.write_bytes(Zip(items=(manifest_item(value), item)).build())
    return path


def raw(path: Path, name: str) -> tuple[int, int, bytes]:
    """Method, flags and compressed bytes of an entry, by another reader of directories."""
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(name)
    data = path.read_bytes()
    name_size, extra_size = struct.unpack_from("<2H", data, info.header_offset + 26)
    at = info.header_offset + 30 + name_size + extra_size
    return info.compress_type, info.flag_bits, data[at : at + info.compress_size]


@pytest.mark.parametrize("number", [1, 9])
def test_a_deflated_artifact_stays_deflated_as_it_is(tmp_path: Path, number: int) -> None:
    mine = level(TEXT, number)
    assert mine != level(TEXT, 6)
    a = written(tmp_path / "a.epack", "a", TEXT, method=8, raw=mine)
    b = written(tmp_path / "b.epack", "b", b"short")
    merged(tmp_path / "m.epack", a, b)
    assert raw(tmp_path / "m.epack", "artifacts/a/log.txt") == (8, 0x800, mine)
    assert raw(tmp_path / "m.epack", "artifacts/b/log.txt") == (0, 0x800, b"short")
    assert read(tmp_path / "m.epack")[1]["artifacts/a/log.txt"] == TEXT


def test_a_data_descriptor_is_left_behind(tmp_path: Path) -> None:
    mine = level(TEXT, 6)
    after = struct.pack("<4s3L", b"PK\x07\x08", zlib.crc32(TEXT), len(mine), len(TEXT))
    streamed = {"flags": 0x808, "local_crc": 0, "local_size": 0, "local_compressed": 0}
    a = written(tmp_path / "a.epack", "a", TEXT, method=8, raw=mine, after=after, **streamed)
    after = struct.pack("<4s3L", b"PK\x07\x08", zlib.crc32(b"short"), 5, 5)
    b = written(tmp_path / "b.epack", "b", b"short", after=after, **streamed)
    merged(tmp_path / "m.epack", a, b)
    assert raw(tmp_path / "m.epack", "artifacts/a/log.txt") == (8, 0x800, mine)
    assert raw(tmp_path / "m.epack", "artifacts/b/log.txt") == (0, 0x800, b"short")
    assert b"PK\x07\x08" not in (tmp_path / "m.epack").read_bytes()


@pytest.mark.parametrize("content", [b"", b"ab", bytes(range(256))])
def test_what_deflating_makes_longer_is_stored(tmp_path: Path, content: bytes) -> None:
    a = written(tmp_path / "a.epack", "a", content, method=8)
    assert len(deflate(content)) >= len(content)
    b = written(tmp_path / "b.epack", "b", b"short")
    merged(tmp_path / "m.epack", a, b)
    assert raw(tmp_path / "m.epack", "artifacts/a/log.txt") == (0, 0x800, content)


def test_what_was_deflated_beyond_the_usual_limit_is_stored(tmp_path: Path) -> None:
    zeros = bytes(300_000)
    a = written(tmp_path / "a.epack", "a", zeros, method=8)
    b = written(tmp_path / "b.epack", "b", b"short")
    merged(tmp_path / "m.epack", a, b, limits=Limits(max_compression_ratio=2000))
    assert raw(tmp_path / "m.epack", "artifacts/a/log.txt")[0] == 0
    assert read(tmp_path / "m.epack")[1]["artifacts/a/log.txt"] == zeros  # with the usual limits


@pytest.mark.parametrize("method", [0, 8])
def test_a_pack_that_changes_after_it_was_checked_is_not_copied(
    tmp_path: Path, method: int
) -> None:
    a = written(tmp_path / "a.epack", "a", TEXT, method=method)
    bundle = Item(name=b"attestations/a.sigstore.json", content=BUNDLE)
    value = manifest({NAME: b"short"}) | {"stream": "b"}
    b = tmp_path / "b.epack"
    items = (manifest_item(value), Item(name=NAME.encode(), content=b"short"), bundle)
    b.write_bytes(Zip(items=items).build())

    def change(*_: object) -> None:  # asked about the attestation of b, when a has been checked
        data = bytearray(a.read_bytes())
        stored = TEXT if method == 0 else deflate(TEXT)
        data[data.index(stored) + len(stored) // 2] ^= 1
        a.write_bytes(data)

    out = tmp_path / "m.epack"
    with pytest.raises(UsageError) as caught:
        merge_packs(out, [a, b], stream="all", check_attestation=change, merged_at=WHEN)
    expected = {"crc_mismatch"} if method == 0 else {"crc_mismatch", "invalid_zip_format"}
    assert caught.value.code in expected
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.epack", "b.epack"]
