"""Rules of the document that no other test states alone; `docs/conformance.md` lists them all."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from attest.errors import MalformedEvidence
from attest.pack.manifest import EmbeddedArtifact, pack_digest, parse_manifest, to_bytes
from attest.pack.paths import check_path
from attest.pack.reader import IntactPack, open_pack
from attest.pack.writer import add_attestation
from tests.pack.full_manifest import FULL
from tests.pack.zipbytes import (
    GOOD,
    LOG,
    REPORT,
    Item,
    Zip,
    deflate,
    extra,
    manifest,
    manifest_item,
    with_item,
)

ROOT = Path(__file__).resolve().parents[2]


def checked(tmp_path: Path, archive: Zip) -> IntactPack:
    path = tmp_path / "a.epack"
    path.write_bytes(archive.build())
    with open_pack(path) as pack:
        return pack.check_integrity()


def code_of(tmp_path: Path, archive: Zip) -> str | None:
    try:
        checked(tmp_path, archive)
    except MalformedEvidence as error:
        return error.code
    return None


CRC, PACKED, SIZE = GOOD.items[2].truth()
METADATA: dict[str, Zip] = {
    "comments": replace(GOOD, comment=b"by hand"),
    "comment of an entry": with_item(1, comment=b"by hand"),
    "times in extra fields": with_item(1, extra=extra(0x5455, b"\x01" + bytes(4))),
    "mode": with_item(1, attributes=0o100777 << 16),
    "order": replace(GOOD, items=GOOD.items[::-1]),
    "method": with_item(1, method=8),
    "descriptor": with_item(2, flags=0x0808, after=struct.pack("<3L", CRC, PACKED, SIZE)),
    "ZIP64": replace(GOOD, zip64=True),
    "folders": replace(GOOD, items=(Item(name=b"artifacts/"), *GOOD.items)),
    "attestation": replace(
        GOOD, items=(*GOOD.items, Item(name=b"attestations/a.sigstore.json", content=b"{}"))
    ),
}


@pytest.mark.parametrize("archive", METADATA.values(), ids=METADATA)
def test_only_paths_and_bytes_count(tmp_path: Path, archive: Zip) -> None:
    """R-003: what a ZIP says besides changes neither digest."""
    assert checked(tmp_path, archive) == checked(tmp_path, GOOD)


def test_every_control_character_is_refused_and_no_other() -> None:
    """R-010."""
    controls = {*range(0x20), 0x7F}
    for point in range(0x180):
        path = f"artifacts/a{chr(point)}b"
        if point in controls or chr(point) in "\\:":
            with pytest.raises(MalformedEvidence) as caught:
                check_path(path)
            assert caught.value.code == "invalid_path"
        else:
            check_path(path)


@pytest.mark.parametrize(
    ("listed", "there"),
    [
        ("artifacts/Report.json", "artifacts/report.json"),
        ("artifacts/report.json", "artifacts/report.JSON"),
        ("artifacts/\ufb01le", "artifacts/file"),
        ("artifacts/a%20b", "artifacts/a b"),
        ("artifacts/stra\u00dfe", "artifacts/strasse"),
        ("artifacts/report", "artifacts/report.json"),
    ],
)
def test_a_listed_path_is_the_entry_name_itself(tmp_path: Path, listed: str, there: str) -> None:
    """R-012: no folding, decoding or completing makes one name another."""
    item = manifest_item(manifest({listed: b"x"}))
    for name, code in ((listed, None), (there, "missing_embedded_artifact")):
        archive = Zip(items=(item, Item(name=name.encode(), content=b"x")))
        assert code_of(tmp_path, archive) == code


IDENTIFIERS = ["evidencepack/soc2-basic@v1", "foo", "Foo", " ", "a/b@v0", "https://x.example", "é"]


@pytest.mark.parametrize("identifier", IDENTIFIERS)
def test_identifiers_mean_nothing_here_and_stay_as_they_are(
    tmp_path: Path, identifier: str
) -> None:
    """R-028a, R-028e, R-028f: never judged, resolved, replaced or reordered."""
    digest = "sha256:" + "3" * 64
    value = FULL | {
        "profile": identifier,
        "overlays": [f"z{identifier}", identifier, identifier],
        "profile_lock": [{"id": identifier, "digest": digest}, {"id": "a", "digest": digest}],
    }
    read = parse_manifest(json.dumps(value).encode())
    assert json.loads(to_bytes(read)) == value
    path = tmp_path / "a.epack"
    alone = manifest({}) | {"profile": identifier, "overlays": [identifier]}
    item = manifest_item(alone)
    path.write_bytes(Zip(items=(item, Item(name=b"artifacts/"))).build())
    with open_pack(path) as pack:
        signed = pack.manifest_digest
    add_attestation(path, "a.sigstore.json", b"{}", expect_manifest_digest=signed)
    with open_pack(path) as pack:
        assert pack.manifest_bytes == item.content


def artifact(path: str, digest: str) -> EmbeddedArtifact:
    return EmbeddedArtifact(path=path, digest="sha256:" + digest * 64, size=1)


def test_the_pack_digest_is_that_of_sorted_lines_and_nothing_more() -> None:
    """R-042 to R-045, on names whose order depends on how they are compared."""
    names = ["artifacts/\uff5e", "artifacts/\U00010000", "artifacts/a", "artifacts/B",
             "artifacts/a-b", "artifacts/a/b", "artifacts/\u00e9"]  # fmt: skip
    lines = sorted(f"{name}\tsha256:{'1' * 64}\n".encode() for name in names)
    text = b"".join(lines)
    # UTF-16 would put the name beyond U+FFFF before the one below it.
    assert lines != sorted(lines, key=lambda line: line.decode().encode("utf-16-be"))
    expected = "sha256:" + hashlib.sha256(text).hexdigest()
    for order in itertools.islice(itertools.permutations(names), 0, 5040, 97):
        assert pack_digest(artifact(name, "1") for name in order) == expected
    for other in (text + b"\n", text[:-1], text.replace(b"\t", b" "), text.upper()):
        assert expected != "sha256:" + hashlib.sha256(other).hexdigest()
    assert pack_digest([]) == "sha256:" + hashlib.sha256(b"").hexdigest()


def test_nothing_is_given_out_beyond_the_declared_size(tmp_path: Path) -> None:
    """R-052, R-053: an entry that inflates to more ends at once, not after a buffer more."""
    for more in (b"!", bytes(300_000_000)):
        path = tmp_path / "a.epack"
        path.write_bytes(with_item(2, raw=deflate(LOG + more)).build())
        got: list[int] = []
        with open_pack(path) as pack:
            entry = pack.archive.directory.entries[2]
            with pytest.raises(MalformedEvidence) as caught:
                got.extend(map(len, pack.archive.chunks(entry)))
        assert caught.value.code == "invalid_zip_format"
        assert sum(got) <= len(LOG)


def test_hard_links_are_not_looked_for(tmp_path: Path) -> None:
    """R-056: the Unix extra field of a hard link, link name included, is metadata."""
    link = extra(0x000D, struct.pack("<2L2H", 0, 0, 0, 0) + b"artifacts/log.txt")
    assert code_of(tmp_path, with_item(1, extra=link, attributes=0o100644 << 16)) is None


TRIPWIRE = """
import sys
from pathlib import Path

def wire(event, arguments):
    if event.startswith("socket."):
        sys.exit(f"{event} {arguments}")

sys.addaudithook(wire)
from attest.pack.reader import open_pack
with open_pack(Path(sys.argv[1])) as pack:
    pack.check_integrity()
    assert pack.manifest.references
"""


def test_reading_a_reference_opens_no_connection(tmp_path: Path) -> None:
    """R-037: reading and checking a pack touches no network, whatever it refers to."""
    value = manifest({"artifacts/report.json": REPORT})
    listed = value["artifacts"]
    assert isinstance(listed, list)
    reference = {"type": "reference", "name": "r", "uri": "https://localhost/x",
                 "access": {"policy": "public"}}  # fmt: skip
    path = tmp_path / "a.epack"
    items = (manifest_item(value | {"artifacts": [*listed, reference]}), GOOD.items[1])
    path.write_bytes(Zip(items=items).build())
    for script, code in ((TRIPWIRE, 0), (TRIPWIRE + "import socket; socket.socket()", 1)):
        done = subprocess.run(
            [sys.executable, "-c", script, path],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == code, done.stderr
