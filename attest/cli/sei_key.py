"""Which key signs `.sei` artefacts at the command line: the one named, else the environment's."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from attest.cli.context import Context
from attest.cli.passphrase import add_option, passphrase_source
from attest.errors import UsageError
from attest.terminal import escape

if TYPE_CHECKING:
    from attest.api.sei import SigningKey


def add_key_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    keys = parser.add_argument_group("the key")
    keys.add_argument(
        "--key",
        metavar="FILE|URI",
        help="a P-256 key; see `attest key` (default: by SEI_SIGNING_BACKEND: local, with the"
        " scalar in SEI_SIGNING_KEY, or scaleway-kms)",
    )
    add_option(keys)


@contextmanager
def opened_key(args: argparse.Namespace, context: Context) -> Iterator[SigningKey]:
    """Open the key, and warn of one that everybody has.

    Raises:
        UsageError: `invalid_usage`, `signing_needs_network`, and the codes of `open_key`,
            `open_backend` and `checked_key`.
        SigningError, NetworkError: the codes of `open_key` and `open_backend`.
    """
    from attest.api.key import open_key
    from attest.api.sei import checked_key, needs_network, open_backend
    from attest.cli.key import warn_if_shared

    if args.key is not None:
        warn_if_shared(args.key, context)
        source = passphrase_source(args.passphrase_file, context, what=args.key)
        opened = checked_key(open_key(args.key, passphrase=source), where=args.key)
        _tell_of(opened.warning, context)
        yield opened.key
        return
    if args.passphrase_file is not None:
        raise UsageError("invalid_usage", "--passphrase-file goes with --key")
    if context.settings.offline and needs_network(context.environ):
        raise UsageError(
            "signing_needs_network",
            "the key is asked over the network",
            hint="unset ATTEST_OFFLINE to sign",
        )
    with open_backend(context.environ) as opened:
        _tell_of(opened.warning, context)
        yield opened.key


def _tell_of(warning: str | None, context: Context) -> None:
    """Tell of a key that everybody has, even if told to be quiet."""
    if warning is not None:
        context.complain(f"WARNING: {escape(warning, limit=2000)}")
