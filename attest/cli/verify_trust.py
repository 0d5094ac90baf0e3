"""Which trust root decides, as `attest verify` is told: its options, and the root they name."""

from __future__ import annotations

import argparse
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING

from attest.cli.context import Context
from attest.errors import AttestError, UsageError

if TYPE_CHECKING:  # loaded only where a signature is checked
    from attest.trust.known import Places
    from attest.trust.root import TrustRoot

_WARN_DAYS = 60
_MAX_DAYS = 730


def add_trust_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options that say which root decides."""
    group = parser.add_argument_group("trust")
    trust = group.add_mutually_exclusive_group()
    trust.add_argument(
        "--instance",
        metavar="NAME",
        help="sigstore (default), staging, github, or one of `attest trust add`",
    )
    trust.add_argument("--trusted-root", metavar="FILE", help="trusted_root.json to trust")
    trust.add_argument("--trust-config", metavar="FILE", help="client trust config to trust")
    group.add_argument(
        "--offline",
        action="store_true",
        help="never touch the network: do not refresh what the instance trusts",
    )
    group.add_argument(
        "--trust-warn-days",
        metavar="N",
        type=_days,
        help=f"warn of a root not known to be current for longer ({_WARN_DAYS})",
    )
    group.add_argument(
        "--trust-max-days", metavar="N", type=_days, help=f"refuse an older one ({_MAX_DAYS})"
    )


def refuse_trust_options(args: argparse.Namespace) -> None:
    """Refuse what would go unread where no signature is looked at.

    Raises:
        UsageError: `invalid_usage`.
    """
    named = (args.instance, args.trusted_root, args.trust_config)
    if any(value is not None for value in (*named, *_days_of(args))):
        raise UsageError("invalid_usage", "--integrity-only looks at no signature")


def _days_of(args: argparse.Namespace) -> tuple[int | None, int | None]:
    return args.trust_warn_days, args.trust_max_days


def trust_of(args: argparse.Namespace, context: Context) -> TrustRoot:
    """The root that the options name; the public good instance's if they name none.

    Raises:
        UsageError: `invalid_usage`.
        TrustError: `trust_file_unreadable`, `invalid_trusted_root`, and the codes of `load_root`.
    """
    root = root_in_file(args)
    if root is not None:
        return root
    name = "sigstore" if args.instance is None else args.instance
    return root_of_instance(name, args, context)


def root_in_file(args: argparse.Namespace) -> TrustRoot | None:
    """The root whose file the options name, if they name one.

    Raises:
        UsageError: `invalid_usage`.
        TrustError: `trust_file_unreadable`, `invalid_trusted_root`.
    """
    from attest.trust.root import TrustRoot

    # Compared with None: an empty value, as of a variable that is not set, names nothing and must
    # not stand for the public instance.
    file = args.trust_config if args.trusted_root is None else args.trusted_root
    if file is None:
        return None
    if _days_of(args) != (None, None):
        raise UsageError(
            "invalid_usage",
            "nobody knows the age of a root that is given as a file",
            hint="leave --trust-warn-days and --trust-max-days out",
        )
    return TrustRoot.from_file(file)


def root_of_instance(name: str, args: argparse.Namespace, context: Context) -> TrustRoot:
    """The root of an instance, as new and as old as the options allow.

    Raises:
        TrustError: the codes of `load_root`.
    """
    from attest.trust.load import AgeLimits, load_root

    warn_days, max_days = _days_of(args)
    return load_root(
        name,
        places=context.places(),
        offline=args.offline or context.settings.offline,
        limits=AgeLimits(
            warn_days=_WARN_DAYS if warn_days is None else warn_days,
            refuse_days=_MAX_DAYS if max_days is None else max_days,
        ),
    ).root


@lru_cache(maxsize=1)
def known_roots(places: Places) -> tuple[TrustRoot, ...]:
    """The roots of all instances that can be named here, as far as they can be had offline.

    Args:
        places: where cached material and registered instances lie.
    """
    from attest.trust.instance import PUBLIC
    from attest.trust.load import load_root
    from attest.trust.registry import Registry

    roots: list[TrustRoot] = []
    for name in (*PUBLIC, *Registry(folder=places.registered).names()):
        # Only a hint depends on it: who needs this very root is told what is wrong with it.
        with suppress(AttestError):
            roots.append(load_root(name, places=places, offline=True).root)
    return tuple(roots)


def _days(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days")
    return int(text)
