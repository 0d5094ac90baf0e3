"""Outcomes as one JUnit document: a test case for each target, as CI systems read it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from attest.report.outcome import Outcome
from attest.terminal import escape

#: What XML reads as its own, what breaks an attribute, and what CI systems read as a command.
_ENTITIES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;", "#": "&#35;"}
)
_FAILURES = {"fail": "failure", "error": "error"}


def render(outcomes: Sequence[Outcome]) -> str:
    """The document.

    Args:
        outcomes: in the order of the targets.
    """
    return "\n".join(_lines(outcomes))


def _lines(outcomes: Sequence[Outcome]) -> Iterator[str]:
    counts = Counter(item.result for item in outcomes)
    totals = f'tests="{len(outcomes)}" failures="{counts["fail"]}" errors="{counts["error"]}"'
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield f'<testsuites name="attest verify" {totals}>'
    yield f'  <testsuite name="attest verify" {totals} skipped="0">'
    for item in outcomes:
        yield f'    <testcase classname="attest.verify" name="{_quoted(item.name)}">'
        element = _FAILURES.get(item.result)
        if element is None:
            yield f"      <system-out>{_literal(item.text)}</system-out>"
        else:
            message = _quoted(item.message or "")
            yield (
                f'      <{element} type="{item.code}" message="{message}">'
                f"{_literal(item.text)}</{element}>"
            )
        yield "    </testcase>"
    yield "  </testsuite>"
    yield "</testsuites>"


def _quoted(text: str) -> str:
    # Escaped first: XML 1.0 has no way to write most control characters.
    return _literal(escape(text))


def _literal(text: str) -> str:
    """Escaped text for XML."""
    return text.translate(_ENTITIES)
