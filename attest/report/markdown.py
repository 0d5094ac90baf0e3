"""Outcomes as one Markdown document, for the summary of a CI job or a comment."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from attest.report.outcome import Outcome
from attest.terminal import escape

_WORDS = {"pass": "verified", "fail": "**FAILED**", "error": "**NO VERDICT**"}


def render(outcomes: Sequence[Outcome]) -> str:
    """The document: a table of the targets, then the reports of those that did not pass.

    Whatever is untrusted stands in code, where nothing is a link, a mention or HTML.

    Args:
        outcomes: in the order of the targets.

    Source: CommonMark 0.31 "Code spans", "Fenced code blocks"; GFM "Tables".
    """
    return "\n".join(_lines(outcomes))


def _lines(outcomes: Sequence[Outcome]) -> Iterator[str]:
    counts = Counter(item.result for item in outcomes)
    yield f"### attest verify: {counts['pass']} of {len(outcomes)} passed"
    for caution in dict.fromkeys(item.caution for item in outcomes if item.caution is not None):
        yield ""
        yield f"> **{caution}**"
    yield ""
    yield "| Target | Verdict | Signed, as far as it verified, by |"
    yield "|---|---|---|"
    for item in outcomes:
        signers = ", ".join(map(_cell, item.signers))
        yield f"| {_cell(item.name)} | {_verdict(item)} | {signers or 'nobody'} |"
    for item in outcomes:
        if item.result != "pass":
            yield ""
            yield from _block(item.text)
    for warning in dict.fromkeys(warned.message for item in outcomes for warned in item.warnings):
        yield ""
        yield f"Warning: {_code(warning)}"


def _verdict(item: Outcome) -> str:
    if item.intact:
        return "intact (nobody's identity was checked)"
    return _WORDS[item.result] + (f": {_cell(item.code)}" if item.code is not None else "")


def _cell(text: str) -> str:
    r"""Untrusted text for a cell, which ends at `|` even in code, though not at `\|`."""
    # A backslash before it would spoil that, and `escape` leaves none single.
    return _code(text).replace("|", "\\|")


def _code(text: str) -> str:
    """Untrusted text as a code span that it cannot end."""
    shown = _quiet(escape(text, limit=2_000)) or " "
    fence = "`" * (_longest(shown) + 1)
    return f"{fence} {shown} {fence}"


def _block(text: str) -> Iterator[str]:
    """Escaped lines as a block of code that they cannot end."""
    fence = "`" * max(3, _longest(text) + 1)
    yield f"{fence}text"
    yield _quiet(text)
    yield fence


def _longest(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


def _quiet(text: str) -> str:
    """Escaped text without `##`, with which CI systems begin their own commands."""
    return text.replace("##", "#\\x23")
