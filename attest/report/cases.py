"""How the test cases of policies ended: as text, JSON, and JUnit."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, tostring

from attest.policy.cases import CaseResult
from attest.strictjson import JSON
from attest.terminal import escape


@dataclass(frozen=True, kw_only=True, slots=True)
class FileResult:
    """A file of test cases, and how each ended."""

    file: str
    policy: str
    results: tuple[CaseResult, ...]


def render_text(files: Sequence[FileResult]) -> str:
    """Every case that did not end as expected, with the reasons, and a count for each file.

    Args:
        files: in the order in which they ran.
    """
    return "\n".join(line for item in files for line in _lines(item))


def _lines(item: FileResult) -> Iterator[str]:
    for result in item.results:
        if not result.passed:
            at = result.case.position
            yield f"{escape(item.file)}:{at.line}: FAILED {escape(result.case.name)}"
            yield f"  expected: {escape(result.case.expect)}"
            yield f"  found: {escape(result.found)}"
            yield from (f"  {escape(line)}" for line in result.why)
    passed = sum(result.passed for result in item.results)
    yield f"{escape(item.file)}: {passed} of {len(item.results)} cases as expected"


def render_json(files: Sequence[FileResult]) -> str:
    """One object on one line."""
    tested: list[JSON] = []
    for item in files:
        cases: list[JSON] = [
            {
                "name": result.case.name,
                "line": result.case.position.line,
                "result": "pass" if result.passed else "fail",
                "expected": result.case.expect,
                "found": result.found,
                "why": [*result.why],
            }
            for result in item.results
        ]
        tested.append({"file": item.file, "policy": item.policy, "cases": cases})
    return json.dumps({"files": tested})


def render_junit(files: Sequence[FileResult]) -> str:
    """A test suite for each file, a test case for each case, as CI systems read it."""
    root = Element("testsuites", name="attest policy test")
    for item in files:
        failures = sum(not result.passed for result in item.results)
        suite = SubElement(
            root,
            "testsuite",
            name=escape(item.file),
            tests=str(len(item.results)),
            failures=str(failures),
            errors="0",
            skipped="0",
        )
        for result in item.results:
            case = SubElement(
                suite, "testcase", classname=escape(item.policy), name=escape(result.case.name)
            )
            if not result.passed:
                words = f"expected {result.case.expect}, found {result.found}"
                failure = SubElement(case, "failure", type=result.found, message=words)
                failure.text = "\n".join(escape(line) for line in result.why)
    text = tostring(root, encoding="unicode", xml_declaration=False)
    # A CI system reads its own commands (`##[…]`) in what a step prints.
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + text.replace("#", "&#35;")
