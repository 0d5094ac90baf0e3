"""`attest whoami`: which identity would sign here, and how it was found."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from attest.cli.context import Context
from attest.cli.failure import report_failure
from attest.cli.identity import (
    add_identity_options,
    add_instance_options,
    named_instance,
    token_source,
)
from attest.errors import EXIT_OK, AttestError, SigningError, UsageError
from attest.report.json import error_to_json
from attest.report.model import utc
from attest.strictjson import JSON
from attest.terminal import escape

if TYPE_CHECKING:
    from attest.api.identity import TokenSource

_EPILOG = """\
examples:
  attest whoami                            in a CI job: does it have an identity, and which
  attest whoami --login                    at your desk: log in and see who you are
  attest whoami --identity-token @token.jwt

What is shown is what the token says of itself; the certificate authority checks it.

exit codes: 0 there is an identity; 2 there is none, with the reason"""

#: These give a token without a network.
_AT_HAND = ("identity-token", "SIGSTORE_ID_TOKEN", "SIGSTORE_IDENTITY_TOKEN", "gitlab")
_LOGINS = {
    "browser": "open your browser to log you in",
    "device": "give you a code to log in with on another device",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = "Show which identity would sign here, and how it was found."
    parser.epilog = _EPILOG
    add_instance_options(parser.add_mutually_exclusive_group())
    add_identity_options(parser)
    parser.add_argument(
        "--login", action="store_true", help="log in if that is what signing would do"
    )


@dataclass(kw_only=True, slots=True)
class _Answer:
    """What there is to tell; a token only where there is one."""

    source: TokenSource | None = None

    def as_json(self, error: AttestError | None) -> dict[str, JSON]:
        document: dict[str, JSON] = {
            "source": self.source.name if self.source else None,
            "renewable": self.source.renewable if self.source else None,
            "identity": None,
            "issuer": None,
            "expires": None,
            "error": None if error is None else error_to_json(error),
        }
        if self.source is not None and error is None:
            token = self.source.token()
            document |= {
                "identity": token.identity,
                "issuer": token.issuer,
                "expires": utc(token.expires),
            }
        return document


def run(args: argparse.Namespace, context: Context) -> int:
    """Find the identity and show it."""
    answer = _Answer()
    try:
        answer.source = token_source(args, context, named_instance(args, context), publishes=False)
        _require_token(answer.source, context, may_log_in=args.login)
    except AttestError as error:
        if not context.wants_json:
            return report_failure(error, context)
        context.result_json(answer.as_json(error))
        return error.exit_code
    if context.wants_json:
        context.result_json(answer.as_json(None))
    else:
        context.result(_text(answer.source))
    return EXIT_OK


def _require_token(source: TokenSource, context: Context, *, may_log_in: bool) -> None:
    if context.settings.offline and source.name not in _AT_HAND:
        raise UsageError(
            "signing_needs_network",
            f"the identity would come from {source.name}, over the network",
            hint="unset ATTEST_OFFLINE",
        )
    if source.is_person and not may_log_in:
        raise SigningError(
            "login_needed",
            f"nobody is logged in; signing would {_LOGINS[source.name]}",
            hint="`attest whoami --login` does that now, and signs nothing",
        )
    source.token()


def _text(source: TokenSource) -> str:
    token = source.token()
    left = round(token.seconds_left(now=datetime.now(UTC)))
    within = f"{left} s" if left < 120 else f"{left // 60} min"
    again = ", and is renewed while signing" if source.renewable else ""
    return "\n".join(
        [
            f"source    {source.name}",
            f"identity  {escape(token.identity)}",
            f"issuer    {escape(token.issuer)}",
            f"expires   {utc(token.expires)} (in {within}{again})",
        ]
    )
