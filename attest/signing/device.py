"""Logging in on another device: the OAuth device authorization grant.

For machines without a browser, or whose browser is somewhere else than the person.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from attest.errors import NetworkError, SigningError
from attest.http import require_https
from attest.signing.issuer import CLIENT_ID, SCOPE, Issuer, discover, failed, id_token, told
from attest.strictjson import JSON

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
#: Between two questions where the issuer does not say, and what is added when it says slower.
_USUAL_INTERVAL, _SLOWER = 5, 5
#: Nobody takes longer, whatever an issuer allows.
_LONGEST_SECONDS = 1800
_LONGEST_USER_CODE = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceCode:
    """What a person needs to log in elsewhere: an address, and the code to enter there.

    Both come from the issuer and are escaped before they are shown. `complete_url` has the code
    in it already, if there is one. Times are in seconds.
    """

    url: str
    user_code: str
    complete_url: str | None
    expires_in: int
    interval: int
    secret: str = field(repr=False)

    @classmethod
    def from_answer(cls, answer: Mapping[str, JSON]) -> DeviceCode:
        """Read what an issuer answers to the request for a code.

        Raises:
            SigningError: `login_failed`.

        Source: RFC 8628, section 3.2.
        """
        if "error" in answer:
            raise failed(told(answer))
        user_code = answer.get("user_code")
        if not isinstance(user_code, str) or not 0 < len(user_code) <= _LONGEST_USER_CODE:
            raise failed("the issuer gave no usable user_code")
        secret = answer.get("device_code")
        if not isinstance(secret, str) or not secret:
            raise failed("the issuer gave no device_code")
        url = _address(answer, "verification_uri")
        if url is None:
            raise failed("the issuer gave no verification_uri")
        return cls(
            url=url,
            user_code=user_code,
            complete_url=_address(answer, "verification_uri_complete"),
            expires_in=min(_seconds(answer, "expires_in", None), _LONGEST_SECONDS),
            interval=_seconds(answer, "interval", _USUAL_INTERVAL),
            secret=secret,
        )


def log_in_elsewhere(
    issuer_url: str,
    *,
    show: Callable[[DeviceCode], None],
    sleep: Callable[[float], object] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> str:
    """Let a person log in on any device and get the identity token's text.

    Args:
        issuer_url: base address of the OpenID Connect issuer.
        show: shows a person where to go and what to enter.
        sleep: waits so many seconds; an interruption ends the login.
        clock: tells seconds.

    Raises:
        SigningError: `no_device_login`, `login_failed`, `login_timeout`.
        NetworkError: `network_unreachable`, `server_not_trusted`, `unexpected_answer`.

    Source: RFC 8628; RFC 7636.
    """
    with discover(issuer_url) as issuer:
        start = issuer.endpoint("device_authorization_endpoint")
        if start is None:
            raise SigningError(
                "no_device_login",
                "the instance's login service cannot log anybody in on another device",
                hint="give --identity-token, or sign where there is a browser",
            )
        token_url = issuer.required("token_endpoint")
        verifier = secrets.token_urlsafe(32)
        challenge = urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest())
        answer = issuer.post(
            start,
            {
                "client_id": CLIENT_ID,
                "scope": SCOPE,
                # RFC 8628 does not ask for PKCE; issuers that do not know it pass it over.
                "code_challenge": challenge.rstrip(b"=").decode("ascii"),
                "code_challenge_method": "S256",
            },
        )
        code = DeviceCode.from_answer(answer)
        show(code)
        form = {
            "grant_type": GRANT,
            "client_id": CLIENT_ID,
            "device_code": code.secret,
            "code_verifier": verifier,
        }
        return _wait(issuer, token_url, form, code, sleep, clock)


def _wait(
    issuer: Issuer,
    token_url: str,
    form: Mapping[str, str],
    code: DeviceCode,
    sleep: Callable[[float], object],
    clock: Callable[[], float],
) -> str:
    """Ask, as often as the issuer allows, until the person is done or the code has expired."""
    deadline = clock() + code.expires_in
    pause: float = code.interval
    while clock() + pause < deadline:
        sleep(pause)
        try:
            answer = issuer.post(token_url, form, secrets=form.values())
        except NetworkError as error:
            if error.code != "network_unreachable":
                raise
            pause *= 2  # section 3.5: ask less often, and go on
            continue
        problem = answer.get("error")
        if problem is None:
            return id_token(answer)
        if problem == "slow_down":
            pause += _SLOWER
        elif problem == "access_denied":
            raise failed("it was declined on the other device")
        elif problem == "expired_token":
            break
        elif problem != "authorization_pending":
            raise failed(told(answer, form.values()))
    raise SigningError(
        "login_timeout",
        f"nobody entered the code within {code.expires_in} seconds",
        hint="sign again and finish logging in, or give --identity-token",
    )


def _address(answer: Mapping[str, JSON], name: str) -> str | None:
    """An address that a person may be sent to: encrypted, or on this machine."""
    url = answer.get(name)
    if url is None:
        return None
    try:
        if isinstance(url, str):
            return require_https(url)
    except NetworkError:
        pass
    raise failed(f"the issuer's {name} is no encrypted address")


def _seconds(answer: Mapping[str, JSON], name: str, default: int | None) -> int:
    value = answer.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
        raise failed(f"the issuer's {name} is not a number of seconds")
    return max(value, 1)
