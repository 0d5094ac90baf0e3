"""Outcomes as one SARIF 2.1.0 log, as code scanning services read it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import PurePath
from urllib.parse import quote

from attest import __version__
from attest.report.outcome import Outcome
from attest.strictjson import JSON
from attest.terminal import escape

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
#: As SARIF spells the digests.
_HASHES = {"sha256": "sha-256", "sha384": "sha-384", "sha512": "sha-512"}


def render(outcomes: Sequence[Outcome]) -> str:
    """The log, on one line: what failed as results, every target as an artifact.

    A target that passed has no result: services show results as alerts, whatever their kind.

    Args:
        outcomes: in the order of the targets.

    Source: SARIF 2.1.0, sections 3.14 `run`, 3.27 `result`.
    """
    results = [result for at, item in enumerate(outcomes) for result in _results(at, item)]
    log: JSON = {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "attest",
                        "version": __version__,
                        "rules": [_rule(code) for code in _codes(outcomes)],
                    }
                },
                "invocations": [
                    # No verdict on a target is no success, whatever came of the others.
                    {"executionSuccessful": all(item.result != "error" for item in outcomes)}
                ],
                "artifacts": [_artifact(item) for item in outcomes],
                "results": results,
                "columnKind": "unicodeCodePoints",
            }
        ],
    }
    # A CI system reads its own commands (`##[…]`) in what a step prints.
    return json.dumps(log, ensure_ascii=True).replace("##", "#\\u0023")


def _codes(outcomes: Sequence[Outcome]) -> list[str]:
    """Every code that a result has, each once."""
    found = {item.code for item in outcomes if item.code is not None}
    return sorted(found.union(warned.code for item in outcomes for warned in item.warnings))


def _rule(code: str) -> JSON:
    words = code.replace("_", " ").capitalize()
    return {
        "id": code,
        "shortDescription": {"text": words},
        "help": {"text": f"{words}: see {code} in the documentation of attest's errors."},
    }


def _artifact(item: Outcome) -> JSON:
    hashes: dict[str, JSON] = {_HASHES[name]: value for name, value in item.digest.items()}
    artifact: dict[str, JSON] = {"location": {"uri": _uri(item)}, "roles": ["analysisTarget"]}
    return {**artifact, "hashes": hashes} if hashes else artifact


def _results(at: int, item: Outcome) -> list[JSON]:
    results = []
    if item.code is not None:
        results.append(_result(at, item, item.code, "error", item.text))
    for warned in item.warnings:
        text = escape(warned.message, limit=2_000)
        results.append(_result(at, item, warned.code, "warning", text))
    return results


def _result(at: int, item: Outcome, code: str, level: str, text: str) -> JSON:
    location: dict[str, JSON] = {
        "physicalLocation": {"artifactLocation": {"uri": _uri(item), "index": at}}
    }
    if item.where is not None and level == "error":
        location["logicalLocations"] = [{"fullyQualifiedName": escape(item.where)}]
    same = hashlib.sha256(f"{code}\0{_uri(item)}".encode()).hexdigest()
    return {
        "ruleId": code,
        "level": level,
        "message": {"text": _literal(text)},
        "locations": [location],
        "partialFingerprints": {"attestCodeAndTarget/v1": same},
    }


def _literal(text: str) -> str:
    """Text without placeholders (section 3.11.5) and links (3.11.6) for its reader to follow."""
    for special, plain in (("{", "{{"), ("}", "}}"), ("[", "\\["), ("]", "\\]")):
        text = text.replace(special, plain)
    return text


def _uri(item: Outcome) -> str:
    """The target as a URI; a relative path stays one, as services want it."""
    if not item.is_path:
        return f"urn:{quote(item.name, safe=':')}"
    path = PurePath(item.name)
    encoded = quote(path.as_posix().encode("utf-8", "surrogatepass"))
    if not path.is_absolute():
        return encoded
    return f"file://{encoded if encoded.startswith('/') else f'/{encoded}'}"
