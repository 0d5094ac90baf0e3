from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.trust.served import Served, serve


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serve(tmp_path) as running:
        yield running
