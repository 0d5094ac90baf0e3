"""What the engine accepts in these tests, `sigstore` accepts too, or a listed difference tells."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine.second_opinion import DIFFERING, objections
from tests.engine.virtual_evidence import ACCEPTED


@pytest.fixture(autouse=True)
def _second_opinion(request: pytest.FixtureRequest) -> Iterator[None]:
    ACCEPTED.clear()
    yield
    found = objections()
    if request.node.name in DIFFERING:
        assert found, "sigstore agrees now: take the test off the list"
    else:
        assert not found
