"""Every way in which a run can end is told in its place, with its code, and without traceback."""

from __future__ import annotations

import io
import json
import os
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

import attest
from attest.cli import main as program

ROOT = Path(__file__).resolve().parents[2]
WHO = ("--identity", "ana@acme.example", "--issuer", "google")


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    code: int
    stdout: str
    stderr: str


Run = Callable[..., Ended]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    commands = {**program.COMMANDS, "fail": ("tests.cli.failing_command", "fail as told")}
    monkeypatch.setattr(program, "COMMANDS", commands)

    def run(*words: str, environ: Mapping[str, str] | None = None) -> Ended:
        stdout, stderr = io.StringIO(), io.StringIO()
        known = {"ATTEST_OFFLINE": str(int("verify" in words)), **(environ or {})}
        code = program.main(words, stdout=stdout, stderr=stderr, environ=known)
        return Ended(code=code, stdout=stdout.getvalue(), stderr=stderr.getvalue())

    return run


def test_a_verdict_exits_1_with_everything_escaped(run: Run) -> None:
    ended = run("fail", "verdict", "-q")
    assert ended == Ended(
        code=1,
        stdout="",
        stderr="error: signature_invalid: by \\x1b[31mred\\u202e\\nnext (a\\x00b; R-080)\n"
        "hint: first\n    second\\x07\n",
    )


def test_a_verdict_as_json_is_alone_on_stdout(run: Run) -> None:
    ended = run("fail", "verdict", "--output", "json", "-q")
    assert (ended.code, ended.stderr) == (1, "")
    assert json.loads(ended.stdout) == {
        "error": {
            "code": "signature_invalid",
            "message": "by \x1b[31mred\u202e\nnext",
            "hint": "first\nsecond\x07",
            "where": "a\x00b",
        }
    }
    assert ended.stdout.isascii()


def test_a_fault_is_one_line_and_exit_2(run: Run) -> None:
    ended = run("fail", "fault", "-v")
    assert (ended.code, ended.stdout) == (2, "")
    assert "error: internal_error: KeyError: " in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "\x1b" not in ended.stderr


def test_a_fault_shows_its_place_to_a_developer(run: Run) -> None:
    ended = run("fail", "fault", "-vv")
    assert ended.code == 2
    assert "Traceback" in ended.stderr
    assert "\x1b" not in ended.stderr


@pytest.mark.parametrize("more", [["-vv"], ["-q"], ["--output=json"]])
def test_a_fault_shows_no_token_whatever_it_quotes(run: Run, more: list[str]) -> None:
    ended = run("fail", "leak", *more)
    assert "ValueError" in ended.stdout + ended.stderr
    assert "eyJ" not in ended.stdout + ended.stderr


def test_a_fault_as_json(run: Run) -> None:
    ended = run("fail", "fault", "--output=json", "-q")
    assert (ended.code, ended.stderr) == (2, "")
    assert json.loads(ended.stdout)["error"]["code"] == "internal_error"


def test_an_interrupt_exits_130(run: Run) -> None:
    assert run("fail", "interrupt", "-q") == Ended(code=130, stdout="", stderr="")
    assert run("fail", "interrupt").stderr == "talk\ninterrupted\n"


def test_a_reader_who_left_got_no_verdict(run: Run) -> None:
    assert run("fail", "pipe", "-q") == Ended(code=2, stdout="", stderr="")


@pytest.mark.parametrize(
    ("options", "talk"),
    [([], "talk\n"), (["-q"], ""), (["-v"], "talk\ndetail\n"), (["-vv"], "talk\ndetail\n")],
)
@pytest.mark.parametrize("before", [True, False])
def test_talk_is_on_stderr_and_as_loud_as_told(
    run: Run,
    options: list[str],
    talk: str,
    before: bool,  # noqa: FBT001 - a table's column
) -> None:
    words = [*options, "fail", "not"] if before else ["fail", "not", *options]
    assert run(*words) == Ended(code=0, stdout="not\n", stderr=talk)


@pytest.mark.parametrize(
    ("options", "environ", "coloured"),
    [
        (["--color", "always"], {"NO_COLOR": "1"}, True),
        ([], {"ATTEST_COLOR": "always"}, True),
        (["--color=never"], {"ATTEST_COLOR": "always"}, False),
        ([], {}, False),
    ],
)
def test_colour(
    run: Run,
    options: list[str],
    environ: dict[str, str],
    coloured: bool,  # noqa: FBT001 - as above
) -> None:
    ended = run("fail", "not", "-q", *options, environ=environ)
    assert ("\x1b[32m" in ended.stdout) is coloured


def test_two_dashes_end_the_options(run: Run) -> None:
    assert run("fail", "-q", "--", "--output").stdout == "--output\n"


def test_json_settings_hold_for_errors_too(run: Run) -> None:
    ended = run("fail", environ={"ATTEST_OUTPUT": "json"})
    assert json.loads(ended.stdout)["error"]["code"] == "invalid_usage"


def test_a_fault_while_options_are_read_respects_the_wish_for_json(run: Run) -> None:
    ended = run("fail", "x", "--output", "json", "--config", "/nonexistent.toml")
    assert (ended.code, ended.stderr) == (2, "")
    assert json.loads(ended.stdout)["error"]["code"] == "config_not_found"


def test_a_command_may_answer_errors_in_its_own_format(run: Run) -> None:
    report = json.loads(run("verify", "--output", "json").stdout)
    assert report["mediaType"] == "application/vnd.attest.report.v1+json"
    assert (report["result"], report["error"]["code"]) == ("error", "invalid_usage")


def test_the_version_is_said_once() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == attest.__version__


def process(*words: str, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    """Run the program as a user does, in a process of its own."""
    environ = {"PYTHONUTF8": "1", "PYTHONPATH": str(ROOT)}
    keep = ("SYSTEMROOT", "TEMP", "TMP")
    environ |= {name: os.environ[name] for name in keep if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "attest", *words],
        stdout=stdout,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env=environ,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("command", sorted(program.COMMANDS))
def test_every_command_starts_in_a_process_of_its_own(command: str) -> None:
    done = process(command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: attest {command}")
    assert "examples:" in done.stdout or command == "demo"


@pytest.mark.parametrize("command", sorted(set(program.COMMANDS) - {"demo", "whoami"}))
def test_every_command_refuses_to_guess(command: str) -> None:
    done = process(command)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: invalid_usage: ")
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="pipes break differently there")
def test_a_closed_pipe_is_no_traceback() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = process("--help", stdout=writer)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (2, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_result_that_cannot_be_written_is_no_verdict() -> None:
    with Path("/dev/full").open("w") as full:
        done = process("--help", stdout=full.fileno())
    assert done.returncode == 2
    assert done.stderr.startswith("error: unwritable_output: ")
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("words", [("inspect", __file__), ("verify", "none.txt", *WHO), ("--no",)])
def test_json_that_cannot_be_written_is_no_verdict(words: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = process(*words, "--output", "json", stdout=full.fileno())
    assert done.returncode == 2
    assert done.stderr.startswith("error: unwritable_output: ")
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("stdout", ["1>/dev/null", "1>&-", "1>/dev/full"])
def test_a_failure_that_nobody_can_be_told_of_is_no_verdict(stdout: str) -> None:
    command = f"{shlex.quote(sys.executable)} -m attest verify {stdout} 2>/dev/full"
    done = subprocess.run(["/bin/sh", "-c", command], check=False, cwd=ROOT)
    assert done.returncode == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_talk_that_nobody_can_hear_does_not_stop_the_work(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    command = f"{shlex.quote(sys.executable)} -m attest build o.epack a --stream s"
    done = subprocess.run(
        ["/bin/sh", "-c", f"{command} 2>/dev/full"],
        check=False,
        cwd=tmp_path,
        # With buffers, as people run it: what could not be written is tried again at the end.
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": ""},
        stdout=subprocess.DEVNULL,
    )
    assert (done.returncode, (tmp_path / "o.epack").exists()) == (0, True)


BAD_BUNDLES = {
    "cut off": (b'{"mediaType": "application/vnd.dev', "do not use it"),
    "a key twice": (b'{"mediaType": "a", "mediaType": "b"}', "do not use it"),
    "not a bundle": (b"{}", "do not use it"),
    "too large": (b" " * (16 * 1_048_576 + 1), "if you expect evidence as large"),
}


@pytest.mark.parametrize("name", BAD_BUNDLES)
def test_bad_evidence_is_told_with_what_to_do(run: Run, tmp_path: Path, name: str) -> None:
    bundle = tmp_path / "bundle.json"
    data, advice = BAD_BUNDLES[name]
    bundle.write_bytes(data)
    ended = run("verify", __file__, "--bundle", str(bundle), *WHO)
    assert (ended.code, ended.stderr) == (1, "")
    assert f"  hint: {advice}" in ended.stdout
    ended = run("verify", __file__, "--bundle", str(bundle), *WHO, "--output", "json")
    assert json.loads(ended.stdout)["error"]["hint"].startswith(advice)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell that closes streams")
def test_a_closed_output_is_no_verdict() -> None:
    command = f"{shlex.quote(sys.executable)} -m attest --help >&-"
    done = subprocess.run(
        ["/bin/sh", "-c", command], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 2
    assert done.stderr == "error: unwritable_output: standard output is closed\n"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--config", "pipe", "verify", "x", "--integrity-only"], "config_not_found"),
        (["sign", "file", "--trust-config", "pipe"], "trust_config_unreadable"),
        (["sign", "file", "--identity-token", "@pipe"], "token_unreadable"),
        (["verify", "file", "--trusted-root", "pipe", *WHO], "trust_file_unreadable"),
        (["verify", "file", "--bundle", "pipe", *WHO], "unreadable_file"),
        (["verify", "pipe", *WHO], "unreadable_file"),
        (["inspect", "other-pipe"], "unreadable_file"),
    ],
)
def test_nothing_waits_for_a_pipe(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], code: str
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    os.mkfifo("other-pipe")
    Path("file").write_bytes(b"x")
    Path("pipe.sigstore.json").write_bytes(b"{}")
    ended = run(*words)
    assert ended.code == 2
    assert ended.stderr.startswith(f"error: {code}: ")


def test_starting_loads_no_command_and_nothing_heavy() -> None:
    code = (
        "import io, sys; from attest.cli.main import main\n"
        "main(['--version'], stdout=io.StringIO(), stderr=sys.stderr, environ={})\n"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    loaded = set(done.stdout.split())
    heavy = {"sigstore", "pydantic", "requests", "rich", "cryptography", "tomllib", "difflib"}
    assert heavy & loaded == set()
    commands = {module for module, _ in program.COMMANDS.values()}
    assert commands & loaded == set()
