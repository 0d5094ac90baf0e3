"""Key services on loopback that speak as Vault's transit engine and Amazon's KMS do."""

from __future__ import annotations

import hashlib
import json
import threading
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.signing.keys import Key, key_of

TOKEN = "hvs.not-a-real-token"
_HASHES = {"p256": hashes.SHA256(), "p384": hashes.SHA384()}


@dataclass(kw_only=True)
class Service:
    """What a service does: which key it has, what it refuses, and what it was asked."""

    kind: str = "p256"
    refuses: str | None = None
    lies: bool = False
    asked: list[str] = field(default_factory=list)
    url: str = ""

    @property
    def key(self) -> Key:
        return key_of(self.kind)

    @property
    def spki(self) -> bytes:
        return self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, message: bytes, *, prehashed: bool = False) -> bytes:
        key = self.key if not self.lies else key_of("another " + self.kind)
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return key.sign(message)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        algorithm = _HASHES[self.kind]
        return key.sign(message, ec.ECDSA(Prehashed(algorithm) if prehashed else algorithm))


class _Handler(BaseHTTPRequestHandler):
    service: ClassVar[Service]

    def do_GET(self) -> None:
        self._vault()

    def do_POST(self) -> None:
        if "X-Amz-Target" in self.headers:
            self._amazon()
        else:
            self._vault()

    do_PUT = do_POST  # noqa: N815 - as the base class looks for it

    def _body(self) -> Any:  # noqa: ANN401 - JSON of any form
        return json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")

    def _vault(self) -> None:
        service, body = self.service, self._body()
        service.asked.append(self.path)
        if self.headers.get("X-Vault-Token") != TOKEN or service.refuses:
            self._answer(403, {"errors": [service.refuses or "permission denied"]})
        elif self.path == "/v1/transit/keys/release":
            public = service.key.public_key()
            if isinstance(public, ed25519.Ed25519PublicKey):
                text, name = b64encode(public.public_bytes_raw()).decode(), "ed25519"
            else:
                pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
                text, name = pem.decode(), f"ecdsa-{service.kind}"
            keys = {version: {"public_key": text} for version in ("9", "10")}
            self._answer(200, {"data": {"name": "release", "type": name, "keys": keys}})
        elif self.path == "/v1/transit/sign/release":
            signature = b64encode(service.sign(b64decode(body["input"]))).decode()
            version = body["key_version"]
            service.asked[-1] += f" {version}"
            self._answer(200, {"data": {"signature": f"vault:v{version}:{signature}"}})
        else:
            self._answer(404, {"errors": []})

    def _amazon(self) -> None:
        service, body = self.service, self._body()
        action = self.headers["X-Amz-Target"].removeprefix("TrentService.")
        service.asked.append(f"{action} {body['KeyId']}")
        if service.refuses:
            self._answer(400, {"__type": "AccessDeniedException", "message": service.refuses})
        elif action == "GetPublicKey":
            algorithms = {"p256": "ECDSA_SHA_256", "p384": "ECDSA_SHA_384"}
            rsa_key = isinstance(service.key, rsa.RSAPrivateKey)
            algorithm = "RSASSA_PKCS1_V1_5_SHA_256" if rsa_key else algorithms[service.kind]
            self._answer(
                200,
                {
                    "KeyId": body["KeyId"],
                    "PublicKey": b64encode(service.spki).decode(),
                    "SigningAlgorithms": [algorithm],
                },
            )
        else:
            assert body["MessageType"] == "DIGEST"
            digest = b64decode(body["Message"])
            assert len(digest) == hashlib.new(f"sha{body['SigningAlgorithm'][-3:]}").digest_size
            signature = service.sign(digest, prehashed=True)
            self._answer(200, {"KeyId": body["KeyId"], "Signature": b64encode(signature).decode()})

    def _answer(self, status: int, document: object) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
        """Say nothing."""


@contextmanager
def serving(service: Service) -> Iterator[Service]:
    """Run a service on loopback."""
    handler = type("_Bound", (_Handler,), {"service": service})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        service.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()
