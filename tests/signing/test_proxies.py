"""Proxies between us and the services: tunnelled through, and told nothing of what is asked."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from base64 import b64encode
from collections.abc import Iterator

import pytest

from attest.connections import Connections, Request, Unreached
from attest.errors import NetworkError

SECRET = "eyJ-the-token"


class Proxy:
    """Takes one request and refuses it; keeps every byte that it was sent."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://user:p%40ss@127.0.0.1:{self.listener.getsockname()[1]}"
        self.received = b""
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        try:
            connection, _ = self.listener.accept()
        except OSError:  # nobody came
            return
        with connection:
            connection.settimeout(5)
            while b"\r\n\r\n" not in self.received:
                piece = connection.recv(65_536)
                if not piece:
                    return
                self.received += piece
            connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    def stop(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    made = Proxy()
    yield made
    made.stop()


def ask(url: str) -> NetworkError:
    request = Request(url=url, body=b"x", headers={"Authorization": f"Bearer {SECRET}"})
    with Connections() as connections, pytest.raises(NetworkError) as caught:
        connections.ask(request, deadline=float("inf"))
    return caught.value


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_a_service_is_reached_through_the_proxy(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, proxy.url)
    error = ask("https://log.example/path?query")
    assert error.code == "network_unreachable"
    head = proxy.received.decode("ascii")
    assert head.startswith("CONNECT log.example:443 HTTP/1.")
    credentials = b64encode(b"user:p@ss").decode("ascii")
    assert f"Proxy-Authorization: Basic {credentials}" in head
    assert not any(part in head for part in (SECRET, "Bearer", "path", "query"))
    assert not any(part in str(error) for part in ("p@ss", "p%40ss", credentials))


@pytest.mark.parametrize(
    ("url", "variables"),
    [
        ("https://localhost:9/", {"NO_PROXY": "localhost"}),
        ("https://localhost:9/", {"NO_PROXY": "*"}),
        ("https://127.0.0.1:9/", {}),  # this machine is never behind a proxy
        ("http://127.0.0.1:9/", {}),
    ],
)
def test_what_is_not_behind_it_is_asked_directly(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, url: str, variables: dict[str, str]
) -> None:
    for name, value in {"HTTPS_PROXY": proxy.url, "HTTP_PROXY": proxy.url, **variables}.items():
        monkeypatch.setenv(name, value)
    assert ask(url).code == "network_unreachable"
    assert proxy.received == b""


def test_a_proxy_without_a_name(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://")
    assert ask("https://log.example/").code == "network_unreachable"
    assert proxy.received == b""


def test_a_proxy_that_never_ends_its_answer_does_not_outlast_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def drip() -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):  # the client has gone
            connection.recv(65_536)
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            for _ in range(60):
                connection.sendall(b"X: y\r\n")
                time.sleep(0.1)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip)
        thread.start()
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{listener.getsockname()[1]}")
        begin = time.monotonic()
        request = Request(url="https://log.example/", body=b"x")
        with Connections() as connections, pytest.raises(Unreached) as caught:
            connections.ask(request, deadline=begin + 0.5)
        taken = time.monotonic() - begin
        thread.join()
    assert caught.value.code == "network_unreachable"
    assert taken < 4
