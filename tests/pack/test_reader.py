from __future__ import annotations

import os
import struct
import sys
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from attest.errors import AttestError, MalformedEvidence, UsageError
from attest.limits import Limits
from attest.pack import records
from attest.pack.builder import build_pack
from attest.pack.reader import open_pack
from tests.pack.zipbytes import GOOD, Item, manifest, manifest_item, with_more


def test_a_missing_file_is_no_verdict(tmp_path: Path) -> None:
    for name in ("missing.epack", "missing.zip", "no/folder.epack", "a\0b.epack"):
        with pytest.raises(UsageError) as caught, open_pack(tmp_path / name):
            pass
        assert caught.value.code in {"file_not_found", "unreadable_file"}
        assert caught.value.exit_code == 2


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pipe")
def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.epack")
    (tmp_path / "folder.epack").mkdir()
    for name in ("pipe.epack", "folder.epack"):
        with pytest.raises(UsageError) as caught, open_pack(tmp_path / name):
            pass
        assert caught.value.code == "unreadable_file"


@pytest.mark.parametrize("name", ["a.zip", "a.EPACK", "a.epack.zip", "epack", ".epack"])
def test_the_extension_is_required(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(GOOD.build())
    with pytest.raises(MalformedEvidence) as caught, open_pack(path):
        pass
    assert (caught.value.code, caught.value.rule) == ("invalid_extension", "R-001")


def test_attestations_are_sorted_and_read_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.epack"
    names = ["attestations/b.sigstore.json", "attestations/a.sigstore.json"]
    path.write_bytes(with_more(*(Item(name=n.encode(), content=n.encode()) for n in names)).build())
    with open_pack(path) as pack:
        assert pack.attestation_names == tuple(sorted(names))
        assert [pack.read_attestation(name) for name in names] == [n.encode() for n in names]
        with pytest.raises(UsageError) as caught:
            pack.read_attestation("artifacts/report.json")
        assert caught.value.code == "unknown_entry"


def test_a_pack_that_shrinks_while_it_is_read_is_malformed(tmp_path: Path) -> None:
    path = tmp_path / "a.epack"
    path.write_bytes(GOOD.build())
    with open_pack(path) as pack:
        os.truncate(path, len(GOOD.items[0].local()) + 60)
        with pytest.raises(MalformedEvidence) as caught:
            pack.check_integrity()
    assert caught.value.code == "invalid_zip_format"


def test_a_wrong_pack_digest_is_found(tmp_path: Path) -> None:
    content = b"x"
    value = manifest({"artifacts/x": content}) | {"pack_digest": "sha256:" + "0" * 64}
    path = tmp_path / "a.epack"
    item = Item(name=b"artifacts/x", content=content)
    path.write_bytes(type(GOOD)(items=(manifest_item(value), item)).build())
    with open_pack(path) as pack, pytest.raises(MalformedEvidence) as caught:
        pack.check_integrity()
    assert (caught.value.code, caught.value.rule) == ("pack_digest_mismatch", "R-050")


def test_memory_does_not_grow_with_an_artifact(tmp_path: Path) -> None:
    source = tmp_path / "large.log"
    source.write_bytes(b"".join(b"%d is well\n" % index for index in range(2_500_000)))
    out = tmp_path / "out.epack"
    build_pack(out, [source], stream="s")
    tracemalloc.start()
    try:
        with open_pack(out) as pack:
            assert pack.check_integrity().bytes > 30_000_000
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="needs sparse files")
def test_beyond_4_gib_the_archive_is_zip64(tmp_path: Path) -> None:
    """R-002: sizes and offsets that need 64 bits are written and read as ZIP64."""
    path = tmp_path / "large.epack"
    large = records.NewEntry(
        name="artifacts/large",
        method=records.STORED,
        crc=0,
        compressed=2**32 + 5,
        size=2**32 + 5,
        offset=0,
    )
    item = manifest_item(manifest({}))
    with path.open("wb") as file:
        header = records.local_header(large)
        file.write(header)
        file.seek(large.size, os.SEEK_CUR)
        crc, compressed, size = item.truth()
        small = records.NewEntry(
            name="manifest.json",
            method=records.STORED,
            crc=crc,
            compressed=compressed,
            size=size,
            offset=file.tell(),
        )
        file.write(records.local_header(small) + item.content)
        offset = file.tell()
        directory = records.central_record(large) + records.central_record(small)
        file.write(directory + records.end_records(count=2, size=len(directory), offset=offset))
    limits = Limits(max_artifact_bytes=2**33, max_pack_bytes=2**33)
    with open_pack(path, limits=limits) as pack:
        assert [entry.size for entry in pack.archive.directory.entries] == [2**32 + 5, size]
    with zipfile.ZipFile(path) as other:
        assert [entry.file_size for entry in other.infolist()] == [2**32 + 5, size]
        assert other.read("manifest.json") == item.content
    with pytest.raises(AttestError) as caught, open_pack(path):
        pass
    assert caught.value.code == "artifact_too_large"


@pytest.mark.parametrize(("count", "large"), [(65_534, False), (65_535, True), (70_000, True)])
def test_many_entries_need_zip64(count: int, *, large: bool) -> None:
    end = records.end_records(count=count, size=46 * count, offset=1)
    assert end.startswith(b"PK\x06\x06") == large
    assert struct.unpack_from("<H", end[-22:], 10)[0] == min(count, 0xFFFF)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs a file of no size")
def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        build_pack(tmp_path / "a.epack", [Path("/proc/self/status")], stream="s")
    assert caught.value.code == "file_changed"
    assert list(tmp_path.iterdir()) == []
