"""Raw HTTP and the few signatures a client of the sandbox makes."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    headers: Mapping[str, str]

    def json(self) -> dict[str, object]:
        return cast("dict[str, object]", json.loads(self.body))


class Client:
    """Speaks raw HTTP, so that a test can say what no client would."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = requests.Session()

    def get(self, path: str, *, headers: Mapping[str, str] | None = None) -> Answer:
        return self._send("GET", path, None, headers)

    def post(
        self, path: str, body: object = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self._send(
            "POST", path, raw, {"Content-Type": "application/json", **(headers or {})}
        )

    def form(self, path: str, fields: Mapping[str, str]) -> Answer:
        answer = self._session.post(self.url + path, data=dict(fields), timeout=10)
        return Answer(answer.status_code, answer.content, answer.headers)

    def close(self) -> None:
        self._session.close()

    def _send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str] | None
    ) -> Answer:
        answer = self._session.request(
            method,
            self.url + path,
            data=body,
            headers=dict(headers or {}),
            timeout=10,
            allow_redirects=False,
        )
        return Answer(answer.status_code, answer.content, answer.headers)


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def csr(key: ec.EllipticCurvePrivateKey) -> bytes:
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def sign(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    return key.sign(message, ec.ECDSA(hashes.SHA256()))


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
