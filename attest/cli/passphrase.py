"""Where a passphrase or PIN comes from: a file, the environment, or a person who is asked."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from attest.cli.context import Context
from attest.errors import UsageError
from attest.files import read_file
from attest.terminal import escape

if TYPE_CHECKING:  # an option alone needs no keys
    from attest.api.key import Passphrase

VARIABLE = "ATTEST_KEY_PASSPHRASE"
_LONGEST = 1024


def add_option(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Declare the option that names a file."""
    parser.add_argument(
        "--passphrase-file",
        metavar="FILE",
        help="passphrase of the key, or PIN of the token: the first line of this file"
        f" (default: {VARIABLE}, else you are asked)",
    )


def passphrase_source(
    file: str | None, context: Context, *, what: str, twice: bool = False
) -> Passphrase:
    """How to get a passphrase when one is needed; it is got once.

    Args:
        file: what `--passphrase-file` names.
        context: has the environment, and tells of a file that others may read.
        what: whose passphrase, for the person who is asked.
        twice: whether to ask for a new one, which is to be typed twice.

    Returns:
        A call that raises UsageError `passphrase_missing` where there is none,
        `passphrase_mismatch`, or what reading the file raises.
    """
    known: list[bytes] = []

    def get() -> bytes:
        if not known:
            known.append(_found(file, context, what=what, twice=twice))
        return known[0]

    return get


def _found(file: str | None, context: Context, *, what: str, twice: bool) -> bytes:
    if file is not None:
        return _from_file(file, context)
    if VARIABLE in context.environ:
        return context.environ[VARIABLE].encode("utf-8", "surrogateescape")
    if not (sys.stdin is not None and sys.stdin.isatty()):
        raise UsageError(
            "passphrase_missing",
            "the key needs a passphrase, and nobody is there to ask",
            hint=f"set {VARIABLE}, or use --passphrase-file",
        )
    from getpass import getpass

    first = getpass(f"{'new ' if twice else ''}passphrase for {escape(what)}: ")
    if twice and getpass("the same again: ") != first:
        raise UsageError(
            "passphrase_mismatch", "the two passphrases differ", hint="nothing was written; retry"
        )
    return first.encode("utf-8", "surrogateescape")


def _from_file(file: str, context: Context) -> bytes:
    from attest.api.key import is_shared

    if is_shared(file):
        context.say(f"warning: {escape(file)}: other users may read this passphrase (chmod 600)")
    data = read_file(file, limit=_LONGEST)
    if len(data) > _LONGEST:
        raise UsageError(
            "passphrase_wrong",
            f"the file is larger than {_LONGEST} bytes and no passphrase",
            where=file,
            hint="its first line must be the passphrase",
        )
    return data.partition(b"\n")[0].removesuffix(b"\r")
