"""Identity tokens: what one says before anyone checks it, and keeping it secret.

A token's signature is not checked here; the certificate authority does that. What it says is
used to refuse early and to tell a person who would sign, never as a fact.
"""

from __future__ import annotations

import math
import re
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Never, TextIO

from attest.errors import MalformedEvidence, SigningError, UsageError
from attest.files import read_file
from attest.strictjson import JSON, Members, loads

#: The audience that Sigstore's certificate authorities require.
AUDIENCE = "sigstore"
#: Skew between this machine and the issuer that is let pass.
_LEEWAY = timedelta(seconds=5)
#: Real tokens have 1 to 4 KB; the bound keeps a wrong file from being read as one.
_LONGEST = 65_536
_CIRCLECI_PROJECT = "oidc.circleci.com/project-id"
_CIRCLECI_DEFINITION = "oidc.circleci.com/pipeline-definition-id"
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+")


class _Secret:
    """A value that shows itself only when asked by name."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "[secret]"

    def __reduce__(self) -> Never:
        raise TypeError("an identity token is never pickled or copied")


@dataclass(frozen=True, kw_only=True, slots=True)
class IdentityToken:
    """An OIDC identity token. Its text never shows in repr, str, logs or pickles.

    `issuer` and `identity` are what the token says of itself, to be shown as that; `expires` is
    UTC.
    """

    issuer: str
    identity: str
    expires: datetime
    _secret: _Secret

    def reveal(self) -> str:
        """The token itself, only for the service that it is meant for."""
        return self._secret.reveal()

    def seconds_left(self, *, now: datetime | None = None) -> float:
        """How long the token is still valid; negative once it has expired.

        Args:
            now: UTC; by default the clock's.
        """
        return (self.expires - (now or datetime.now(UTC))).total_seconds()

    @classmethod
    def from_text(cls, text: str, *, now: datetime | None = None) -> IdentityToken:
        """Read a token (a JWT in compact form) and refuse one that cannot work.

        Args:
            text: the token; white space around it is ignored.
            now: UTC; the time to judge its validity at, by default the clock's.

        Raises:
            SigningError: `token_malformed`, `token_wrong_audience`, `token_expired`,
                `token_not_yet_valid`.

        Source: OpenID Connect Core 2; RFC 7519.
        """
        try:
            return _read(text.strip(), now or datetime.now(UTC))
        except MalformedEvidence as error:
            # What was read must not be quoted: it is part of the token.
            place = f" at {error.where}" if error.where else ""
            raise _malformed(f"its claims are not what OpenID Connect requires{place}") from None


def _malformed(what: str) -> SigningError:
    return SigningError(
        "token_malformed",
        f"the identity token cannot be read: {what}",
        hint="give an OpenID Connect ID token (a JWT of three parts), as a value, @FILE, or - "
        "for standard input",
    )


def _read(text: str, now: datetime) -> IdentityToken:
    match = _COMPACT.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        raise _malformed("it is not a JWT in compact form")
    payload = match.group(1)
    try:
        raw = urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    except ValueError:
        raise _malformed("its payload is not base64url") from None
    claims = Members(loads(raw, where="token"), where="token", code="token_malformed")
    issuer, subject = claims.string("iss"), claims.string("sub")
    audience = claims.raw("aud")
    if AUDIENCE not in (audience if isinstance(audience, list) else [audience]):
        raise SigningError(
            "token_wrong_audience",
            f"the identity token is not made for the audience {AUDIENCE!r}",
            hint=f"request a token with the audience {AUDIENCE!r}",
        )
    expires = _date(claims, "exp")
    if expires <= now:
        raise SigningError(
            "token_expired",
            f"the identity token expired at {expires:%Y-%m-%dT%H:%M:%SZ}",
            hint="request a new token and sign again at once; tokens last only minutes",
        )
    begins = _date(claims, "nbf" if claims.has("nbf") else "iat")
    if begins > now + _LEEWAY:
        raise SigningError(
            "token_not_yet_valid",
            f"the identity token is valid only from {begins:%Y-%m-%dT%H:%M:%SZ}",
            hint="check this machine's clock",
        )
    return IdentityToken(
        issuer=_federated(claims.raw("federated_claims")) or issuer,
        identity=_identity(claims) or subject,
        expires=expires,
        _secret=_Secret(text),
    )


def _date(claims: Members, name: str) -> datetime:
    value = claims.raw(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 2**37:
        raise claims.fail(name, "must be seconds since 1970")
    return datetime.fromtimestamp(math.floor(value), UTC)


def _identity(claims: Members) -> str | None:
    """Whom the certificate will most likely name: a person, or a CI system's definition of the job.

    Source: Fulcio's identity configuration, `subject-alternative-name-template`.
    """
    if claims.has("email"):
        return claims.string("email")
    if claims.has("job_workflow_ref"):  # GitHub Actions
        return f"https://github.com/{claims.string('job_workflow_ref')}"
    if claims.has("ci_config_ref_uri"):  # GitLab
        return f"https://{claims.string('ci_config_ref_uri')}"
    if claims.has("organization_slug") and claims.has("pipeline_slug"):  # Buildkite
        organization, pipeline = (
            claims.string(name) for name in ("organization_slug", "pipeline_slug")
        )
        return f"https://buildkite.com/{organization}/{pipeline}"
    if claims.has(_CIRCLECI_PROJECT) and claims.has(_CIRCLECI_DEFINITION):
        project = claims.string(_CIRCLECI_PROJECT)
        definition = claims.string(_CIRCLECI_DEFINITION)
        return f"https://circleci.com/api/v2/projects/{project}/pipeline-definitions/{definition}"
    return None


def _federated(value: JSON) -> str | None:
    """The issuer behind Sigstore's own login service, which is the one that certificates name."""
    connector = value.get("connector_id") if isinstance(value, dict) else None
    return connector if isinstance(connector, str) else None


def read_argument(argument: str, *, stdin: TextIO | None) -> str:
    """The token text that `--identity-token` means: a value, `@FILE`, or `-` for standard input.

    Raises:
        UsageError: `token_unreadable`.
    """
    if stdin is None and argument == "-":  # closed by whoever started us
        raise UsageError("token_unreadable", "standard input is closed", where=argument)
    try:
        if argument == "-" and stdin is not None:
            return stdin.read(_LONGEST + 1)
        if argument.startswith("@"):
            return read_file(argument[1:], limit=_LONGEST).decode("utf-8")
    except (OSError, ValueError, UsageError) as error:
        reason = error.message if isinstance(error, UsageError) else "it is not text"
        raise UsageError(
            "token_unreadable",
            f"the identity token cannot be read: {reason}",
            where=argument,
            hint="name a readable file that holds only the token",
        ) from None
    return argument
