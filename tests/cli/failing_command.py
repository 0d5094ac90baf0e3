"""A command for tests: fails in the way that its option says."""

from __future__ import annotations

import argparse

from attest.cli.context import Context
from attest.errors import VerificationFailed


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("how")


def run(args: argparse.Namespace, context: Context) -> int:
    context.say("talk")
    context.detail("detail")
    if args.how == "verdict":
        raise VerificationFailed(
            "signature_invalid",
            "by \x1b[31mred\u202e\nnext",
            where="a\x00b",
            rule="R-080",
            hint="first\nsecond\x07",
        )
    if args.how == "interrupt":
        raise KeyboardInterrupt
    if args.how == "pipe":
        raise BrokenPipeError
    if args.how == "fault":
        raise KeyError("a\x1bb")
    if args.how == "leak":
        raise ValueError("b'Bearer eyJhbGciOi.eyJzdWIiOi.c2lnbmF0dXJl' is no header")
    context.result(context.paint(args.how, "green"))
    return 0
