"""Logging in through a browser: the OAuth authorization code flow with PKCE on loopback.

`sigstore` can do this too, but its client logs the authorization code and the PKCE verifier,
waits for ever, leaves its listener open and prints; so the two requests are spoken here.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import webbrowser
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode, urlsplit

from attest.errors import SigningError
from attest.signing.failures import described, redact, unreachable

if TYPE_CHECKING:
    import requests

#: The OAuth client id of every Sigstore client, which issuers know without a secret.
CLIENT_ID = "sigstore"
_REQUEST_SECONDS = 15
_CALLBACK = "/auth/callback"
_DONE = b"<!doctype html><title>attest</title><p>You are logged in and may close this window."
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Endpoints:
    authorization: str
    token: str


def log_in(
    issuer_url: str,
    *,
    open_browser: Callable[[str], bool] = webbrowser.open,
    patience_seconds: float = 300,
) -> str:
    """Let a person log in with their browser and get the identity token's text.

    Args:
        issuer_url: base address of the OpenID Connect issuer.
        open_browser: shows a person an address; False if there is no browser.
        patience_seconds: how long a person may take.

    Raises:
        SigningError: `no_browser`, `login_failed`, `login_timeout`.
        NetworkError: `network_unreachable`.

    Source: RFC 6749 section 4.1, RFC 7636, RFC 8252 section 7.3; OpenID Connect Discovery.
    """
    import requests

    with requests.Session() as session:
        try:
            endpoints = _discover(session, issuer_url)
            verifier = secrets.token_urlsafe(32)
            code, redirect = _authorize(endpoints, verifier, open_browser, patience_seconds)
            return _exchange(session, endpoints, code, redirect, verifier)
        except (requests.RequestException, ValueError, KeyError) as error:
            raise unreachable(error, "the login service") or _failed(described(error)) from None


def _failed(why: str) -> SigningError:
    return SigningError(
        "login_failed",
        f"logging in gave no identity token: {why}",
        hint="log in again, or give --identity-token",
    )


def _discover(session: requests.Session, issuer_url: str) -> _Endpoints:
    url = f"{issuer_url.rstrip('/')}/.well-known/openid-configuration"
    answer = session.get(url, timeout=_REQUEST_SECONDS)
    answer.raise_for_status()
    found = answer.json()
    if not isinstance(found, dict):
        raise _failed("the issuer's configuration is no JSON object")
    return _Endpoints(
        authorization=_endpoint(found.get("authorization_endpoint")),
        token=_endpoint(found.get("token_endpoint")),
    )


def _endpoint(url: object) -> str:
    """An address that a code may be sent to: encrypted, or on this machine."""
    if isinstance(url, str):
        parts = urlsplit(url)
        if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
            return url
    raise _failed("the issuer's configuration names an endpoint that is missing or not encrypted")


def _authorize(
    endpoints: _Endpoints,
    verifier: str,
    open_browser: Callable[[str], bool],
    patience_seconds: float,
) -> tuple[str, str]:
    """Send the person to the issuer; the code that comes back, and where it came back to."""
    state = secrets.token_urlsafe(32)
    challenge = urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest())
    with _listening() as (port, answers):
        # Issuers know clients on this machine by this name; RFC 8252 lets the port be any.
        redirect = f"http://localhost:{port}{_CALLBACK}"
        query = {
            "response_type": "code",
            "client_id": CLIENT_ID,
            "scope": "openid email",
            "redirect_uri": redirect,
            "code_challenge": challenge.rstrip(b"=").decode("ascii"),
            "code_challenge_method": "S256",
            "state": state,
        }
        separator = "&" if urlsplit(endpoints.authorization).query else "?"
        try:
            shown = open_browser(f"{endpoints.authorization}{separator}{urlencode(query)}")
        except (OSError, webbrowser.Error) as error:
            raise _failed(f"the browser failed: {redact(str(error))}") from None
        if not shown:
            raise SigningError(
                "no_browser",
                "there is no browser to log in with",
                hint="give --identity-token, or set SIGSTORE_ID_TOKEN",
            )
        try:
            answer = answers.get(timeout=patience_seconds)
        except Empty:
            raise SigningError(
                "login_timeout",
                f"nobody logged in within {patience_seconds:.0f} seconds",
                hint="sign again and finish logging in, or give --identity-token",
            ) from None
    return _code_of(answer, state), redirect


def _code_of(answer: dict[str, list[str]], state: str) -> str:
    if not hmac.compare_digest(answer.get("state", [""])[0].encode(), state.encode()):
        raise _failed("the browser came back from another login")
    if "error" in answer:
        raise _failed(redact(answer["error"][0]))
    if "code" not in answer:
        raise _failed("the browser came back without a code")
    return answer["code"][0]


@contextmanager
def _listening() -> Iterator[tuple[int, SimpleQueue[dict[str, list[str]]]]]:
    """A listener for the one request in which the browser brings the code: port, and answers."""
    answers: SimpleQueue[dict[str, list[str]]] = SimpleQueue()

    class Handler(BaseHTTPRequestHandler):
        timeout = 5  # browsers open connections that they never use

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            found = path == _CALLBACK
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Connection", "close")
            self.end_headers()
            if found:
                self.wfile.write(_DONE)
                answers.put(parse_qs(query))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing: the request carries the code."""

    server = ThreadingHTTPServer(("localhost", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_port, answers
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _exchange(
    session: requests.Session, endpoints: _Endpoints, code: str, redirect: str, verifier: str
) -> str:
    answer = session.post(
        endpoints.token,
        data={
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect,
            "code_verifier": verifier,
        },
        auth=(CLIENT_ID, ""),
        timeout=_REQUEST_SECONDS,
        allow_redirects=False,  # a code goes to the token endpoint and nowhere else
    )
    answer.raise_for_status()
    found = answer.json()
    token = found.get("id_token") if isinstance(found, dict) else None
    if not isinstance(token, str):
        raise _failed("the issuer's answer has no id_token")
    return token
