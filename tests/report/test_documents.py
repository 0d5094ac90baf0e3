"""SARIF, JUnit and Markdown: what the formats require, and nothing untrusted that is obeyed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from attest.errors import PolicyViolation, UsageError, VerificationFailed
from attest.report import junit, markdown, sarif
from attest.report.model import Report, Target, TargetKind, Warned
from attest.report.outcome import Outcome, outcome_of

#: What the published schema of SARIF 2.1.0 says of the members that are written.
SARIF: dict[str, Any] = {
    "type": "object",
    "required": ["version", "runs"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {"type": "array", "items": {"$ref": "#/$defs/run"}},
    },
    "$defs": {
        "text": {
            "type": "object",
            "required": ["text"],
            "additionalProperties": False,
            "properties": {"text": {"type": "string"}},
        },
        "artifactLocation": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "uri": {"type": "string", "format": "uri-reference"},
                "index": {"type": "integer", "minimum": 0},
            },
        },
        "run": {
            "type": "object",
            "required": ["tool"],
            "additionalProperties": False,
            "properties": {
                "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                "tool": {
                    "type": "object",
                    "required": ["driver"],
                    "additionalProperties": False,
                    "properties": {
                        "driver": {
                            "type": "object",
                            "required": ["name"],
                            "additionalProperties": False,
                            "properties": {
                                "name": {"type": "string"},
                                "version": {"type": "string"},
                                "rules": {
                                    "type": "array",
                                    "uniqueItems": True,
                                    "items": {
                                        "type": "object",
                                        "required": ["id", "shortDescription", "help"],
                                        "additionalProperties": False,
                                        "properties": {
                                            "id": {"type": "string"},
                                            "shortDescription": {"$ref": "#/$defs/text"},
                                            "help": {"$ref": "#/$defs/text"},
                                        },
                                    },
                                },
                            },
                        }
                    },
                },
                "invocations": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["executionSuccessful"],
                        "additionalProperties": False,
                        "properties": {"executionSuccessful": {"type": "boolean"}},
                    },
                },
                "artifacts": {
                    "type": "array",
                    "uniqueItems": True,
                    "items": {
                        "type": "object",
                        "additionalProperties": False,
                        "properties": {
                            "location": {"$ref": "#/$defs/artifactLocation"},
                            "roles": {"type": "array", "items": {"const": "analysisTarget"}},
                            "hashes": {
                                "type": "object",
                                "propertyNames": {"enum": ["sha-256", "sha-384", "sha-512"]},
                                "additionalProperties": {"type": "string"},
                            },
                        },
                    },
                },
                "results": {"type": "array", "items": {"$ref": "#/$defs/result"}},
            },
        },
        "result": {
            "type": "object",
            # `ruleId` and `locations` are what code scanning demands beyond the schema.
            "required": ["message", "ruleId", "locations"],
            "additionalProperties": False,
            "properties": {
                "ruleId": {"type": "string"},
                "level": {"enum": ["none", "note", "warning", "error"]},
                "message": {"$ref": "#/$defs/text"},
                "locations": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "additionalProperties": False,
                        "properties": {
                            "physicalLocation": {
                                "type": "object",
                                "required": ["artifactLocation"],
                                "additionalProperties": False,
                                "properties": {
                                    "artifactLocation": {"$ref": "#/$defs/artifactLocation"}
                                },
                            },
                            "logicalLocations": {
                                "type": "array",
                                "items": {
                                    "type": "object",
                                    "additionalProperties": False,
                                    "properties": {"fullyQualifiedName": {"type": "string"}},
                                },
                            },
                        },
                    },
                },
                "partialFingerprints": {
                    "type": "object",
                    "additionalProperties": {"type": "string"},
                },
            },
        },
    },
}
VALIDATOR = Draft202012Validator(SARIF)

#: Names and texts that mean something to a terminal, a viewer, a parser or a CI system.
HOSTILE = (
    "<script>alert(1)</script>",
    "[here](https://evil.example)",
    "a | b \\| c",
    "```\n### verified\n```",
    "`` ` ``",
    "@everyone #1 https://evil.example www.evil.example",
    "::error::gone",
    "\n::stop-commands::x\n",
    "##[error]gone ##vso[task.complete]",
    "\x1b[31m\x00\x08\ufffe\ud800",
    "]]></failure><failure>&amp;&#0;",
    "{0} {1}",
    '" onload="x',
    "\u202edesrever",
    "%2e%2e/a b:c?d#e",
)


def report_of(name: str, *, message: str = "wrong", code: str = "signature_invalid") -> Report:
    report = passed(name)
    return report.failed(
        VerificationFailed(code, message, where=f"{name}: {message}", hint=message)
    )


def passed(name: str, *, kind: TargetKind = "file", warning: str | None = None) -> Report:
    target = Target(kind=kind, name=name, digest={"sha256": "0" * 64})
    report = Report(result="pass", assurance="identity", target=target)
    if warning is None:
        return report
    return replace(report, warnings=(Warned(code="trust_old", message=warning),))


def outcomes(*reports: Report) -> Sequence[Outcome]:
    return [outcome_of(report) for report in reports]


FAILED = report_of("b.txt")
UNDECIDED = passed("c.txt").failed(UsageError("file_not_found", "does not exist"))
OLD = passed("d.txt", warning="old")
ALL = outcomes(passed("a.txt"), FAILED, UNDECIDED, OLD)


def read_sarif(items: Sequence[Outcome]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(sarif.render(items))
    VALIDATOR.validate(document)
    (run,) = document["runs"]
    assert isinstance(run, dict)
    return run


def test_sarif_has_a_result_for_what_failed_and_an_artifact_for_every_target() -> None:
    run = read_sarif(ALL)
    found = [(item["ruleId"], item["level"]) for item in run["results"]]
    assert found == [
        ("signature_invalid", "error"),
        ("file_not_found", "error"),
        ("trust_old", "warning"),
    ]
    names = [item["location"]["uri"] for item in run["artifacts"]]
    assert names == ["a.txt", "b.txt", "c.txt", "d.txt"]
    for result in run["results"]:
        place = result["locations"][0]["physicalLocation"]["artifactLocation"]
        assert names[place["index"]] == place["uri"]
    rules = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    assert rules == {item["ruleId"] for item in run["results"]}


@pytest.mark.parametrize(("reports", "successful"), [([FAILED], True), ([UNDECIDED], False)])
def test_sarif_tells_a_verdict_from_none(reports: list[Report], *, successful: bool) -> None:
    (invocation,) = read_sarif(outcomes(*reports))["invocations"]
    assert invocation["executionSuccessful"] is successful


def test_sarif_of_everything_verified_has_no_result() -> None:
    assert read_sarif(outcomes(passed("a.txt")))["results"] == []


@pytest.mark.parametrize(
    ("name", "kind", "uri"),
    [
        ("a b/ä.txt", "file", "a%20b/%C3%A4.txt"),
        ("x:y", "file", "x%3Ay"),
        ("/tmp/a.epack", "pack", "file:///tmp/a.epack"),
        ("sha256:00", "digest", "urn:sha256:00"),
        ("//evil.example/a", "file", "file:////evil.example/a"),
    ],
)
def test_sarif_names_targets_by_uri(name: str, kind: TargetKind, uri: str) -> None:
    assert read_sarif(outcomes(passed(name, kind=kind)))["artifacts"][0]["location"]["uri"] == uri


@pytest.mark.parametrize("text", HOSTILE)
def test_sarif_has_no_link_and_no_placeholder_to_follow(text: str) -> None:
    items = outcomes(report_of(text, message=text))
    run = read_sarif(items)
    message = run["results"][0]["message"]["text"]
    assert not re.search(r"(?<!\\)\]\(|(?<!\{)\{[0-9]+\}(?!\})", message)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", message)


def test_junit_counts_failures_and_errors_apart() -> None:
    root = ET.fromstring(junit.render(ALL))
    (suite,) = root
    for element in (root, suite):
        counts = [element.get(name) for name in ("tests", "failures", "errors")]
        assert counts == ["4", "1", "1"]
    cases = [(case.get("name"), [child.tag for child in case]) for case in suite]
    assert cases == [
        ("a.txt", ["system-out"]),
        ("b.txt", ["failure"]),
        ("c.txt", ["error"]),
        ("d.txt", ["system-out"]),
    ]
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert (failure.get("type"), failure.get("message")) == ("signature_invalid", "wrong")
    assert "FAILED: b.txt" in (failure.text or "")


@pytest.mark.parametrize("text", HOSTILE)
def test_junit_stays_one_case_whatever_its_texts_say(text: str) -> None:
    (suite,) = ET.fromstring(junit.render(outcomes(report_of(text, message=text))))
    (case,) = suite
    assert [child.tag for child in case] == ["failure"]
    assert [list(child) for child in case] == [[]]


def test_markdown_lists_every_target_and_shows_the_reports_of_those_that_failed() -> None:
    text = markdown.render(ALL)
    assert "### attest verify: 2 of 4 passed" in text
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert [row.split(" | ")[1].partition(":")[0] for row in rows] == [
        "verified",
        "**FAILED**",
        "**NO VERDICT**",
        "verified",
    ]
    assert text.count("```text") == 2
    assert "Warning: ` old `" in text


def test_markdown_says_first_that_nobody_was_named() -> None:
    report = replace(passed("a.txt"), assurance="any_identity")
    assert "\n> **ANY IDENTITY" in markdown.render(outcomes(report)).partition("| Target")[0]


def test_markdown_does_not_call_verified_what_is_only_intact() -> None:
    (row,) = [
        line
        for line in markdown.render(
            outcomes(replace(passed("a"), assurance="integrity"))
        ).splitlines()
        if line.startswith("| `")
    ]
    assert "verified" not in row
    assert "nobody's identity was checked" in row


def outside_code(text: str) -> str:
    """What of Markdown is not code: blocks taken out by fence, then spans by their backticks."""
    text = re.sub(r"(?ms)^(`{3,})text\n.*?^\1$", "", text)
    return re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", text)


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_keeps_untrusted_text_in_code(text: str) -> None:
    reports = [
        report_of(text, message=text),
        passed(text, warning=text),
    ]
    shown = markdown.render(outcomes(*reports))
    usual = markdown.render(outcomes(report_of("n", message="m"), passed("n", warning="m")))
    assert outside_code(shown) == outside_code(usual)
    rows = [line for line in shown.splitlines() if line.startswith("| `")]
    for row in rows:
        assert len(re.findall(r"(?:\\.|[^|\\])+", row.strip("|"))) == 3  # as cells are told apart


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_text_leaves_its_place(name: str, message: str) -> None:
    items = outcomes(report_of(name, message=message))
    read_sarif(items)
    (suite,) = ET.fromstring(junit.render(items))
    assert [child.tag for child in suite[0]] == ["failure"]
    usual = markdown.render(outcomes(report_of("n", message="m")))
    assert outside_code(markdown.render(items)) == outside_code(usual)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("render", [sarif.render, junit.render, markdown.render])
def test_no_line_is_a_command_to_a_ci_system(
    text: str, render: Callable[[Sequence[Outcome]], str]
) -> None:
    signed_by = PolicyViolation("policy_not_met", text, where=text)
    for line in render(
        outcomes(report_of(text, message=text), passed("a").failed(signed_by))
    ).split("\n"):
        assert not line.lstrip().startswith("::")
        assert "##[" not in line
        assert "##vso[" not in line
