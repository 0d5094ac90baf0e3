"""`--keyless`: a Sigstore bundle beside an artefact, by an identity, as `attest sign` makes it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from attest.cli.context import Context
from attest.errors import AttestError, UsageError
from attest.terminal import escape

if TYPE_CHECKING:
    from pathlib import Path

    from attest.api.sign import Session
    from attest.api.signed import Signed

_NEEDS_KEYLESS = ("identity_token", "device", "instance", "trust_config", "yes")


def add_keyless_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    from attest.cli.identity import add_identity_options, add_instance_options

    parser.add_argument(
        "--keyless",
        action="store_true",
        help="sign it with an identity as well: a Sigstore bundle beside it",
    )
    add_identity_options(parser)
    add_instance_options(parser.add_mutually_exclusive_group())
    parser.add_argument(
        "--yes",
        action="store_true",
        help="agree that identity, digest and time become public, without being asked",
    )


@contextmanager
def keyless_session(args: argparse.Namespace, context: Context) -> Iterator[Session | None]:
    """Whose identity signs as well, known before anything is written; None without `--keyless`.

    Raises:
        UsageError: `invalid_usage`, `signing_needs_network`.
        SigningError, NetworkError, TrustError: the codes of `token_source` and `TokenSource.token`.
    """
    if not args.keyless:
        wrong = [name for name in _NEEDS_KEYLESS if getattr(args, name)]
        if wrong:
            raise UsageError("invalid_usage", f"--{wrong[0].replace('_', '-')} goes with --keyless")
        yield None
        return
    if context.settings.offline:
        raise UsageError(
            "signing_needs_network",
            "a certificate and a log entry come over the network",
            hint="unset ATTEST_OFFLINE, or leave --keyless out",
        )
    from attest.api.identity import current
    from attest.api.sign import open_session
    from attest.cli.identity import named_instance, token_source
    from attest.cli.sign import quiet_libraries

    instance = named_instance(args, context)
    source = token_source(args, context, instance, publishes=True)
    token = source.token()
    context.detail(f"the token names {escape(token.identity)}, issuer {escape(token.issuer)}")
    quiet_libraries()
    instance = current(instance, places=context.places())
    with open_session(token=source, instance=instance, limits=context.settings.limits) as session:
        yield session


def make_bundle(session: Session, file: Path) -> Signed:
    """Sign an artefact's bytes, unless this identity's bundle of them stands already.

    Args:
        session: signs.
        file: the artefact.

    Raises:
        AttestError: the codes of `Session.sign`.
    """
    try:
        return session.sign(file)
    except AttestError as error:
        if error.code == "bundle_exists":
            error.hint = "if nobody needs it any more, remove it and sign again"
        raise
