"""What is allowed is accepted, and other readers see the same in it."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from attest.pack.manifest import EmbeddedArtifact
from attest.pack.reader import open_pack
from tests.pack.zipbytes import (
    GOOD,
    LOG,
    REPORT,
    Item,
    Zip,
    extra,
    manifest_item,
    with_item,
    with_more,
)

CRC, PACKED, SIZE = GOOD.items[2].truth()
FULL = 0xFFFFFFFF
NARROW = struct.pack("<3L", CRC, PACKED, SIZE)
WIDE = struct.pack("<L2Q", CRC, PACKED, SIZE)
STREAMED: dict[str, object] = {
    "flags": 0x0808,
    "local_crc": 0,
    "local_size": 0,
    "local_compressed": 0,
}
STREAMED64 = STREAMED | {
    "local_size": FULL,
    "local_compressed": FULL,
    "local_extra": extra(1, bytes(16)),
}
REPORT64 = struct.pack("<2Q", len(REPORT), len(REPORT))
ALL64 = Item(
    name=b"artifacts/report.json",
    content=REPORT,
    size=FULL,
    compressed=FULL,
    extra=extra(1, REPORT64),
    local_size=FULL,
    local_compressed=FULL,
    local_extra=extra(1, REPORT64),
)

ARCHIVES: dict[str, Zip] = {
    "plain": GOOD,
    "archive comment": replace(GOOD, comment=b"made by hand" * 5000),
    "entry comment": with_item(1, comment=b"x" * 60_000),
    "extra fields": with_item(
        1, extra=extra(0x5455, b"\x01" + bytes(4)), local_extra=extra(0x5455, b"\x03" + bytes(8))
    ),
    "long local extra field": with_item(1, local_extra=extra(0xCAFE, bytes(5000))),
    "same name in the extra field": with_item(
        1, extra=extra(0x7075, b"\x01" + bytes(4) + b"artifacts/report.json")
    ),
    "entries in another order": replace(GOOD, items=GOOD.items[::-1]),
    "directory in another order": replace(GOOD, directory_order=(2, 0, 1)),
    "explicit folders": with_more(
        Item(name=b"artifacts/", attributes=(0o040755 << 16) | 0x10),
        Item(name=b"artifacts/empty/deep/"),
        Item(name=b"attestations/"),
    ),
    "regular mode": with_item(1, attributes=0o100600 << 16),
    "executable": with_item(1, attributes=0o100755 << 16),
    "setuid is not a type": with_item(1, attributes=0o104755 << 16),
    "ASCII name without the UTF-8 flag": with_item(1, flags=0),
    "version 4.5": with_item(1, needed=45),
    "compression hints": with_item(2, flags=0x0806),
    "descriptor": with_item(2, **STREAMED, after=NARROW),
    "descriptor with signature": with_item(2, **STREAMED, after=b"PK\x07\x08" + NARROW),
    "descriptor though sizes are known": with_item(2, flags=0x0808, after=NARROW),
    "wide descriptor": with_item(2, **STREAMED64, after=WIDE),
    "wide descriptor with signature": with_item(2, **STREAMED64, after=b"PK\x07\x08" + WIDE),
    "stored and streamed": with_item(
        1, **STREAMED, after=struct.pack("<3L", *GOOD.items[1].truth())
    ),
    "ZIP64 on a small file": replace(GOOD, items=(GOOD.items[0], ALL64, GOOD.items[2])),
    "ZIP64 end record": replace(GOOD, zip64=True),
    "ZIP64 end record with sentinels": replace(
        GOOD,
        zip64=True,
        count=0xFFFF,
        zip64_fields={"count": 3, "here": 3},
    ),
    "ZIP64 offset of an entry": with_item(0, offset=FULL, extra=extra(1, bytes(8))),
    "an archive inside": replace(
        GOOD,
        items=(
            manifest_item(
                {
                    "spec_version": "1.0",
                    "stream": "s",
                    "generated_at": "2026-01-20T15:30:00Z",
                    "pack_digest": "sha256:" + "0" * 64,
                    "sources": [],
                    "artifacts": [],
                }
            ),
            Item(name=b"artifacts/inner.zip", content=GOOD.build()),
        ),
    ),
    "attestation": with_more(Item(name=b"attestations/a.sigstore.json", content=b"{}")),
    "empty file": with_more(Item(name=b"attestations/empty.sigstore.json")),
}


def _read(path: Path) -> dict[str, bytes]:
    """Every file as this project reads it, whether listed in the manifest or not."""
    with open_pack(path) as pack:
        archive = pack.archive
        return {
            entry.name: b"".join(archive.chunks(entry))
            for entry in archive.directory.entries
            if not entry.is_folder
        }


@pytest.mark.parametrize("archive", ARCHIVES.values(), ids=ARCHIVES)
def test_zipfile_reads_the_same(tmp_path: Path, archive: Zip) -> None:
    path = tmp_path / "good.epack"
    path.write_bytes(archive.build())
    with zipfile.ZipFile(path) as other:
        assert other.testzip() is None
        assert _read(path) == {
            name: other.read(name) for name in other.namelist() if not name.endswith("/")
        }


@pytest.mark.skipif(shutil.which("unzip") is None, reason="unzip is not installed")
@pytest.mark.parametrize(
    "archive",
    [value for key, value in ARCHIVES.items() if key != "ZIP64 end record with sentinels"],
    ids=[key for key in ARCHIVES if key != "ZIP64 end record with sentinels"],
)
def test_unzip_reads_the_same(tmp_path: Path, archive: Zip) -> None:
    path = tmp_path / "good.epack"
    path.write_bytes(archive.build())
    for name, data in _read(path).items():
        found = subprocess.run(
            ["unzip", "-p", path, name], capture_output=True, check=False, timeout=20
        )
        assert found.stdout == data


@pytest.mark.parametrize("name", ["plain", "descriptor", "ZIP64 on a small file"])
def test_an_accepted_archive_is_intact(tmp_path: Path, name: str) -> None:
    path = tmp_path / "good.epack"
    path.write_bytes(ARCHIVES[name].build())
    with open_pack(path) as pack:
        assert pack.check_integrity().bytes == len(REPORT) + len(LOG)


class _Unseekable(io.BytesIO):
    def seekable(self) -> bool:
        return False

    def seek(self, *_: object) -> int:
        raise io.UnsupportedOperation

    def tell(self) -> int:
        raise io.UnsupportedOperation


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("large", [False, True])
def test_what_zipfile_streams_is_accepted(tmp_path: Path, method: int, *, large: bool) -> None:
    out = _Unseekable()
    with zipfile.ZipFile(out, "w", method) as made:
        for item in GOOD.items:
            with made.open(item.name.decode(), "w", force_zip64=large) as entry:
                entry.write(item.content)
    path = tmp_path / "streamed.epack"
    path.write_bytes(out.getvalue())
    with open_pack(path) as pack:
        assert pack.check_integrity().artifacts == 2


@pytest.mark.skipif(shutil.which("zip") is None, reason="zip is not installed")
@pytest.mark.parametrize("arguments", [["-r", "out.zip", "."], ["-r", "-0", "-fd", "-", "."]])
def test_what_zip_makes_is_accepted(tmp_path: Path, arguments: list[str]) -> None:
    folder = tmp_path / "in"
    for item in GOOD.items:
        path = folder / item.name.decode()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(item.content)
    done = subprocess.run(
        ["zip", "-q", *arguments], cwd=folder, capture_output=True, check=True, timeout=20
    )
    made = folder / "out.zip"
    pack = tmp_path / "zip.epack"
    pack.write_bytes(made.read_bytes() if made.exists() else done.stdout)
    with open_pack(pack) as opened:
        assert opened.check_integrity().artifacts == 2


def test_manifest_paths_match_entry_names_to_the_code_point(tmp_path: Path) -> None:
    path = tmp_path / "good.epack"
    path.write_bytes(GOOD.build())
    with open_pack(path) as pack:
        first = pack.manifest.embedded[0]
        assert b"".join(pack.artifact_chunks(first)) == REPORT
        assert isinstance(first, EmbeddedArtifact)
