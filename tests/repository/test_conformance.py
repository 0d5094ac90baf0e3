"""`docs/conformance.md` names every rule once, and nothing that is not there."""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.conformance.run import CONTRADICTIONS

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "conformance.md"
LETTERED = {20: "a", 27: "a", 28: "abcdef", 34: "a", 41: "abcde",
            62: "a", 68: "abcde", 76: "ab", 88: "abcdefg"}  # fmt: skip
#: The document has these with letters only, and nothing of the last four.
LETTERS_ONLY = {63: "a", 64: "a", 65: "abcde", 66: "", 81: "", 82: "", 83: ""}
RULES = [
    f"R-{number:03}{letter}"
    for number in range(1, 92)
    for letter in LETTERS_ONLY.get(number, ("", *LETTERED.get(number, "")))
]
#: Rules that allow, forbid to look, or advise, so that there is nothing that they reject.
ONE_SIDED = {"R-003", "R-023", "R-028a", "R-056", "R-091"}
NOT_YET = "not yet"


def rows(text: str) -> list[list[str]]:
    """The cells of the rows that start with a rule."""
    lines = [line for line in text.splitlines() if line.startswith("| R-")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


TABLE = rows(PAGE.read_text(encoding="utf-8"))
BUILT = [row for row in TABLE if row[2] != NOT_YET]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_every_rule_is_there_once_in_order() -> None:
    assert [row[0] for row in TABLE] == RULES


@pytest.mark.parametrize("row", TABLE, ids=[row[0] for row in TABLE])
def test_a_rule_is_whole_or_plainly_missing(row: list[str]) -> None:
    rule, what, functions, accepts, rejects = row
    assert what
    if functions == NOT_YET:
        assert accepts == rejects == NOT_YET
        return
    assert names(functions)
    assert names(accepts)
    assert names(rejects) if rule not in ONE_SIDED else rejects == "nothing to reject"


def test_the_rules_are_those_of_the_document() -> None:
    documents = sorted((ROOT.parent / "shared" / "seeds").glob("002_*.txt"))
    if not documents:
        pytest.skip("the document is not beside the project")
    text = documents[0].read_text(encoding="utf-8")
    found = [line.split()[0] for line in text.splitlines() if re.match(r"R-\d{3}[a-z]? ", line)]
    assert set(found) == set(RULES)


def enforcer(name: str) -> object:
    """The function, method or class of a full name."""
    parts = name.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            found = getattr(found, part)
        return found
    raise ModuleNotFoundError(name)


def covers(text: str, rule: str) -> bool:
    """Whether a text names a rule, alone or within `R-004 to R-008`."""
    if re.search(rf"{rule}(?![0-9a-z])", text):
        return True
    spans = re.findall(r"(R-\d{3}[a-z]?) to (R-\d{3}[a-z]?)", re.sub(r"\s+", " ", text))
    return any(first <= rule <= last for first, last in spans)


@pytest.mark.parametrize("row", BUILT, ids=[row[0] for row in BUILT])
def test_what_enforces_a_rule_exists_and_names_it(row: list[str]) -> None:
    for name in names(row[2]):
        found = enforcer(name)
        assert inspect.isfunction(found) or inspect.isclass(found)
        assert covers(inspect.getsource(found), row[0]), f"{name} does not name {row[0]}"


@cache
def collected() -> frozenset[str]:
    """Every test as `file::function[case]` and `file::function`."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "", "-p", "no:xdist",
         "-p", "no:cacheprovider", "tests/pack", "tests/core", "tests/conformance", "tests/cli",
         "tests/engine", "tests/signing"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = {Path(line.split("::")[0]).stem + "::" + line.split("::", 1)[1]
             for line in done.stdout.splitlines() if "::" in line}  # fmt: skip
    return frozenset(found | {item.split("[")[0] for item in found})


@pytest.mark.parametrize("row", BUILT, ids=[row[0] for row in BUILT])
def test_what_proves_a_rule_is_run(row: list[str]) -> None:
    missing = {name for cell in row[3:] for name in names(cell)} - collected()
    assert missing == set()


def test_contradictions_are_listed_as_the_runner_has_them() -> None:
    text = PAGE.read_text(encoding="utf-8")
    part = text[text.index("### Vectors and document disagree") : text.index("### The document")]
    listed = {re.sub(r"\s+", " ", name) for name in names(part)}
    assert set(CONTRADICTIONS) == {name for name in listed if ".json: " in name}


@pytest.mark.parametrize(
    ("text", "covered"),
    [("R-004", True), ("R-002 to R-008", True), ("R-004a", False), ("R-0044", False),
     ("R-005 to R-008", False), ("R-001 to R-003", False), ("", False)],
)  # fmt: skip
def test_the_check_of_names_can_fail(text: str, covered: bool) -> None:  # noqa: FBT001 - a row
    assert covers(text, "R-004") == covered
