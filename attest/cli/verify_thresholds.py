"""How much proof `attest verify` is told to demand, beyond what the instance's profile does."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from attest.errors import UsageError

if TYPE_CHECKING:  # loaded only where a signature is checked
    from attest.trust.root import TrustRoot


def add_threshold_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options that demand more proof."""
    group = parser.add_argument_group("how much must be proven (never less than the instance does)")
    group.add_argument(
        "--min-log-entries",
        metavar="N",
        type=_count,
        default=0,
        help="log entries, by different operators",
    )
    group.add_argument(
        "--min-timestamps",
        metavar="N",
        type=_count,
        default=0,
        help="RFC 3161 timestamps, by different operators",
    )


def refuse_thresholds(args: argparse.Namespace) -> None:
    """Refuse what would go unread where no signature is looked at.

    Raises:
        UsageError: `invalid_usage`.
    """
    if args.min_log_entries or args.min_timestamps:
        raise UsageError("invalid_usage", "--integrity-only looks at no signature")


def requiring(args: argparse.Namespace, root: TrustRoot) -> TrustRoot:
    """The root, demanding what the options say."""
    return root.requiring(log_entries=args.min_log_entries, timestamps=args.min_timestamps)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 4 and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 999")
    return int(text)
