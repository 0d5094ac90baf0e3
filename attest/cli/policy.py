"""`attest policy`: read, check and explain policy files."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from attest.api.policy import load_policy
from attest.cli.context import Context
from attest.errors import EXIT_OK, UsageError
from attest.policy.explain import explain_policy
from attest.policy.issuers import ISSUERS
from attest.terminal import escape

EXAMPLES = """\
examples:
  attest policy show policy.yaml               what it will enforce, in words
  attest policy show --aliases                 the issuers that have short names

exit codes: 0 done; 2 the file cannot be read, or is no policy
"""

_ACTIONS = ("show",)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = "Read, check and explain policy files."
    parser.epilog = EXAMPLES
    # As in `show --aliases FILE`, where `argparse` would otherwise take FILE for one too many.
    parser.set_defaults(options_between=True)
    parser.add_argument("action", choices=_ACTIONS, help="what to do")
    parser.add_argument("files", metavar="FILE", nargs="*", help="as the examples show")
    show = parser.add_argument_group("only with show")
    show.add_argument("--aliases", action="store_true", help="list the short names of issuers")


def run(args: argparse.Namespace, context: Context) -> int:
    """Do the one thing that was asked for."""
    act: dict[str, Callable[[argparse.Namespace, Context], int]] = {"show": _show}
    return act[args.action](args, context)


def _show(args: argparse.Namespace, context: Context) -> int:
    if args.aliases:
        return _aliases(args, context)
    if len(args.files) != 1:
        raise UsageError("invalid_usage", "takes one file", hint="write: attest policy show FILE")
    policy = load_policy(args.files[0])
    lines = explain_policy(policy)
    if context.wants_json:
        digest = None if policy.sha256 is None else policy.sha256.hex()
        context.result_json({"file": policy.file, "sha256": digest, "words": [*lines]})
    else:
        context.result("\n".join(escape(line, limit=2_500) for line in lines))
    return EXIT_OK


def _aliases(args: argparse.Namespace, context: Context) -> int:
    if args.files:
        raise UsageError("invalid_usage", "--aliases takes no file")
    if context.wants_json:
        context.result_json({"aliases": {**ISSUERS}})
    else:
        context.result("\n".join(f"{alias:<16} {url}" for alias, url in ISSUERS.items()))
    return EXIT_OK
