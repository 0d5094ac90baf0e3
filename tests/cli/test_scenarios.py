"""Every scenario in `scenarios/` happens as it is written, through the real `main`."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from attest.cli.main import main
from attest.sandbox import Sandbox
from tests.cli.key_signed import sign_by_key
from tests.cli.planted import plant
from tests.cli.scenario import Command, Directive, matches, parse

SCENARIOS = sorted(Path(__file__).with_name("scenarios").glob("*.txt"))

MICROSOFT = "https://login.microsoftonline.com"
#: What the machine that runs the tests may have set and must not matter.
FOREIGN = re.compile("(ATTEST|GITHUB|ACTIONS|SIGSTORE|CI$|NO_COLOR|SOURCE_DATE|GITLAB|BUILDKITE)")


@pytest.fixture(scope="session")
def running_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox.start(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


def write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def lines(words: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO("".join(f"{word}\n" for word in words.split()).encode()))


def policy_named(name: str) -> bytes:
    return Path(__file__).with_name("policies").joinpath(f"{name}.yaml").read_bytes()


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{path} has no {old}"
    path.write_text(text.replace(old, new.replace("\\n", "\n")), encoding="utf-8")


class Stage:
    """One scenario's working folder, environment and remembered files."""

    def __init__(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
        self.request = request
        self.monkeypatch = monkeypatch
        self.environ: dict[str, str] = {"HOME": str(Path.cwd().parent / "home")}
        self.kept: dict[str, bytes] = {}
        self.words: dict[str, str] = {}

    def set_variable(self, name: str, value: str) -> None:
        # Some libraries look at the process's environment, so the two are kept equal.
        self.environ[name] = value
        self.monkeypatch.setenv(name, value)

    def direct(self, directive: Directive) -> None:
        first, _, rest = directive.text.partition(" ")
        act: dict[str, Callable[[], object]] = {
            "file": lambda: write(Path(first), rest.encode() + b"\n"),
            "copy": lambda: write(Path(rest), Path(self.filled(first)).read_bytes()),
            "policy": lambda: write(Path(rest or f"{first}.yaml"), policy_named(first)),
            "change": lambda: change(Path(first), *rest.split(" => ")),
            "stdin": lambda: self.monkeypatch.setattr(sys, "stdin", lines(directive.text)),
            "cut": lambda: write(Path(first), Path(first).read_bytes()[: int(rest)]),
            "grow": lambda: write(Path(first), Path(first).read_bytes() + b" " * int(rest)),
            "plant": lambda: plant(Path(first), rest),
            "key-signed": lambda: sign_by_key(Path(first)),
            "env": lambda: self.set_variable(*self.filled(directive.text).split("=", 1)),
            "sandbox": self.enter_sandbox,
            "fault": lambda: self.running().faults.inject(first),
            "repair": self.clear_faults,
            "workflow": self.enter_workflow,
            "keep": lambda: self.kept.update({first: Path(first).read_bytes()}),
            "unchanged": lambda: self.expect_unchanged(first),
            "files": lambda: self.expect_files(set(directive.text.split())),
        }
        try:
            act[directive.name]()
        except (AssertionError, OSError, KeyError) as error:
            raise AssertionError(f"line {directive.line}: {error!r}") from error

    def running(self) -> Sandbox:
        sandbox: Sandbox = self.request.getfixturevalue("running_sandbox")
        self.request.addfinalizer(sandbox.faults.clear)  # others run on it too
        return sandbox

    def clear_faults(self) -> None:
        self.running().faults.clear()

    def enter_sandbox(self) -> None:
        sandbox = self.running()
        self.words = {
            "sandbox": str(sandbox.directory),
            "token": sandbox.person_token(),
            "auditor": sandbox.person_token("ana@audit.example"),
            "vendor": sandbox.person_token("ciso@acme.example", MICROSOFT),
            "ci": sandbox.github_token(),
            "expired": sandbox.person_token(lifetime_seconds=-60),
        }

    def enter_workflow(self) -> None:
        sandbox = self.running()
        for name, value in sandbox.ambient_environment().items():
            self.set_variable(name, value)

    def expect_unchanged(self, name: str) -> None:
        assert Path(name).read_bytes() == self.kept[name]

    def expect_files(self, names: set[str]) -> None:
        assert {path.name for path in Path.cwd().iterdir()} == names

    def run(self, command: Command) -> None:
        stdout, stderr = io.StringIO(), io.StringIO()
        words = [self.filled(word) for word in command.words]
        environ = self.environ
        if words[:1] == ["verify"]:  # what a public instance trusts today is nobody's business here
            environ = {"ATTEST_OFFLINE": "1", **environ}
        code = main(words, stdout=stdout, stderr=stderr, environ=environ)
        shown = f"line {command.line}: attest {' '.join(command.words)}\n"
        shown += f"{stdout.getvalue()}\n! {stderr.getvalue()}\n? {code}"
        expected_out = [self.filled(line) for line in command.stdout]
        expected_err = [self.filled(line) for line in command.stderr]
        assert code == command.exit_code, shown
        assert matches(stdout.getvalue().splitlines(), expected_out), shown
        assert matches(stderr.getvalue().splitlines(), expected_err), shown

    def filled(self, text: str) -> str:
        for name, value in self.words.items():
            text = text.replace("{" + name + "}", value)
        return text


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_it_happens_as_written(
    path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    for name in [name for name in os.environ if FOREIGN.match(name)]:
        monkeypatch.delenv(name)
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    stage = Stage(request, monkeypatch)
    steps = list(parse(path.read_text(encoding="utf-8")))
    assert any(isinstance(step, Command) for step in steps)
    for step in steps:
        if isinstance(step, Command):
            stage.run(step)
        else:
            stage.direct(step)


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (["a"], ["a"]),
        (["a", ""], ["a"]),
        (["sha256:12 b"], ["sha256:[...] b"]),
        (["a", "b", "c"], ["a", "[...]", "c"]),
        (["a", "c"], ["a", "[...]", "c"]),
    ],
)
def test_equal_lines_match(actual: list[str], expected: list[str]) -> None:
    assert matches(actual, expected)


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (["a"], ["b"]),
        (["a", "b"], ["a"]),
        (["a"], ["a", "b"]),
        ([], ["a"]),
        (["a"], []),
        (["a", "b"], ["[...]", "c"]),
        (["axb"], ["a.b"]),
    ],
)
def test_other_lines_do_not_match(actual: list[str], expected: list[str]) -> None:
    assert not matches(actual, expected)


def test_output_without_a_command_is_refused() -> None:
    with pytest.raises(ValueError, match="without a command"):
        list(parse("stray\n"))
