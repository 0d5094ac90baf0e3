"""`attest build`: put files into an Evidence Pack."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime

from attest.api.build import Built, build
from attest.cli.context import Context
from attest.errors import EXIT_OK, UsageError
from attest.terminal import escape

_EPILOG = """\
examples:
  attest build evidence.epack report.pdf scan.sarif --stream acme/prod
  attest build evidence.epack evidence/ --stream acme/prod --source scanner@2.1

SOURCE_DATE_EPOCH (seconds since 1970) sets the time in the manifest; with it the same
files give the same pack, byte for byte."""


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
        metavar="NAME[@VERSION]",
        help="a collector that contributed; may be given several times",
    )
    parser.add_argument("--replace", action="store_true", help="overwrite an existing pack")


def run(args: argparse.Namespace, context: Context) -> int:
    """Build the pack and print what it is called by."""
    built = build(
        args.out,
        args.files,
        stream=args.stream,
        sources=[_source(text) for text in args.source],
        generated_at=_source_date(context.environ),
        replace=args.replace,
        limits=context.settings.limits,
    )
    if context.wants_json:
        context.result_json(
            {
                "path": str(built.path),
                "stream": built.stream,
                "artifacts": built.artifacts,
                "bytes": built.bytes,
                "generated_at": _utc(built),
                "pack_digest": built.pack_digest,
                "manifest_digest": built.manifest_digest,
            }
        )
        return EXIT_OK
    context.result(
        f"pack             {escape(str(built.path))}\n"
        f"stream           {escape(built.stream)}\n"
        f"generated at     {_utc(built)}\n"
        f"artifacts        {built.artifacts} ({built.bytes} bytes)\n"
        f"pack digest      {built.pack_digest}\n"
        f"manifest digest  {built.manifest_digest}"
    )
    context.say(f"to sign it: attest sign {escape(str(built.path))}")
    return EXIT_OK


def _utc(built: Built) -> str:
    return f"{built.generated_at:%Y-%m-%dT%H:%M:%SZ}"


def _source(text: str) -> tuple[str, str | None]:
    name, at, version = text.partition("@")
    if not name or (at and not version):
        raise UsageError(
            "invalid_source", f"'{text}' is not NAME or NAME@VERSION", where="--source"
        )
    return name, version or None


def _source_date(environ: Mapping[str, str]) -> datetime | None:
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
