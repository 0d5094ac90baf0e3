"""Every command of the guide to keys does what the guide says, in the order in which it says it."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from attest.api.verify import examine
from attest.cli.main import main
from attest.policy.model import Policy
from attest.trust.root import TrustRoot
from tests.docs.conftest import Desk
from tests.docs.markdown import ROOT, blocks, commands

PAGE = ROOT / "docs" / "keys.md"


def run(words: list[str], desk: Desk) -> tuple[int, str]:
    """Run a command on the sandbox instead of the public instance."""
    if words[0] == "sign":
        words = [*words, "--trust-config", str(desk.sandbox.trust_config)]
    elif words[0] == "verify":
        words = [*words, "--trusted-root", str(desk.sandbox.trusted_root)]
    out, err = io.StringIO(), io.StringIO()
    code = main(words, stdout=out, stderr=err, environ=os.environ)
    return code, out.getvalue() + err.getvalue()


def judged(policy: str, desk: Desk) -> str | None:
    """The code of verifying the unlogged bundle under a policy file; None if it passes."""
    Path("release.yaml").write_text(policy)
    report = examine(
        "report.pdf",
        policy=Policy.load("release.yaml"),
        bundle="unlogged.json",
        trust=TrustRoot.from_file(desk.sandbox.trusted_root),
    )
    return None if report.error is None else report.error.code


@pytest.mark.usefixtures("desk")
def test_the_guide_does_what_it_says(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTEST_KEY_PASSPHRASE", "correct horse")
    Path("report.pdf.sigstore.json").unlink()  # the guide makes it itself
    shown = []
    for block in blocks(PAGE, "sh"):
        for words in commands(block):
            code, text = run(words, desk)
            assert code == 0, f"attest {' '.join(words)}\n{text}"
            shown.append(text)
    assert "VERIFIED: evidence.epack" in shown[4]
    assert "`log: optional`" in shown[5]

    (policy,) = blocks(PAGE, "yaml")
    assert judged(policy, desk) is None
    assert judged(policy.replace("log: optional\n", ""), desk) is not None
    assert judged(policy.replace("log:", "timestamp:"), desk) is not None
    by_key = ["verify", "report.pdf", "--bundle", "unlogged.json", "--key", "release.key.pub"]
    assert run(by_key, desk)[0] == 1
