from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from attest.api.diff import Compared, diff
from attest.errors import AttestError, MalformedEvidence, UsageError
from attest.pack import lines as lines_module
from attest.pack.diff import PackDiff
from attest.pack.lines import MAX_LINES, MAX_SHOWN, MAX_TEXT_BYTES
from tests.pack.merging import made
from tests.pack.test_extract import NOT_INTACT, contents, written
from tests.pack.zipbytes import GOOD, LOG, REPORT, Item, Zip, manifest, manifest_item, with_more

FILES = {"artifacts/report.json": REPORT, "artifacts/log.txt": LOG}


def archive(path: Path, *more: Item, **changes: object) -> Path:
    """The good pack with changed manifest fields and more entries."""
    value = manifest(FILES) | changes
    path.write_bytes(Zip(items=(manifest_item(value), *GOOD.items[1:], *more)).build())
    return path


def artifacts(**fields: object) -> list[object]:
    """The good pack's artifacts, the first with more fields."""
    listed = manifest(FILES)["artifacts"]
    assert isinstance(listed, list)
    return [listed[0] | fields, *listed[1:]]


def attestation(name: str, content: bytes = b"{}") -> Item:
    return Item(name=f"attestations/{name}.sigstore.json".encode(), content=content)


def shape(it: PackDiff) -> dict[str, object]:
    """What was found, in the form that these tests write down."""
    found: dict[str, object] = {
        "added": [item.path.removeprefix("artifacts/") for item in it.added],
        "removed": [item.path.removeprefix("artifacts/") for item in it.removed],
        "changed": [pair.after.path.removeprefix("artifacts/") for pair in it.changed],
        "moved": [
            tuple(side.path.removeprefix("artifacts/") for side in (pair.before, pair.after))
            for pair in it.moved
        ],
        "fields": [(item.field, item.how, item.before, item.after) for item in it.fields],
        "attestations": [(item.name, item.how) for item in it.attestations],
        "reordered": it.reordered,
    }
    return {key: value for key, value in found.items() if value}


def compared(tmp_path: Path, old: dict[str, bytes], new: dict[str, bytes]) -> Compared:
    return diff(made(tmp_path / "a.epack", "s", old), made(tmp_path / "b.epack", "s", new))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"a": b"1"}, {"a": b"1"}, {}),
        ({}, {"a": b"1"}, {"added": ["a"]}),
        ({"a": b"1"}, {}, {"removed": ["a"]}),
        ({"a": b"1"}, {"a": b"2"}, {"changed": ["a"]}),
        ({"a": b"1"}, {"b": b"1"}, {"moved": [("a", "b")]}),
        ({"a": b"1", "b": b"2"}, {"a": b"2", "b": b"1"}, {"changed": ["a", "b"]}),
        ({"a": b"1"}, {"a": b"1", "b": b"1"}, {"added": ["b"]}),
        ({"a": b"1", "b": b"1"}, {"c": b"1"}, {"moved": [("a", "c")], "removed": ["b"]}),
        ({"a": b"1"}, {"b": b"1", "c": b"1"}, {"moved": [("a", "b")], "added": ["c"]}),
        ({"a": b"1", "b": b"2"}, {"a": b"2", "c": b"1"},
         {"changed": ["a"], "removed": ["b"], "added": ["c"]}),
        ({"a": b""}, {"b": b""}, {"moved": [("a", "b")]}),
    ],
)  # fmt: skip
def test_artifacts(
    tmp_path: Path, old: dict[str, bytes], new: dict[str, bytes], expected: dict[str, object]
) -> None:
    found = compared(tmp_path, old, new)
    assert shape(found.difference) == expected
    assert found.same == (not expected)
    assert found.texts is None


PROVENANCE = {"type": "original"}
FIELDS: dict[str, tuple[dict[str, object], dict[str, object], list[tuple[object, ...]]]] = {
    "stream": ({}, {"stream": "x"}, [("stream", "changed", "acme/prod", "x")]),
    "time": (
        {},
        {"generated_at": "2026-01-20T15:30:01Z"},
        [("generated_at", "changed", "2026-01-20T15:30:00Z", "2026-01-20T15:30:01Z")],
    ),
    "source": (
        {"sources": [{"name": "a", "version": "1"}]},
        {"sources": [{"name": "a", "version": "2"}, {"name": "b"}]},
        [("sources[0].version", "changed", "1", "2"), ("sources[1]", "added", None, {"name": "b"})],
    ),
    "profile": ({"profile": "p"}, {}, [("profile", "removed", "p", None)]),
    "overlays": (
        {"overlays": ["a"]},
        {"overlays": ["b"]},
        [("overlays[0]", "changed", "a", "b")],
    ),
    "metadata": (
        {"artifacts": artifacts(metadata={"n": 1, "deep": {"x": [1]}})},
        {"artifacts": artifacts(metadata={"n": True, "deep": {"x": [1, None]}})},
        [
            ("artifacts[artifacts/report.json].metadata.deep.x[1]", "added", None, None),
            ("artifacts[artifacts/report.json].metadata.n", "changed", 1, True),
        ],
    ),
    "content type": (
        {},
        {"artifacts": artifacts(content_type="text/plain")},
        [("artifacts[artifacts/report.json].content_type", "added", None, "text/plain")],
    ),
    "reference": (
        {},
        {
            "artifacts": [
                *artifacts(),
                {
                    "type": "reference",
                    "name": "r",
                    "uri": "https://a.example/r",
                    "access": {"policy": "public"},
                },
            ]
        },
        [
            (
                "references[0]",
                "added",
                None,
                {
                    "type": "reference",
                    "name": "r",
                    "uri": "https://a.example/r",
                    "access": {"policy": "public"},
                },
            )
        ],
    ),
}


@pytest.mark.parametrize("name", FIELDS)
def test_manifest_fields(tmp_path: Path, name: str) -> None:
    old, new, expected = FIELDS[name]
    first = archive(tmp_path / "a.epack", **old)
    second = archive(tmp_path / "b.epack", **new)
    found = diff(first, second)
    assert shape(found.difference) == {"fields": expected}
    # True is not 1, though Python takes them for equal.
    assert repr(shape(found.difference)["fields"]) == repr(expected)
    assert not found.same
    assert not diff(second, first).same


def test_fields_of_a_moved_artifact_are_compared(tmp_path: Path) -> None:
    first = made(tmp_path / "a.epack", "s", {"x.txt": b"1"})
    second = made(tmp_path / "b.epack", "s", {"x.json": b"1"})
    assert shape(diff(first, second).difference) == {
        "moved": [("x.txt", "x.json")],
        "fields": [
            (
                "artifacts[artifacts/x.json].content_type",
                "changed",
                "text/plain",
                "application/json",
            )
        ],
    }


def test_another_order_is_a_difference(tmp_path: Path) -> None:
    first = archive(tmp_path / "a.epack")
    second = archive(tmp_path / "b.epack", artifacts=artifacts()[::-1])
    found = diff(first, second)
    assert shape(found.difference) == {"reordered": True}
    assert not found.same


def test_another_spelling_of_the_same_is_none(tmp_path: Path) -> None:
    first = archive(tmp_path / "a.epack")
    value = json.dumps(manifest(FILES), indent=3, sort_keys=True).replace(": 20,", ": 2.0e1,")
    second = tmp_path / "b.epack"
    items = (manifest_item(value.encode()), replace(GOOD.items[2], method=0), GOOD.items[1])
    second.write_bytes(Zip(items=items, comment=b"by hand").build())
    assert diff(first, second).same


def test_attestations_are_compared_by_name_and_bytes(tmp_path: Path) -> None:
    first = written(tmp_path, with_more(attestation("a"), attestation("b"), attestation("c")))
    second = tmp_path / "b.epack"
    second.write_bytes(
        with_more(attestation("b"), attestation("c", b"[]"), attestation("d")).build()
    )
    found = diff(first, second)
    assert shape(found.difference) == {
        "attestations": [
            ("attestations/a.sigstore.json", "removed"),
            ("attestations/c.sigstore.json", "changed"),
            ("attestations/d.sigstore.json", "added"),
        ]
    }
    assert not found.same


@pytest.mark.parametrize("code", NOT_INTACT)
@pytest.mark.parametrize("bad_first", [True, False], ids=["first", "second"])
def test_a_pack_that_is_not_intact_is_not_compared(
    tmp_path: Path, code: str, bad_first: object
) -> None:
    good = archive(tmp_path / "good.epack")
    bad = written(tmp_path, NOT_INTACT[code])
    pair = (bad, good) if bad_first else (good, bad)
    with pytest.raises(AttestError) as caught:
        diff(*pair)
    assert (type(caught.value), caught.value.code) == (MalformedEvidence, code)
    assert str(caught.value.where).startswith(f"{bad}: ")


def test_a_pack_that_cannot_be_read_is_no_verdict(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        diff(archive(tmp_path / "good.epack"), tmp_path / "missing.epack")
    assert caught.value.code == "file_not_found"


SLOW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
#: Few contents, so that moves and copies are common.
few = contents.map(lambda files: {name: data[:1] for name, data in files.items()})


@SLOW
@given(old=few, new=few)
def test_swapping_the_packs_swaps_the_answer(old: dict[str, bytes], new: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as place:
        first = made(Path(place) / "a.epack", "s", old)
        second = made(Path(place) / "b.epack", "t", new)
        there, back = diff(first, second).difference, diff(second, first).difference
        for pack in (first, second):
            assert diff(pack, pack).same
            assert shape(diff(pack, pack).difference) == {}
    assert (there.added, there.removed) == (back.removed, back.added)
    assert {(p.before, p.after) for p in there.changed} == {
        (p.after, p.before) for p in back.changed
    }
    assert {(p.before, p.after) for p in there.moved} == {(p.after, p.before) for p in back.moved}
    assert len(there.fields) == len(back.fields)
    # The answer makes the one list of artifacts out of the other.
    listed = {f"artifacts/{name}" for name in old}
    listed -= {i.path for i in there.removed} | {p.before.path for p in there.moved}
    listed |= {i.path for i in there.added} | {p.after.path for p in there.moved}
    assert listed == {f"artifacts/{name}" for name in new}


def lines_of(tmp_path: Path, old: bytes, new: bytes) -> tuple[list[str], str | None]:
    first = made(tmp_path / "a.epack", "s", {"x": old})
    second = made(tmp_path / "b.epack", "s", {"x": new})
    (text,) = diff(first, second, text=True).texts or ()
    assert text.path == "artifacts/x"
    return list(text.lines), text.left_out


numbers = [f"{n}\n" for n in range(30)]


@pytest.mark.skipif(shutil.which("patch") is None, reason="patch is not installed")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a\nb\nc\n", "a\nB\nc\n"),
        ("a\nb", "a\nb\n"),
        ("", "a\n"),
        ("a\n", ""),
        ("a", "b"),
        ("a\r\nb\r\n", "a\nb\n"),
        ("".join(numbers), "".join([*numbers[:10], "new\n", *numbers[12:]])),
        ("".join(numbers), "".join(["first\n", *numbers, "last\n"])),
        ("".join(numbers * 2), "".join(numbers * 3)),
        ("a\x0bb\u2028c\n", "a\x0bb\n\u2028c\n"),
    ],
)
def test_lines_are_those_that_patch_needs(tmp_path: Path, old: str, new: str) -> None:
    found, left_out = lines_of(tmp_path, old.encode(), new.encode())
    assert left_out is None
    (tmp_path / "x").write_bytes(old.encode())
    patch = "--- x\n+++ x\n" + "".join(f"{line}\n" for line in found)
    done = subprocess.run(
        ["patch", "--binary", "--fuzz=0", "-E", "x"],
        input=patch.encode(),
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    result = (tmp_path / "x").read_bytes() if (tmp_path / "x").exists() else b""
    assert result == new.encode()


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"a\n", b"\xff\n", "binary"),
        (b"a\0b", b"a\n", "binary"),
        (b"a\n", b"\xed\xa0\x80", "binary"),
        (b"", b"a" * (MAX_TEXT_BYTES + 1), "too_large"),
        (b"", b"a\n" * (MAX_LINES + 1), "too_many_lines"),
    ],
)
def test_what_cannot_be_shown_as_lines_says_so(
    tmp_path: Path, old: bytes, new: bytes, reason: str
) -> None:
    for pair in ((old, new), (new, old)):
        assert lines_of(tmp_path, *pair) == ([], reason)
        for name in ("a.in", "b.in"):
            (tmp_path / name / "x").unlink()
        for name in ("a.epack", "b.epack"):
            (tmp_path / name).unlink()


def test_a_long_difference_is_cut(tmp_path: Path) -> None:
    found, left_out = lines_of(tmp_path, b"", b"a\n" * MAX_LINES)
    assert (len(found), left_out) == (MAX_SHOWN, "too_many_lines")


def test_a_small_change_in_a_long_text_is_shown(tmp_path: Path) -> None:
    old = b"".join(b"%d\n" % n for n in range(50_000))
    found, left_out = lines_of(tmp_path, old, old.replace(b"\n25000\n", b"\nchanged\n"))
    assert left_out is None
    assert [line for line in found if line[0] in "+-"] == ["-25000", "+changed"]
    assert found[0] == "@@ -24998,7 +24998,7 @@"


def test_all_texts_together_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines_module, "MAX_LINES_IN_ALL", 5)
    first = made(tmp_path / "a.epack", "s", {"x": b"", "y": b"", "z": b""})
    second = made(tmp_path / "b.epack", "s", {"x": b"1\n" * 3, "y": b"1\n" * 3, "z": b"1\n"})
    texts = diff(first, second, text=True).texts or ()
    assert [text.left_out for text in texts] == [None, "too_many_lines", None]


def test_long_lines_of_all_texts_together_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines_module, "MAX_SHOWN_IN_ALL", 300)
    first = made(tmp_path / "a.epack", "s", {"x": b"", "y": b"", "z": b""})
    second = made(tmp_path / "b.epack", "s", {"x": b"1" * 200, "y": b"1" * 200, "z": b"1\n"})
    texts = diff(first, second, text=True).texts or ()
    assert [(text.left_out, bool(text.lines)) for text in texts] == [
        (None, True),
        ("too_large", False),
        (None, True),
    ]
