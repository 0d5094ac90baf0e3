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
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, SimpleQueue
from typing import TypeAlias
from urllib.parse import parse_qs, urlencode, urlsplit

from attest.errors import SigningError
from attest.signing import loginpage
from attest.signing.failures import redact
from attest.signing.issuer import CLIENT_ID, SCOPE, discover, failed, id_token

_CALLBACK = "/auth/callback"
_Answer: TypeAlias = dict[str, list[str]]


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
    with discover(issuer_url) as issuer:
        authorization = issuer.required("authorization_endpoint")
        token_url = issuer.required("token_endpoint")
        verifier = secrets.token_urlsafe(32)
        code, redirect = _authorize(authorization, verifier, open_browser, patience_seconds)
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect,
            "code_verifier": verifier,
        }
        client = b64encode(f"{CLIENT_ID}:".encode()).decode("ascii")
        answer = issuer.post(
            token_url,
            form,
            headers={"Authorization": f"Basic {client}"},
            secrets=(code, verifier),
        )
    return id_token(answer, secrets=(code, verifier))


def _authorize(
    authorization: str,
    verifier: str,
    open_browser: Callable[[str], bool],
    patience_seconds: float,
) -> tuple[str, str]:
    """Send the person to the issuer; the code that comes back, and where it came back to."""
    state = secrets.token_urlsafe(32)
    challenge = urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest())
    with _listening(state) as (port, answers):
        # Issuers know clients on this machine by this name; RFC 8252 lets the port be any.
        redirect = f"http://localhost:{port}{_CALLBACK}"
        query = {
            "response_type": "code",
            "client_id": CLIENT_ID,
            "scope": SCOPE,
            "redirect_uri": redirect,
            "code_challenge": challenge.rstrip(b"=").decode("ascii"),
            "code_challenge_method": "S256",
            "state": state,
        }
        separator = "&" if urlsplit(authorization).query else "?"
        try:
            shown = open_browser(f"{authorization}{separator}{urlencode(query)}")
        except (OSError, webbrowser.Error) as error:
            raise failed(f"the browser failed: {redact(str(error))}") from None
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


def _code_of(answer: _Answer, state: str) -> str:
    problem = _problem(answer, state)
    if problem == "foreign":
        raise failed("the browser came back from another login")
    if problem == "no_code":
        raise failed("the browser came back without a code")
    if problem is not None:
        raise failed(redact(answer["error"][0]))
    return answer["code"][0]


def _problem(answer: _Answer, state: str) -> loginpage.Problem | None:
    """What is wrong with the way the browser came back, if something is."""
    if not hmac.compare_digest(answer.get("state", [""])[0].encode(), state.encode()):
        return "foreign"
    if "error" in answer:
        return "declined" if answer["error"][0] == "access_denied" else "refused"
    return None if "code" in answer else "no_code"


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing of a browser that goes away in the middle."""


@contextmanager
def _listening(state: str) -> Iterator[tuple[int, SimpleQueue[_Answer]]]:
    """A listener for the one request in which the browser brings the code: port, and answers."""
    answers: SimpleQueue[_Answer] = SimpleQueue()

    class Handler(BaseHTTPRequestHandler):
        timeout = 5  # browsers open connections that they never use

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            if path != _CALLBACK:
                self._send(404, b"")
                return
            answer = parse_qs(query)
            problem = _problem(answer, state)
            try:
                if problem is None:
                    self._send(200, loginpage.received())
                else:
                    self._send(400, loginpage.not_done(problem))
            finally:  # what came counts, also for a browser that does not wait for the page
                answers.put(answer)

        def _send(self, status: int, page: bytes) -> None:
            self.send_response(status)
            for name, value in loginpage.HEADERS.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(page)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing: the request carries the code."""

    server = _Quiet(("localhost", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_port, answers
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
