"""Hostile policy files end in a refusal, within little time and memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.policy.hostile import FILES

#: Beyond what the interpreter and its modules take; the issue allows 50 MB.
MEMORY = 50 * 1_048_576
#: For all files together: a hang shows, a slow machine does not.
SECONDS = 120


pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="bounds the address space as Linux does"
)


def codes(folder: Path, memory: int, *names: str) -> dict[str, str]:
    """What each file is refused with, all of them loaded in one process of so much memory."""
    for name in names:
        (folder / name).write_bytes(FILES[name][0].encode())
    done = subprocess.run(
        [sys.executable, "-m", "tests.policy.bounded", str(memory)]
        + [str(folder / name) for name in names],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_hostile_files_are_refused_in_little_memory(tmp_path: Path) -> None:
    expected = {name: code for name, (_, code) in FILES.items()}
    assert codes(tmp_path, MEMORY, *FILES) == expected


def test_a_file_that_takes_more_memory_is_seen(tmp_path: Path) -> None:
    assert codes(tmp_path, 1_048_576, "many texts") == {"many texts": "MemoryError"}
