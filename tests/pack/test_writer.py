from __future__ import annotations

import multiprocessing
import os
import stat
import struct
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from attest import atomic
from attest.errors import AttestError, MalformedEvidence, UsageError
from attest.limits import Limits
from attest.pack.reader import open_pack
from attest.pack.writer import add_attestation
from tests.pack.zipbytes import GOOD, Item, Zip, extra, with_item, with_more

NAME = "attestations/1a2b3c4d.sigstore.json"
BUNDLE = b'{"mediaType": "x"}'


def digest_of(path: Path) -> bytes:
    with open_pack(path) as pack:
        return pack.manifest_digest


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    path = tmp_path / "a.epack"
    path.write_bytes(GOOD.build())
    return path


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


CRC, PACKED, SIZE = GOOD.items[2].truth()
ARCHIVES: dict[str, Zip] = {
    "plain": GOOD,
    "comment": replace(GOOD, comment=b"keep me"),
    "ZIP64 end": replace(GOOD, zip64=True),
    "another order": replace(GOOD, directory_order=(2, 0, 1)),
    "streamed": with_item(
        2, flags=0x0808, after=b"PK\x07\x08" + struct.pack("<3L", CRC, PACKED, SIZE)
    ),
    "odd metadata": with_item(
        1, comment=b"c", extra=extra(0x5455, b"12345"), attributes=0o100755 << 16
    ),
    "another attestation": with_more(
        Item(name=b"attestations/other.sigstore.json", content=b"{}", method=8)
    ),
}


@pytest.mark.parametrize("archive", ARCHIVES.values(), ids=ARCHIVES)
def test_an_attestation_is_added_and_the_rest_stays(tmp_path: Path, archive: Zip) -> None:
    path = tmp_path / "a.epack"
    path.write_bytes(archive.build())
    before = contents(path)
    with open_pack(path) as opened:
        spans = {
            entry.name: opened.archive.read_at(entry.offset, entry.end - entry.offset)
            for entry in opened.archive.directory.entries
        }
    add_attestation(path, NAME, BUNDLE, expect_manifest_digest=digest_of(path))
    assert contents(path) == before | {NAME: BUNDLE}
    with open_pack(path) as opened:
        assert opened.read_attestation(NAME) == BUNDLE
        opened.check_integrity()
        after = opened.archive
        for entry in after.directory.entries:
            if entry.name in spans:
                assert after.read_at(entry.offset, entry.end - entry.offset) == spans[entry.name]
        assert after.directory.comment == archive.comment


@pytest.mark.parametrize("wide", [False, True], ids=["32-bit offsets", "64-bit offsets"])
def test_an_attestation_in_front_is_replaced(tmp_path: Path, *, wide: bool) -> None:
    first = Item(name=NAME.encode(), content=b"old" * 100)
    at = len(first.local())
    items = list(GOOD.items)
    if wide:  # the offset of the entry behind it stands in its ZIP64 field
        items[0] = replace(items[0], offset=0xFFFFFFFF, extra=extra(1, struct.pack("<Q", at)))
    path = tmp_path / "a.epack"
    path.write_bytes(replace(GOOD, items=(first, *items)).build())
    before = contents(path)
    add_attestation(path, NAME, BUNDLE, expect_manifest_digest=digest_of(path), replace=True)
    assert contents(path) == before | {NAME: BUNDLE}
    with open_pack(path) as opened:
        opened.check_integrity()


def test_the_short_name_goes_to_its_folder(pack: Path) -> None:
    add_attestation(pack, "x.sigstore.json", BUNDLE, expect_manifest_digest=digest_of(pack))
    with open_pack(pack) as opened:
        assert opened.attestation_names == ("attestations/x.sigstore.json",)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions and links")
def test_permissions_stay_and_a_link_is_followed(tmp_path: Path, pack: Path) -> None:
    pack.chmod(0o604)
    link = tmp_path / "link.epack"
    link.symlink_to(pack.name)
    add_attestation(link, NAME, BUNDLE, expect_manifest_digest=digest_of(pack))
    assert link.is_symlink()
    assert stat.S_IMODE(pack.stat().st_mode) == 0o604
    with open_pack(pack) as opened:
        assert opened.attestation_names == (NAME,)


def _refused(path: Path, code: str, **changes: object) -> None:
    before, names = path.read_bytes(), sorted(path.parent.iterdir())
    arguments: dict[str, object] = {
        "name": NAME,
        "data": BUNDLE,
        "expect_manifest_digest": digest_of(path),
    }
    with pytest.raises(AttestError) as caught:
        add_attestation(path, **(arguments | changes))  # type: ignore[arg-type]  # any argument
    assert caught.value.code == code
    assert path.read_bytes() == before
    assert sorted(path.parent.iterdir()) == names


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"expect_manifest_digest": bytes(32)}, "pack_changed"),
        ({"name": "attestations/b/a.sigstore.json"}, "attestation_wrong_location"),
        ({"name": "a.json"}, "invalid_attestation_extension"),
        ({"name": "../a.sigstore.json"}, "path_traversal"),
        ({"name": "con.sigstore.json"}, "reserved_name"),
        ({"name": "attestations/"}, "invalid_path"),
        ({"data": bytes(65_537), "limits": Limits(max_bundle_bytes=65_536)}, "bundle_too_large"),
    ],
)
def test_a_wrong_attestation_changes_nothing(
    pack: Path, changes: dict[str, object], code: str
) -> None:
    _refused(pack, code, **changes)


def test_a_taken_name_is_refused_in_any_case_of_letters(pack: Path) -> None:
    add_attestation(pack, NAME, BUNDLE, expect_manifest_digest=digest_of(pack))
    _refused(pack, "file_exists")
    _refused(pack, "duplicate_path", name="1A2B3C4D.sigstore.json")


def test_a_full_pack_takes_no_more(tmp_path: Path) -> None:
    path = tmp_path / "a.epack"
    items = [Item(name=b"attestations/%d.sigstore.json" % index) for index in range(8)]
    path.write_bytes(with_more(*items).build())
    _refused(path, "too_many_attestations", limits=Limits(max_attestations=8))


def test_what_is_not_a_pack_is_refused(tmp_path: Path) -> None:
    for name, data, kind, code in (
        ("missing.epack", None, UsageError, "file_not_found"),
        ("text.epack", b"text", MalformedEvidence, "invalid_zip_format"),
        ("pack.zip", GOOD.build(), MalformedEvidence, "invalid_extension"),
    ):
        path = tmp_path / name
        if data is not None:
            path.write_bytes(data)
        with pytest.raises(kind) as caught:
            add_attestation(path, NAME, BUNDLE, expect_manifest_digest=bytes(32))
        assert isinstance(caught.value, AttestError)
        assert caught.value.code == code
    assert sorted(item.name for item in tmp_path.iterdir()) == ["pack.zip", "text.epack"]


class _Cut(BaseException):
    """The process is stopped here."""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions and links")
@pytest.mark.parametrize("call", ["os.fsync", "os.replace", "os.fchmod", "os.open"])
@pytest.mark.parametrize("failure", [_Cut(), OSError(28, "No space left")], ids=["cut", "full"])
def test_an_interruption_leaves_the_pack_as_it_was(
    pack: Path, monkeypatch: pytest.MonkeyPatch, call: str, failure: BaseException
) -> None:
    before, digest = pack.read_bytes(), digest_of(pack)
    real = getattr(os, call.removeprefix("os."))

    def fail(*arguments: object, **named: object) -> object:
        if call == "os.open" and ".tmp" not in str(arguments[0]):
            return real(*arguments, **named)
        raise failure

    with monkeypatch.context() as patch:
        patch.setattr(call, fail)
        with pytest.raises((_Cut, UsageError)):
            add_attestation(pack, NAME, BUNDLE, expect_manifest_digest=digest)
    assert pack.read_bytes() == before
    assert [item.name for item in pack.parent.iterdir()] == [pack.name]
    add_attestation(pack, NAME, BUNDLE, expect_manifest_digest=digest)


def _add(path: Path, name: str, digest: bytes) -> None:
    add_attestation(path, name, BUNDLE, expect_manifest_digest=digest)


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_processes_that_sign_at_once_lose_nothing(pack: Path) -> None:
    digest = digest_of(pack)
    context = multiprocessing.get_context("spawn")
    children = [
        context.Process(target=_add, args=(pack, f"{index:08x}.sigstore.json", digest))
        for index in range(4)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
        assert child.exitcode == 0
    with open_pack(pack) as opened:
        assert len(opened.attestation_names) == 4
    assert [item.name for item in pack.parent.iterdir()] == [pack.name]


def test_the_lock_is_the_one_of_atomic(pack: Path) -> None:
    with atomic.locked(pack):
        assert {item.name for item in pack.parent.iterdir()} == {pack.name, f".{pack.name}.lock"}
    assert [item.name for item in pack.parent.iterdir()] == [pack.name]
