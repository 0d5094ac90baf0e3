"""Google's Cloud KMS on loopback: gRPC as its published protocol has it, by messages of our own."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import betterproto
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from grpclib.const import Cardinality, Handler, Status
from grpclib.exceptions import GRPCError
from grpclib.server import Server, Stream

from tests.signing.key_services import Service
from tests.signing.keys import public_of

HOST = "cloudkms.googleapis.com"
KEY = "projects/acme/locations/global/keyRings/ring/cryptoKeys/release/cryptoKeyVersions/7"
ACCOUNT = "release@acme.iam.gserviceaccount.com"
_PATH = "/google.cloud.kms.v1.KeyManagementService/"
#: CryptoKeyVersionAlgorithm.
_ALGORITHMS = {"p256": 12, "p384": 13, "rsa": 2, "secp256k1": 31}


@dataclass(eq=False, repr=False)
class GetPublicKeyRequest(betterproto.Message):
    name: str = betterproto.string_field(1)
    public_key_format: int = betterproto.int32_field(2)


@dataclass(eq=False, repr=False)
class ChecksummedData(betterproto.Message):
    data: bytes = betterproto.bytes_field(3)


@dataclass(eq=False, repr=False)
class PublicKey(betterproto.Message):
    pem: str = betterproto.string_field(1)
    algorithm: int = betterproto.int32_field(2)
    name: str = betterproto.string_field(4)
    public_key_format: int = betterproto.int32_field(7)
    public_key: ChecksummedData = betterproto.message_field(8)  # noqa: RUF009 - as it is used


@dataclass(eq=False, repr=False)
class Digest(betterproto.Message):
    sha256: bytes = betterproto.bytes_field(1)
    sha384: bytes = betterproto.bytes_field(2)


@dataclass(eq=False, repr=False)
class AsymmetricSignRequest(betterproto.Message):
    name: str = betterproto.string_field(1)
    digest: Digest = betterproto.message_field(3)  # noqa: RUF009 - as it is used
    data: bytes = betterproto.bytes_field(6)


@dataclass(eq=False, repr=False)
class AsymmetricSignResponse(betterproto.Message):
    signature: bytes = betterproto.bytes_field(1)
    name: str = betterproto.string_field(4)


@dataclass(frozen=True, kw_only=True)
class Google:
    """Cloud KMS with one key, and an account that may use it."""

    service: Service
    account: rsa.RSAPrivateKey

    def __mapping__(self) -> dict[str, Handler]:
        unary = Cardinality.UNARY_UNARY
        return {
            _PATH + "GetPublicKey": Handler(
                self._public_key, unary, GetPublicKeyRequest, PublicKey
            ),
            _PATH + "AsymmetricSign": Handler(
                self._sign, unary, AsymmetricSignRequest, AsymmetricSignResponse
            ),
        }

    async def _public_key(self, stream: Stream[GetPublicKeyRequest, PublicKey]) -> None:
        request = await stream.recv_message()
        assert request is not None
        self._admit(stream.metadata, "GetPublicKey", request.name)
        pem = public_of(self.service.kind)
        assert request.public_key_format == 1  # PEM
        await stream.send_message(
            PublicKey(
                pem=pem.decode(),
                algorithm=_ALGORITHMS[self.service.kind],
                name=KEY,
                public_key_format=1,
                public_key=ChecksummedData(data=pem),
            )
        )

    async def _sign(self, stream: Stream[AsymmetricSignRequest, AsymmetricSignResponse]) -> None:
        request = await stream.recv_message()
        assert request is not None
        self._admit(stream.metadata, "AsymmetricSign", request.name)
        digest = {"p256": request.digest.sha256, "p384": request.digest.sha384}[self.service.kind]
        assert not request.data
        signature = self.service.sign(digest, prehashed=True)
        await stream.send_message(AsymmetricSignResponse(signature=signature, name=KEY))

    def _admit(self, metadata: object, action: str, name: str) -> None:
        """Refuse whoever is not the account, and keys that there are not."""
        assert isinstance(metadata, Mapping)
        scheme, _, token = str(metadata["authorization"]).partition(" ")
        assert scheme == "Bearer"
        try:
            claims = jwt.decode(
                token, self.account.public_key(), ["RS256"], audience=f"https://{HOST}/"
            )
        except jwt.InvalidTokenError as error:
            raise GRPCError(Status.UNAUTHENTICATED, f"{error} in {token}") from None
        assert claims["iss"] == claims["sub"] == ACCOUNT
        self.service.asked.append(action)
        if self.service.refuses:
            raise GRPCError(
                Status.PERMISSION_DENIED, self.service.refuses.replace("{token}", token)
            )
        if name != KEY:
            raise GRPCError(Status.NOT_FOUND, f"{name} not found.")

    def write_account(self, path: Path) -> None:
        """Write the account's file, as `GOOGLE_APPLICATION_CREDENTIALS` names it."""
        private = self.account.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        document = {
            "type": "service_account",
            "project_id": "acme",
            "private_key_id": "1",
            "private_key": private.decode(),
            "client_email": ACCOUNT,
            "client_id": "1",
            "token_uri": "https://oauth2.googleapis.com/token",
        }
        path.write_text(json.dumps(document))


@contextmanager
def serving_google(google: Google, context: ssl.SSLContext) -> Iterator[int]:
    """Serve on a port of loopback."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start(listener: socket.socket) -> Server:
        server = Server([google])  # takes the loop that runs
        await server.start(sock=listener, ssl=context)
        return server

    async def stop(server: Server) -> None:
        server.close()
        await server.wait_closed()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
        server = asyncio.run_coroutine_threadsafe(start(listener), loop).result(10)
        try:
            yield port
        finally:
            asyncio.run_coroutine_threadsafe(stop(server), loop).result(10)
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()
