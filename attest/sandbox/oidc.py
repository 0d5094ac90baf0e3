"""The OIDC issuer: code with PKCE and device flow for people, an ambient endpoint for workflows."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode, urlsplit

from attest.sandbox.clock import Clock, utc_now
from attest.sandbox.device import GRANT, DeviceFlow
from attest.sandbox.names import AUDIENCE, DEFAULT_PERSON, GOOGLE_ISSUER
from attest.sandbox.refusal import OAuthRefusal, unauthenticated
from attest.sandbox.tokens import TokenIssuer, person_claims, requested_workflow
from attest.sandbox.wire import JsonObject

OUT_OF_BAND: Final = "urn:ietf:wg:oauth:2.0:oob"
CODE_LIFETIME: Final = timedelta(minutes=1)
TOKEN_LIFETIME_SECONDS: Final = 600
MAX_OPEN_CODES: Final = 1024

_LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_PKCE_TEXT: Final = re.compile(r"[A-Za-z0-9\-._~]{43,128}")  # RFC 7636, 4.1


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """What an authorization code stands for, until it is used or `expires`."""

    email: str
    redirect_uri: str
    challenge: str
    nonce: str | None
    expires: datetime


class OidcIssuer:
    """Approves everyone at once: a sandbox tests pipelines, not people's passwords.

    Args:
        tokens: signs them.
        default_person: who is meant when a request names nobody.
        connector: identity provider that certificates will name; None for the issuer itself.
        clock: tells the time.
    """

    def __init__(
        self,
        *,
        tokens: TokenIssuer,
        default_person: str = DEFAULT_PERSON,
        connector: str | None = GOOGLE_ISSUER,
        clock: Clock = utc_now,
    ) -> None:
        self.tokens = tokens
        self.default_person = default_person
        self.connector = connector
        self.url = ""
        self.ambient_secret = secrets.token_urlsafe(32)
        self.device = DeviceFlow(clock=clock)
        self._clock = clock
        self._grants: dict[str, Grant] = {}
        self._lock = threading.Lock()

    def discovery(self) -> JsonObject:
        """Answer `GET /.well-known/openid-configuration`."""
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/oauth2/auth",
            "token_endpoint": f"{self.url}/oauth2/token",
            "device_authorization_endpoint": f"{self.url}/oauth2/device/code",
            "jwks_uri": f"{self.url}/oauth2/keys",
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", GRANT],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "code_challenge_methods_supported": ["S256"],
            "scopes_supported": ["openid", "email"],
            "claims_supported": ["iss", "sub", "aud", "iat", "exp", "nonce", "email"],
        }

    def authorize(self, query: Mapping[str, str]) -> tuple[str, str | None]:
        """Answer the authorization endpoint.

        Args:
            query: parameters of the request (RFC 6749, 4.1.1 and RFC 7636, 4.3); `login_hint`
                names the person.

        Returns:
            The code, and where to send the browser (None for the out-of-band flow).
        """
        redirect_uri = query.get("redirect_uri", "")
        if redirect_uri != OUT_OF_BAND and not _is_loopback(redirect_uri):
            raise OAuthRefusal("invalid_request", "redirect_uri: only loopback or out of band")
        if query.get("client_id") != AUDIENCE:
            raise OAuthRefusal("unauthorized_client", f"client_id: expected {AUDIENCE}")
        if query.get("response_type") != "code":
            raise OAuthRefusal("unsupported_response_type", "response_type: expected code")
        challenge = query.get("code_challenge", "")
        if query.get("code_challenge_method") != "S256" or not _PKCE_TEXT.fullmatch(challenge):
            raise OAuthRefusal("invalid_request", "PKCE with S256 is required")
        code = self._grant(
            Grant(
                email=query.get("login_hint") or self.default_person,
                redirect_uri=redirect_uri,
                challenge=challenge,
                nonce=query.get("nonce"),
                expires=self._clock() + CODE_LIFETIME,
            )
        )
        if redirect_uri == OUT_OF_BAND:
            return code, None
        answer = {"code": code} | ({"state": query["state"]} if "state" in query else {})
        separator = "&" if urlsplit(redirect_uri).query else "?"
        return code, f"{redirect_uri}{separator}{urlencode(answer)}"

    def exchange(self, form: Mapping[str, str]) -> JsonObject:
        """Answer the token endpoint: a code and its verifier in, a token out.

        Args:
            form: parameters of the request (RFC 6749, 4.1.3 and RFC 7636, 4.5; RFC 8628, 3.4).
        """
        if form.get("grant_type") == GRANT:
            email, challenge = self.device.poll(form)
            if challenge is not None:
                _require_verifier(form, challenge)
            return _answer(self.person_token(email=email))
        if form.get("grant_type") != "authorization_code":
            raise OAuthRefusal("unsupported_grant_type", "grant_type: expected authorization_code")
        with self._lock:
            # Taken before it is checked: a code has one chance, right or wrong.
            grant = self._grants.pop(form.get("code", ""), None)
        if grant is None or grant.expires < self._clock():
            raise OAuthRefusal("invalid_grant", "code: unknown, used or expired")
        if form.get("redirect_uri") != grant.redirect_uri:
            raise OAuthRefusal("invalid_grant", "redirect_uri: not the one of the request")
        _require_verifier(form, grant.challenge)
        return _answer(self.person_token(email=grant.email, nonce=grant.nonce))

    def ambient(self, authorization: str | None, query: Mapping[str, str]) -> JsonObject:
        """Answer a workflow's request for a token.

        Args:
            authorization: the header, `bearer SECRET`.
            query: `audience` of the token; the rest as `requested_workflow` reads it.
        """
        scheme, _, secret = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(
            secret.encode(), self.ambient_secret.encode()
        ):
            raise unauthenticated("wrong or missing bearer token")
        claims = requested_workflow(query) | {"aud": query.get("audience") or AUDIENCE}
        return {"value": self.tokens.mint(claims, lifetime_seconds=TOKEN_LIFETIME_SECONDS)}

    def person_token(
        self,
        *,
        email: str,
        connector: str | None = None,
        lifetime_seconds: float = TOKEN_LIFETIME_SECONDS,
        nonce: str | None = None,
    ) -> str:
        """A token as the code flow gives it.

        Args:
            email: the person.
            connector: identity provider behind the issuer; the configured one by default.
            lifetime_seconds: until it expires.
            nonce: echoed.
        """
        claims = person_claims(
            issuer=self.url, email=email, connector=connector or self.connector, nonce=nonce
        )
        return self.tokens.mint(claims, lifetime_seconds=lifetime_seconds)

    def _grant(self, grant: Grant) -> str:
        code = secrets.token_urlsafe(24)
        with self._lock:
            while len(self._grants) >= MAX_OPEN_CODES:
                self._grants.pop(next(iter(self._grants)))
            self._grants[code] = grant
        return code


def _require_verifier(form: Mapping[str, str], challenge: str) -> None:
    verifier = form.get("code_verifier", "")
    if not _PKCE_TEXT.fullmatch(verifier) or not hmac.compare_digest(_s256(verifier), challenge):
        raise OAuthRefusal("invalid_grant", "code_verifier: does not match the challenge")


def _answer(token: str) -> JsonObject:
    return {
        # Clients of Sigstore read the id token from `access_token`, as Dex gives it there.
        "access_token": token,
        "id_token": token,
        "token_type": "Bearer",
        "expires_in": TOKEN_LIFETIME_SECONDS,
    }


def _s256(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def _is_loopback(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
        host = parts.hostname
    except ValueError:
        return False
    return parts.scheme == "http" and host in _LOOPBACK_NAMES
