"""What a merge refuses: nobody's artifact passes for another's, and nothing is left behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from attest.errors import MalformedEvidence, UsageError, VerificationFailed
from attest.limits import Limits
from tests.evidence import sandbox_evidence
from tests.pack.merging import DIGEST, JSON, made, merged, read, refused, rewritten


def test_one_pack_is_no_merge(tmp_path: Path, a: Path) -> None:
    refused(tmp_path, "too_few_packs", a)
    refused(tmp_path, "too_few_packs")


def test_a_stream_appears_once(tmp_path: Path, a: Path, b: Path, c: Path) -> None:
    again = made(tmp_path / "again.epack", "org/a", {"new": b""})
    refused(tmp_path, "duplicate_stream", a, b, again)
    refused(tmp_path, "duplicate_stream", a, a)
    case = made(tmp_path / "case.epack", "Org/A", {"new": b""})
    refused(tmp_path, "duplicate_stream", a, case)
    inner = tmp_path / "inner.epack"
    merged(inner, a, b, stream="org/inner")
    refused(tmp_path, "duplicate_stream", inner, a)
    refused(tmp_path, "duplicate_stream", c, inner, again)
    outer = tmp_path / "outer.epack"
    merged(outer, inner, c, stream="org/outer")
    refused(tmp_path, "duplicate_stream", outer, again)
    refused(tmp_path, "duplicate_stream", outer, inner)
    named = made(tmp_path / "named.epack", "org/inner", {"new": b""})
    refused(tmp_path, "duplicate_stream", inner, named)


def test_the_new_stream_is_none_of_its_sources(tmp_path: Path, a: Path, b: Path, c: Path) -> None:
    refused(tmp_path, "duplicate_stream", a, b, stream="org/b")
    inner = tmp_path / "inner.epack"
    merged(inner, a, b, stream="org/inner")
    refused(tmp_path, "duplicate_stream", inner, c, stream="org/a")
    refused(tmp_path, "invalid_stream", a, b, stream="")


@pytest.mark.parametrize(
    ("stream", "name", "code"),
    [
        ("../up", "x", "path_traversal"),
        ("/abs", "x", "invalid_path"),
        ("a//b", "x", "invalid_path"),
        ("a/", "x", "invalid_path"),
        ("C:", "x", "invalid_path"),
        ("https://x.example", "x", "invalid_path"),
        ("a\\b", "x", "invalid_path"),
        ("a\nb", "x", "invalid_path"),
        ("con", "x", "reserved_name"),
        ("acme/NUL.txt", "x", "reserved_name"),
        ("dot.", "x", "invalid_path"),
        ("space ", "x", "invalid_path"),
        ("e\u0301", "x", "path_not_nfc"),
        ("s" * 81, "x", "invalid_path"),
        ("/".join(["s" * 76] * 3), "x", "invalid_path"),
        ("._x", "x", "apple_double"),
    ],
)
def test_a_path_that_its_stream_makes_impossible_is_refused_by_name(
    tmp_path: Path, a: Path, stream: str, name: str, code: str
) -> None:
    odd = made(tmp_path / "odd.epack", stream, {name: b""})
    refused(tmp_path, code, a, odd, where="odd.epack: artifacts/x as ")


def test_paths_are_allowed_up_to_their_last_byte(tmp_path: Path, a: Path) -> None:
    # "artifacts/" and the slash after the stream take 11 bytes of the 240, "x" one.
    longest = "/".join(["s" * 76, "s" * 76, "s" * 74])
    assert len(f"artifacts/{longest}/x") == 240
    fits = made(tmp_path / "fits.epack", longest, {"x": b""})
    merged(tmp_path / "m.epack", a, fits)
    above = made(tmp_path / "above.epack", longest + "s", {"x": b""})
    refused(tmp_path, "invalid_path", a, above)


def test_no_artifact_passes_for_another_streams(tmp_path: Path) -> None:
    inner = made(tmp_path / "i.epack", "acme/prod", {"x": b"true"})
    outer = made(tmp_path / "o.epack", "acme", {"prod/y": b"false"})
    refused(tmp_path, "ambiguous_stream", inner, outer, where="o.epack: artifacts/acme/prod/y")
    cased = made(tmp_path / "d.epack", "acme", {"PROD/y": b"false"})
    refused(tmp_path, "ambiguous_stream", inner, cased)
    same = made(tmp_path / "s.epack", "acme", {"prod/x": b"false"})
    refused(tmp_path, "duplicate_path", inner, same)
    blocking = made(tmp_path / "b.epack", "acme", {"prod": b"a file"})
    refused(tmp_path, "duplicate_path", inner, blocking)
    fine = made(tmp_path / "f.epack", "acme", {"product/y": b"", "y": b""})
    merged(tmp_path / "m.epack", inner, fine)
    assert set(read(tmp_path / "m.epack")[1]) == {
        "artifacts/acme/prod/x",
        "artifacts/acme/product/y",
        "artifacts/acme/y",
    }


def test_a_merged_pack_is_held_to_its_provenance(tmp_path: Path, a: Path, b: Path, c: Path) -> None:
    def lied(name: str, change: Callable[[JSON, dict[str, bytes]], None]) -> Path:
        path = tmp_path / name
        merged(path, a, b, stream="org/inner")
        return rewritten(path, change)

    def other_digest(manifest: JSON, _: dict[str, bytes]) -> None:
        manifest["provenance"]["source_packs"][0]["pack_digest"] = DIGEST

    def moved(manifest: JSON, files: dict[str, bytes]) -> None:
        manifest["artifacts"][0]["path"] = "artifacts/org/b/data2.json"
        files["artifacts/org/b/data2.json"] = files.pop("artifacts/org/a/data.json")

    def foreign(manifest: JSON, files: dict[str, bytes]) -> None:
        manifest["artifacts"][0]["path"] = "artifacts/elsewhere.json"
        files["artifacts/elsewhere.json"] = files.pop("artifacts/org/a/data.json")

    def cased(manifest: JSON, files: dict[str, bytes]) -> None:
        manifest["artifacts"][0]["path"] = "artifacts/org/A/data.json"
        files["artifacts/org/A/data.json"] = files.pop("artifacts/org/a/data.json")

    def removed(manifest: JSON, files: dict[str, bytes]) -> None:
        del files[manifest["artifacts"].pop(0)["path"]]

    def of_c(manifest: JSON, files: dict[str, bytes]) -> None:
        manifest["artifacts"][0]["path"] = "artifacts/org/c/more.json"
        files["artifacts/org/c/more.json"] = files.pop("artifacts/org/a/data.json")

    def twice(manifest: JSON, _: dict[str, bytes]) -> None:
        packs = manifest["provenance"]["source_packs"]
        packs.append(packs[0])

    for change in (other_digest, moved, foreign, cased, removed):
        lie = lied(f"{change.__name__}.epack", change)
        read(lie)  # by itself it is intact
        refused(tmp_path, "provenance_mismatch", c, lie, kind=MalformedEvidence, where=lie.name)
    refused(tmp_path, "ambiguous_stream", c, lied("of_c.epack", of_c))
    refused(tmp_path, "duplicate_stream", c, lied("twice.epack", twice))


def test_what_a_merged_pack_carries_is_held_to_its_source_pack(
    tmp_path: Path, a: Path, b: Path, c: Path
) -> None:
    bundle = json.loads(sandbox_evidence().bundles["v1-tsa-pack"])

    def carried(manifest: JSON, _: dict[str, bytes]) -> None:
        manifest["provenance"]["source_packs"][1]["embedded_attestations"] = [bundle]

    lie = tmp_path / "lie.epack"
    merged(lie, a, b, stream="org/inner")
    rewritten(lie, carried)
    place = "lie.epack: provenance.source_packs[1].embedded_attestations[0]"
    refused(tmp_path, "manifest_digest_mismatch", c, lie, kind=VerificationFailed, where=place)
    del bundle["verificationMaterial"]["tlogEntries"]
    rewritten(lie, carried)
    refused(tmp_path, "missing_tlog_entry", c, lie, kind=MalformedEvidence, where=place)


def _flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    at = data.find(b"from a")
    data[at] ^= 1
    path.write_bytes(data)


def _replaced(path: Path) -> None:
    rewritten(path, lambda _, files: files.update({"artifacts/data.json": b"[]"}), consistent=False)


def _longer(path: Path) -> None:
    rewritten(path, lambda _, files: files.update({"artifacts/data.json": b"{} "}))


def _unlisted(path: Path) -> None:
    rewritten(path, lambda _, files: files.update({"artifacts/more": b""}))


def _missing(path: Path) -> None:
    def change(_: JSON, files: dict[str, bytes]) -> None:
        del files["artifacts/data.json"]

    rewritten(path, change)


def _relabelled(path: Path) -> None:
    def change(manifest: JSON, _: dict[str, bytes]) -> None:
        manifest["pack_digest"] = DIGEST

    rewritten(path, change, consistent=False)


def _unknown(path: Path) -> None:
    rewritten(path, lambda manifest, _: manifest.update(comment="hi"))


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("tamper", "code"),
    [
        (_flipped, "crc_mismatch"),
        (_replaced, "digest_mismatch"),
        (_longer, "size_mismatch"),
        (_unlisted, "extra_artifact_not_in_manifest"),
        (_missing, "missing_embedded_artifact"),
        (_relabelled, "pack_digest_mismatch"),
        (_unknown, "unknown_field"),
        (_truncated, "invalid_zip_format"),
    ],
)
def test_a_tampered_source_is_refused(
    tmp_path: Path, a: Path, b: Path, tamper: Callable[[Path], None], code: str
) -> None:
    tamper(a)
    refused(tmp_path, code, b, a, kind=MalformedEvidence, where="a.epack")


def test_a_wrong_call_is_refused(tmp_path: Path, a: Path, b: Path) -> None:
    refused(tmp_path, "file_not_found", a, tmp_path / "missing.epack", where="missing.epack")
    refused(tmp_path, "unreadable_file", a, tmp_path)
    other = tmp_path / "b.zip"
    other.write_bytes(b.read_bytes())
    refused(tmp_path, "invalid_extension", a, other, kind=MalformedEvidence, where="b.zip")
    refused(tmp_path, "invalid_time", a, b, merged_at=datetime(2026, 1, 1))  # noqa: DTZ001 - the point
    refused(tmp_path, "jcs_invalid", a, b, merged_by="\ud800")
    with pytest.raises(UsageError) as caught:
        merged(tmp_path / "m.zip", a, b)
    assert caught.value.code == "invalid_extension"


def test_an_existing_pack_is_only_replaced_when_asked(tmp_path: Path, a: Path, b: Path) -> None:
    out = tmp_path / "m.epack"
    out.write_bytes(b"precious")
    with pytest.raises(UsageError) as caught:
        merged(out, a, b)
    assert caught.value.code == "file_exists"
    assert out.read_bytes() == b"precious"
    merged(out, a, b, replace=True)
    assert set(read(out)[1]) > {"artifacts/org/b/data.json"}
    before = a.read_bytes()
    with pytest.raises(UsageError) as caught:
        merged(a, a, b, replace=True)
    assert caught.value.code == "output_inside_input"
    assert a.read_bytes() == before


def test_limits_hold_for_the_whole(tmp_path: Path) -> None:
    large = [
        made(tmp_path / f"{n}.epack", n, {"x": bytes(900_000), "y": bytes(900_000)})
        for n in "abcdef"
    ]
    refused(tmp_path, "pack_too_large", *large, limits=Limits(max_pack_bytes=10_485_760))
    many = [made(tmp_path / f"many{n}.epack", n, {f"{i}": b"" for i in range(51)}) for n in "ab"]
    refused(tmp_path, "too_many_artifacts", *many, limits=Limits(max_artifacts=100))
