"""The command that signing prints is run by shells as it is printed, whatever a file is called."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from attest.cli.main import main
from attest.sandbox import Sandbox

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the shells are those of POSIX")

SHELLS = [name for name in ("sh", "dash", "bash", "zsh", "ksh") if shutil.which(name)]
NAMES = [
    "two\nlines.txt",
    "\n-first.txt",
    'it\'s a $HOME `id` "%s".txt',
    "back\\slash\\n.txt",
    "-v\t%d%%",
    "rtl\u202e.txt",
    "zürich.txt",
    "\x1b[2J\udcff.txt",  # not UTF-8
]


def signed(sandbox: Sandbox, *words: str) -> str:
    out, err = io.StringIO(), io.StringIO()
    words = ("sign", "--trust-config", str(sandbox.trust_config), *words)
    code = main(
        words, stdout=out, stderr=err, environ={"SIGSTORE_ID_TOKEN": sandbox.person_token()}
    )
    assert code == 0, err.getvalue()
    return out.getvalue()


@pytest.fixture
def program(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with `attest` for the shell's path."""
    folder = tmp_path_factory.mktemp("bin")
    script = folder / "attest"
    root = Path(__file__).resolve().parents[2]
    script.write_text(f'#!/bin/sh\nPYTHONPATH="{root}" exec "{sys.executable}" -m attest "$@"\n')
    script.chmod(0o755)
    return str(folder)


def run(shell: str, command: str, folder: Path, program: str) -> int:
    done = subprocess.run(
        [shell, "-c", command],
        cwd=folder,
        env={"PATH": f"{program}:{os.environ['PATH']}", "HOME": str(folder), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        check=False,
    )
    return done.returncode


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_the_printed_command_verifies_that_file(
    name: str, sandbox: Sandbox, tmp_path: Path, program: str
) -> None:
    Path(name).write_text("content")
    text = signed(sandbox, "--", name)
    (command,) = [line for line in text.splitlines() if line.startswith("  attest verify ")]
    assert command.isprintable()
    for shell in SHELLS:
        assert run(shell, command, tmp_path, program) == 0, shell
    Path(name).write_text("changed")
    assert run("sh", command, tmp_path, program) == 1


def test_json_has_the_same_command(sandbox: Sandbox, tmp_path: Path, program: str) -> None:
    Path(NAMES[0]).write_text("content")
    command = json.loads(signed(sandbox, NAMES[0], "--output", "json"))["verify"]
    assert run("sh", command, tmp_path, program) == 0


def test_a_name_that_no_shell_can_be_told_has_no_command(sandbox: Sandbox) -> None:
    Path("ends\n").write_text("content")
    assert "to verify it" not in signed(sandbox, "ends\n")
    Path("ends\n.sigstore.json").unlink()
    assert json.loads(signed(sandbox, "ends\n", "--output", "json"))["verify"] is None


def test_the_command_that_makes_a_public_key_can_be_run(
    sandbox: Sandbox, tmp_path: Path, program: str
) -> None:
    key = "my\nkey"
    making = io.StringIO()
    words = ["key", "generate", key, "--no-passphrase"]
    assert main(words, stdout=making, stderr=io.StringIO(), environ={}) == 0
    Path(f"{key}.pub").unlink()
    Path("a.txt").write_text("content")
    lines = signed(sandbox, "a.txt", "--key", key).splitlines()
    for command in [line for line in lines if line.startswith("  attest ")]:
        assert run("sh", command, tmp_path, program) == 0
    assert Path(f"{key}.pub").is_file()
