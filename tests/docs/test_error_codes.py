"""`docs/errors.md` lists every error code of the source, no other, each under a class it has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from attest import errors
from tests.docs.error_codes import CLASSES, scan, scan_package

PAGE = Path(__file__).resolve().parents[2] / "docs" / "errors.md"
CODE = re.compile(r"`([a-z0-9_]+)`")


def documented() -> list[tuple[str, str]]:
    """Pairs of section and code, in the order of the page; a code stands before the colon."""
    pairs: list[tuple[str, str]] = []
    section, entry = "", False
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            section = line.lstrip("# ")
        # An entry of several codes may run over lines until its colon.
        entry = line.startswith("- ") or (entry and line.startswith("  "))
        if entry:
            head, colon, _ = line.partition(":")
            pairs += [(section, code) for code in CODE.findall(head)]
            entry = not colon
    return pairs


def test_the_page_lists_every_code_and_no_other() -> None:
    found = scan_package()
    assert found.unreadable == []
    page = {code for _, code in documented()}
    assert sorted(found.codes.keys() - page) == []
    assert sorted(page - found.codes.keys()) == []


def test_every_code_stands_once() -> None:
    codes = [code for _, code in documented()]
    assert sorted({code for code in codes if codes.count(code) > 1}) == []


def test_every_code_stands_under_a_class_that_carries_it() -> None:
    found = scan_package().codes
    wrong = {
        code: section
        for section, code in documented()
        if found.get(code) and section not in found[code]
    }
    assert wrong == {}


def test_every_class_stands_under_its_exit_code() -> None:
    exits: dict[str, int] = {}
    number = 0
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if match := re.match(r"## Exit (\d)", line):
            number = int(match[1])
        elif line.startswith("### "):
            exits[line.removeprefix("### ")] = number
    expected = {name: getattr(errors, name).exit_code for name in CLASSES if name != "AttestError"}
    assert exits == expected


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("raise UsageError('a_code', 'x')", "a_code"),
        ("raise errors.UsageError(code='a_code', message='x')", "a_code"),
        ("_CODE = 'a_code'\nraise UsageError(_CODE, 'x')", "a_code"),
        ("raise UsageError(error.code or 'a_code', 'x')", "a_code"),
        ("code = 'a_code' if x else 'b'\nraise UsageError(code, 'x')", "a_code"),
        ("for code, n in (('a_code', 1), ('b', 2)):\n    raise UsageError(code, 'x')", "a_code"),
        ("def bad(code):\n    raise UsageError(code, 'x')\nbad('a_code')", "a_code"),
        ("class E:\n    def __init__(self, code): ...\nE('a_code')", "a_code"),
        ("def _code() -> str:\n    return 'a_code'", "a_code"),
        ("def _code() -> str:\n    return 'b_code' if x else 'a_code'", "a_code"),
    ],
)
def test_the_scan_finds_a_code(source: str, code: str) -> None:
    found = scan({"m.py": source})
    assert code in found.codes
    assert found.unreadable == []


@pytest.mark.parametrize("argument", ["f'a_{x}'", "unknown", "choose()", "'a' + 'b'", "table['a']"])
def test_the_scan_reports_what_it_cannot_read(argument: str) -> None:
    assert scan({"m.py": f"raise UsageError({argument}, 'x')"}).unreadable


def test_the_scan_names_the_class_that_carries_a_code() -> None:
    source = "def bad(code):\n    raise TrustError(code, 'x')\nbad('a')\nraise UsageError('b', 'x')"
    assert scan({"m.py": source}).codes == {"a": {"TrustError"}, "b": {"UsageError"}}
