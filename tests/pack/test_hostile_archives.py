from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import pytest

from attest.errors import MalformedEvidence
from attest.limits import Limits
from attest.pack.reader import open_pack
from tests.pack.zipbytes import GOOD, LOG, REPORT, Item, Zip, deflate, extra, with_item, with_more

BROKEN = "invalid_zip_format"
FULL = 0xFFFFFFFF
EMPTY_END = b"PK\x05\x06" + bytes(18)
HIDDEN = Item(name=b"artifacts/hidden.txt", content=b"hidden")


def named(name: str, **changes: object) -> Zip:
    return with_more(Item(name=name.encode(), **changes))  # type: ignore[arg-type]  # any field


def mode(bits: int, name: str = "artifacts/x") -> Zip:
    return named(name, attributes=bits << 16)


def descriptor(fields: str, *values: int) -> bytes:
    return b"PK\x07\x08" + struct.pack(fields, *values)


CRC, PACKED, SIZE = GOOD.items[2].truth()
STREAMED: dict[str, object] = {
    "flags": 0x0808,
    "local_crc": 0,
    "local_size": 0,
    "local_compressed": 0,
}
BOTH64 = {"local_size": FULL, "local_compressed": FULL}
REPORT64 = struct.pack("<2Q", len(REPORT), len(REPORT))

ARCHIVES: dict[str, tuple[Zip | bytes, str]] = {
    # Not an archive, or not a whole one.
    "empty file": (b"", BROKEN),
    "text": (b"This is not a ZIP file", BROKEN),
    "only an end record": (EMPTY_END, "missing_manifest"),
    "cut off in the end record": (GOOD.build()[:-3], BROKEN),
    "cut off in the directory": (GOOD.build()[:-40], BROKEN),
    "first byte lost": (GOOD.build()[1:], BROKEN),
    # Bytes that belong to nothing.
    "prefix": (replace(GOOD, prefix=b"#!/bin/sh\n"), BROKEN),
    "prefix with unadjusted offsets": (b"MZ" + GOOD.build(), BROKEN),
    "trailing byte": (replace(GOOD, trailing=b"\0"), BROKEN),
    "trailing archive": (replace(GOOD, trailing=GOOD.build()), BROKEN),
    "trailing end record": (replace(GOOD, trailing=EMPTY_END), BROKEN),
    "two end records": (replace(GOOD, trailing=b"") .build()[:-22] + EMPTY_END * 2, BROKEN),
    "gap before the directory": (replace(GOOD, between=b"gap"), BROKEN),
    "gap before an entry": (with_item(1, before=b"gap"), BROKEN),
    "gap after an entry": (with_item(1, after=b"gap"), BROKEN),
    "hidden local entry": (with_more(replace(HIDDEN, listed=False)), BROKEN),
    "hidden local entry in front": (
        replace(GOOD, items=(replace(HIDDEN, listed=False), *GOOD.items)),
        BROKEN,
    ),
    "bytes after the last record": (replace(GOOD, after_directory=b"x"), BROKEN),
    "signed bytes after the last record": (
        replace(GOOD, after_directory=b"PK\x05\x05\x04\x00sign"),
        BROKEN,
    ),
    # End records that lie.
    "end record in the comment": (replace(GOOD, comment=EMPTY_END), BROKEN),
    "end signature in the comment": (replace(GOOD, comment=b"see PK\x05\x06"), BROKEN),
    "end record in an entry comment": (with_item(1, comment=EMPTY_END), BROKEN),
    "comment longer than said": (replace(GOOD, comment=b"four", comment_size=3), BROKEN),
    "comment shorter than said": (replace(GOOD, comment=b"four", comment_size=5), BROKEN),
    "one entry too few": (replace(GOOD, count=2), BROKEN),
    "one entry too many": (replace(GOOD, count=4), BROKEN),
    "more entries than fit": (replace(GOOD, count=60_000), BROKEN),
    "counts differ": (replace(GOOD, count_here=2), BROKEN),
    "split archive": (replace(GOOD, disk=1), BROKEN),
    "directory too small": (replace(GOOD, size=10), BROKEN),
    "directory offset": (replace(GOOD, offset=7), BROKEN),
    "sentinel count without ZIP64": (replace(GOOD, count=0xFFFF), BROKEN),
    "sentinel offset without ZIP64": (replace(GOOD, offset=FULL), BROKEN),
    "sentinel size without ZIP64": (replace(GOOD, size=FULL), BROKEN),
    "ZIP64 count": (replace(GOOD, zip64=True, zip64_fields={"count": 2, "here": 2}), BROKEN),
    "ZIP64 size": (replace(GOOD, zip64=True, zip64_fields={"size": 1}), BROKEN),
    "ZIP64 offset": (replace(GOOD, zip64=True, zip64_fields={"offset": 1}), BROKEN),
    "ZIP64 disk": (replace(GOOD, zip64=True, zip64_fields={"disk": 1}), BROKEN),
    "ZIP64 disks": (replace(GOOD, zip64=True, zip64_fields={"disks": 2}), BROKEN),
    "ZIP64 counts differ": (replace(GOOD, zip64=True, zip64_fields={"here": 1}), BROKEN),
    "ZIP64 record size": (replace(GOOD, zip64=True, zip64_fields={"record_size": 45}), BROKEN),
    "ZIP64 locator": (replace(GOOD, zip64=True, zip64_fields={"at": 0}), BROKEN),
    "ZIP64 locator far away": (replace(GOOD, zip64=True, zip64_fields={"at": 2**63}), BROKEN),
    "ZIP64 version": (replace(GOOD, zip64=True, zip64_fields={"needed": 62}), BROKEN),
    "ZIP64 huge": (
        replace(GOOD, zip64=True, count=0xFFFF, zip64_fields={"count": 2**60, "here": 2**60}),
        BROKEN,
    ),
    # Local header against central directory.
    "local name": (with_item(1, local_name=b"artifacts/Report.json"), BROKEN),
    "local name longer": (with_item(1, local_name=b"artifacts/report.json2"), BROKEN),
    "local method": (with_item(1, local_method=8), BROKEN),
    "local flags": (with_item(1, local_flags=0), BROKEN),
    "local streamed flag": (with_item(1, local_flags=0x0808), BROKEN),
    "local crc": (with_item(1, local_crc=1), BROKEN),
    "local size": (with_item(1, local_size=1), BROKEN),
    "local compressed size": (with_item(2, local_compressed=1), BROKEN),
    "local sizes zero": (with_item(1, local_size=0, local_compressed=0, local_crc=0), BROKEN),
    "local signature": (with_item(1, local_signature=b"PK\x03\x05"), BROKEN),
    "central signature": (with_item(1, central_signature=b"PK\x01\x03"), BROKEN),
    "local extra torn": (with_item(1, local_extra=b"\x01"), BROKEN),
    "extra torn": (with_item(1, extra=b"\x01\x00\x09\x00"), BROKEN),
    "extra twice": (with_item(1, extra=extra(9, b"a") * 2), BROKEN),
    "another name in the extra field": (
        with_item(1, extra=extra(0x7075, b"\x01" + bytes(4) + b"artifacts/other.json")),
        BROKEN,
    ),
    "another name in the local extra field": (
        with_item(1, local_extra=extra(0x7075, b"\x01" + bytes(4) + b"artifacts/other.json")),
        BROKEN,
    ),
    # Overlaps.
    "two entries share an offset": (with_item(2, offset=0), BROKEN),
    "entry inside another": (with_item(2, offset=40), BROKEN),
    "offset beyond the file": (with_item(2, offset=10**6), BROKEN),
    "offset in the directory": (with_item(2, offset=len(GOOD.build()) - 60), BROKEN),
    "content longer than there is": (with_item(1, size=10**6, compressed=10**6), BROKEN),
    # ZIP64 fields of entries.
    "ZIP64 field missing": (with_item(1, size=FULL), BROKEN),
    "ZIP64 field unasked": (with_item(1, extra=extra(1, REPORT64)), BROKEN),
    "ZIP64 field short": (
        with_item(1, size=FULL, compressed=FULL, extra=extra(1, REPORT64[:8])),
        BROKEN,
    ),
    "ZIP64 field long": (
        with_item(1, size=FULL, compressed=FULL, extra=extra(1, REPORT64 + bytes(8))),
        BROKEN,
    ),
    "ZIP64 field of another size": (
        with_item(1, size=FULL, compressed=FULL, extra=extra(1, bytes(16))),
        BROKEN,
    ),
    "local ZIP64 field of another size": (
        with_item(1, **BOTH64, local_extra=extra(1, bytes(16))),
        BROKEN,
    ),
    "local ZIP64 field half asked": (
        with_item(1, local_size=FULL, local_extra=extra(1, REPORT64)),
        BROKEN,
    ),
    "local ZIP64 field unasked": (with_item(1, local_extra=extra(1, REPORT64)), BROKEN),
    "local ZIP64 field short": (with_item(1, **BOTH64, local_extra=extra(1, bytes(8))), BROKEN),
    # Features.
    "encrypted": (with_item(1, flags=0x0801), "encrypted_entry"),
    "strongly encrypted": (with_item(1, flags=0x0840), "encrypted_entry"),
    "masked headers": (with_item(1, flags=0x2800), "encrypted_entry"),
    "patched data": (with_item(1, flags=0x0820), BROKEN),
    "reserved flag": (with_item(1, flags=0x8800), BROKEN),
    "version 5.1": (with_item(1, needed=51), BROKEN),
    "entry on another disk": (with_item(1, disk=1), BROKEN),
    "deflate64": (with_item(1, method=9), "unsupported_method"),
    "bzip2": (with_item(1, method=12), "unsupported_method"),
    "lzma": (with_item(1, method=14), "unsupported_method"),
    "zstandard": (with_item(1, method=93), "unsupported_method"),
    "AES": (with_item(1, method=99), "unsupported_method"),
    # Data descriptors.
    "descriptor missing": (with_item(2, **STREAMED), BROKEN),
    "descriptor crc": (
        with_item(2, **STREAMED, after=descriptor("<3L", CRC ^ 1, PACKED, SIZE)),
        BROKEN,
    ),
    "descriptor size": (
        with_item(2, **STREAMED, after=descriptor("<3L", CRC, PACKED, SIZE + 1)),
        BROKEN,
    ),
    "descriptor signature": (
        with_item(2, **STREAMED, after=b"PK\x07\x09" + descriptor("<3L", CRC, PACKED, SIZE)[4:]),
        BROKEN,
    ),
    "wide descriptor unannounced": (
        with_item(2, **STREAMED, after=descriptor("<L2Q", CRC, PACKED, SIZE)),
        BROKEN,
    ),
    "descriptor and a gap": (
        with_item(2, **STREAMED, after=descriptor("<3L", CRC, PACKED, SIZE) + b"gap"),
        BROKEN,
    ),
    "large gap after a streamed entry": (with_item(2, **STREAMED, after=bytes(100_000)), BROKEN),
    # Content.
    "stored sizes differ": (with_item(1, size=len(REPORT) + 1), BROKEN),
    "zip bomb": (named("artifacts/x", method=8, content=bytes(1_000_000)), "zip_bomb"),
    "nothing inflates to something": (named("artifacts/x", method=8, raw=b"", size=1), "zip_bomb"),
    # Types.
    "symlink": (mode(0o120777), "zip_symlink"),
    "symlink with a slash": (mode(0o120777, "artifacts/x/"), "zip_symlink"),
    "Windows link": (named("artifacts/x", attributes=0x400), "zip_symlink"),
    "character device": (mode(0o020666), "zip_special_file"),
    "block device": (mode(0o060660), "zip_special_file"),
    "pipe": (mode(0o010666), "zip_special_file"),
    "socket": (mode(0o140777), "zip_special_file"),
    "unknown type": (mode(0o150000), "zip_special_file"),
    "volume label": (named("artifacts/x", attributes=0x08), "zip_special_file"),
    "folder without a slash": (mode(0o040755), "directory_slash_mismatch"),
    "DOS folder without a slash": (
        named("artifacts/x", attributes=0x10),
        "directory_slash_mismatch",
    ),
    "file with a slash": (mode(0o100644, "artifacts/x/"), "directory_slash_mismatch"),
    "folder with content": (named("artifacts/x/", content=b"x"), "invalid_directory_entry"),
    "folder with packed nothing": (named("artifacts/x/", method=8), "invalid_directory_entry"),
    "folder with a checksum": (named("artifacts/x/", crc=1), "invalid_directory_entry"),
    # Names.
    "name not UTF-8": (with_more(Item(name=b"artifacts/\xff")), "invalid_path"),
    "name without the UTF-8 flag": (named("artifacts/é", flags=0), "invalid_path"),
    "overlong UTF-8": (with_more(Item(name=b"artifacts/\xc0\xaf")), "invalid_path"),
    "surrogate": (with_more(Item(name=b"artifacts/\xed\xa0\x80")), "invalid_path"),
    "empty name": (named(""), "invalid_path"),
    "only a slash": (named("/"), "invalid_path"),
    "NUL": (named("artifacts/a\0b"), "invalid_path"),
    "traversal": (named("../etc/passwd"), "path_traversal"),
    "traversal below": (named("artifacts/../../x"), "path_traversal"),
    "traversal folder": (named("artifacts/../"), "path_traversal"),
    "absolute": (named("/artifacts/x"), "invalid_path"),
    "backslash": (named("artifacts\\x"), "invalid_path"),
    "drive": (named("C:artifacts/x"), "invalid_path"),
    "device": (named("artifacts/con.json"), "reserved_name"),
    "not NFC": (named("artifacts/cafe\u0301"), "path_not_nfc"),
    "trailing dot": (named("artifacts/x."), "invalid_path"),
    "double slash folder": (named("artifacts/x//"), "invalid_path"),
    "AppleDouble": (named("artifacts/._x"), "apple_double"),
    "macOS folder": (named("__MACOSX/x"), "apple_double"),
    "Finder": (named("artifacts/.DS_Store"), "apple_metadata"),
    # Names that collide.
    "same name": (named("artifacts/report.json"), "duplicate_path"),
    "second manifest": (named("manifest.json"), "duplicate_path"),
    "same name in other case": (named("artifacts/REPORT.json"), "duplicate_path"),
    "file and folder": (named("artifacts/report.json/"), "duplicate_path"),
    "file as parent": (named("artifacts/report.json/x"), "duplicate_path"),
    "file as parent in other case": (named("artifacts/Report.JSON/x"), "duplicate_path"),
    "folder twice": (
        with_more(Item(name=b"artifacts/"), Item(name=b"artifacts/")),
        "duplicate_path",
    ),
    # Structure.
    "no manifest": (replace(GOOD, items=GOOD.items[1:]), "missing_manifest"),
    "no artifacts": (replace(GOOD, items=GOOD.items[:1]), "missing_artifacts_directory"),
    "manifest elsewhere": (named("data/manifest.json"), "manifest_not_at_root"),
    "manifest folder": (
        replace(GOOD, items=(Item(name=b"manifest.json/"), *GOOD.items[1:])),
        "artifact_outside_directory",
    ),
    "file at the root": (named("README.md"), "artifact_outside_directory"),
    "folder at the root": (named("extra/"), "artifact_outside_directory"),
    "artifacts as a file": (
        replace(GOOD, items=(GOOD.items[0], Item(name=b"artifacts"))),
        "artifact_outside_directory",
    ),
    "root in other case": (named("Artifacts/x"), "artifact_outside_directory"),
    "attestation at the root": (named("a.sigstore.json"), "attestation_wrong_location"),
    "attestation elsewhere": (named("sig/a.sigstore.json"), "attestation_wrong_location"),
    "attestation below": (named("attestations/b/a.sigstore.json"), "attestation_wrong_location"),
    "folder in attestations": (named("attestations/b/"), "attestation_wrong_location"),
    "attestation suffix": (named("attestations/a.json"), "invalid_attestation_extension"),
    "attestation suffix case": (
        named("attestations/a.Sigstore.json"),
        "invalid_attestation_extension",
    ),
    "attestation without a name": (
        named("attestations/.sigstore.json"),
        "invalid_attestation_extension",
    ),
}  # fmt: skip

#: Found only when the artifacts are read.
CONTENTS: dict[str, tuple[Zip, str]] = {
    "unlisted artifact": (with_more(HIDDEN), "extra_artifact_not_in_manifest"),
    "missing artifact": (replace(GOOD, items=GOOD.items[:2]), "missing_embedded_artifact"),
    "only a folder of that name": (
        replace(GOOD, items=(*GOOD.items[:2], Item(name=b"artifacts/log.txt/"))),
        "missing_embedded_artifact",
    ),
    "other bytes": (with_item(1, content=REPORT.upper()), "digest_mismatch"),
    "longer bytes": (with_item(1, content=REPORT + b"\n"), "size_mismatch"),
    "wrong checksum": (with_item(1, crc=1), "crc_mismatch"),
    "not deflated": (with_item(2, raw=b"\xff" * PACKED), BROKEN),
    "deflated and more": (with_item(2, raw=deflate(LOG) + b"more"), BROKEN),
    "deflated twice": (with_item(2, raw=deflate(LOG) * 2), BROKEN),
    "deflated and cut": (with_item(2, raw=deflate(LOG)[:-1]), BROKEN),
    "deflated to more than declared": (with_item(2, raw=deflate(LOG + b"!")), BROKEN),
    "deflated to much more": (with_item(2, raw=deflate(LOG + bytes(100_000_000))), BROKEN),
    "deflated to less than declared": (with_item(2, raw=deflate(LOG[:-1])), BROKEN),
    "deflated without an end": (with_item(2, raw=b"\x00" + deflate(LOG)[1:]), BROKEN),
}


def write(tmp_path: Path, archive: Zip | bytes) -> Path:
    path = tmp_path / "hostile.epack"
    path.write_bytes(archive if isinstance(archive, bytes) else archive.build())
    return path


@pytest.mark.parametrize(("archive", "code"), ARCHIVES.values(), ids=ARCHIVES)
def test_a_hostile_archive_is_refused_on_opening(
    tmp_path: Path, archive: Zip | bytes, code: str
) -> None:
    with pytest.raises(MalformedEvidence) as caught, open_pack(write(tmp_path, archive)):
        pass
    assert caught.value.code == code


@pytest.mark.parametrize(("archive", "code"), CONTENTS.values(), ids=CONTENTS)
def test_hostile_content_is_refused_on_reading(tmp_path: Path, archive: Zip, code: str) -> None:
    with open_pack(write(tmp_path, archive)) as pack, pytest.raises(MalformedEvidence) as caught:
        pack.check_integrity()
    assert caught.value.code == code


def test_the_pack_they_are_made_from_is_sound(tmp_path: Path) -> None:
    with open_pack(write(tmp_path, GOOD)) as pack:
        intact = pack.check_integrity()
    assert (intact.artifacts, intact.bytes) == (2, len(REPORT) + len(LOG))


def test_a_rule_and_a_place_are_named(tmp_path: Path) -> None:
    archive = mode(0o120777)
    with pytest.raises(MalformedEvidence) as caught, open_pack(write(tmp_path, archive)):
        pass
    assert (caught.value.rule, caught.value.where) == ("R-054", "artifacts/x")


@pytest.mark.parametrize(("size", "code"), [(1_048_576, None), (1_048_577, "artifact_too_large")])
def test_the_artifact_limit_holds_at_its_floor(tmp_path: Path, size: int, code: str | None) -> None:
    path = write(tmp_path, named("artifacts/x", content=bytes(size)))
    assert _code(path, Limits(max_artifact_bytes=1_048_576)) == code


def test_the_pack_limit_counts_all_entries_together(tmp_path: Path) -> None:
    limits = Limits(max_pack_bytes=10_485_760)
    base = sum(len(item.content) for item in GOOD.items)
    for more, code in ((0, None), (1, "pack_too_large")):
        archive = named("artifacts/x", content=bytes(10_485_760 - base + more))
        assert _code(write(tmp_path, archive), limits) == code


def test_the_number_of_artifacts_is_limited(tmp_path: Path) -> None:
    limits = Limits(max_artifacts=100)
    for count, code in ((98, None), (99, "too_many_artifacts")):
        items = [Item(name=b"artifacts/%d" % index) for index in range(count)]
        assert _code(write(tmp_path, with_more(*items)), limits) == code


def test_the_number_of_entries_is_limited(tmp_path: Path) -> None:
    limits = Limits(max_artifacts=100, max_attestations=8)
    for count, code in ((209, None), (210, "too_many_entries")):
        items = [Item(name=b"artifacts/%d/" % index) for index in range(count)]
        assert _code(write(tmp_path, with_more(*items)), limits) == code


def test_the_number_of_attestations_is_limited(tmp_path: Path) -> None:
    limits = Limits(max_attestations=8)
    for count, code in ((8, None), (9, "too_many_attestations")):
        items = [Item(name=b"attestations/%d.sigstore.json" % index) for index in range(count)]
        assert _code(write(tmp_path, with_more(*items)), limits) == code


def test_the_manifest_and_a_bundle_are_limited(tmp_path: Path) -> None:
    limits = Limits(max_manifest_bytes=65_536, max_bundle_bytes=65_536)
    data = GOOD.items[0].content
    for size, code in ((65_536, None), (65_537, "manifest_too_large")):
        archive = with_item(0, content=data + b" " * (size - len(data)))
        assert _code(write(tmp_path, archive), limits) == code
    name = "attestations/a.sigstore.json"
    path = write(tmp_path, named(name, content=bytes(65_537)))
    with open_pack(path, limits=limits) as pack:
        with pytest.raises(MalformedEvidence) as caught:
            pack.read_attestation(name)
        assert caught.value.code == "bundle_too_large"


@pytest.mark.parametrize(("times", "code"), [(100, None), (101, "zip_bomb")])
def test_the_compression_ratio_is_limited(tmp_path: Path, times: int, code: str | None) -> None:
    # The declared sizes decide, before a byte is inflated.
    path = write(tmp_path, named("artifacts/x", method=8, raw=bytes(10), size=10 * times))
    assert _code(path, Limits()) == code


def _code(path: Path, limits: Limits) -> str | None:
    try:
        with open_pack(path, limits=limits):
            return None
    except MalformedEvidence as error:
        return error.code
