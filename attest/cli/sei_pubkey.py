"""`attest sei pubkey`: the public key of whoever signs, for those who verify."""

from __future__ import annotations

import argparse

from attest.api.sei import public_point
from attest.cli.context import Context
from attest.cli.sei_key import add_key_options, opened_key
from attest.errors import EXIT_OK

EXAMPLES = """\
examples:
  attest sei pubkey                            of the key that the environment names
  attest sei pubkey --key release.key          of a key file, or one in a service or token
  attest sei pubkey --key release.key --pem > release.pub
                                               as policy files and other tools take it

It is no secret: hand it to those who verify, on another way than the repository.

exit codes: 0 printed; 2 the key cannot be opened
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = "Print the public key: the hex of its SEC1 point, 65 bytes."
    parser.epilog = EXAMPLES
    add_key_options(parser)
    parser.add_argument("--pem", action="store_true", help="print it as PEM instead")


def run(args: argparse.Namespace, context: Context) -> int:
    """Open the key and print its public half."""
    with opened_key(args, context) as key:
        public = key.public
    point, keyid = public_point(public)
    pem = public.pem.decode("ascii")
    if context.wants_json:
        context.result_json({"pubkey": point, "keyid": keyid, "pem": pem})
    else:
        context.result(pem.rstrip("\n") if args.pem else point)
    context.detail(f"keyid {keyid}")
    return EXIT_OK
