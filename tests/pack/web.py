"""A web server with TLS on loopback, and certificates made for it on the spot."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address, ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from attest.addresses import Address
from attest.addresses import refusal as public_only
from attest.errors import NetworkError
from attest.pack.fetch import Internet

LOOPBACK = IPv4Address("127.0.0.1")
#: Names that the server has a certificate for.
HOSTS = ("evidence.example", "cdn.example", "xn--bcher-kva.example")

Reply = Callable[[BaseHTTPRequestHandler], None]


@dataclass(kw_only=True)
class Web:
    """A running server: what it replies by path, and the requests that it saw."""

    port: int
    authorities: Path
    replies: dict[str, Reply] = field(default_factory=dict)
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def url(self, path: str, host: str = HOSTS[0]) -> str:
        return f"https://{host}:{self.port}{path}"

    def internet(self, *addresses: str, **of: str) -> Internet:
        """A world whose names lead to these addresses, and of which 127.0.0.1 alone may be asked.

        Args:
            addresses: of every name; the server's own if none is given.
            of: addresses of single names, with `_` for `.`.
        """

        def resolve(host: str, port: int) -> Sequence[Address]:
            assert port == self.port
            self.asked.append(host)
            single = of.get(host.replace(".", "_"))
            return [
                ip_address(one) for one in ([single] if single else addresses or ("127.0.0.1",))
            ]

        return Internet(resolve=resolve, refusal=judge, authorities=self.authorities)


def judge(address: Address) -> NetworkError | None:
    return None if address == LOOPBACK else public_only(address)


def reply(body: bytes = b"", status: int = 200, **headers: str) -> Reply:
    """A plain answer; `Content_Length` and the like are headers."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        fields = {"Content_Length": str(len(body))} | headers
        for name, value in fields.items():
            if value:
                handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def raw(data: bytes) -> Reply:
    """An answer that is written as it is."""
    return lambda handler: void(handler.wfile.write(data))


def dripping(beginning: bytes) -> Reply:
    """An answer that goes on, byte by byte, until the client has gone or ten seconds are over."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(beginning)
        for _ in range(100):
            time.sleep(0.1)
            handler.wfile.write(b"a")

    return answer


def void(_: object) -> None:
    return None


def redirect(location: str, status: int = 302) -> Reply:
    return reply(status=status, Location=location)


@contextmanager
def serve(folder: Path) -> Iterator[Web]:
    """Run a server until the block ends."""
    authorities, chain = _certificates(folder)
    web = Web(port=0, authorities=authorities)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            web.seen.append((self.path, dict(self.headers)))
            self.close_connection = True
            web.replies[self.path](self)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Keep quiet about clients that refuse the certificate or hang up."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    server = Server((str(LOOPBACK), 0), Handler)
    # The handshake belongs to the thread of the request, not to the one that accepts.
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    web.port = server.server_address[1]
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01))
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _certificates(folder: Path) -> tuple[Path, Path]:
    """The authority's certificate, and the server's with its key, as PEM files."""
    authority_key, key = (
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP256R1()),
    )
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "authority of a test")])
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "server of a test")])
    authority = (
        _builder(issuer, issuer, authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), critical=False
        )
        .sign(authority_key, hashes.SHA256())
    )
    names = [x509.DNSName(host) for host in HOSTS]
    leaf = (
        _builder(subject, issuer, key.public_key())
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()),
            critical=False,
        )
        .sign(authority_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    authorities, chain = folder / "authorities.pem", folder / "server.pem"
    authorities.write_bytes(authority.public_bytes(pem))
    chain.write_bytes(
        leaf.public_bytes(pem)
        + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return authorities, chain


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
    )
