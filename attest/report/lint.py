"""What lint found in policy files: as text, JSON, and SARIF 2.1.0."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from urllib.parse import quote

from attest import __version__
from attest.errors import AttestError
from attest.policy.lint import RULES, Finding, Linted
from attest.policy.rules import Position
from attest.report.json import error_to_json
from attest.strictjson import JSON
from attest.terminal import escape

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


def render_text(linted: Sequence[Linted]) -> str:
    """A line for each thing found, as compilers write them, and a count at the end.

    Args:
        linted: in the order of the files.
    """
    return "\n".join([*(line for item in linted for line in _lines(item)), _count(linted)])


def _lines(item: Linted) -> Iterator[str]:
    if item.error is not None:
        at = position_of(item.error, item.file)
        place = f"{item.file}:{at.line}:{at.column}" if at else item.file
        yield f"{escape(place)}: error: {item.error.code}: {escape(_message(item.error))}"
        if item.error.hint:
            yield f"  hint: {escape(item.error.hint)}"
    for finding in item.findings:
        place = f"{item.file}:{finding.position.line}:{finding.position.column}"
        path = f" ({finding.path})" if finding.path else ""
        words = escape(f"{finding.message}{path}")
        yield f"{escape(place)}: {finding.level}: {finding.rule}: {words}"
        yield f"  hint: {escape(finding.hint)}"


def _count(linted: Sequence[Linted]) -> str:
    levels = [finding.level for item in linted for finding in item.findings]
    levels += ["error" for item in linted if item.error is not None]
    counts = (
        f"{levels.count(level)} {level}{'' if levels.count(level) == 1 else 's'}"
        for level in ("error", "warning", "note")
    )
    files = f"{len(linted)} file{'' if len(linted) == 1 else 's'}"
    return f"{files}: {', '.join(counts)}"


def render_json(linted: Sequence[Linted]) -> str:
    """One object on one line; `code` is the stable name of the lint rule."""
    files: list[JSON] = []
    for item in linted:
        found: list[JSON] = [_finding_json(finding) for finding in item.findings]
        error = None if item.error is None else error_to_json(item.error)
        files.append({"file": item.file, "findings": found, "error": error})
    return json.dumps({"files": files})


def _finding_json(finding: Finding) -> JSON:
    return {
        "code": finding.rule,
        "level": finding.level,
        "message": finding.message,
        "hint": finding.hint,
        "path": finding.path,
        "line": finding.position.line,
        "column": finding.position.column,
    }


def render_sarif(linted: Sequence[Linted]) -> str:
    """One log on one line: every finding, and every file that is no policy, as a result.

    Source: SARIF 2.1.0, sections 3.14 `run`, 3.27 `result`, 3.30 `region`.
    """
    errors = sorted({item.error.code for item in linted if item.error is not None})
    rules: list[JSON] = [_sarif_rule(code, rule.about, rule.level) for code, rule in RULES.items()]
    rules += [
        _sarif_rule(code, "The file is no policy that can be used.", "error") for code in errors
    ]
    log: JSON = {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "attest", "version": __version__, "rules": rules}},
                "invocations": [{"executionSuccessful": not errors}],
                "results": [result for item in linted for result in _results(item)],
                "columnKind": "unicodeCodePoints",
            }
        ],
    }
    # A CI system reads its own commands (`##[…]`) in what a step prints.
    return json.dumps(log, ensure_ascii=True).replace("##", "#\\u0023")


def _sarif_rule(name: str, about: str, level: str) -> JSON:
    return {
        "id": name,
        "shortDescription": {"text": about},
        "help": {"text": f"See {name} in attest's guide to policies and its list of errors."},
        "defaultConfiguration": {"level": level},
    }


def _results(item: Linted) -> Iterator[JSON]:
    if item.error is not None:
        at = position_of(item.error, item.file)
        text = _message(item.error)
        yield _sarif_result(item.file, item.error.code, "error", text, item.error.hint, at)
    for finding in item.findings:
        path = f" ({finding.path})" if finding.path else ""
        text = f"{finding.message}{path}"
        yield _sarif_result(
            item.file, finding.rule, finding.level, text, finding.hint, finding.position
        )


def _sarif_result(
    file: str, rule: str, level: str, text: str, hint: str | None, at: Position | None
) -> JSON:
    place: dict[str, JSON] = {"artifactLocation": {"uri": _uri(file)}}
    if at is not None:
        place["region"] = {"startLine": at.line, "startColumn": at.column}
    words = escape(f"{text}: {hint}" if hint else text, limit=2_000)
    return {
        "ruleId": rule,
        "level": level,
        "message": {"text": _literal(words)},
        "locations": [{"physicalLocation": place}],
    }


def _literal(text: str) -> str:
    """Text without placeholders (section 3.11.5) and links (3.11.6) for its reader to follow."""
    for special, plain in (("{", "{{"), ("}", "}}"), ("[", "\\["), ("]", "\\]")):
        text = text.replace(special, plain)
    return text


def _uri(file: str) -> str:
    path = PurePath(file)
    encoded = quote(path.as_posix().encode("utf-8", "surrogatepass"))
    if not path.is_absolute():
        return encoded
    return f"file://{encoded if encoded.startswith('/') else f'/{encoded}'}"


def position_of(error: AttestError, file: str) -> Position | None:
    """The line and column that an error of a file names in `where`; None if it names none."""
    found = re.match(r":([0-9]+):([0-9]+)", (error.where or "").removeprefix(file))
    return Position(line=int(found[1]), column=int(found[2])) if found else None


def _message(error: AttestError) -> str:
    """The message, and the path of the member that it is about."""
    _, colon, path = (error.where or "").rpartition(": ")
    return f"{error.message} ({path})" if colon else error.message
