"""Hostile policy files end in a refusal, within little time and memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.policy.hostile import FILES, TOO_MUCH

#: Beyond what the interpreter and its modules take; the issue allows 50 MB.
MEMORY = 50 * 1_048_576
#: For all files together: a hang shows, a slow machine does not.
SECONDS = 120


pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="bounds the address space as Linux does"
)


def codes(memory: int, *paths: str) -> dict[str, str]:
    """What each file is refused with, all of them loaded in one process of so much memory."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.policy.bounded", str(memory), *paths],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_hostile_files_are_refused_in_little_memory(tmp_path: Path) -> None:
    for name, (text, _) in FILES.items():
        (tmp_path / name).write_bytes(text.encode())
    expected = {name: code for name, (_, code) in FILES.items()}
    assert codes(MEMORY, *(str(tmp_path / name) for name in FILES)) == expected


def test_the_bound_can_be_met() -> None:
    assert codes(MEMORY, TOO_MUCH) == {TOO_MUCH: "MemoryError"}
