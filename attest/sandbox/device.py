"""The device flow of the OIDC issuer: codes, the page to enter them, and polling (RFC 8628)."""

from __future__ import annotations

import html
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

from attest.sandbox.clock import Clock, utc_now
from attest.sandbox.names import AUDIENCE
from attest.sandbox.refusal import OAuthRefusal, bad_request, not_found
from attest.sandbox.wire import JsonObject

GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
LIFETIME: Final = timedelta(minutes=5)
INTERVAL_SECONDS: Final = 1
SLOWER_SECONDS: Final = 5
MAX_OPEN_CODES: Final = 1024

_LETTERS: Final = "BCDFGHJKLMNPQRSTVWXZ"  # RFC 8628, 6.1: no vowels, so that no words come about
_CLOCK_SLACK: Final = timedelta(milliseconds=100)

_Answer: TypeAlias = Literal["allow", "deny"]

_PAGE: Final = """\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><style>:root{{color-scheme:light dark}}
body{{font:1.25rem/1.5 system-ui,sans-serif;max-width:36rem;margin:4rem auto;padding:0 1rem}}
</style></head>
<body><main><h1>{title}</h1>{body}</main></body>
</html>
"""
_FORM: Final = """\
<form action="/device"><p><label>Code shown in your terminal
<input name="user_code" autocomplete="off" required></label></p>
<p><button>Log in</button> <button name="answer" value="deny">Decline</button></p></form>"""


@dataclass(kw_only=True, slots=True)
class _Login:
    """One login under way: what was answered on the other device, and how it is polled."""

    user_code: str
    challenge: str | None
    expires: datetime
    interval: timedelta
    next_poll: datetime
    email: str | None = None
    answer: _Answer | None = None


class DeviceFlow:
    """Logins on another device; whoever enters the code is logged in at once.

    Args:
        clock: tells the time.
    """

    def __init__(self, *, clock: Clock = utc_now) -> None:
        self._clock = clock
        self._logins: dict[str, _Login] = {}
        self._lock = threading.Lock()

    def start(self, form: Mapping[str, str], *, url: str) -> JsonObject:
        """Answer the device authorization endpoint (3.1 and 3.2).

        Args:
            form: parameters of the request.
            url: base address of the issuer.
        """
        if form.get("client_id") != AUDIENCE:
            raise OAuthRefusal("invalid_client", f"client_id: expected {AUDIENCE}")
        challenge = form.get("code_challenge")
        if challenge is not None and form.get("code_challenge_method") != "S256":
            raise OAuthRefusal("invalid_request", "PKCE: only S256")
        now = self._clock()
        letters = "".join(secrets.choice(_LETTERS) for _ in range(8))
        login = _Login(
            user_code=f"{letters[:4]}-{letters[4:]}",
            challenge=challenge,
            expires=now + LIFETIME,
            interval=timedelta(seconds=INTERVAL_SECONDS),
            next_poll=now,
        )
        code = secrets.token_urlsafe(24)
        with self._lock:
            while len(self._logins) >= MAX_OPEN_CODES:
                self._logins.pop(next(iter(self._logins)))
            self._logins[code] = login
        return {
            "device_code": code,
            "user_code": login.user_code,
            "verification_uri": f"{url}/device",
            "verification_uri_complete": f"{url}/device?user_code={login.user_code}",
            "expires_in": int(LIFETIME.total_seconds()),
            "interval": INTERVAL_SECONDS,
        }

    def page(self, query: Mapping[str, str], *, person: str) -> str:
        """Answer a person at the verification address with a page (3.3).

        Args:
            query: `user_code`; `login_hint` names the person; `answer=deny` declines.
            person: who is meant if nobody is named.
        """
        if "user_code" not in query:
            return _PAGE.format(title="Log in to the sandbox", body=_FORM)
        wanted = _letters_of(query["user_code"])
        answer = query.get("answer", "allow")
        if answer not in ("allow", "deny"):
            raise bad_request("answer: allow or deny")
        with self._lock:
            for login in self._logins.values():
                if _letters_of(login.user_code) == wanted and login.expires > self._clock():
                    break
            else:
                raise not_found("user_code: unknown or expired")
            if login.answer is not None:
                raise bad_request("user_code: answered already")
            login.answer = "deny" if answer == "deny" else "allow"
            login.email = query.get("login_hint") or person
        if login.answer == "deny":
            return _PAGE.format(title="Login declined", body="<p>You may close this window.</p>")
        who = html.escape(login.email)
        text = f"<p>You are logged in as {who}, and may close this window.</p>"
        return _PAGE.format(title="Logged in", body=text)

    def poll(self, form: Mapping[str, str]) -> tuple[str, str | None]:
        """Answer a poll of the token endpoint (3.4 and 3.5).

        Returns:
            Who logged in, and the PKCE challenge that the verifier must meet, if there is one.
        """
        code, now = form.get("device_code", ""), self._clock()
        with self._lock:
            login = self._logins.get(code)
            if login is None or form.get("client_id") != AUDIENCE:
                raise OAuthRefusal("invalid_grant", "device_code: unknown or used")
            if login.expires <= now:
                del self._logins[code]
                raise OAuthRefusal("expired_token", "device_code: expired")
            if now + _CLOCK_SLACK < login.next_poll:
                login.interval += timedelta(seconds=SLOWER_SECONDS)
                login.next_poll = now + login.interval
                raise OAuthRefusal("slow_down", "asked too soon")
            login.next_poll = now + login.interval
            if login.answer is None:
                raise OAuthRefusal("authorization_pending", "the code was not entered yet")
            del self._logins[code]
        if login.answer == "deny" or login.email is None:
            raise OAuthRefusal("access_denied", "the person declined")
        return login.email, login.challenge


def _letters_of(user_code: str) -> str:
    """A code as people type it: in any case, with or without the hyphen."""
    return "".join(c for c in user_code.upper() if c.isalnum())
