"""Every command and example of the page on `.sei` artefacts does what the page says."""

from __future__ import annotations

import io
import os
import re
from importlib import import_module
from pathlib import Path

import pytest

from attest.cli.main import main
from tests.cli.scenario import matches
from tests.docs.conftest import Desk
from tests.docs.markdown import ROOT, blocks, commands
from tests.docs.test_api_examples import run_examples

PAGE = ROOT / "docs" / "sei.md"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run(words: list[str], desk: Desk) -> str:
    """Run a command; identities are the sandbox's."""
    if "--keyless" in words:
        words = [*words, "--trust-config", str(desk.sandbox.trust_config)]
        words += ["--identity-token", desk.sandbox.person_token()]
    elif "both.yaml" in words:
        words = [*words, "--trusted-root", str(desk.sandbox.trusted_root)]
    out, err = io.StringIO(), io.StringIO()
    code = main(words, stdout=out, stderr=err, environ=os.environ)
    assert code == 0, f"attest {' '.join(words)}\n{out.getvalue()}{err.getvalue()}"
    return out.getvalue()


def prepare() -> None:
    """The files that the page takes for granted."""
    Path("result.json").write_text('{"findings": []}')
    Path("bundle.json").write_text('{"any": "evidence"}\n')
    Path("checkout").mkdir()
    Path(".sei").mkdir()
    Path("bundle.json").rename(".sei/bundle.json")
    for block in blocks(PAGE, "yaml"):
        name = block.splitlines()[0].removeprefix("# ")
        Path(name).write_text(block, encoding="utf-8")


def test_the_page_does_what_it_says(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTEST_KEY_PASSPHRASE", "correct horse")
    prepare()
    run(["key", "generate", "former.key"], desk)
    shown = []
    found = _BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    for at, (language, text) in enumerate(found):
        if language != "sh":
            continue
        for words in commands(text):
            shown.append(run(words, desk))
            if found[at + 1][0] == "text":
                assert matches(shown[-1].splitlines(), found[at + 1][1].splitlines()), shown[-1]
    assert len(shown) == 11
    point, pem = shown[4], shown[5]
    assert re.fullmatch("04[0-9a-f]{128}\n", point)
    assert pem == Path("release.key.pub").read_text()
    assert [text.count("INTACT") for text in shown] == [0] * 8 + [3, 0, 0]
    assert shown[-1].count("signed by: ana@acme.example") == 3

    examples = blocks(PAGE, "python")
    assert len(examples) == 1
    run_examples(examples, PAGE.name)


def test_what_the_table_names_is_there() -> None:
    text = PAGE.read_text(encoding="utf-8")
    rows = [line.split("|")[2:5] for line in text.splitlines() if line.count("`test_sei_") >= 2]
    assert len(rows) >= 18
    for held, *shown in rows:
        for name in re.findall(r"`([^`]+)`", held):
            module, _, function = name.rpartition(".")
            assert callable(getattr(import_module(module), function)), name
        for cell in shown:
            tests = re.findall(r"`(\w+)::(\w+)`", cell)
            assert tests, cell
            for module, test in tests:
                source = (ROOT / "tests" / "sei" / f"{module}.py").read_text(encoding="utf-8")
                assert f"\ndef {test}(" in source, f"{module}::{test}"


def test_both_means_both(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTEST_KEY_PASSPHRASE", "correct horse")
    prepare()
    for words in (["key", "generate", "release.key"], ["sei", "sign", "--key", "release.key"]):
        run(words, desk)
    with pytest.raises(AssertionError, match="signed by ana"):
        run(["sei", "verify", "--policy", "both.yaml"], desk)
