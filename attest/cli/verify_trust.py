"""Which trust root decides, as `attest verify` is told: its options, and the root they name."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from attest.errors import UsageError
from attest.trust.instance import PUBLIC

if TYPE_CHECKING:  # loaded only where a signature is checked
    from attest.trust.root import TrustRoot


def add_trust_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options that say which root decides."""
    group = parser.add_argument_group("trust")
    trust = group.add_mutually_exclusive_group()
    trust.add_argument("--instance", choices=sorted(PUBLIC), help="public instance (sigstore)")
    trust.add_argument("--trusted-root", metavar="FILE", help="trusted_root.json to trust")
    trust.add_argument("--trust-config", metavar="FILE", help="client trust config to trust")
    group.add_argument(
        "--offline",
        action="store_true",
        help="never touch the network (verifying never does in this version)",
    )


def refuse_trust_options(args: argparse.Namespace) -> None:
    """Refuse what would go unread where no signature is looked at.

    Raises:
        UsageError: `invalid_usage`.
    """
    if args.instance or args.trusted_root or args.trust_config:
        raise UsageError("invalid_usage", "--integrity-only looks at no signature")


def trust_of(args: argparse.Namespace) -> TrustRoot:
    """The root that the options name; the public good instance's if they name none.

    Raises:
        TrustError: `trust_file_unreadable`, `invalid_trusted_root`.
    """
    from attest.trust.root import TrustRoot

    file = args.trusted_root or args.trust_config
    if file is None:
        return TrustRoot.embedded(args.instance or "sigstore")
    return TrustRoot.from_file(file)
