"""Whose identity signs: where a token comes from, in which order, and another one in time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TextIO, TypeAlias

from attest.errors import AttestError, SigningError
from attest.oidc import AUDIENCE, IdentityToken, read_argument
from attest.signing import ambient
from attest.signing.ambient import System

Login: TypeAlias = Literal["browser", "device"]
Source: TypeAlias = (
    Literal["identity-token", "SIGSTORE_ID_TOKEN", "SIGSTORE_IDENTITY_TOKEN"] | System | Login
)

_VARIABLES: tuple[Literal["SIGSTORE_ID_TOKEN", "SIGSTORE_IDENTITY_TOKEN"], ...] = (
    "SIGSTORE_ID_TOKEN",
    "SIGSTORE_IDENTITY_TOKEN",
)
#: CI systems that give no token. A browser there would wait for nobody.
_OTHER_CI = ("CI", "TF_BUILD", "JENKINS_URL", "TEAMCITY_VERSION")


class TokenSource:
    """Gives tokens of one identity: the same one while it lasts, then another where that can be.

    Whoever requests certificates asks `token(seconds)` before each, with as many seconds as the
    request may take:

        source.token()                      # finds, asks or logs in now; fails early
        ...
        token = source.token(30)            # the same token, or a new one of the same identity

    A CI system is asked again, and `@FILE` read again. A token given otherwise, or got by logging
    in, cannot be renewed without a person: the call fails with `token_expires_soon`, nothing has
    happened, and what is signed already stays signed. Any number of threads may ask.

    Args:
        name: where the tokens come from.
        ask: gets a token's text; called when first needed, again only if `renewable`.
        renewable: whether another token can be had without a person.
        clock: tells the time in UTC.
    """

    def __init__(
        self,
        name: Source,
        ask: Callable[[], str],
        *,
        renewable: bool = False,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.name = name
        self.renewable = renewable
        self._ask = ask
        self._clock = clock
        self._current: IdentityToken | None = None
        self._lock = threading.Lock()

    @classmethod
    def of(cls, token: IdentityToken) -> TokenSource:
        """A source of this one token."""
        source = cls("identity-token", token.reveal)
        source._current = token
        return source

    @property
    def is_person(self) -> bool:
        """Whether a person is asked to log in for the first token."""
        return self.name in ("browser", "device")

    def token(self, min_seconds_left: float = 0) -> IdentityToken:
        """A token that is valid for longer than this; the first call may log a person in.

        Args:
            min_seconds_left: seconds from now for which the token must still be valid.

        Raises:
            SigningError: `token_expires_soon` if it lasts no longer and cannot be renewed,
                `identity_changed` if the new token names somebody else, and the codes of
                `IdentityToken.from_text` and of whoever is asked.
            NetworkError: `network_unreachable`.
            UsageError: `token_unreadable`.
        """
        with self._lock:
            if self._current is None:
                self._current = self._fresh()
            elif self.renewable and not self._lasts(self._current, min_seconds_left):
                self._current = self._renewed(self._current)
            if not self._lasts(self._current, min_seconds_left):
                raise self._expires_soon(self._current)
            return self._current

    def _fresh(self) -> IdentityToken:
        try:
            return IdentityToken.from_text(self._ask(), now=self._clock())
        except AttestError as error:
            if self.name in _VARIABLES:
                error.where = error.where or self.name
            raise

    def _renewed(self, before: IdentityToken) -> IdentityToken:
        after = self._fresh()
        if (after.identity, after.issuer) != (before.identity, before.issuer):
            raise SigningError(
                "identity_changed",
                f"the new identity token is of {after.identity}, the one before was of "
                f"{before.identity}",
                hint="sign the rest in a run of its own",
            )
        return after

    def _lasts(self, token: IdentityToken, seconds: float) -> bool:
        return token.seconds_left(now=self._clock()) > max(seconds, 0)

    def _expires_soon(self, token: IdentityToken) -> SigningError:
        left = token.seconds_left(now=self._clock())
        when = f"expires in {left:.0f} seconds" if left > 0 else "has expired meanwhile"
        if self.is_person:
            hint = "run the command again for what is not signed yet, and log in again"
        elif self.renewable:
            hint = "the tokens of this source last too short a time; sign fewer targets at once"
        else:
            hint = "run the command again for what is not signed yet, with a new token"
        return SigningError("token_expires_soon", f"the identity token {when}", hint=hint)


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """Somebody who can be asked: how they log in, and the function that lets them."""

    login: Login
    log_in: Callable[[], str]


def choose_login(environ: Mapping[str, str], *, platform: str, device: bool) -> Login:
    """How a person logs in: by a browser on this machine, or on another device.

    Args:
        environ: the environment.
        platform: as `sys.platform` spells it.
        device: whether another device was asked for.
    """
    if device:
        return "device"
    if environ.get("BROWSER"):
        return "browser"
    # A browser here could be seen by nobody, or only by whoever sits at the other machine.
    if environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"):
        return "device"
    has_display = environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")
    return "browser" if has_display or platform in ("win32", "darwin", "cygwin") else "device"


def find_source(
    *,
    argument: str | None,
    environ: Mapping[str, str],
    stdin: TextIO | None,
    person: Person | None,
) -> TokenSource:
    """Where the identity token comes from: given, in the environment, ambient, or a person.

    The first that there is decides; one that is there and fails is never passed over. Nothing is
    asked yet: `TokenSource.token` does that.

    Args:
        argument: value of `--identity-token`: a token, `@FILE` or `-`; None if not given.
        environ: the environment.
        stdin: read for `-`, once.
        person: who can be asked; None where there is nobody.

    Raises:
        UsageError: `token_unreadable`.
        SigningError: `no_identity`.

    Source: Evidence Pack R-073, R-091.
    """
    if argument is not None:
        # Read now, so that a name misspelt is told before anything else happens; a file that
        # somebody keeps fresh, as for pods of a cluster, is read again when its token expires.
        first = [read_argument(argument, stdin=stdin)]
        return TokenSource(
            "identity-token",
            lambda: first.pop() if first else read_argument(argument, stdin=stdin),
            renewable=argument.startswith("@"),
        )
    for name in _VARIABLES:
        if given := environ.get(name):
            return _given(name, given)
    if system := ambient.system_of(environ):
        return _ambient(system, environ)
    if person is None or any(_is_set(environ, name) for name in _OTHER_CI):
        raise SigningError(
            "no_identity",
            "there is no identity token, and nobody to ask for one",
            hint="give --identity-token, or set SIGSTORE_ID_TOKEN to an OIDC token with the "
            f"audience {AUDIENCE!r}",
        )
    return TokenSource(person.login, person.log_in)


def _given(name: Literal["SIGSTORE_ID_TOKEN", "SIGSTORE_IDENTITY_TOKEN"], text: str) -> TokenSource:
    return TokenSource(name, lambda: text)


def _ambient(system: System, environ: Mapping[str, str]) -> TokenSource:
    return TokenSource(system, lambda: ambient.ask(system, environ), renewable=True)


def _is_set(environ: Mapping[str, str], name: str) -> bool:
    return environ.get(name, "").lower() not in ("", "0", "false")
