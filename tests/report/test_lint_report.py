"""Lint's SARIF log: results at their line, their rules described, and no text that is markup."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from attest.api.policy import lint_policy
from attest.errors import UsageError
from attest.policy.lint import RULES, Linted
from attest.report.lint import render_json, render_sarif, render_text

NOW = datetime(2026, 11, 21, tzinfo=UTC)
LOOSE = """\
version: 1
expires: 2027-06-30T00:00:00Z
signers:
  x:
    issuer: google
    email: "*@gmail.com"
require: [x]
"""


@pytest.fixture
def linted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Linted]:
    monkeypatch.chdir(tmp_path)
    Path("loose policy.yaml").write_text(LOOSE)
    Path("broken.yaml").write_text(LOOSE.replace("google", "goggle"))
    return [lint_policy(name, now=NOW) for name in ("loose policy.yaml", "broken.yaml")]


def log_of(linted: list[Linted]) -> dict[str, Any]:
    (run,) = json.loads(render_sarif(linted))["runs"]
    assert isinstance(run, dict)
    return run


def test_every_result_has_its_rule_its_level_and_its_line(linted: list[Linted]) -> None:
    run = log_of(linted)
    found = [
        (
            item["ruleId"],
            item["level"],
            item["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
            item["locations"][0]["physicalLocation"]["region"],
        )
        for item in run["results"]
    ]
    assert found == [
        ("shared_email_domain", "error", "loose%20policy.yaml", {"startLine": 6, "startColumn": 5}),
        ("policy_invalid_value", "error", "broken.yaml", {"startLine": 5, "startColumn": 13}),
    ]
    described = {rule["id"]: rule for rule in run["tool"]["driver"]["rules"]}
    assert described.keys() == {*RULES, "policy_invalid_value"}
    assert all(rule["shortDescription"]["text"] for rule in described.values())


def test_a_file_that_is_no_policy_is_no_successful_run(linted: list[Linted]) -> None:
    assert log_of(linted)["invocations"] == [{"executionSuccessful": False}]
    assert log_of(linted[:1])["invocations"] == [{"executionSuccessful": True}]


def test_a_file_without_findings_is_an_empty_log() -> None:
    assert log_of([Linted(file="p.yaml")])["results"] == []


@pytest.mark.parametrize("sly", ["[a](http://b)", "{0}", "##[command]", "\u202egpj", "\x1b[31m"])
def test_text_of_a_file_is_no_markup(sly: str, tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(LOOSE.replace('"*@gmail.com"', json.dumps(f"*{sly}*@gmail.com")))
    linted = [lint_policy(path, now=NOW)]
    for text in (render_sarif(linted), render_json(linted), render_text(linted)):
        assert not {"\u202e", "\x1b"} & set(text)
    text = log_of(linted)["results"][0]["message"]["text"]
    assert "[a](" not in text
    assert "{0}" not in text.replace("{{0}}", "")
    assert "##[" not in render_sarif(linted)


def test_a_time_without_a_zone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        lint_policy(tmp_path / "p.yaml", now=datetime(2026, 1, 1))  # noqa: DTZ001  # on purpose
    assert caught.value.code == "naive_time"
