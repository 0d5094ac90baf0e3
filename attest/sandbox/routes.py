"""Which service answers which request: plain values in, plain values out, no sockets."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

from attest.sandbox.instance import Instance
from attest.sandbox.refusal import OAuthRefusal, Refusal, bad_request, not_found
from attest.sandbox.wire import parse_object

JSON: Final = "application/json"
logger = logging.getLogger("attest.sandbox")

_BINARY: Final = "application/octet-stream"
_TEXT: Final = "text/plain; charset=utf-8"
_HTML: Final = "text/html; charset=utf-8"
_PEM: Final = "application/x-pem-file"

# gRPC codes of google.rpc.Code: what Fulcio's and Rekor v2's gateways put in `code`.
_GRPC_CODES: Final[Mapping[int, int]] = {400: 3, 401: 16, 404: 5, 405: 12, 409: 6, 413: 8, 500: 13}


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A request, read completely."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    def parameters(self) -> dict[str, str]:
        """The query's parameters."""
        return _parameters(self.query)


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """An answer; with `cut` the connection ends before a byte of it is sent."""

    status: HTTPStatus = HTTPStatus.OK
    body: bytes = b""
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False


Handler = Callable[[Instance, Request, re.Match[str]], Response]


def respond(instance: Instance, request: Request) -> Response:
    """The answer to a request; refusals become JSON errors, faults of ours a 500."""
    try:
        return _dispatch(instance, request)
    except Refusal as refusal:
        return refused(refusal, request.path)
    except Exception:
        # A thread has nobody to raise to: the client gets an answer, the log the traceback.
        logger.exception("%s %s failed", request.method, request.path)
        fault = Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "the sandbox failed; see its log")
        return refused(fault, request.path)


def refused(refusal: Refusal, path: str) -> Response:
    """A refusal as the service behind `path` words it."""
    if isinstance(refusal, OAuthRefusal):
        document: Mapping[str, object] = {
            "error": refusal.error,
            "error_description": refusal.message,
        }
    else:
        code = int(refusal.status)
        is_gateway = path.startswith("/api/v2/")
        document = {
            "code": _GRPC_CODES.get(code, 2) if is_gateway else code,
            "message": refusal.message,
        }
    headers = {} if refusal.location is None else {"Location": refusal.location}
    return _json(document, status=refusal.status, headers=headers)


def _dispatch(instance: Instance, request: Request) -> Response:
    allowed = set()
    for method, pattern, handler in _ROUTES:
        match = pattern.fullmatch(request.path)
        if match is None:
            continue
        if method == request.method:
            return handler(instance, request, match)
        allowed.add(method)
    if allowed:
        raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, f"use {' or '.join(sorted(allowed))}")
    raise not_found("no such path")


def _json(
    document: Mapping[str, object],
    *,
    status: HTTPStatus = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
) -> Response:
    body = json.dumps(document).encode()
    return Response(status=status, body=body, headers=headers or {})


def _parameters(encoded: str) -> dict[str, str]:
    """Form parameters; a repeated one is refused (RFC 6749, 3.1), two readers may differ."""
    try:
        pairs = parse_qsl(encoded, keep_blank_values=True, max_num_fields=100)
    except ValueError as error:
        raise bad_request("parameters: too many or malformed") from error
    found = dict(pairs)
    if len(found) != len(pairs):
        raise bad_request("parameters: one is repeated")
    return found


def _discovery(instance: Instance, _request: Request, _match: re.Match[str]) -> Response:
    return _json(instance.oidc.discovery())


def _keys(instance: Instance, _request: Request, _match: re.Match[str]) -> Response:
    return _json(instance.oidc.tokens.jwks())


def _authorize(instance: Instance, request: Request, _match: re.Match[str]) -> Response:
    code, target = instance.oidc.authorize(request.parameters())
    if target is None:
        return Response(body=f"{code}\n".encode(), content_type=_TEXT)
    return Response(status=HTTPStatus.FOUND, headers={"Location": target}, content_type=_TEXT)


def _form(request: Request) -> dict[str, str]:
    try:
        return _parameters(request.body.decode("ascii"))
    except UnicodeDecodeError as error:
        raise OAuthRefusal("invalid_request", "not a form") from error


def _token(instance: Instance, request: Request, _match: re.Match[str]) -> Response:
    return _json(instance.oidc.exchange(_form(request)), headers={"Cache-Control": "no-store"})


def _device_code(instance: Instance, request: Request, _match: re.Match[str]) -> Response:
    answer = instance.oidc.device.start(_form(request), url=instance.oidc.url)
    return _json(answer, headers={"Cache-Control": "no-store"})


def _device_page(instance: Instance, request: Request, _match: re.Match[str]) -> Response:
    oidc = instance.oidc
    page = oidc.device.page(request.parameters(), person=oidc.default_person)
    return Response(body=page.encode(), content_type=_HTML)


def _ambient(instance: Instance, request: Request, _match: re.Match[str]) -> Response:
    authorization = request.headers.get("authorization")
    return _json(instance.oidc.ambient(authorization, request.parameters()))


def _signing_certificate(instance: Instance, request: Request, _match: re.Match[str]) -> Response:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else None
    document = parse_object(request.body)
    return _json(instance.fulcio.signing_certificate(document, bearer))


def _trust_bundle(instance: Instance, _request: Request, _match: re.Match[str]) -> Response:
    return _json(instance.fulcio.trust_bundle())


def _rekor1_submit(instance: Instance, request: Request, _match: re.Match[str]) -> Response:
    entry = instance.rekor1.submit(parse_object(request.body))
    return _json(
        entry.to_response(),
        status=HTTPStatus.CREATED,
        headers={"Location": f"/api/v1/log/entries/{entry.uuid}", "ETag": entry.uuid},
    )


def _rekor1_entry(instance: Instance, _request: Request, match: re.Match[str]) -> Response:
    return _json(instance.rekor1.by_uuid(match["uuid"]).to_response())


def _rekor1_index(instance: Instance, request: Request, _match: re.Match[str]) -> Response:
    text = request.parameters().get("logIndex", "")
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise bad_request("logIndex: expected a number")
    return _json(instance.rekor1.by_global_index(int(text)).to_response())


def _rekor1_info(instance: Instance, _request: Request, _match: re.Match[str]) -> Response:
    return _json(instance.rekor1.info())


def _rekor1_key(instance: Instance, _request: Request, _match: re.Match[str]) -> Response:
    return Response(body=instance.rekor1.public_key_pem(), content_type=_PEM)


def _rekor2_submit(instance: Instance, request: Request, _match: re.Match[str]) -> Response:
    entry = instance.rekor2.submit(parse_object(request.body))
    return _json(entry.to_response(), status=HTTPStatus.CREATED)


def _rekor2_checkpoint(instance: Instance, _request: Request, _match: re.Match[str]) -> Response:
    return Response(body=instance.rekor2.checkpoint().encode(), content_type=_TEXT)


def _rekor2_bundle(instance: Instance, _request: Request, match: re.Match[str]) -> Response:
    return Response(body=instance.rekor2.entry_bundle(match["path"]), content_type=_BINARY)


def _rekor2_tile(instance: Instance, _request: Request, match: re.Match[str]) -> Response:
    tile = instance.rekor2.tile(int(match["level"]), match["path"])
    return Response(body=tile, content_type=_BINARY)


def _timestamp(instance: Instance, request: Request, _match: re.Match[str]) -> Response:
    answer = instance.tsa.answer(request.body, request.headers.get("content-type", ""))
    return Response(
        status=HTTPStatus.CREATED, body=answer, content_type="application/timestamp-reply"
    )


def _timestamp_chain(instance: Instance, _request: Request, _match: re.Match[str]) -> Response:
    return Response(body=instance.tsa.chain_pem(), content_type=_PEM)


def _tuf(instance: Instance, _request: Request, match: re.Match[str]) -> Response:
    return Response(body=instance.tuf.get(match["path"]))


_ROUTES: Final[tuple[tuple[str, re.Pattern[str], Handler], ...]] = tuple(
    (method, re.compile(pattern), handler)
    for method, pattern, handler in (
        ("GET", r"/\.well-known/openid-configuration", _discovery),
        ("GET", r"/oauth2/keys", _keys),
        ("GET", r"/oauth2/auth", _authorize),
        ("POST", r"/oauth2/token", _token),
        ("POST", r"/oauth2/device/code", _device_code),
        ("GET", r"/device", _device_page),
        ("GET", r"/github/token", _ambient),
        ("POST", r"/api/v2/signingCert", _signing_certificate),
        ("GET", r"/api/v2/trustBundle", _trust_bundle),
        ("GET", r"/api/v1/log", _rekor1_info),
        ("GET", r"/api/v1/log/publicKey", _rekor1_key),
        ("POST", r"/api/v1/log/entries", _rekor1_submit),
        ("GET", r"/api/v1/log/entries", _rekor1_index),
        ("GET", r"/api/v1/log/entries/(?P<uuid>[0-9a-fA-F]+)", _rekor1_entry),
        ("POST", r"/api/v2/log/entries", _rekor2_submit),
        ("GET", r"/api/v2/checkpoint", _rekor2_checkpoint),
        ("GET", r"/api/v2/tile/entries/(?P<path>[x0-9/.p]+)", _rekor2_bundle),
        ("GET", r"/api/v2/tile/(?P<level>[0-9]{1,2})/(?P<path>[x0-9/.p]+)", _rekor2_tile),
        ("POST", r"/api/v1/timestamp", _timestamp),
        ("GET", r"/api/v1/timestamp/certchain", _timestamp_chain),
        ("GET", r"/tuf/(?P<path>[A-Za-z0-9./_-]+)", _tuf),
    )
)
