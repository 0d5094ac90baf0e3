"""`attest inspect`: what is inside, clearly labelled UNVERIFIED."""

from __future__ import annotations

import argparse

from attest.api.inspect import inspect
from attest.cli.context import Context
from attest.errors import EXIT_OK, EXIT_VERDICT
from attest.report.inspection import render_json, render_text

EXAMPLES = """\
examples:
  attest inspect release.epack
  attest inspect report.pdf.sigstore.json --output json

nothing that it prints was checked; `attest verify` checks
exit codes: 0 shown; 1 the pack or a bundle is malformed; 2 it cannot be read
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = "Show what a pack or bundle says of itself, without checking it."
    parser.add_argument("target", metavar="TARGET", help="a pack, a bundle, or a file with one")
    parser.epilog = EXAMPLES


def run(args: argparse.Namespace, context: Context) -> int:
    """Print what the target says of itself."""
    found = inspect(args.target, limits=context.settings.limits)
    context.result(render_json(found) if context.wants_json else render_text(found))
    malformed = any(bundle.problem is not None for bundle in (*found.bundles, *found.carried))
    return EXIT_VERDICT if malformed else EXIT_OK
