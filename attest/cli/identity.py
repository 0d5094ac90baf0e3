"""Whose identity signs, at the command line: the options, what a person is asked, and the token."""

from __future__ import annotations

import argparse
import sys
import textwrap
from typing import TYPE_CHECKING

from attest.api.consent import Consents
from attest.api.identity import (
    SigningInstance,
    TokenSource,
    find_identity,
    instance_of,
    login_here,
)
from attest.cli.context import Context
from attest.errors import AttestError, SigningError
from attest.terminal import escape

if TYPE_CHECKING:
    from attest.api.identity import DeviceCode

_WHAT_BECOMES_PUBLIC = """\
Signing with {instance} writes into a public log, which anyone can read and nobody can delete from:
  - {who}
  - the digest of what you sign
  - the time"""
_WHO = "your identity: the e-mail address that you log in with"


def add_instance_options(parser: argparse._MutuallyExclusiveGroup) -> None:
    """Declare which instance is meant, into a group that may have more ways to say it."""
    parser.add_argument(
        "--instance",
        metavar="NAME",
        help="sigstore (default), staging, or one of `attest trust add`",
    )
    parser.add_argument("--trust-config", metavar="FILE", help="client trust config of another one")


def add_identity_options(parser: argparse.ArgumentParser) -> None:
    """Declare where the identity token comes from."""
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--identity-token",
        metavar="T",
        help="OIDC token: its text, @FILE, or - for standard input"
        " (default: SIGSTORE_ID_TOKEN, the CI's, else logging in)",
    )
    how.add_argument(
        "--device",
        action="store_true",
        help="log in with a code on another device, not with a browser here",
    )


def named_instance(args: argparse.Namespace, context: Context) -> SigningInstance:
    """The instance that the options of `add_instance_options` name."""
    name = args.instance or context.settings.instance
    return instance_of(name, args.trust_config, places=context.places())


def token_source(
    args: argparse.Namespace, context: Context, instance: SigningInstance, *, publishes: bool
) -> TokenSource:
    """Where the token comes from; a person is asked only when the first one is.

    Args:
        args: with the options of `add_identity_options`, and `yes` if it publishes.
        context: whom to ask.
        instance: says where people log in.
        publishes: whether what is signed becomes public, so that a person must agree first.
            Whoever gives a token has decided already, as has whoever lets a CI job have one.
    """

    def before_login() -> None:
        if publishes and instance.is_public and not args.yes:
            require_consent(instance.name, context)

    login = login_here(context.environ, platform=sys.platform, device=args.device)
    # A code that nobody sees would be waited for in vain.
    somebody = login == "browser" or args.device or context.stderr.isatty()
    return find_identity(
        args.identity_token,
        instance=instance,
        environ=context.environ,
        stdin=sys.stdin,
        login=login if somebody else None,
        before_login=before_login,
        announce=lambda: context.say("opening your browser to log in …"),
        show=lambda code: _show(code, context),
    )


def at_terminal(context: Context) -> bool:
    """Whether a person is there who can be asked."""
    # Whoever starts us may have closed it.
    return sys.stdin is not None and sys.stdin.isatty() and context.stderr.isatty()


def require_consent(instance: str, context: Context, *, who: str = _WHO) -> None:
    """Ask whether what is signed may become public, unless the answer is remembered.

    Args:
        instance: name of a public instance.
        context: whom to ask.
        who: what tells who signed.

    Raises:
        SigningError: `consent_missing`, `consent_refused`.
    """
    consents = Consents(folder=context.settings.config_folder)
    if consents.given(instance):
        return
    text = _WHAT_BECOMES_PUBLIC.format(instance=instance, who=who)
    if not at_terminal(context):
        raise SigningError(
            "consent_missing",
            f"signing with {instance} makes your identity, the digest and the time public for good,"
            " and nobody is at a terminal to agree",
            hint="agree with --yes, or try it out with --trust-config of a sandbox",
        )
    context.complain(text)
    context.stderr.write("Go on? [y/N] ")
    context.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise SigningError(
            "consent_refused",
            "you did not agree; nothing was signed and nobody was logged in",
            hint="`attest sandbox run DIR` is a private place to try it out",
        )
    try:
        path = consents.remember(instance)
    except AttestError as error:
        context.say(f"your answer could not be remembered: {escape(error.message)}")
    else:
        if path is not None:
            context.say(f"remembered; to be asked again, remove {escape(str(path), limit=2000)}")


def _show(code: DeviceCode, context: Context) -> None:
    """Tell where to log in, even if told to be quiet: without it nothing can go on."""
    lines = [
        "To log in, open this address on any device:",
        f"    {escape(code.url, limit=2000)}",
        "and enter this code:",
        f"    {escape(code.user_code)}",
    ]
    if code.complete_url is not None:
        lines += ["or open this one, which has the code in it:"]
        lines += [f"    {escape(code.complete_url, limit=2000)}"]
    minutes = max(code.expires_in // 60, 1)
    closing = (
        f"Enter the code only if you started this yourself. Waiting for up to {minutes} min;"
        " Ctrl-C stops."
    )
    context.complain("\n".join([*lines, *textwrap.wrap(closing, 88)]))
