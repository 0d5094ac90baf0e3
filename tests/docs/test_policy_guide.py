"""Every policy, test case and command of the guides to policies is what it says it is."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from attest.api.policy import lint_policy
from attest.cli.main import main
from attest.policy.cases import is_cases_file
from attest.policy.grammar import CERTIFICATE_SIGNER, POLICY
from attest.policy.lint import RULES
from tests.cli.scenario import matches
from tests.docs.conftest import Desk
from tests.docs.markdown import ROOT, blocks, commands

GUIDE = ROOT / "docs" / "policy.md"
OTHERS = ROOT / "docs" / "policy-from-other-tools.md"
NOW = datetime(2026, 11, 21, tzinfo=UTC)
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def write_files(page: Path) -> list[str]:
    """Write every file of a page, whose name is in its first line."""
    names = []
    for block in blocks(page, "yaml"):
        name = block.splitlines()[0].removeprefix("# ")
        Path(name).write_text(block, encoding="utf-8")
        names.append(name)
    return names


def run(words: list[str], desk: Desk) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    if words[0] == "verify":
        words = [*words, "--trusted-root", str(desk.sandbox.trusted_root)]
    code = main(words, stdout=out, stderr=err, environ=os.environ)
    return code, out.getvalue(), err.getvalue()


def steps(page: Path) -> Iterator[tuple[list[list[str]], list[str] | None]]:
    """The commands of each shell block, and the output that follows it, if it is shown."""
    found = _BLOCK.findall(page.read_text(encoding="utf-8"))
    for at, (language, text) in enumerate(found):
        if language == "sh":
            shown = found[at + 1] if at + 1 < len(found) else ("", "")
            yield list(commands(text)), shown[1].splitlines() if shown[0] == "text" else None


@pytest.mark.parametrize("page", [GUIDE, OTHERS], ids=lambda page: page.name)
@pytest.mark.usefixtures("desk")
def test_every_policy_on_the_page_loads_and_leaves_nothing_open_to_anybody(page: Path) -> None:
    names = write_files(page)
    assert len(names) >= 4
    for name in names:
        if name == "policy.policy-test.yaml":
            continue  # its policy is made by a command
        linted = lint_policy(name, now=NOW)
        assert linted.error is None, name
        assert not linted.fails(strict=False), name


def test_the_commands_of_the_guide_do_what_they_say(desk: Desk) -> None:
    write_files(GUIDE)
    shown = list(steps(GUIDE))
    assert len(shown) >= 4
    for lines, expected in shown:
        for words in lines:
            code, out, err = run(words, desk)
            assert code == 0, f"{words}\n{out}{err}"
            if expected is not None:
                assert matches(out.splitlines(), expected), out
    code, out, err = run(["verify", "evidence.epack", "--policy", "policy.yaml"], desk)
    assert code == 0
    assert "ana has a certificate that says all of this:" in err


def test_the_commands_of_the_other_page_do_what_they_say(desk: Desk) -> None:
    for lines, _ in steps(OTHERS):
        for words in lines:
            code, out, err = run(words, desk)
            assert code == 0, f"{words}\n{out}{err}"


def test_a_pack_in_a_case_is_verified(desk: Desk) -> None:
    write_files(GUIDE)
    run(["policy", "new", "--email", "eve@acme.example", "--issuer", "google", "--out", "e.yaml"],
        desk)  # fmt: skip
    text = Path("policy.policy-test.yaml").read_text().replace("policy.yaml", "e.yaml")
    Path("e.policy-test.yaml").write_text(
        text.replace("2026-01-01T00:00:00Z", f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")
    )
    code, out, _ = run(["policy", "test", "e.policy-test.yaml"], desk)
    assert code == 1
    assert "expected: time_in_future" in out
    assert "found: certificate_identity_mismatch" in out
    assert "1 of 2 cases as expected" in out


def test_the_guide_tells_of_every_lint_rule_as_it_is() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.+) \|$", GUIDE.read_text(), re.MULTILINE)
    assert rows == [(code, rule.level, rule.about) for code, rule in RULES.items()]


def test_the_guide_tells_of_every_key_of_the_grammar() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    names = [field.name for field in (*POLICY.fields, *CERTIFICATE_SIGNER.fields)]
    missing = [name for name in names if not re.search(rf"`{name}[:`]|^ *{name}:|`[^`]*{name}:",
               text, re.MULTILINE)]  # fmt: skip
    assert missing == []


def test_the_hook_takes_the_files_that_it_is_for() -> None:
    text = (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    (pattern,) = re.findall(r"files: (.+)", text)
    assert re.search(pattern, "policies/release.policy.yaml")
    assert re.search(pattern, "policy.yml")
    assert re.search(pattern, "a/prod-policy.json")
    assert re.search(pattern, "prod.policy-test.yaml")
    assert not re.search(pattern, "docs/policy.md")
    assert not re.search(pattern, "mypolicy.yaml.bak")
    (entry,) = re.findall(r"entry: attest (.+)", text)
    assert entry == "policy check"
    assert is_cases_file(Path("prod.policy-test.yaml"))
