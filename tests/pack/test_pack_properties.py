"""Random evidence survives; random damage raises nothing but AttestError."""

from __future__ import annotations

import tempfile
import unicodedata
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attest.errors import AttestError, UsageError
from attest.pack.builder import build_pack
from attest.pack.paths import check_path, windows_canonical
from attest.pack.reader import open_pack
from attest.pack.writer import add_attestation
from tests.pack.zipbytes import GOOD, Item, with_item, with_more

WHEN = datetime(2026, 11, 21, tzinfo=UTC)
SLOW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

segments = st.text(
    st.characters(codec="utf-8", exclude_characters='\\/:*?"<>|', exclude_categories=["Cc"]),
    min_size=1,
    max_size=12,
).map(lambda text: unicodedata.normalize("NFC", text))


def _allowed(path: str) -> bool:
    try:
        check_path(f"artifacts/{path}")
    except AttestError:
        return False
    return True


paths = st.lists(segments, min_size=1, max_size=3).map("/".join).filter(_allowed)
evidence = st.dictionaries(paths, st.binary(max_size=3000), max_size=8)


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@SLOW
@given(files=evidence, stream=st.text(st.characters(codec="utf-8"), min_size=1, max_size=20))
def test_random_evidence_builds_and_reads_back(files: dict[str, bytes], stream: str) -> None:
    with _folder() as folder:
        inputs = folder / "in"
        written: dict[str, bytes] = {}
        for name, data in files.items():
            path = inputs / name
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                if path.exists():
                    continue
                path.write_bytes(data)
            except OSError:
                continue  # a file stands where a folder should, or the system refuses the name
            written[f"artifacts/{name}"] = data
        inputs.mkdir(exist_ok=True)
        out = folder / "out.epack"
        if len({windows_canonical(name) for name in written}) < len(written):
            with pytest.raises(UsageError) as caught:
                build_pack(out, [inputs], stream=stream, generated_at=WHEN)
            assert caught.value.code == "duplicate_path"
            assert not out.exists()
            return
        built = build_pack(out, [inputs], stream=stream, generated_at=WHEN)
        assert built.stream == stream
        with open_pack(out) as pack:
            assert pack.check_integrity() == built
            found = {
                item.path: b"".join(pack.artifact_chunks(item)) for item in pack.manifest.embedded
            }
        assert found == written
        with zipfile.ZipFile(out) as other:
            assert {name: other.read(name) for name in written} == written


BASE = with_more(
    Item(name=b"artifacts/", attributes=(0o040755 << 16) | 0x10),
    Item(name=b"attestations/a.sigstore.json", content=b"{}"),
).build()
STREAMED = with_item(1, flags=0x0808, after=GOOD.items[1].local()[14:26]).build()


def _judge(data: bytes, folder: Path) -> bool:
    """Whether a pack is accepted; if so, zipfile must see the same files."""
    path = folder / "mutant.epack"
    path.write_bytes(data)
    try:
        with open_pack(path) as pack:
            pack.check_integrity()
            for name in pack.attestation_names:
                pack.read_attestation(name)
            ours = {
                entry.name: b"".join(pack.archive.chunks(entry))
                for entry in pack.archive.directory.entries
            }
    except AttestError:
        return False
    with zipfile.ZipFile(path) as other:
        assert {name: other.read(name) for name in other.namelist()} == ours
    return True


@settings(max_examples=400, deadline=None)
@given(
    base=st.sampled_from([BASE, STREAMED]),
    edits=st.lists(
        st.tuples(
            st.sampled_from(["set", "cut", "insert", "copy"]),
            st.floats(0, 1, exclude_max=True),
            st.floats(0, 1, exclude_max=True),
            st.binary(min_size=1, max_size=4),
        ),
        min_size=1,
        max_size=3,
    ),
)
def test_damage_raises_only_our_errors(
    base: bytes, edits: list[tuple[str, float, float, bytes]]
) -> None:
    data = bytearray(base)
    for kind, where, length, value in edits:
        at = int(where * len(data))
        end = at + int(length * 40)
        if kind == "set":
            data[at : at + len(value)] = value
        elif kind == "cut":
            del data[at:end]
        elif kind == "insert":
            data[at:at] = value
        else:
            data[at:at] = data[at:end]
    with _folder() as folder:
        _judge(bytes(data), folder)


def test_every_byte_matters_or_is_metadata_that_must_be_ignored() -> None:
    """Each byte changed alone: refused, or the same content is read (R-003)."""
    accepted = 0
    with _folder() as folder:
        assert _judge(BASE, folder)
        for at in range(len(BASE)):
            data = bytearray(BASE)
            data[at] ^= 0x01
            accepted += _judge(bytes(data), folder)
    # Times, versions and modes may differ: a few bytes of each header, and white space.
    assert 0 < accepted < len(BASE) // 5


@SLOW
@given(data=st.binary(max_size=2000), name=segments)
def test_any_bytes_survive_as_an_attestation(data: bytes, name: str) -> None:
    with _folder() as folder:
        path = folder / "a.epack"
        path.write_bytes(BASE)
        with open_pack(path) as pack:
            digest = pack.manifest_digest
        try:
            add_attestation(path, f"{name}.sigstore.json", data, expect_manifest_digest=digest)
        except AttestError:
            assert path.read_bytes() == BASE
            return
        with open_pack(path) as pack:
            assert pack.read_attestation(f"attestations/{name}.sigstore.json") == data
            pack.check_integrity()


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=300))
def test_arbitrary_bytes_are_not_a_pack(data: bytes) -> None:
    with _folder() as folder:
        assert not _judge(data, folder)
