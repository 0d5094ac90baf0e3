"""`attest merge`: put several packs into one that says where each artifact came from."""

from __future__ import annotations

import argparse

from attest.api.merge import Merged, merge
from attest.cli.build import built_json, built_lines, source_date
from attest.cli.context import Context
from attest.errors import EXIT_OK
from attest.strictjson import JSON
from attest.terminal import escape

_EPILOG = """\
examples:
  attest merge all.epack api.epack web.epack --stream acme/all
  attest merge all.epack api.epack web.epack --stream acme/all --merged-by ci@acme.example

artifacts of stream S come to lie in artifacts/S/; a merged pack is merged by its parts
attestations are carried, not verified: sign the result, and let its receiver verify
SOURCE_DATE_EPOCH (seconds since 1970) sets the time in the manifest"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.description = "Merge Evidence Packs of different streams into one."
    parser.epilog = _EPILOG
    parser.add_argument("out", metavar="OUT.epack", help="the pack to write")
    parser.add_argument("packs", metavar="PACK", nargs="+", help="two or more packs to merge")
    parser.add_argument("--stream", required=True, metavar="S", help="name of the new stream")
    parser.add_argument("--merged-by", metavar="WHO", help="who merges, recorded as it is")
    parser.add_argument("--replace", action="store_true", help="overwrite an existing pack")


def run(args: argparse.Namespace, context: Context) -> int:
    """Merge the packs and print what the result is called by and made of."""
    with context.progress("merging") as progress:
        merged = merge(
            args.out,
            args.packs,
            stream=args.stream,
            merged_by=args.merged_by,
            merged_at=source_date(context.environ),
            replace=args.replace,
            limits=context.settings.limits,
            progress=progress,
        )
    if context.wants_json:
        context.result_json(_json(merged))
        return EXIT_OK
    lines = [
        f"source pack      {escape(item.stream)}"
        f" ({item.artifacts} artifacts, {item.attestations} attestations)"
        for item in merged.sources
    ]
    context.result("\n".join([*built_lines(merged.built), *lines]))
    for path in merged.left_out:
        context.say(f"note: what was signed of {escape(str(path))} as a whole is not carried")
    context.say(f"to sign it: attest sign {escape(str(merged.built.path))}")
    return EXIT_OK


def _json(merged: Merged) -> dict[str, JSON]:
    return {
        **built_json(merged.built),
        "source_packs": [
            {
                "stream": item.stream,
                "artifacts": item.artifacts,
                "pack_digest": item.pack_digest,
                "manifest_digest": item.manifest_digest,
                "attestations": item.attestations,
            }
            for item in merged.sources
        ],
        "left_out": [str(path) for path in merged.left_out],
    }
