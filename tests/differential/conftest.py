from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.differential.javascript import JavaScript, installed


@pytest.fixture(scope="session")
def javascript() -> Iterator[JavaScript]:
    """The verifier for JavaScript, installed once a process."""
    with installed() as program:
        yield program
