"""Signing with a key at the command line: its options, and what is told of it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attest.api.identity import SigningInstance, current
from attest.api.sign import Session, Signed, open_key_session
from attest.cli.context import Context
from attest.cli.identity import at_terminal, require_consent
from attest.cli.passphrase import add_option, passphrase_source
from attest.errors import UsageError
from attest.terminal import escape, shell_command

#: What tells whose identity signs, and so does not go with a key.
_OF_IDENTITIES = ("identity_token", "device")
_NEEDS_KEY = ("no_log", "no_timestamp", "passphrase_file")


def add_key_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    keys = parser.add_argument_group("with a key instead of an identity")
    keys.add_argument("--key", metavar="FILE|URI", help="sign with this key; see `attest key`")
    keys.add_argument(
        "--no-log",
        action="store_true",
        help="do not log the signature; not for packs, and verifiers refuse it unless their"
        " policy says `log: optional`",
    )
    keys.add_argument(
        "--no-timestamp", action="store_true", help="do not have the signature timestamped"
    )
    add_option(keys)


def check_options(args: argparse.Namespace) -> None:
    """Refuse what does not go together.

    Raises:
        UsageError: `invalid_usage`.
    """
    others = _OF_IDENTITIES if args.key is not None else _NEEDS_KEY
    wrong = [f"--{name.replace('_', '-')}" for name in others if getattr(args, name, None)]
    if wrong:
        how = "does not go with" if args.key is not None else "goes with"
        raise UsageError("invalid_usage", f"{wrong[0]} {how} --key")


def needs_network(args: argparse.Namespace) -> bool:
    """Whether services are asked for anything."""
    return not (args.key is not None and args.no_log and args.no_timestamp)


@contextmanager
def key_session(
    args: argparse.Namespace, context: Context, instance: SigningInstance
) -> Iterator[Session]:
    """Open the key and sign with it.

    Raises:
        UsageError, SigningError: the codes of `open_key` and `open_key_session`.
    """
    from attest.api.key import open_key
    from attest.cli.key import warn_if_shared

    publishes = instance.is_public and not (args.no_log or args.dry_run or args.yes)
    if publishes and at_terminal(context):  # a job that has a key was given it to sign
        require_consent(instance.name, context, who="your public key")
    source = passphrase_source(args.passphrase_file, context, what=args.key)
    key = open_key(args.key, passphrase=source)
    warn_if_shared(args.key, context)  # which a public key may be; that was refused by now
    if args.dry_run:
        context.say(f"dry run: nothing is signed; it would be by the key {key.public.key_id.hex()}")
    if needs_network(args):
        instance = current(instance, places=context.places())
    with open_key_session(
        key=key,
        instance=instance,
        log=not args.no_log,
        timestamp=not args.no_timestamp,
        limits=context.settings.limits,
    ) as session:
        yield session


def signer_lines(signed: Signed) -> list[str]:
    """Who signed, as lines of the answer."""
    if signed.key_id is not None:
        return [f"key              {signed.key_id}"]
    return [
        f"identity         {escape(signed.identity or '')}",
        f"issuer           {escape(signed.issuer or '')}",
    ]


def signer_words(signed: Signed, args: argparse.Namespace) -> list[str]:
    """Who signed, as options of `attest verify`."""
    if signed.key_id is not None:
        return ["--key", _public_file(args)]
    return ["--identity", signed.identity or "", "--issuer", signed.issuer or ""]


def closing_lines(signed: Signed, args: argparse.Namespace) -> list[str]:
    """What somebody who verifies a signature by a key needs beyond the command."""
    if signed.key_id is None:
        return []
    if missing := unproven(signed):
        what = "neither logged nor timed" if not signed.signed_at else "not logged"
        return [f"{what}: it verifies only under a policy file that says {missing}"]
    public = _public_file(args)
    if args.key is None:  # what was kept is completed without the key
        return [f"those who verify it need the public half of this key, here {escape(public)}"]
    if Path(public).is_file():
        return []
    made = shell_command(["attest", "key", "public", args.key])
    return [f"for those who verify it:\n  {made} > {shell_command([public])}"]


def unproven(signed: Signed) -> str | None:
    """What a verifier's policy must leave optional for it to verify; None if nothing."""
    if signed.attestation is None or signed.key_id is None:
        return None
    lacking = [] if signed.log_entries else ["`log: optional`"]
    lacking += [] if signed.signed_at else ["`timestamp: optional`"]
    return " and ".join(lacking) or None


def _public_file(args: argparse.Namespace) -> str:
    """Where the public half is, or is best written."""
    from attest.api.key import public_path, scheme_of

    if args.key is None or scheme_of(args.key) is not None:
        return "signer.pub"
    return str(public_path(args.key))
