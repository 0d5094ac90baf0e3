"""Azure's Key Vault, and the Microsoft Entra ID that gives its tokens, on loopback."""

from __future__ import annotations

import json
import ssl
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tests.signing.hosts import serving_http
from tests.signing.key_services import Service

VAULT, LOGIN = "acme.vault.azure.net", "login.microsoftonline.com"
TENANT = "11111111-2222-3333-4444-555555555555"
CLIENT, SECRET = "99999999-8888-7777-6666-555555555555", "kV8Q~not-a-real-secret"
TOKEN = "eyJ0eXAiOiJKV1Qi.not-a-real.token"
VERSION = "0123456789abcdef0123456789abcdef"
_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521", "secp256k1": "P-256K"}
_ENDPOINTS = ("authorization_endpoint", "token_endpoint")
_SIGNS = {"p256": "ES256", "p384": "ES384"}


class _Handler(BaseHTTPRequestHandler):
    service: ClassVar[Service]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = urlsplit(self.path).path.rstrip("/")
        if self.headers["Host"] == LOGIN:
            self._describe(path)
        elif self._is_admitted("get"):
            if path in ("/keys/release", f"/keys/release/{VERSION}"):
                self._answer(200, {"key": self._jwk(), "attributes": {"enabled": True}})
            else:
                self._fail(404, "KeyNotFound", f"{path} was not found in this key vault.")

    def do_POST(self) -> None:
        path = urlsplit(self.path).path
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers["Host"] == LOGIN:
            assert path == f"/{TENANT}/oauth2/v2.0/token", path
            form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
            assert form["grant_type"] == "client_credentials"
            assert form["scope"].startswith("https://vault.azure.net/.default")
            self.service.asked.append("token")
            if (form["client_id"], form["client_secret"]) != (CLIENT, SECRET):
                text = "AADSTS7000215: Invalid client secret provided.\r\nTrace ID: 1"
                self._answer(401, {"error": "invalid_client", "error_description": text})
            else:
                token = {"token_type": "Bearer", "expires_in": 3599, "access_token": TOKEN}
                self._answer(200, token)
        elif self._is_admitted("sign"):
            assert path == f"/keys/release/{VERSION}/sign", path
            asked = json.loads(body)
            assert asked["alg"] == _SIGNS[self.service.kind]
            signature = self.service.sign(_bytes(asked["value"]), prehashed=True)
            size = 32 if self.service.kind == "p256" else 48
            halves = [number.to_bytes(size, "big") for number in decode_dss_signature(signature)]
            self._answer(200, {"kid": self._jwk()["kid"], "value": _text(b"".join(halves))})

    def _describe(self, path: str) -> None:
        """Say where tokens are, as every such issuer says it, and as this one does besides."""
        base = f"https://{LOGIN}/{TENANT}"
        configuration = f"/{TENANT}/v2.0/.well-known/openid-configuration"
        if path == configuration:
            endpoints = {
                name: f"{base}/oauth2/v2.0/{name.removesuffix('_endpoint')}" for name in _ENDPOINTS
            }
            self._answer(200, {"issuer": f"{base}/v2.0", **endpoints})
        else:
            assert path == "/common/discovery/instance", path
            known = {"preferred_network": LOGIN, "preferred_cache": LOGIN, "aliases": [LOGIN]}
            where = f"https://{LOGIN}{configuration}"
            self._answer(200, {"tenant_discovery_endpoint": where, "metadata": [known]})

    def _is_admitted(self, action: str) -> bool:
        """Ask whoever comes without a token for one, and refuse what is to be refused."""
        given = self.headers["Authorization"]
        if given is None:
            challenge = (
                f'authorization="https://{LOGIN}/{TENANT}", resource="https://vault.azure.net"'
            )
            self._answer(401, {}, {"WWW-Authenticate": f"Bearer {challenge}"})
            return False
        assert given == f"Bearer {TOKEN}"
        self.service.asked.append(action)
        if self.service.refuses:
            self._fail(403, "Forbidden", self.service.refuses.replace("{token}", TOKEN))
            return False
        return True

    def _jwk(self) -> dict[str, Any]:
        public = self.service.key.public_key()
        common = {"kid": f"https://{VAULT}/keys/release/{VERSION}", "key_ops": ["sign", "verify"]}
        if isinstance(public, rsa.RSAPublicKey):
            modulus = public.public_numbers().n.to_bytes(256, "big")
            return {**common, "kty": "RSA", "n": _text(modulus), "e": _text(b"\1\0\1")}
        assert isinstance(public, ec.EllipticCurvePublicKey)
        numbers, size = public.public_numbers(), (public.key_size + 7) // 8
        x, y = (_text(number.to_bytes(size, "big")) for number in (numbers.x, numbers.y))
        return {**common, "kty": "EC", "crv": _CURVES[public.curve.name], "x": x, "y": y}

    def _fail(self, status: int, code: str, message: str) -> None:
        self._answer(status, {"error": {"code": code, "message": message}})

    def _answer(self, status: int, document: object, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
        """Say nothing."""


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


@contextmanager
def serving_azure(service: Service, context: ssl.SSLContext) -> Iterator[int]:
    """Serve both on a port of loopback."""
    with serving_http(type("_Bound", (_Handler,), {"service": service}), context) as port:
        yield port
