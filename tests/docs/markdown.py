"""Fenced blocks of the documents, and the command lines in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").rglob("*.md")),
)
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(attest [a-z]+ [^`\n]+)`")


def blocks(page: Path, language: str) -> list[str]:
    """The contents of a page's fenced blocks in one language."""
    found = _BLOCK.findall(page.read_text(encoding="utf-8"))
    return [text for name, text in found if name == language]


def commands(text: str) -> Iterator[list[str]]:
    """The words after `attest` of every command in a shell or workflow block."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line.strip().removeprefix("- run: "), comments=True)
        if words[:1] == ["attest"]:
            yield words[1:]


def commands_of(page: Path) -> Iterator[list[str]]:
    """Every command on a page, in blocks and in running text."""
    text = page.read_text(encoding="utf-8")
    for _, block in _BLOCK.findall(text):
        yield from commands(block)
    for line in _INLINE.findall(_BLOCK.sub("", text)):
        yield shlex.split(line)[1:]
