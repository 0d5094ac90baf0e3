"""HTTP on loopback: the standard library's threading server with its two traps removed."""

from __future__ import annotations

import ipaddress
import logging
import socket
import sys
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import urlsplit

from attest.sandbox.refusal import Refusal, SandboxError, bad_request
from attest.sandbox.routes import Request, Response, refused

MAX_BODY_BYTES: Final = 4 * 1024 * 1024
"""A DSSE envelope is the largest thing sent, and public logs take far less."""

IDLE_SECONDS: Final = 30

logger = logging.getLogger("attest.sandbox")

Responder = Callable[[Request], Response]


class LoopbackServer:
    """Serves a responder on a loopback address until it is stopped.

    Args:
        respond: answers requests, on many threads at once.
        host: a loopback IP address; anything else is refused.
        port: 0 for a free one.
    """

    def __init__(self, respond: Responder, *, host: str = "127.0.0.1", port: int = 0) -> None:
        require_loopback(host)
        self._server = _Server((host, port), respond)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    @property
    def url(self) -> str:
        """`http://ADDRESS:PORT`."""
        host, port = self._server.server_address[:2]
        text = str(host)
        return f"http://[{text}]:{port}" if ":" in text else f"http://{text}:{port}"

    def start(self) -> None:
        """Serve on a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving and drop open connections."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


def require_loopback(host: str) -> None:
    """Refuse an address others could reach; names are refused too, for they can change."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError as error:
        raise SandboxError(f"{host}: give a loopback IP address, not a name") from error
    if not address.is_loopback:
        raise SandboxError(f"{host}: a sandbox listens on loopback only")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # A second sandbox on the same port must fail, not share it.
    allow_reuse_port = False

    def __init__(self, address: tuple[str, int], respond: Responder) -> None:
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        self.respond = respond
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without the reverse DNS lookup of `HTTPServer`, which can take seconds."""
        socket.socket.bind(self.socket, self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    # The base class leaves the address untyped; here it is always that of a TCP connection.
    def process_request_thread(  # type: ignore[override]
        self, request: socket.socket, client_address: tuple[str, int]
    ) -> None:
        """Remember the connection so that `server_close` can end it."""
        with self._open_lock:
            self._open.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._open_lock:
                self._open.discard(request)

    def server_close(self) -> None:
        """Close the listening socket and wake the threads that wait on idle connections."""
        super().server_close()
        with self._open_lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError as error:
                    logger.debug("connection already gone: %s", error)

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        """Log a broken connection; the default prints a traceback to stderr."""
        logger.debug("connection broken", exc_info=sys.exception())


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = "attest-sandbox"
    sys_version = ""
    timeout = IDLE_SECONDS
    # Unbuffered writes plus Nagle cost 44 ms a request: headers and body leave as two packets,
    # and the second waits for a delayed acknowledgement.
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        """Answer a GET."""
        self._answer()

    def do_POST(self) -> None:
        """Answer a POST."""
        self._answer()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing here: the request line may carry a code, `_answer` logs the path only."""

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        try:
            request = Request(
                method=self.command,
                path=parts.path,
                query=parts.query,
                headers={name.lower(): value for name, value in self.headers.items()},
                body=self._body(),
            )
            response = self.server.respond(request)
        except Refusal as refusal:
            response = refused(refusal, parts.path)
            # The body was not read: what follows on this connection cannot be trusted.
            self.close_connection = True
        logger.debug("%s %s %d", self.command, parts.path, response.status)
        if response.cut:
            self.close_connection = True
            return
        self._send(response)

    def _body(self) -> bytes:
        self._check_host()
        if "Transfer-Encoding" in self.headers:
            raise Refusal(HTTPStatus.LENGTH_REQUIRED, "send a Content-Length, not chunks")
        text = self.headers.get("Content-Length", "0")
        if not (text.isascii() and text.isdigit()):
            raise bad_request("Content-Length: not a number")
        length = int(text) if len(text) < len("9" * 12) else MAX_BODY_BYTES + 1
        if length > MAX_BODY_BYTES:
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"body over {MAX_BODY_BYTES} bytes")
        body = self.rfile.read(length)
        if len(body) != length:
            raise bad_request("body: shorter than its Content-Length")
        return body

    def _check_host(self) -> None:
        """Refuse requests that a foreign name led here (DNS rebinding from a browser)."""
        host = urlsplit(f"//{self.headers.get('Host', '')}").hostname or ""
        try:
            loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
        except ValueError:
            loopback = False
        if not loopback:
            raise Refusal(HTTPStatus.MISDIRECTED_REQUEST, "Host: not a loopback address")

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        self.send_header("Content-Type", response.content_type)
        self.send_header("Content-Length", str(len(response.body)))
        for name, value in response.headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(response.body)
