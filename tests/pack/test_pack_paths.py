from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest.errors import MalformedEvidence
from attest.pack.paths import (
    _PLAIN,
    MAX_PATH_BYTES,
    _check_by_rule,
    check_path,
    windows_canonical,
)

TWO = "é"  # two bytes of UTF-8


@pytest.mark.parametrize(
    "path",
    [
        "a",
        "a" * 80,
        TWO * 40,
        "/".join(["a" * 59] * 4),
        "/".join(["a" * 59] * 3 + ["a" * 60]),
        "artifacts/安全/报告.json",
        "artifacts/%2F..%2Fetc",
        "artifacts/.hidden",
        "artifacts/..a",
        "artifacts/a..b",
        "artifacts/ leading space",
        "artifacts/config.json",
        "artifacts/com0",
        "artifacts/com10.txt",
        "artifacts/con_.txt",
        "artifacts/icon",
        "artifacts/ﬁle",
        "artifacts/\U0001f512.txt",
        "artifacts/_.DS_Store",
    ],
)
def test_a_path_that_means_the_same_everywhere_is_allowed(path: str) -> None:
    check_path(path)


@pytest.mark.parametrize(
    ("path", "code", "rule"),
    [
        ("", "invalid_path", "R-016"),
        ("\udc80", "invalid_path", "R-009"),
        ("a\x00b", "invalid_path", "R-010"),
        ("a\x1fb", "invalid_path", "R-010"),
        ("a\x7fb", "invalid_path", "R-010"),
        ("a\tb", "invalid_path", "R-010"),
        ("a\\b", "invalid_path", "R-010"),
        ("/a", "invalid_path", "R-017"),
        ("//server/share", "invalid_path", "R-017"),
        ("c:a", "invalid_path", "R-017"),
        ("C:/a", "invalid_path", "R-017"),
        ("a/b:stream", "invalid_path", "R-017"),
        ("a//b", "invalid_path", "R-016"),
        ("a/", "invalid_path", "R-016"),
        ("a/./b", "invalid_path", "R-016"),
        ("..", "path_traversal", "R-016"),
        ("a/..", "path_traversal", "R-016"),
        ("a/../b", "path_traversal", "R-016"),
        ("/".join(["a" * 59] * 3 + ["a" * 61]), "invalid_path", "R-018"),
        ("a" * 81, "invalid_path", "R-019"),
        (TWO * 40 + "a", "invalid_path", "R-019"),
        ("b/" + "a" * 81 + "/c", "invalid_path", "R-019"),
        ("a.", "invalid_path", "R-020a"),
        ("a ", "invalid_path", "R-020a"),
        ("a./b", "invalid_path", "R-020a"),
        ("a/...", "invalid_path", "R-020a"),
        ("cafe\u0301", "path_not_nfc", "R-014"),
        ("\u2126", "path_not_nfc", "R-014"),
        ("con", "reserved_name", "R-020"),
        ("a/NUL", "reserved_name", "R-020"),
        ("Aux.tar.gz", "reserved_name", "R-020"),
        ("com1/a", "reserved_name", "R-020"),
        ("lpt9.txt", "reserved_name", "R-020"),
        ("con .txt", "reserved_name", "R-020"),
        ("com¹.txt", "reserved_name", "R-020"),
        ("._a", "apple_double", "R-057"),
        ("__MACOSX/a", "apple_double", "R-057"),
        ("a/.DS_Store", "apple_metadata", "R-057"),
    ],
)
def test_a_path_that_does_not_is_refused(path: str, code: str, rule: str) -> None:
    with pytest.raises(MalformedEvidence) as caught:
        check_path(path)
    assert (caught.value.code, caught.value.rule) == (code, rule)


@pytest.mark.parametrize("name", ["con", "prn", "aux", "nul"])
@pytest.mark.parametrize("suffix", ["", ".txt", "/x"])
def test_every_device_name_is_refused_in_every_place(name: str, suffix: str) -> None:
    for spelled in (name, name.upper(), name.title()):
        with pytest.raises(MalformedEvidence) as caught:
            check_path(f"artifacts/{spelled}{suffix}")
        assert caught.value.code == "reserved_name"


def test_every_numbered_device_name_is_refused() -> None:
    for port in ("com", "lpt"):
        for number in range(1, 10):
            with pytest.raises(MalformedEvidence) as caught:
                check_path(f"{port}{number}.log")
            assert caught.value.code == "reserved_name"


@pytest.mark.parametrize(
    ("path", "canonical"),
    [("A/B", "a/b"), ("a./b ", "a/b"), ("a. ./b", "a/b"), ("a.b/C d", "a.b/c d"), ("Ä", "ä")],
)
def test_windows_canonical_form(path: str, canonical: str) -> None:
    assert windows_canonical(path) == canonical


def _by_rule(path: str) -> bool:
    try:
        _check_by_rule(path, path)
    except MalformedEvidence:
        return False
    return True


@given(st.from_regex(_PLAIN, fullmatch=True))
def test_what_is_taken_as_plain_breaks_no_rule(path: str) -> None:
    assert len(path) > MAX_PATH_BYTES or _by_rule(path)


def test_no_short_path_is_plain_that_breaks_a_rule() -> None:
    words = ["", "a", "Z9", ".", "-", "_", " ", "/", "con", "COM1", "lpt0", "nul", "x" * 79, "é"]
    for parts in product(words, repeat=4):
        path = "".join(parts)
        assert not _PLAIN.fullmatch(path) or _by_rule(path), path
    for path in (
        "a\n",
        "a/",
        "a/b\n",
        "con",
        "con.txt",
        "b/NUL.tar.gz",
        "x" * 81,
        "\u212a",
        "a.b.",
    ):
        assert not _PLAIN.fullmatch(path), path
