"""A program that is told to end removes what it had half-written."""

from __future__ import annotations

import os
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


_MANY = """
import os, time
from attest.cli import main, verify_answer

def examine(target, **_):
    os.write(1, b"%d\\n" % os.getpid())  # in one piece
    time.sleep(60)

verify_answer.examine = examine
main.entry()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no such signals")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
@pytest.mark.parametrize("to_all", [True, False])
def test_a_signal_ends_every_process(name: str, *, to_all: bool) -> None:
    """A terminal sends it to the program and its processes, `kill` to the program alone."""
    words = ["verify", *"abcdef", "--jobs", "3", "--integrity-only"]
    with subprocess.Popen(
        [sys.executable, "-c", _MANY, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as child:
        assert child.stdout is not None
        assert len({child.stdout.readline() for _ in range(3)}) == 3
        (os.killpg if to_all else os.kill)(child.pid, getattr(signal, name))
        # Every process has the pipes open, so that this also waits for the last of them.
        _, talk = child.communicate(timeout=30)
    assert (child.returncode, talk) == (130, "interrupted\n")
