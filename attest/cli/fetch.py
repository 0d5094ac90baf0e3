"""`attest fetch`: fetch what a reference of a pack points to."""

from __future__ import annotations

import argparse

from attest.api.fetch import Fetched, fetch
from attest.cli.context import Context
from attest.errors import EXIT_OK, UsageError
from attest.terminal import escape

_EPILOG = """\
examples:
  attest fetch evidence.epack soc2-report --allow trust.vendor.example --out soc2.pdf

Nothing is ever fetched unasked. Only https, only the hosts that you allow (each redirect is held
to them too), never an address of a private network, never with credentials or through a proxy."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.description = "Fetch the file that a reference of a pack points to."
    parser.epilog = _EPILOG
    parser.add_argument("pack", metavar="PACK", help="the pack")
    parser.add_argument("name", metavar="NAME", help="name of the reference in its manifest")
    parser.add_argument(
        "--allow",
        action="append",
        required=True,
        metavar="HOST[:PORT]",
        help="a host that may be asked; may be given several times",
    )
    parser.add_argument(
        "--out", metavar="FILE", help="the file to write, which must not exist; else NAME"
    )


def run(args: argparse.Namespace, context: Context) -> int:
    """Fetch the file and say what vouches for it."""
    if context.settings.offline:
        raise UsageError(
            "fetching_needs_network", "ATTEST_OFFLINE is set", hint="unset it to fetch"
        )
    with context.progress("fetching") as progress:
        fetched = fetch(
            args.pack,
            args.name,
            allow=args.allow,
            out=args.out,
            limits=context.settings.limits,
            progress=progress,
        )
    if context.wants_json:
        context.result_json(
            {
                "name": fetched.name,
                "path": str(fetched.path),
                "uri": fetched.uri,
                "access_policy": fetched.access_policy,
                "bytes": fetched.bytes,
                "digest": fetched.digest,
                "verification_status": "unverified" if fetched.expected is None else "digest",
            }
        )
    else:
        context.result(_text(fetched))
    return EXIT_OK


def _text(fetched: Fetched) -> str:
    checked = (
        "UNVERIFIED: the manifest gives no digest, so nothing says that these are the right bytes"
        if fetched.expected is None
        else "has the digest that the manifest gives; attest verify says who signed the manifest"
    )
    return (
        f"reference  {escape(fetched.name)}\n"
        f"file       {escape(str(fetched.path))}\n"
        f"from       {escape(fetched.uri)}\n"
        f"access     {escape(fetched.access_policy)}\n"
        f"bytes      {fetched.bytes}\n"
        f"digest     {fetched.digest}\n"
        f"checked    {checked}"
    )
