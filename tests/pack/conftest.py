"""Three packs of different streams, and a web server that references of packs can point to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pack.fetching import REPORT
from tests.pack.merging import made
from tests.pack.web import Web, reply, serve


@pytest.fixture
def a(tmp_path: Path) -> Path:
    return made(tmp_path / "a.epack", "org/a", {"data.json": b"{}", "x/y.txt": b"from a"})


@pytest.fixture
def b(tmp_path: Path) -> Path:
    return made(tmp_path / "b.epack", "org/b", {"data.json": b"[]"})


@pytest.fixture
def c(tmp_path: Path) -> Path:
    return made(tmp_path / "c.epack", "org/c", {"other.json": b"1"})


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with serve(tmp_path_factory.mktemp("web")) as web:
        yield web


@pytest.fixture
def web(running: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Web:
    monkeypatch.chdir(tmp_path)
    running.seen.clear()
    running.asked.clear()
    running.replies.clear()
    running.replies["/report.pdf"] = reply(REPORT)
    return running
