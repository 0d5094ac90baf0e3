"""`attest sei`: evidence in a repository's `.sei/`, signed by keys."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from attest.cli.context import Context
from attest.errors import UsageError

#: Action -> module and summary. A module is loaded only when its action is used.
ACTIONS: Mapping[str, tuple[str, str]] = {
    "write": ("attest.cli.sei_write", "write an artefact and its signature"),
    "sign": ("attest.cli.sei_sign", "sign artefacts that are there already"),
    "verify": ("attest.cli.sei_verify", "check every artefact against keys that you registered"),
    "pubkey": ("attest.cli.sei_pubkey", "print the public key, for whoever verifies"),
}

_EPILOG = """\
examples:
  attest sei write --kind reconstruct --system loan --payload result.json
  attest sei sign
  attest sei pubkey
  attest sei verify --pubkey 04…

attest sei ACTION --help lists the options of an action"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Say which actions there are; each declares its own options."""
    parser.description = "Sign and verify a repository's .sei artefacts with keys."
    actions = "\n".join(f"  {name:<7} {summary}" for name, (_, summary) in ACTIONS.items())
    parser.epilog = f"actions:\n{actions}\n\n{_EPILOG}"


def run(_args: argparse.Namespace, _context: Context) -> int:
    """Refuse to guess what to do.

    Raises:
        UsageError: `invalid_usage`.
    """
    raise UsageError(
        "invalid_usage",
        "attest sei was given no action",
        hint=f"there are: {', '.join(ACTIONS)}; see attest sei --help",
    )
