"""A batch that is told to end: what was begun is finished, and each target's fate is told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from attest.cli.main import EXIT_INTERRUPTED
from attest.sandbox import Sandbox

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no such signals")

NAMES = [f"{number:02d}.txt" for number in range(40)]


@pytest.fixture(autouse=True)
def _working(sandbox: Sandbox) -> Iterator[None]:
    yield
    sandbox.faults.clear()


@pytest.fixture
def command(sandbox: Sandbox, tmp_path: Path) -> list[str]:
    for name in NAMES:
        (tmp_path / name).write_text(f"content of {name}")
    words = ["--trust-config", str(sandbox.trust_config)]
    words += ["--identity-token", sandbox.person_token()]
    return [sys.executable, "-m", "attest", "sign", *NAMES, *words]


def environ() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}


def interrupted(command: list[str], folder: Path, name: str) -> tuple[int, str, str]:
    """Run it, and send a signal once the first target is told of."""
    said = folder.parent / f"{folder.name}.stderr"
    with (
        said.open("w") as stderr,
        subprocess.Popen(
            command,
            cwd=folder,
            env=environ(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as child,
    ):
        assert child.stdout is not None
        first = child.stdout.readline()
        child.send_signal(getattr(signal, name))
        rest = child.stdout.read()  # `communicate` would lose what has been read ahead
        child.wait(60)
    return child.returncode, first + rest, said.read_text()


def bundles(folder: Path) -> list[str]:
    return sorted(path.name.removesuffix(".sigstore.json") for path in folder.glob("*.json"))


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_every_target_is_told_of_and_resumed(
    name: str, command: list[str], sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.faults.inject("slow:1")
    code, out, talk = interrupted([*command, "--output", "json"], tmp_path, name)
    assert code == EXIT_INTERRUPTED
    told = [json.loads(line) for line in out.splitlines()]
    assert [item["target"]["name"] for item in told] == NAMES
    signed = [item["target"]["name"] for item in told if item["result"] == "signed"]
    ended = [item["error"]["code"] for item in told if item["error"] is not None]
    assert 0 < len(signed) < len(NAMES)
    assert ended == ["interrupted"] * (len(NAMES) - len(signed))
    assert bundles(tmp_path) == signed
    assert f"40 targets: {len(signed)} signed, {len(ended)} not signed\n" in talk
    assert talk.endswith("interrupted\n")
    sandbox.faults.clear()
    again = subprocess.run(
        [*command, "--resume"],
        cwd=tmp_path, env=environ(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    assert f"40 targets: {len(ended)} signed, {len(signed)} kept\n" in again.stderr
    assert bundles(tmp_path) == NAMES


def test_people_are_told_once_why_and_of_each_what(
    command: list[str], sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.faults.inject("slow:1")
    code, out, talk = interrupted(command, tmp_path, "SIGINT")
    assert code == EXIT_INTERRUPTED
    signed = [line.split()[1] for line in out.splitlines() if line.startswith("signed  ")]
    left = [line.split(": ")[1] for line in talk.splitlines() if line.startswith("not signed: ")]
    assert signed + left == NAMES
    assert bundles(tmp_path) == signed
    assert talk.count("error: interrupted: ") == 1
    assert "ending when what was begun is finished\n" in talk
    assert "--resume" in talk
