"""`attest extract`: write a pack out into a new folder."""

from __future__ import annotations

import argparse

from attest.api.extract import Extracted, extract
from attest.cli.context import Context
from attest.errors import EXIT_OK
from attest.strictjson import JSON
from attest.terminal import escape

_EPILOG = """\
examples:
  attest verify release.epack --identity ana@acme.example --issuer google
  attest extract release.epack release/

every file is checked against the manifest before the folder appears; who made the pack is not
checked, so verify it first; permissions are 0644 and 0755, whatever the archive says
exit codes: 0 written; 1 the pack is malformed; 2 it cannot be read, or the folder not written
after exit 1 or 2 nothing is left behind"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = "Write manifest, artifacts and attestations of a pack into a new folder."
    parser.epilog = _EPILOG
    parser.add_argument("pack", metavar="PACK", help="the pack to write out")
    parser.add_argument("folder", metavar="DIR", help="the folder to make; must not exist")


def run(args: argparse.Namespace, context: Context) -> int:
    """Extract the pack and print what was written."""
    with context.progress("extracting") as progress:
        limits = context.settings.limits
        done = extract(args.pack, args.folder, limits=limits, progress=progress)
    if context.wants_json:
        context.result_json(_json(done))
    else:
        context.result(
            "INTACT (nobody's identity was checked)\n"
            f"folder           {escape(str(done.folder))}\n"
            f"stream           {escape(done.stream)}\n"
            f"artifacts        {done.artifacts} ({done.bytes} bytes)\n"
            f"attestations     {done.attestations}\n"
            f"pack digest      {done.pack_digest}\n"
            f"manifest digest  {done.manifest_digest}"
        )
    for name in done.files:
        context.detail(f"wrote {escape(name)}")
    context.say(f"to check who made it: attest verify {escape(args.pack)}")
    return EXIT_OK


def _json(done: Extracted) -> dict[str, JSON]:
    return {
        "folder": str(done.folder),
        "assurance": "integrity",
        "stream": done.stream,
        "artifacts": done.artifacts,
        "bytes": done.bytes,
        "attestations": done.attestations,
        "pack_digest": done.pack_digest,
        "manifest_digest": done.manifest_digest,
        "files": list(done.files),
    }
