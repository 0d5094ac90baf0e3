"""What folders and lists name: nothing twice, nothing lost, nothing endless."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from attest.cli.verify_targets import Targets

BUNDLE = ".sigstore.json"


def names(*words: str, stdin: bytes = b"") -> list[str]:
    """Names of the targets; what stands in the place of one is its code."""
    found = Targets(words=words, stdin=io.BytesIO(stdin))
    return [item.error.code if item.error else item.name for item in found]


def touch(folder: Path, *paths: str) -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_folder_has_packs_and_signed_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    touch(
        tmp_path, "b.epack", "B.EPACK", "a/z.epack", "a.txt", f"a.txt{BUNDLE}", "note", ".x.epack"
    )
    assert names(".") == [".x.epack", "B.EPACK", "a/z.epack", "a.txt", "b.epack"]


def test_a_pack_with_a_bundle_beside_it_is_one_target(tmp_path: Path) -> None:
    touch(tmp_path, "in/a.epack", f"in/a.epack{BUNDLE}")
    assert names("in") == [str(Path("in/a.epack"))]


def test_a_signed_bundle_is_a_target_and_so_is_a_file_that_has_gone(tmp_path: Path) -> None:
    touch(tmp_path, f"in/a{BUNDLE}", f"in/a{BUNDLE}{BUNDLE}", f"in/{BUNDLE}")
    found = Targets(words=["in"], stdin=None)
    assert [item.name for item in found] == [str(Path(f"in/a{BUNDLE}"))]
    assert found.unsigned == 1
    (tmp_path / f"in/a{BUNDLE}{BUNDLE}").unlink()
    assert names("in") == [str(Path("in/a"))]


def test_a_folder_is_looked_through_whatever_lies_beside_it(tmp_path: Path) -> None:
    touch(tmp_path, "in/a/x.epack", f"in/a{BUNDLE}", "in/b.epack/y.epack")
    assert names("in") == [str(Path("in/a/x.epack")), str(Path("in/b.epack/y.epack"))]


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_links_lead_nowhere_again(tmp_path: Path) -> None:
    touch(tmp_path, "in/a.epack")
    (tmp_path / "in" / "again").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "b.epack").symlink_to(tmp_path / "in" / "a.epack")
    assert names("in") == ["in/a.epack", "in/b.epack"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_patterns_end_where_links_lead_round(tmp_path: Path) -> None:
    touch(tmp_path, "in/a.epack", "in/sub/b.epack", "in/.hidden/c.epack")
    for name in "xy":  # one round more for each of them, up to 40 deep
        (tmp_path / "in" / name).symlink_to(tmp_path / "in")
    assert names("in/**/*.epack") == ["in/a.epack", "in/sub/b.epack"]
    assert names("in/**") == ["in/a.epack", "in/sub/b.epack"]
    assert names("**/*.epack") == ["in/a.epack", "in/sub/b.epack"]
    assert names("**/s*/**/*") == ["in/sub/b.epack"]
    assert names(f"{tmp_path}/**/[a]*") == [f"{tmp_path}/in/a.epack"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("in/*", ["in/a.txt", "in/b.txt"]),
        ("in/**", ["in/a.txt", "in/b.txt"]),
        (f"in/*{BUNDLE}", [f"in/a.txt{BUNDLE}"]),
    ],
)
def test_signing_a_pattern_again_does_not_sign_what_signing_made(
    tmp_path: Path, pattern: str, found: list[str]
) -> None:
    touch(tmp_path, "in/a.txt", f"in/a.txt{BUNDLE}", "in/b.txt", "in/b.txt.pending.json")
    targets = Targets(words=[pattern], stdin=None, to_sign=True)
    assert [item.name for item in targets] == [str(Path(name)) for name in found]


@pytest.mark.parametrize("pattern", ["in/**", "in/**/*.epack", "in/**/**/*.epack"])
def test_a_pattern_loses_no_folder_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    touch(tmp_path, "in/a.epack", "in/b/c.epack")
    scan = os.scandir

    def closed(path: str) -> object:
        if Path(path).name == "b":
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", closed)
    assert names(pattern) == [str(Path("in/a.epack")), "unreadable_file"]


@pytest.mark.skipif(sys.platform == "win32", reason="paths end earlier on Windows")
def test_a_folder_may_be_deeper_than_functions_may_call_each_other() -> None:
    deepest = Path(*"d" * (sys.getrecursionlimit() + 100))
    for folder in reversed((deepest, *deepest.parents)):
        folder.mkdir(exist_ok=True)
    try:
        (deepest / "x.epack").touch()
        found = names("d")
    finally:
        (deepest / "x.epack").unlink()
        os.removedirs(deepest)  # as pytest itself could not
    assert len(found) == 1
    assert found[0].endswith("/x.epack")


def test_a_folder_that_cannot_be_read_is_told_of(tmp_path: Path) -> None:
    touch(tmp_path, "in/a.epack", "in/b/c.epack", "in/d.epack")
    targets = iter(Targets(words=["in"], stdin=None))
    next(targets)
    (tmp_path / "in/b/c.epack").unlink()
    (tmp_path / "in/b").rmdir()  # after it was seen, before it is entered
    gone, last = targets
    assert (gone.name, last.name) == (str(Path("in/b")), str(Path("in/d.epack")))
    assert gone.error is not None
    assert gone.error.code == "unreadable_file"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"a\nb\n", ["a", "b"]),
        (b"a\r\n\r\n\nb", ["a", "b"]),
        (b"\xef\xbb\xbfa\n", ["a"]),
        (b" a b \n", [" a b "]),
        (b"a\na\n", ["a", "a"]),
        (b"-\n@a\n*\n", ["-", "@a", "*"]),
        (b"caf\xc3\xa9\n", ["café"]),
        (b"", ["nothing_to_verify"]),
        (b"\n\r\n", ["nothing_to_verify"]),
        (b"a\0b\0", ["invalid_list"]),
        (b"a\nb\0\nc\n", ["a", "invalid_list"]),
        ("a\n".encode("utf-16"), ["invalid_list"]),
        (b"x" * 40_000, ["invalid_list"]),
    ],
)
def test_a_list_has_one_target_a_line(tmp_path: Path, text: bytes, expected: list[str]) -> None:
    assert names("-", stdin=text) == expected
    (tmp_path / "list").write_bytes(text)
    assert names("@list") == expected


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are Unicode there")
def test_a_name_that_is_no_text_is_found_again(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/\xff.epack"
    Path(os.fsdecode(raw)).touch()
    (listed,) = names("-", stdin=raw + b"\n")
    assert os.fsencode(listed) == raw


def test_a_list_is_read_no_further_than_it_is_used() -> None:
    stream = io.BytesIO(b"a\n" * 10)
    targets = iter(Targets(words=["-"], stdin=stream))
    next(targets)
    assert stream.tell() == 2


@pytest.mark.parametrize("word", ["@missing", "@"])
def test_a_list_that_cannot_be_read_leaves_the_others(word: str) -> None:
    assert names(word, "a", "-", stdin=b"b\n") == ["file_not_found", "a", "b"]
    assert names("@.") == ["unreadable_file"]


def test_without_standard_input_there_is_no_list() -> None:
    (item,) = Targets(words=["-"], stdin=None)
    assert item.error is not None
    assert item.error.code == "unreadable_file"


@pytest.mark.parametrize("word", ["sha256:" + "0" * 64, "a.epack", "./-", "./@a", "gone"])
def test_what_names_itself_stands_alone(word: str) -> None:
    alone = Targets(words=[word], stdin=None).alone()
    assert alone is not None
    assert alone.name == word


@pytest.mark.parametrize("word", ["-", "@a", ".", "*.epack", "[a]"])
def test_what_may_name_several_does_not(word: str) -> None:
    assert Targets(words=[word], stdin=None).alone() is None
    assert Targets(words=["a", "b"], stdin=None).alone() is None
