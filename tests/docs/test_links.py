"""What the documents point to exists: links to files and headings, and folders of tests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.markdown import PAGES, ROOT

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_FOLDER = re.compile(r"`((?:tests|attest|docs|bench|testdata)/[\w./-]+)`")


def heading_anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as code hosts make them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def broken(page: Path, text: str) -> list[str]:
    """The links and paths in a page's text that lead nowhere."""
    faults = []
    for link in _LINK.findall(text):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if "://" in link:
            continue
        if not target.exists() or (anchor and anchor not in heading_anchors(target)):
            faults.append(link)
    return faults + [name for name in _FOLDER.findall(text) if not (ROOT / name).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_everything_that_a_page_points_to_exists(page: Path) -> None:
    assert broken(page, page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "text", ["[a](nowhere.md)", "[a](README.md#nowhere)", "see `tests/nowhere`"]
)
def test_what_leads_nowhere_is_found(text: str) -> None:
    assert broken(ROOT / "README.md", text)


def test_every_record_is_listed() -> None:
    folder = ROOT / "docs" / "adr"
    listed = _LINK.findall((folder / "README.md").read_text(encoding="utf-8"))
    assert sorted(listed) == sorted(path.name for path in folder.glob("[0-9]*.md"))
