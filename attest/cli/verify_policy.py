"""Who must have signed, as `attest verify` is told: its options, and the policy they make."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from attest.errors import UsageError

if TYPE_CHECKING:  # loaded only where somebody must have signed
    from attest.policy.model import Policy, Signer


def add_policy_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options that say who must have signed."""
    who = parser.add_argument_group("who must have signed")
    who.add_argument(
        "--identity",
        action="append",
        default=[],
        metavar="ID",
        help="an acceptable signer: e-mail or workflow URL, exactly; may be repeated",
    )
    who.add_argument(
        "--issuer",
        action="append",
        default=[],
        metavar="URL|ALIAS",
        help="OIDC issuer of the identity, or its alias; one for each, or one for all",
    )
    who.add_argument(
        "--key",
        action="append",
        default=[],
        metavar="PEM",
        help="file of an acceptable signer's public key; may be repeated",
    )
    who.add_argument("--predicate-type", metavar="URI", help="count only statements of this type")
    only = who.add_mutually_exclusive_group()
    only.add_argument(
        "--unsafe-any-identity",
        action="store_true",
        help="accept whoever signed; the report says so in its first line",
    )
    only.add_argument(
        "--integrity-only",
        action="store_true",
        help="check that a pack is intact, and nobody's identity",
    )


def policy_of(args: argparse.Namespace) -> Policy | None:
    """The policy that the options make; None for integrity alone.

    Raises:
        UsageError: `invalid_usage`, `no_policy`, `issuer_missing`, `unknown_issuer`, a code of
            `load_public_key`.
    """
    identities: list[str] = args.identity
    issuers: list[str] = args.issuer
    if args.integrity_only or args.unsafe_any_identity:
        only = "--integrity-only" if args.integrity_only else "--unsafe-any-identity"
        if identities or issuers or args.key:
            raise UsageError("invalid_usage", f"{only} excludes --identity, --issuer and --key")
        if args.integrity_only:
            if args.predicate_type is not None:
                raise UsageError("invalid_usage", "--integrity-only looks at no signature")
            return None
    from attest.policy.model import Policy

    if args.unsafe_any_identity:
        return Policy.unsafe_any_identity(predicate_type=args.predicate_type)
    if not identities and not args.key:
        raise UsageError(
            "no_policy",
            "nobody was named who must have signed",
            hint="give --identity and --issuer, --key or --policy; `attest inspect` shows who"
            " claims to have signed",
        )
    signers = (*_identities(identities, issuers), *_keys(args.key))
    return Policy.any_of(*signers, predicate_type=args.predicate_type)


def _identities(identities: list[str], issuers: list[str]) -> list[Signer]:
    if len(issuers) == 1 and identities:
        issuers = issuers * len(identities)
    if len(issuers) != len(identities):
        raise UsageError(
            "issuer_missing",
            f"{len(identities)} identities and {len(issuers)} issuers",
            hint="give one --issuer for each --identity, or one for all",
        )
    from attest.policy.issuers import resolve_issuer
    from attest.policy.model import Signer

    return [
        Signer(identity=identity, issuer=resolve_issuer(issuer))
        for identity, issuer in zip(identities, issuers, strict=True)
    ]


def _keys(files: list[str]) -> list[Signer]:
    if not files:
        return []
    from attest.policy.model import Signer
    from attest.publickey import load_public_key

    return [Signer(key=load_public_key(file)) for file in files]
