"""A program that is told to end removes what it had half-written."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

_CHILD = """
import sys, time
from pathlib import Path
from attest.cli import extract, main
from attest.pack.folder import new_folder

def run(args, context):
    with new_folder(Path(args.folder)) as new:
        new.write("half", [b"x"])
        print("ready", flush=True)
        time.sleep(60)

extract.run = run
main.entry()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no such signals")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_leaves_nothing_behind(tmp_path: Path, name: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _CHILD, "extract", "x.epack", str(tmp_path / "out")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        assert list(tmp_path.iterdir()) != []
        child.send_signal(getattr(signal, name))
        _, talk = child.communicate(timeout=30)
    assert (child.returncode, talk) == (130, "interrupted\n")
    assert list(tmp_path.iterdir()) == []
