"""Scaleway's Key Manager on loopback: its requests and replies, and every way in which it fails."""

from __future__ import annotations

import json
import re
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar, TypeAlias

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SECRET = "7c1d9e0a-53f2-4b88-9c1e-secretsecret"
REGION, KEY_ID = "fr-par", "11111111-2222-3333-4444-555555555555"
_PATH = re.compile(r"/key-manager/v1alpha1/regions/([^/?]+)/keys/([^/?]+)/(public-key|sign)")

#: A status, headers, and a body: JSON unless it is bytes already.
Answer: TypeAlias = tuple[int, dict[str, str], object]
#: Takes a request's action, and says what to answer instead; None for what is documented.
Meddling: TypeAlias = Callable[[str], Answer | None]


@dataclass(kw_only=True)
class KeyManager:
    """What the service does, and what it was asked."""

    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    signs_with: ec.EllipticCurvePrivateKey | None = None
    meddling: Meddling = lambda _action: None
    cuts: int = 0  # so many requests to sign are cut
    slow: float = 0.0  # seconds until it answers a request to sign
    asked: list[str] = field(default_factory=list)
    url: str = ""

    @property
    def environ(self) -> dict[str, str]:
        return {
            "SEI_SIGNING_BACKEND": "scaleway-kms",
            "SCW_SECRET_KEY": SECRET,
            "SCW_DEFAULT_REGION": REGION,
            "SEI_SCALEWAY_KEY_ID": KEY_ID,
            "SCW_API_URL": self.url,
        }

    @property
    def signing_requests(self) -> int:
        return self.asked.count("sign")

    def answer(self, path: str, token: str | None, body: bytes) -> Answer:
        match = _PATH.fullmatch(path)
        if match is None or match.group(2) != KEY_ID or match.group(1) != REGION:
            return 404, {}, {"type": "not_found", "message": "resource is not found"}
        action = match.group(3)
        self.asked.append(action)
        if token != SECRET:
            return 401, {}, {"type": "denied_authentication", "message": "authentication is denied"}
        if (instead := self.meddling(action)) is not None:
            return instead
        if action == "public-key":
            pem = self.key.public_key().public_bytes(
                Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
            )
            return 200, {}, {"pem": pem.decode()}
        document = json.loads(body)
        assert list(document) == ["digest"]
        digest = b64decode(document["digest"], validate=True)
        if len(digest) != 32:
            return 400, {}, {"type": "invalid_arguments", "message": "invalid argument(s)"}
        signature = (self.signs_with or self.key).sign(digest, ec.ECDSA(Prehashed(hashes.SHA256())))
        return 200, {}, {"key_id": KEY_ID, "signature": b64encode(signature).decode()}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    service: ClassVar[KeyManager]

    def do_GET(self) -> None:
        self._reply(b"")

    def do_POST(self) -> None:
        assert self.headers["Content-Type"] == "application/json"
        self._reply(self.rfile.read(int(self.headers["Content-Length"])))

    def _reply(self, body: bytes) -> None:
        service = self.service
        status, headers, document = service.answer(self.path, self.headers["X-Auth-Token"], body)
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        signing = self.path.endswith("/sign")
        if signing and service.slow:
            time.sleep(service.slow)
        cut = signing and service.cuts > 0
        if cut:
            service.cuts -= 1
            self.close_connection = True
        try:
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data[: len(data) // 2] if cut else data)
        except OSError:  # whoever asked has gone, as a slow service must expect
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def running(service: KeyManager) -> Iterator[KeyManager]:
    """Serve on loopback."""
    handler = type("Handler", (_Handler,), {"service": service})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    service.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def failing(status: int, *, times: int | None = None, said: object = None) -> Meddling:
    """Fails requests to sign, so often or for ever."""
    left = [times]

    def meddle(action: str) -> Answer | None:
        if action != "sign" or left[0] == 0:
            return None
        if left[0] is not None:
            left[0] -= 1
        return status, {}, said if said is not None else {"message": "no"}

    return meddle


def answering(action: str, document: object, status: int = 200) -> Meddling:
    """Answers one kind of request with this."""
    return lambda asked: (status, {}, document) if asked == action else None
