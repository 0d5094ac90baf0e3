"""An issuer that answers as a test says."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer


@contextmanager
def serving(answer_to: Callable[[str, str], tuple[int, object]]) -> Iterator[str]:
    """The address of a server on loopback.

    Args:
        answer_to: given path and form, the status (0 breaks the connection) and a document, whose
            `HERE` becomes the address.
    """

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            form = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            status, body = answer_to(self.path, form)
            if status == 0:  # a connection that breaks
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            text = body if isinstance(body, bytes) else json.dumps(body).encode()
            data = text.replace(b"HERE", f"http://{self.headers['Host']}".encode())
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
