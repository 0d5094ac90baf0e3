"""Every Python example in the documents runs as it is written."""

from __future__ import annotations

import pytest

from attest.trust.root import TrustRoot
from tests.docs.conftest import Desk
from tests.docs.markdown import ROOT, blocks

API = ROOT / "docs" / "api.md"


def run_examples(examples: list[str], name: str) -> None:
    namespace: dict[str, object] = {}
    for number, example in enumerate(examples, 1):
        exec(compile(example, f"{name}, example {number}", "exec"), namespace)


@pytest.mark.usefixtures("desk")
def test_the_examples_of_the_library_run() -> None:
    examples = blocks(API, "python")
    assert len(examples) >= 10
    run_examples(examples, API.name)


@pytest.mark.usefixtures("desk")
def test_the_examples_are_held_to_what_they_claim() -> None:
    # Without the sandbox's root the same pack is a stranger's: the first example must fail.
    first = blocks(API, "python")[0].replace(", trust=trust)", ")")
    with pytest.raises(Exception, match="untrusted_certificate"):
        run_examples([first], API.name)


def test_the_example_of_the_readme_runs(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # The example names no root; for once the embedded one is that of the sandbox.
    root = TrustRoot.from_file(desk.sandbox.trusted_root)
    monkeypatch.setattr(TrustRoot, "embedded", lambda _name: root)
    run_examples(blocks(ROOT / "README.md", "python"), "README.md")
    assert capsys.readouterr().out == ""
