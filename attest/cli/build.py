"""`attest build`: put files into an Evidence Pack."""

from __future__ import annotations

import argparse
import contextlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from attest.api.build import Built, build
from attest.cli.context import Context
from attest.errors import EXIT_OK, UsageError
from attest.strictjson import JSON
from attest.terminal import escape

_EPILOG = """\
examples:
  attest build evidence.epack report.pdf scan.sarif --stream acme/prod
  attest build evidence.epack evidence/ --stream acme/prod --source scanner@2.1
  attest build evidence.epack evidence/ --stream acme/prod --describe describe.json

a source may say more: NAME[@VERSION][,source=REPOSITORY][,commit=SHA]
  [,binary-digest=sha256:HEX][,artifacts=N]
a reference points to evidence elsewhere and is never fetched by itself:
  name=NAME,uri=https://HOST/PATH,policy=POLICY[,digest=sha256:HEX]
  policies: public, nda_required, customer_only, request_access
the description is JSON in the words of the manifest; of several rules that match, the
later wins; * in a pattern stops at a slash, ** does not:
  {"artifacts": [{"match": "aws/**", "controls": ["AC-2"], "content_type": "text/csv",
                  "collected_at": "2026-01-20T14:00:00Z"}],
   "sources": [], "references": [],
   "profile": "acme/soc2@v1", "overlays": [], "profile_lock": []}

SOURCE_DATE_EPOCH (seconds since 1970) sets the time in the manifest; with it the same
files give the same pack, byte for byte."""


_SOURCE_FIELDS = ("source", "commit", "binary_digest", "artifacts")
_REFERENCE = frozenset({"name", "uri", "policy", "digest"})
_NUMBER = re.compile("[0-9]{1,16}")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.description = "Put files and folders into an Evidence Pack."
    parser.epilog = _EPILOG
    parser.add_argument("out", metavar="OUT.epack", help="the pack to write")
    parser.add_argument("files", metavar="FILE|DIR", nargs="+", help="what to put in")
    parser.add_argument("--stream", required=True, metavar="S", help="name of the evidence stream")
    parser.add_argument(
        "--source",
        action="append",
        default=[],
        metavar="NAME[@VERSION][,…]",
        help="a collector that contributed; may be given several times",
    )
    parser.add_argument(
        "--reference",
        action="append",
        default=[],
        metavar="name=…,uri=…,…",
        help="evidence that is elsewhere; may be given several times",
    )
    parser.add_argument(
        "--describe",
        metavar="FILE",
        help="JSON that says more: content types, controls, times, reserved fields",
    )
    parser.add_argument("--replace", action="store_true", help="overwrite an existing pack")


def run(args: argparse.Namespace, context: Context) -> int:
    """Build the pack and print what it is called by."""
    with context.progress("building") as progress:
        built = build(
            args.out,
            args.files,
            stream=args.stream,
            sources=[_source(text) for text in args.source],
            references=[_reference(text) for text in args.reference],
            describe=args.describe,
            generated_at=source_date(context.environ),
            replace=args.replace,
            limits=context.settings.limits,
            progress=progress,
        )
    if not built.can_be_merged:
        context.say(
            f"warning: no folder can be named {escape(built.stream)}, so that this pack cannot be"
            " merged with others; to merge it, build it with another --stream"
        )
    if context.wants_json:
        context.result_json(built_json(built))
        return EXIT_OK
    context.result("\n".join(built_lines(built)))
    context.say(f"to sign it: attest sign {escape(str(built.path))}")
    return EXIT_OK


def built_json(built: Built) -> dict[str, JSON]:
    """What a new pack is called by, as JSON."""
    return {
        "path": str(built.path),
        "stream": built.stream,
        "artifacts": built.artifacts,
        "bytes": built.bytes,
        "generated_at": _utc(built),
        "pack_digest": built.pack_digest,
        "manifest_digest": built.manifest_digest,
    }


def built_lines(built: Built) -> list[str]:
    """What a new pack is called by, as lines of text."""
    return [
        f"pack             {escape(str(built.path))}",
        f"stream           {escape(built.stream)}",
        f"generated at     {_utc(built)}",
        f"artifacts        {built.artifacts} ({built.bytes} bytes)",
        f"pack digest      {built.pack_digest}",
        f"manifest digest  {built.manifest_digest}",
    ]


def _utc(built: Built) -> str:
    return f"{built.generated_at:%Y-%m-%dT%H:%M:%SZ}"


def _source(text: str) -> dict[str, JSON]:
    first, *rest = text.split(",")
    name, at, version = first.partition("@")
    if not name or (at and not version):
        raise UsageError(
            "invalid_source", f"'{first}' is not NAME or NAME@VERSION", where="--source"
        )
    source: dict[str, JSON] = {"name": name}
    if version:
        source["version"] = version
    for part in rest:
        key, _, value = part.partition("=")
        key = key.replace("-", "_")
        if key not in _SOURCE_FIELDS or not value or key in source:
            raise UsageError(
                "invalid_source",
                f"'{part}' is not FIELD=VALUE, each field once",
                where="--source",
                hint=f"the fields are {', '.join(_SOURCE_FIELDS)}",
            )
        source[key] = int(value) if key == "artifacts" and _NUMBER.fullmatch(value) else value
    return source


def _reference(text: str) -> dict[str, JSON]:
    # Not at every comma: a URI may have some of its own.
    parts = [part.partition("=") for part in re.split(r",(?=(?:name|uri|policy|digest)=)", text)]
    found = {key: value for key, _, value in parts if value}
    if len(found) != len(parts) or not {"name", "uri", "policy"} <= found.keys() <= _REFERENCE:
        raise UsageError(
            "invalid_reference",  # the text is not repeated: a URI may hold a secret
            "is not name=…,uri=…,policy=… and maybe ,digest=…",
            where="--reference",
            hint="each field once, none of them empty",
        )
    reference: dict[str, JSON] = {"access": {"policy": found.pop("policy")}}
    return reference | found


def source_date(environ: Mapping[str, str]) -> datetime | None:
    """The time that SOURCE_DATE_EPOCH names (reproducible-builds.org), if it is set."""
    text = environ.get("SOURCE_DATE_EPOCH", "")
    if not text:
        return None
    time = None
    if text.isascii() and text.isdigit():
        with contextlib.suppress(ValueError, OverflowError, OSError):  # beyond the year 9999
            time = datetime.fromtimestamp(int(text), UTC)
    if time is None:
        raise UsageError(
            "invalid_setting",
            f"'{text}' is not a number of seconds since 1970",
            where="SOURCE_DATE_EPOCH",
        )
    return time
