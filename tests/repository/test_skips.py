"""`make test-extra` runs with `--no-skips`: what is skipped there has failed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SKIPPING = """
import pytest

@pytest.mark.skip(reason="no browser")
def test_marked(): pass

def test_while_running(): pytest.skip("no browser")
"""


@pytest.mark.parametrize(("options", "code"), [(["--no-skips"], 1), ([], 0)])
def test_a_skip_fails_only_where_it_is_forbidden(
    tmp_path: Path, options: list[str], code: int
) -> None:
    (tmp_path / "test_it.py").write_text(SKIPPING)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.conftest", *options, "test_it.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    # A skip by mark ends in the set-up of the test, which pytest counts as an error.
    assert ("1 failed, 1 error" if code else "2 skipped") in done.stdout
