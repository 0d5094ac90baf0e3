"""`attest diff`: what differs between two packs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator

from attest.api.diff import Compared, PackDiff, TextDiff, diff
from attest.cli.context import Context
from attest.errors import EXIT_OK, EXIT_VERDICT
from attest.strictjson import JSON
from attest.terminal import Color, escape

_EPILOG = """\
examples:
  attest diff monday.epack tuesday.epack
  attest diff monday.epack tuesday.epack --text

both packs must be intact; who made them is not checked: use attest verify
  + added   - removed   ~ changed   > moved: same bytes, another path
exit codes: 0 same; 1 different, or a pack is malformed (then there is an error); 2 a pack
cannot be read"""

_MARKS = {"added": "+", "removed": "-", "changed": "~"}
_COLORS: dict[str, Color] = {"+": "green", "-": "red", "~": "yellow", ">": "yellow", "@": "dim"}
_LEFT_OUT = {
    "binary": "not text: no lines to compare",
    "too_large": "too large to compare line by line",
    "too_many_lines": "too many lines differ to show all",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = "Show what differs between two Evidence Packs."
    parser.epilog = _EPILOG
    parser.add_argument("first", metavar="A", help="the pack before")
    parser.add_argument("second", metavar="B", help="the pack after")
    parser.add_argument(
        "--text", action="store_true", help="also show the lines in which text artifacts differ"
    )


def run(args: argparse.Namespace, context: Context) -> int:
    """Compare the packs and print the differences."""
    with context.progress("reading") as progress:
        limits = context.settings.limits
        found = diff(args.first, args.second, text=args.text, limits=limits, progress=progress)
    if context.wants_json:
        context.result_json(_json(found))
    else:
        lines = [
            context.paint(line, _COLORS[line[:1]]) if line[:1] in _COLORS else line
            for line in _lines(found)
        ]
        head = "SAME" if found.same else "DIFFERENT"
        context.result("\n".join([f"{head} (nobody's identity was checked)", *lines]))
    return EXIT_OK if found.same else EXIT_VERDICT


def _lines(found: Compared) -> Iterator[str]:
    yield from _artifact_lines(found.difference)
    for field in found.difference.fields:
        before, after = _shown(field.before), _shown(field.after)
        value = {"added": after, "removed": before}.get(field.how, f"{before} -> {after}")
        yield f"{_MARKS[field.how]} manifest {escape(field.field)}: {value}"
    if found.difference.reordered:
        yield "~ manifest artifacts: in another order"
    for attestation in found.difference.attestations:
        yield f"{_MARKS[attestation.how]} {escape(attestation.name)}"
    for text in found.texts or ():
        yield from _text_lines(text)


def _artifact_lines(difference: PackDiff) -> Iterator[str]:
    for item in difference.removed:
        yield f"- {escape(item.path)}  {item.size} bytes"
    for item in difference.added:
        yield f"+ {escape(item.path)}  {item.size} bytes"
    for pair in difference.changed:
        yield f"~ {escape(pair.after.path)}  {pair.before.size} -> {pair.after.size} bytes"
    for pair in difference.moved:
        yield f"> {escape(pair.before.path)} -> {escape(pair.after.path)}"


def _text_lines(text: TextDiff) -> Iterator[str]:
    yield f"lines of {escape(text.path)}:"
    for line in text.lines:
        # The mark is ours and so is our own remark; what follows a mark is content.
        yield line if line.startswith("\\") else line[0] + escape(line[1:])
    if text.left_out is not None:
        yield _LEFT_OUT[text.left_out]


def _shown(value: JSON) -> str:
    if isinstance(value, str):  # as JSON its escapes would be escaped once more
        return f'"{escape(value, limit=120)}"'
    return escape(json.dumps(value, ensure_ascii=False), limit=120)


def _json(found: Compared) -> dict[str, JSON]:
    it = found.difference
    first, second = it.manifest_digests
    return {
        "result": "same" if found.same else "different",
        "assurance": "integrity",
        "manifest_digests": [first.hex(), second.hex()],
        "artifacts": {
            "added": [{"path": item.path, "digest": item.digest} for item in it.added],
            "removed": [{"path": item.path, "digest": item.digest} for item in it.removed],
            "changed": [
                {
                    "path": pair.after.path,
                    "before": {"digest": pair.before.digest, "size": pair.before.size},
                    "after": {"digest": pair.after.digest, "size": pair.after.size},
                }
                for pair in it.changed
            ],
            "moved": [
                {"from": pair.before.path, "to": pair.after.path, "digest": pair.after.digest}
                for pair in it.moved
            ],
            "reordered": it.reordered,
        },
        "manifest": [
            {"field": item.field, "how": item.how, "before": item.before, "after": item.after}
            for item in it.fields
        ],
        "attestations": [{"name": item.name, "how": item.how} for item in it.attestations],
        "texts": None
        if found.texts is None
        else [
            {"path": item.path, "lines": list(item.lines), "left_out": item.left_out}
            for item in found.texts
        ],
    }
