"""Rules that every tracked file keeps: size, reasons, nothing of one machine."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Spelled in pieces, so that this file does not break its own rule.
HOSTS = ["pypi" + ".org", "python" + "hosted.org", "registry." + "npmjs.org", "crates" + ".io"]
MACHINE = ["/ro" + "ot/", "/ho" + "me/", "/Us" + "ers/", "/wo" + "rk/main", "/tm" + "p/v/"]


def tracked() -> list[Path]:
    """The tracked text files; in a tree without git, every file but the tools' own folders."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode == 0 and listed.stdout:
        paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:
        paths = [
            path
            for path in ROOT.rglob("*")
            if path.is_file() and not any(p.startswith(".") for p in path.relative_to(ROOT).parts)
        ]
    return [path for path in paths if path.is_file()]


def python_files() -> list[Path]:
    return [
        path for folder in ("attest", "tests", "bench") for path in (ROOT / folder).rglob("*.py")
    ]


def text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


MARKER = "# type: " + "ignore"


def unreasoned_ignores(text: str) -> list[str]:
    """Every ignored type error without its name, or without a reason behind it or above it."""
    named = re.compile(MARKER + r"\[[a-z, -]+\](  # \S+ \S+)?")
    faults, above = [], ""
    for line in text.splitlines():
        if MARKER in line:
            found = named.search(line)
            if not found or not (found[1] or above.strip().startswith("# ")):
                faults.append(line)
        above = line
    return faults


def test_there_are_files_to_judge() -> None:
    assert len(tracked()) > 20
    assert len(python_files()) > 20


def test_no_file_is_longer_than_a_reader_keeps_in_mind() -> None:
    lengths = {path: text_of(path).count("\n") for path in python_files()}
    assert {str(path): length for path, length in lengths.items() if length > 400} == {}


@pytest.mark.parametrize("words", HOSTS + MACHINE)
def test_no_file_names_a_registry_or_a_machine(words: str) -> None:
    # Not inside base64, where any letters may meet.
    pattern = re.compile(r"(?<![\w+=])" + re.escape(words))
    assert [str(path) for path in tracked() if pattern.search(text_of(path))] == []


def test_every_ignored_type_error_has_its_reason() -> None:
    found = {str(path): unreasoned_ignores(text_of(path)) for path in python_files()}
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    ("comment", "faults"),
    [
        ("", 1),
        ("[attr-defined]", 1),
        ("[attr-defined]  # untyped", 1),
        ("  # no code given", 1),
        ("[attr-defined]  # the stub lacks this member", 0),
    ],
)
def test_the_rule_about_ignored_types_can_fail(comment: str, faults: int) -> None:
    assert len(unreasoned_ignores(f"x = y  {MARKER}{comment}")) == faults


def test_a_reason_may_stand_above_an_ignored_type() -> None:
    assert unreasoned_ignores(f"# The stub lacks it.\nx = y  {MARKER}[attr-defined]") == []


def test_actions_are_pinned_by_commit_and_get_no_rights_by_default() -> None:
    workflows = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    assert workflows
    for workflow in workflows:
        text = text_of(workflow)
        uses = re.findall(r"uses: (\S+)(.*)", text)
        assert uses
        for action, comment in uses:
            assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", action)
            assert re.fullmatch(r" # v\d+(\.\d+)*", comment)
        assert "\npermissions: {}\n" in text
        assert text.count("actions/checkout@") == text.count("persist-credentials: false")


def test_no_command_of_a_workflow_is_cut_by_yaml() -> None:
    # In a plain scalar `: ` begins a value, an error, and ` #` a comment, which is worse.
    for workflow in (ROOT / ".github" / "workflows").glob("*.yml"):
        commands = re.findall(r"(?m)^ +-? *run: (?![|>\"'])(.+)$", text_of(workflow))
        assert [command for command in commands if re.search(r": | #", command)] == []
