"""A person is asked for a passphrase at a terminal, twice for a new one, and it is never shown."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

if sys.platform == "win32":
    pytest.skip("terminals are other things there", allow_module_level=True)

import pty

ROOT = Path(__file__).resolve().parents[2]
SECRET = "correct horse"


def at_terminal(folder: Path, words: list[str], answers: list[str]) -> tuple[int, str]:
    """Run a command at a terminal and answer each prompt; the exit code and all that was shown."""
    ours, theirs = pty.openpty()
    environ = {name: value for name, value in os.environ.items() if "ATTEST" not in name}
    environ["HOME"] = environ["XDG_CONFIG_HOME"] = str(folder.parent / "home")
    process = subprocess.Popen(
        [sys.executable, "-m", "attest", *words],
        cwd=folder,
        env={**environ, "PYTHONPATH": str(ROOT)},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    with process:
        for answer in answers:
            while not shown.endswith((b": ", b"[y/N] ")):
                shown += os.read(ours, 4096)
            shown += b"\n"
            os.write(ours, answer.encode() + b"\n")
        try:
            while piece := os.read(ours, 4096):
                shown += piece
        except OSError:  # how a terminal says that its other side is closed
            pass
    os.close(ours)
    return process.returncode, shown.decode()


def test_a_new_passphrase_is_typed_twice_and_not_shown(tmp_path: Path) -> None:
    code, shown = at_terminal(tmp_path, ["key", "generate", "k"], [SECRET, SECRET])
    assert code == 0, shown
    assert SECRET not in shown
    assert "new passphrase for k: " in shown
    # Raises if it does not open.
    load_pem_private_key((tmp_path / "k").read_bytes(), password=SECRET.encode())


def test_an_old_one_is_asked_for_once(tmp_path: Path) -> None:
    at_terminal(tmp_path, ["key", "generate", "k"], [SECRET, SECRET])
    code, shown = at_terminal(tmp_path, ["key", "public", "k"], [SECRET])
    assert code == 0, shown
    assert SECRET not in shown


@pytest.mark.parametrize(
    ("answers", "refusal"),
    [([SECRET, "correct hose"], "passphrase_mismatch"), (["", ""], "passphrase_empty")],
)
def test_one_that_cannot_be_meant_makes_no_key(
    answers: list[str], refusal: str, tmp_path: Path
) -> None:
    code, shown = at_terminal(tmp_path, ["key", "generate", "k"], answers)
    assert code == 2
    assert f"{refusal}: " in shown
    assert SECRET not in shown
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_one_is_told_and_not_shown(tmp_path: Path) -> None:
    at_terminal(tmp_path, ["key", "generate", "k"], [SECRET, SECRET])
    code, shown = at_terminal(tmp_path, ["key", "public", "k"], ["incorrect horse"])
    assert code == 2
    assert "passphrase_wrong: " in shown
    assert "incorrect horse" not in shown


def test_whoever_signs_in_public_with_a_key_is_asked_before_anything_else(tmp_path: Path) -> None:
    words = ["sign", "k.pub", "--key", "k", "--instance", "staging"]
    at_terminal(tmp_path, ["key", "generate", "k"], [SECRET, SECRET])
    code, shown = at_terminal(tmp_path, words, ["n"])
    assert code == 2
    assert "your public key" in shown
    assert "consent_refused: " in shown
    assert "passphrase" not in shown
    assert sorted(path.name for path in tmp_path.iterdir()) == ["k", "k.pub"]
