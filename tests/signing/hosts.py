"""Hosts of others played on loopback: a proxy leads to them, and a CA of the test vouches for them.

Clients of services that take no other address still honour proxies and CA files, which is how
companies watch what leaves them. Nothing of a client is replaced.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


@dataclass(kw_only=True)
class Proxy:
    """Leads to a port of loopback for each host; to nowhere else."""

    ports: Mapping[str, int]
    asked: list[str] = field(default_factory=list)
    url: str = ""


class _Tunnel(BaseHTTPRequestHandler):
    proxy: ClassVar[Proxy]

    def do_CONNECT(self) -> None:
        host = self.path.removesuffix(":443")
        self.proxy.asked.append(host)
        port = self.proxy.ports.get(host)
        if port is None:
            self.send_error(403)
            return
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)) as inside:
            self.send_response(200)
            self.end_headers()
            _join(self.connection, inside)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
        """Say nothing."""


def _join(one: socket.socket, other: socket.socket) -> None:
    """Pass on what each says until one has nothing more to say."""
    opposite = {one: other, other: one}
    while True:
        for ready in select.select([one, other], [], [])[0]:
            data = ready.recv(65_536)
            if not data:
                return
            opposite[ready].sendall(data)


@contextmanager
def proxying(ports: Mapping[str, int]) -> Iterator[Proxy]:
    """Run a proxy that knows these hosts."""
    proxy = Proxy(ports=ports)
    with serving_http(type("_Bound", (_Tunnel,), {"proxy": proxy})) as port:
        proxy.url = f"http://127.0.0.1:{port}"
        yield proxy


@contextmanager
def serving_http(
    handler: type[BaseHTTPRequestHandler], context: ssl.SSLContext | None = None
) -> Iterator[int]:
    """Serve on a port of loopback, by TLS if there is a context for it."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        if context is not None:
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def certify(folder: Path, *hosts: str) -> tuple[Path, Callable[[list[str]], ssl.SSLContext]]:
    """A CA's certificate in a file, and contexts of servers that it certified for these hosts.

    A context is for the protocols that it is asked for (ALPN).

    Args:
        folder: where to write.
        hosts: their names.
    """
    root, leaf = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "the test's own CA")])
    now = datetime.now(UTC)
    common = (
        x509.CertificateBuilder()
        .issuer_name(name)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
    )
    authority = (
        common.subject_name(name)
        .serial_number(x509.random_serial_number())
        .public_key(root.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(root, hashes.SHA256())
    )
    certificate = (
        common.subject_name(x509.Name([]))
        .serial_number(x509.random_serial_number())
        .public_key(leaf.public_key())
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=True
        )
        .sign(root, hashes.SHA256())
    )
    roots, server = folder / "ca.pem", folder / "server.pem"
    roots.write_bytes(authority.public_bytes(Encoding.PEM))
    private = leaf.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    server.write_bytes(private + certificate.public_bytes(Encoding.PEM))

    def context(protocols: list[str]) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(server)
        made.set_alpn_protocols(protocols)
        return made

    return roots, context
