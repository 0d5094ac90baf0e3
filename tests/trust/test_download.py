"""Downloading what proves itself: no redirects, no credentials, nothing but https and loopback."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest

from attest.connections import download
from attest.errors import NetworkError
from attest.http import require_https
from attest.sandbox.routes import Request, Response
from attest.sandbox.server import LoopbackServer

ANSWERS = {
    "/plain": Response(body=b"what was asked for"),
    "/away": Response(status=HTTPStatus.FOUND, headers={"Location": "/plain"}),
    "/compressed": Response(body=b"x", headers={"Content-Encoding": "gzip"}),
    "/gone": Response(status=HTTPStatus.NOT_FOUND),
}


@pytest.fixture
def asked() -> list[Request]:
    return []


@pytest.fixture
def url(asked: list[Request]) -> Iterator[str]:
    def respond(request: Request) -> Response:
        asked.append(request)
        return ANSWERS[request.path]

    server = LoopbackServer(respond)
    server.start()
    yield server.url
    server.stop()


def fetch(url: str, *, seconds: float = 5) -> tuple[int, bytes]:
    with download(url, deadline=time.monotonic() + seconds) as answer:
        return answer.status, b"".join(answer.body)


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/plain", (200, b"what was asked for")), ("/away", (302, b"")), ("/gone", (404, b""))],
)
def test_the_answer_is_the_servers_own(
    url: str, asked: list[Request], path: str, expected: tuple[int, bytes]
) -> None:
    assert fetch(url + path) == expected
    assert [request.path for request in asked] == [path]


def test_nothing_is_sent_along(
    url: str, asked: list[Request], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("default login ana password secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    # A proxy would see what stays on this machine, and could not reach it.
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert fetch(url + "/plain")[0] == 200
    (request,) = asked
    assert {"authorization", "cookie"} & request.headers.keys() == set()


@pytest.mark.parametrize(
    ("path", "seconds", "code"),
    [("/compressed", 5, "unexpected_answer"), ("/plain", 0, "network_unreachable")],
)
def test_answers_that_are_none(url: str, path: str, seconds: float, code: str) -> None:
    with pytest.raises(NetworkError) as caught:
        fetch(url + path, seconds=seconds)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "beginning", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"]
)
def test_a_server_that_is_never_silent_and_never_ready(beginning: bytes) -> None:
    def drip() -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):  # the client has gone
            connection.recv(65_536)
            connection.sendall(beginning)
            for _ in range(60):
                connection.sendall(b"a")
                time.sleep(0.1)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip)
        thread.start()
        begin = time.monotonic()
        with pytest.raises(NetworkError) as caught:
            fetch(f"http://127.0.0.1:{listener.getsockname()[1]}/x", seconds=0.5)
        taken = time.monotonic() - begin
        thread.join()
    assert caught.value.code == "network_unreachable"
    assert taken < 4


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(NetworkError) as caught:
        fetch("http://127.0.0.1:1/")
    assert caught.value.code == "network_unreachable"


@pytest.mark.parametrize(
    "url",
    [
        "http://tuf.acme.example",
        "http://localhost.acme.example",
        "http://127.0.0.1.acme.example",
        "http://2130706433",
        "http://10.0.0.1",
        "ftp://127.0.0.1",
        "file:///etc/passwd",
        "tuf.acme.example",
        "https://",
        "",
    ],
)
def test_addresses_that_are_not_asked(url: str, network_calls: list[str]) -> None:
    with pytest.raises(NetworkError) as caught:
        fetch(url)
    assert caught.value.code == "insecure_scheme"
    assert network_calls == []


@pytest.mark.parametrize(
    "url", ["https://tuf.acme.example/x", "http://127.0.0.1:8080", "http://[::1]:1/a"]
)
def test_addresses_that_may_be_asked(url: str) -> None:
    assert require_https(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://[",
        "https://[",
        "https://ana:secret@tuf.acme.example/x",
        "https://tuf.acme.example:port",
        "https://tuf.acme.example:65536",
        "https://tuf..acme.example",
        f"https://{'a' * 64}.example",
        "https://tuf acme.example",
        "https://tuf.acme.example/\x00",
        "https://tuf.acme.example/\n",
        "https://tuf.acme.example/ü",
    ],
)
def test_addresses_that_are_none(url: str, network_calls: list[str]) -> None:
    with pytest.raises(NetworkError) as caught:
        fetch(url)
    assert caught.value.code == "invalid_uri"
    assert "secret" not in f"{caught.value} {caught.value.hint}"
    assert network_calls == []


def test_a_message_has_no_secrets_of_the_url(network_calls: list[str]) -> None:
    with pytest.raises(NetworkError) as caught:
        fetch("https://tuf.acme.example/x?key=secret")
    assert caught.value.code == "network_unreachable"
    assert "secret" not in f"{caught.value} {caught.value.hint}"
    assert network_calls
