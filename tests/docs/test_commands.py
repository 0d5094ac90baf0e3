"""Every command in the documents exists as it is written, and the README's do what it says."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from attest.cli.main import COMMANDS, load_command, main
from attest.cli.parser import Parser, take_global_options
from attest.errors import UsageError
from tests.docs.conftest import Desk
from tests.docs.markdown import PAGES, ROOT, blocks, commands, commands_of

README = ROOT / "README.md"
WRITTEN = [
    pytest.param(words, id=f"{page.name}: {' '.join(words)[:60]}")
    for page in PAGES
    for words in commands_of(page)
]


def parse(words: list[str]) -> None:
    """Read a command line with the parser of its command, without running it."""
    first, *rest = take_global_options(words).rest
    name, command, left = load_command(first, rest)
    if name != first and not left:
        return  # an action that is only named
    parser = Parser(f"attest {name}")
    command.configure(parser)
    parser.parse(left)


@pytest.mark.parametrize("words", WRITTEN)
def test_the_command_is_one_that_the_program_takes(words: list[str]) -> None:
    parse(words)


def test_there_are_commands_to_check() -> None:
    assert len(WRITTEN) >= 10


@pytest.mark.parametrize("line", ["verify a.epack --polices x", "sign", "sandbox stop d"])
def test_a_command_that_does_not_exist_is_found(line: str) -> None:
    with pytest.raises(UsageError):
        parse(line.split())


def test_every_command_of_the_program_is_in_the_readme() -> None:
    named = README.read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f"attest {name}" not in named and name != "demo"] == []


def on_sandbox(words: list[str], desk: Desk) -> Iterator[str]:
    """A command of the README, made to use the sandbox instead of the public instance."""
    yield from words
    if words[0] == "sign":
        yield from ("--trust-config", str(desk.sandbox.trust_config))
    elif words[0] == "verify" and "--integrity-only" not in words:
        yield from ("--trusted-root", str(desk.sandbox.trusted_root))


def run(words: list[str], desk: Desk) -> str:
    out, err = io.StringIO(), io.StringIO()
    code = main(list(on_sandbox(words, desk)), stdout=out, stderr=err, environ=os.environ)
    assert code == 0, f"attest {' '.join(words)}\n{out.getvalue()}{err.getvalue()}"
    return out.getvalue()


def test_the_readme_signs_and_verifies(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("evidence.epack", "report.pdf.sigstore.json"):
        Path(name).unlink()  # the README makes them itself
    signing, verifying = blocks(README, "sh")
    workflow, policy = blocks(README, "yaml")

    monkeypatch.setenv("SIGSTORE_ID_TOKEN", desk.sandbox.person_token())
    for words in commands(signing):
        run(words, desk)
    monkeypatch.delenv("SIGSTORE_ID_TOKEN")

    assert "id-token: write" in workflow
    for name, value in desk.sandbox.ambient_environment().items():
        monkeypatch.setenv(name, value)
    (words,) = commands(workflow)
    assert "workflows/pack.yml" in run(words, desk)

    Path("policy.yaml").write_text(policy, encoding="utf-8")
    shown = [run(words, desk) for words in commands(verifying)]
    assert len(shown) == 8
    by_policy = shown.pop(2)
    assert "VERIFIED: evidence.epack" in by_policy
    assert "policy: policy.yaml (sha256:" in by_policy
    judged = (*shown[:2], *shown[3:5], shown[6])
    assert [("VERIFIED" in text, "UNVERIFIED" in text) for text in judged] == [
        (True, False),
        (True, False),
        (True, False),
        (True, False),
        (True, True),
    ]
    assert '"result": "pass"' in shown[2]
    assert shown[4].count(" ms\n") > 10
    assert shown[5].startswith("INTACT (nobody's identity was checked)")
