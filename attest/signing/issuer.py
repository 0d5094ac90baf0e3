"""Talking to an OpenID Connect issuer: where its endpoints are, and forms posted to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlencode

from attest.connections import Request
from attest.errors import MalformedEvidence, NetworkError, SigningError
from attest.http import require_https
from attest.signing.failures import redact
from attest.signing.transport import Patience, Transport, refusal
from attest.strictjson import JSON, loads

#: The OAuth client id of every Sigstore client, which issuers know without a secret.
CLIENT_ID = "sigstore"
SCOPE = "openid email"
_SERVICE = "the login service"
_PATIENCE = Patience(attempts=3, total_seconds=30)
_FORM = "application/x-www-form-urlencoded"


def failed(why: str) -> SigningError:
    """The error for a login that gave nothing; what others said in `why` has been redacted."""
    return SigningError(
        "login_failed",
        f"logging in gave no identity token: {why}",
        hint="log in again, or give --identity-token",
    )


@contextmanager
def discover(issuer_url: str) -> Iterator[Issuer]:
    """Ask an issuer where its endpoints are, and be able to talk to it meanwhile.

    Args:
        issuer_url: its base address.

    Raises:
        SigningError: `login_failed`.
        NetworkError: `network_unreachable`, `server_not_trusted`, `unexpected_answer`.

    Source: OpenID Connect Discovery 4.
    """
    url = f"{issuer_url.rstrip('/')}/.well-known/openid-configuration"
    with Transport(_PATIENCE) as transport:
        reply = transport.ask(Request(url=url, method="GET"), service=_SERVICE, repeatable=True)
        if reply.status != 200:
            raise failed(refusal(reply))
        yield Issuer(transport, _object(reply.body, "the issuer's configuration"))


class Issuer:
    """An issuer, by what it says of itself; made by `discover`."""

    def __init__(self, transport: Transport, configuration: Mapping[str, JSON]) -> None:
        self._transport = transport
        self._configuration = configuration

    def endpoint(self, name: str) -> str | None:
        """The address of an endpoint, encrypted or on this machine; None if there is none.

        Raises:
            SigningError: `login_failed`.
        """
        url = self._configuration.get(name)
        if url is None:
            return None
        try:
            if isinstance(url, str):
                return require_https(url)
        except NetworkError:
            pass
        raise failed(f"the issuer's {name} is no encrypted address")

    def required(self, name: str) -> str:
        """As `endpoint`, where it must exist."""
        url = self.endpoint(name)
        if url is None:
            raise failed(f"the issuer names no {name}")
        return url

    def post(
        self,
        url: str,
        form: Mapping[str, str],
        *,
        headers: Mapping[str, str] | None = None,
        secrets: Iterable[str] = (),
    ) -> Mapping[str, JSON]:
        """Post a form and read the answer: a success, or an `error` in OAuth's words.

        Args:
            url: an endpoint of the issuer.
            form: the fields.
            headers: further ones.
            secrets: what must not be told, should the issuer quote it.

        Raises:
            SigningError: `login_failed`.
            NetworkError: `network_unreachable`, `server_not_trusted`, `unexpected_answer`.

        Source: RFC 6749, sections 5.1 and 5.2.
        """
        request = Request(
            url=url,
            body=urlencode(form).encode("ascii"),
            headers={"Content-Type": _FORM, "Accept": "application/json", **(headers or {})},
        )
        reply = self._transport.ask(request, service=_SERVICE, repeatable=False)
        if reply.status == 200:
            return _object(reply.body, "the issuer's answer")
        # Issuers tell of a refusal by 400, of a client unknown by 401, and Dex of a login that is
        # not finished by 401 too: what counts is the word.
        if reply.status in (400, 401, 403):
            try:
                answer = _object(reply.body, "the issuer's answer")
            except SigningError:
                answer = {}
            if isinstance(answer.get("error"), str):
                return answer
        raise failed(refusal(reply, secrets))


def id_token(answer: Mapping[str, JSON], *, secrets: Iterable[str] = ()) -> str:
    """The token in an answer of the token endpoint.

    Args:
        answer: what `Issuer.post` gave.
        secrets: what must not be told, should the issuer quote it.

    Raises:
        SigningError: `login_failed`.
    """
    if "error" in answer:
        raise failed(told(answer, secrets))
    token = answer.get("id_token")
    if not isinstance(token, str):
        raise failed("the issuer's answer has no id_token")
    return token


def told(answer: Mapping[str, JSON], secrets: Iterable[str] = ()) -> str:
    """What an issuer says in an error, redacted."""
    words = answer.get("error_description") or answer.get("error")
    return redact(words if isinstance(words, str) else "no reason given", secrets)


def _object(body: bytes, what: str) -> Mapping[str, JSON]:
    try:
        found = loads(body, where=what)
    except MalformedEvidence:
        raise failed(f"{what} is not JSON") from None
    if not isinstance(found, dict):
        raise failed(f"{what} is no JSON object")
    return found
