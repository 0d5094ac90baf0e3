"""Asking services: what is asked again, after how long, and what ends it."""

from __future__ import annotations

import os
import ssl
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from attest.connections import Connections, Reply, Request
from attest.errors import NetworkError
from attest.signing.transport import Patience, Transport, refusal, retry_after
from tests.pack.web import Reply as AnswerOfWeb
from tests.pack.web import dripping, serve

PATIENCE = Patience(attempts=4, pause_seconds=1.0, total_seconds=60)


class Server:
    """Answers each request with the next of its answers, the last for ever; 0 hangs up."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str], bytes]] = [(200, {}, b"ok")]
        self.seen: list[tuple[str, dict[str, str], bytes]] = []
        self.connections: set[tuple[str, int]] = set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1
            timeout = 5

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                outer.seen.append((self.path, dict(self.headers), body))
                outer.connections.add(self.client_address)
                several = len(outer.answers) > 1
                status, headers, data = outer.answers.pop(0) if several else outer.answers[0]
                if not status:
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in {"Content-Length": str(len(data)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/ask"


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    made.http.daemon_threads = True
    thread = threading.Thread(target=made.http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.http.shutdown()
    thread.join()
    made.http.server_close()


def ask(url: str, pauses: list[float], *, repeatable: bool, patience: Patience = PATIENCE) -> Reply:
    with Transport(patience, sleep=pauses.append) as transport:
        request = Request(url=url, body=b"question", headers={"Authorization": "Bearer secret"})
        return transport.ask(request, service="the service", repeatable=repeatable)


def statuses(*numbers: int) -> list[tuple[int, dict[str, str], bytes]]:
    return [(number, {}, b"{}") for number in numbers]


@pytest.mark.parametrize(
    ("answers", "repeatable", "expected", "asked"),
    [
        ([200], True, 200, 1),
        ([500, 502, 503, 200], True, 200, 4),
        ([0, 0, 201], True, 201, 3),  # hung up on
        ([500], True, 500, 4),
        ([400], True, 400, 1),
        ([409], True, 409, 1),
        ([302], True, 302, 1),
        ([500, 200], False, 500, 1),
        ([502, 200], False, 502, 1),
        ([429, 503, 200], False, 200, 3),  # the service did nothing, by its own word
    ],
)
def test_what_is_asked_again(
    server: Server, answers: Sequence[int], *, repeatable: bool, expected: int, asked: int
) -> None:
    server.answers = statuses(*answers)
    pauses: list[float] = []
    assert ask(server.url, pauses, repeatable=repeatable).status == expected
    assert len(server.seen) == asked
    assert len(pauses) == asked - 1
    assert {body for _, _, body in server.seen} == {b"question"}


def test_what_may_have_arrived_is_not_sent_again(server: Server) -> None:
    server.answers = statuses(0, 200)
    with pytest.raises(NetworkError) as caught:
        ask(server.url, [], repeatable=False)
    assert caught.value.code in ("network_unreachable", "unexpected_answer")
    assert len(server.seen) == 1


def test_what_never_left_is_sent_again() -> None:
    pauses: list[float] = []
    with pytest.raises(NetworkError) as caught:
        ask("http://127.0.0.1:9/", pauses, repeatable=False)
    assert caught.value.code == "network_unreachable"
    assert "the service" in caught.value.message
    assert len(pauses) == PATIENCE.attempts - 1


def test_pauses_double_and_vary(server: Server) -> None:
    server.answers = statuses(500)
    runs: list[list[float]] = [[], [], []]
    for pauses in runs:
        ask(server.url, pauses, repeatable=True)
        for number, pause in enumerate(pauses):
            assert 0.5 * 2**number <= pause <= 2**number
    assert len({tuple(pauses) for pauses in runs}) == len(runs)


def test_a_service_says_how_long_to_wait(server: Server) -> None:
    server.answers = [(503, {"Retry-After": "7"}, b""), (200, {}, b"")]
    pauses: list[float] = []
    assert ask(server.url, pauses, repeatable=True).status == 200
    assert pauses == [7.0]


def test_nobody_waits_beyond_the_deadline(server: Server) -> None:
    server.answers = [(503, {"Retry-After": "3600"}, b'{"message": "closed"}')]
    pauses: list[float] = []
    reply = ask(server.url, pauses, repeatable=True)
    assert (pauses, len(server.seen)) == ([], 1)
    assert refusal(reply) == "HTTP 503: closed (it asks to wait 3600 seconds)"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("0", 0), ("12", 12), ("-1", 0), ("1.5", 0), ("soon", 0), ("", 0), ("٣", 0), ("9" * 400, 0)],
)
def test_retry_after_in_seconds(value: str, seconds: float) -> None:
    assert retry_after(Reply(status=503, headers={"retry-after": value}, body=b"")) == seconds


@pytest.mark.parametrize("date", ["00:00:00 +99999999999999", "99999999999999999999:00:00 GMT"])
def test_retry_after_that_no_clock_can_show(date: str) -> None:
    value = f"Mon, 1 Jan 2035 {date}"
    assert retry_after(Reply(status=503, headers={"retry-after": value}, body=b"")) == 0


def test_a_redirect_is_an_answer_and_takes_nothing_along(server: Server) -> None:
    server.answers = [(307, {"Location": server.url + "/elsewhere"}, b"")]
    with Transport(PATIENCE) as transport:
        request = Request(url=server.url, body=b"?", headers={"Authorization": "Bearer secret"})
        assert transport.ask(request, service="it", repeatable=True).status == 307
    assert [path for path, _, _ in server.seen] == ["/ask"]


@pytest.mark.parametrize(("ahead", "seconds"), [(90, 90), (-90, 0)])
def test_retry_after_as_a_date(ahead: int, seconds: float) -> None:
    now = datetime(2026, 11, 21, tzinfo=UTC)
    text = format_datetime(now + timedelta(seconds=ahead), usegmt=True)
    reply = Reply(status=503, headers={"retry-after": text}, body=b"")
    assert retry_after(reply, now=now) == seconds


def test_a_connection_is_used_again_and_replaced_when_the_server_left(server: Server) -> None:
    with Transport() as transport:
        request = Request(url=server.url, body=b"x")
        for _ in range(3):
            transport.ask(request, service="it", repeatable=False)
        assert len(server.connections) == 1
        server.answers = [(200, {"Connection": "close"}, b""), (200, {}, b"")]
        for _ in range(2):
            transport.ask(request, service="it", repeatable=False)
    assert len(server.connections) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows numbers sockets otherwise")
def test_a_connection_is_used_again_however_many_files_are_open(server: Server) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1_500:
        pytest.skip("this machine allows no process so many open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1_500), hard))
    taken: list[int] = []
    try:
        while not taken or taken[-1] < 1_100:
            taken.append(os.open(os.devnull, os.O_RDONLY))
        with Connections() as connections:
            for _ in range(2):
                request = Request(url=server.url, body=b"x")
                assert connections.ask(request, deadline=time.monotonic() + 9).status == 200
        assert len(server.connections) == 1
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_many_threads_share_a_transport(server: Server) -> None:
    found: list[int] = []
    with Transport() as transport:

        def work() -> None:
            for _ in range(10):
                request = Request(url=server.url, body=b"x")
                found.append(transport.ask(request, service="it", repeatable=True).status)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [200] * 40
    assert len(server.connections) <= 4


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://example.com/", "insecure_scheme"),
        ("ftp://127.0.0.1/", "insecure_scheme"),
        ("https://user:secret@127.0.0.1/", "invalid_uri"),
        ("http://[", "invalid_uri"),
    ],
)
def test_addresses_that_are_never_asked(url: str, code: str) -> None:
    with pytest.raises(NetworkError) as caught:
        ask(url, [], repeatable=True)
    assert caught.value.code == code
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b"x" * (4 * 1_048_576 + 1)),
        ({"Content-Encoding": "gzip"}, b"{}"),
        ({"Content-Length": "9", "Connection": "close"}, b"cut off"),
    ],
)
def test_answers_that_are_none(server: Server, headers: dict[str, str], body: bytes) -> None:
    server.answers = [(200, headers, body)]
    with pytest.raises(NetworkError) as caught:
        ask(server.url, [], repeatable=False)
    assert caught.value.code == "unexpected_answer"


def test_a_server_that_is_silent(server: Server) -> None:
    server.answers = [(200, {"Content-Length": "100000"}, b"x")]
    begin = time.monotonic()
    with pytest.raises(NetworkError) as caught:
        ask(server.url, [], repeatable=True, patience=Patience(total_seconds=0.4))
    assert caught.value.code == "network_unreachable"
    assert time.monotonic() - begin < 3


def endless(beginning: bytes, piece: bytes) -> AnswerOfWeb:
    """An answer that goes on without a pause until the client has gone."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(beginning)
        until = time.monotonic() + 10
        while time.monotonic() < until:
            handler.wfile.write(piece)

    return answer


BEGINNINGS = (
    b"HTTP/1.1 ",
    b"HTTP/1.1 200 OK\r\nX: ",
    b"HTTP/1.1 200 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 4000000\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
)
#: What may follow the last chunk has no limit of its own.
TRAILERS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"


@pytest.mark.parametrize(
    "answer",
    [*map(dripping, BEGINNINGS), endless(TRAILERS, b"x: y\r\n" * 100)],
)
def test_a_server_that_is_never_silent_and_never_ready(
    answer: AnswerOfWeb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(tmp_path) as web:
        web.replies["/"] = answer
        trust = ssl.create_default_context(cafile=web.authorities)
        trust.check_hostname = False  # the certificate has no addresses
        monkeypatch.setattr("attest.connections.machine_trust", lambda: trust)
        begin = time.monotonic()
        request = Request(url=f"https://127.0.0.1:{web.port}/", method="GET")
        with Connections() as connections, pytest.raises(NetworkError) as caught:
            connections.ask(request, deadline=begin + 0.5)
        taken = time.monotonic() - begin
    assert caught.value.code == "network_unreachable"
    assert 0.4 < taken < 4


def test_a_deadline_ends_with_its_request(server: Server) -> None:
    with Connections() as connections:
        request = Request(url=server.url, body=b"x")
        connections.ask(request, deadline=time.monotonic() + 0.8)
        time.sleep(0.9)
        assert connections.ask(request, deadline=time.monotonic() + 9).status == 200
    assert len(server.connections) == 1
