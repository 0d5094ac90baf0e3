"""Three packs of different streams."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pack.merging import made


@pytest.fixture
def a(tmp_path: Path) -> Path:
    return made(tmp_path / "a.epack", "org/a", {"data.json": b"{}", "x/y.txt": b"from a"})


@pytest.fixture
def b(tmp_path: Path) -> Path:
    return made(tmp_path / "b.epack", "org/b", {"data.json": b"[]"})


@pytest.fixture
def c(tmp_path: Path) -> Path:
    return made(tmp_path / "c.epack", "org/c", {"other.json": b"1"})
