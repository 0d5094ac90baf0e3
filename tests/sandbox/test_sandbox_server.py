"""The server stays on loopback, bounds what it reads, and finds its directory again."""

from __future__ import annotations

import errno
import json
import logging
import socket
import stat
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec

from attest.sandbox import Sandbox, SandboxError
from attest.sandbox.server import MAX_BODY_BYTES, LoopbackServer
from tests.sandbox.wire_client import Client


def raw_request(sandbox: Sandbox, request: bytes) -> bytes:
    address = urlsplit(sandbox.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(4096):
            answer += piece
    return answer


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "localhost", "example.com", ""])
def test_only_loopback_addresses_are_served(tmp_path: Path, host: str) -> None:
    with pytest.raises(SandboxError):
        Sandbox.start(tmp_path, host=host)
    with Sandbox.start(tmp_path):
        pass  # the refusal released the directory


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (b"GET /api/v1/log HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 200),
        (b"GET /api/v1/log HTTP/1.1\r\nHost: localhost:99\r\n\r\n", 200),
        (b"GET /api/v1/log HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421),
        (b"GET /api/v1/log HTTP/1.1\r\n\r\n", 421),
        (b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        (b"GET /api/v2/log/entries HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        (b"DELETE /api/v1/log HTTP/1.1\r\nHost: localhost\r\n\r\n", 501),
        (b"POST /api/v1/timestamp HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST /api/v1/timestamp HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /api/v1/timestamp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nab", 400),
        (
            b"POST /api/v1/timestamp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: x\r\n\r\n",
            411,
        ),
        (
            b"POST /api/v1/timestamp HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1),
            413,
        ),
        (
            b"POST /api/v1/timestamp HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
            413,
        ),
    ],
)
def test_what_a_server_answers(sandbox: Sandbox, request_: bytes, expected: int) -> None:
    assert status(raw_request(sandbox, request_)) == expected


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_the_other_loopback_is_served_too(tmp_path: Path) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 loopback here")
    with Sandbox.start(tmp_path, host="::1") as sandbox:
        assert sandbox.url.startswith("http://[::1]:")
        answer = requests.get(f"{sandbox.url}/api/v1/log", timeout=10)
    assert answer.status_code == 200


def test_connections_are_kept_and_fast(client: Client) -> None:
    client.get("/api/v1/log")
    start = time.perf_counter()
    for _ in range(20):
        client.get("/api/v1/log")
    # Nagle with a delayed acknowledgement would take at least 20 times 40 ms.
    assert time.perf_counter() - start < 0.8


def test_nothing_secret_is_logged(
    sandbox: Sandbox, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    token = sandbox.person_token()
    with caplog.at_level(logging.DEBUG, logger="attest.sandbox"):
        client.post("/api/v2/signingCert", {}, headers={"Authorization": f"Bearer {token}"})
        client.get("/oauth2/auth?code=secret-code")
        client.get("/nothing")
        deadline = time.monotonic() + 5
        while "/nothing" not in caplog.text and time.monotonic() < deadline:
            time.sleep(0.01)
    assert "/api/v2/signingCert 400" in caplog.text
    assert token not in caplog.text
    assert "secret-code" not in caplog.text


def test_a_fault_is_a_500_and_in_the_log(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    with Sandbox.start(tmp_path) as sandbox:
        broken = sandbox.instance.tsa
        broken.chain = ()
        body = {"artifactHash": "A" * 43 + "=", "hashAlgorithm": "sha256"}
        answer = requests.post(f"{sandbox.url}/api/v1/timestamp", json=body, timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (500, 500)
    assert "IndexError" in caplog.text
    assert "IndexError" not in answer.text


def test_a_stopped_sandbox_answers_nobody(tmp_path: Path) -> None:
    with requests.Session() as session:
        with Sandbox.start(tmp_path) as sandbox:
            url = f"{sandbox.url}/api/v1/log"
            assert session.get(url, timeout=10).status_code == 200
        with pytest.raises(requests.ConnectionError):
            session.get(url, timeout=10)


def test_a_server_that_never_started_stops() -> None:
    def respond(_: object) -> object:
        raise AssertionError

    # It never answers, so what it would answer with does not matter.
    LoopbackServer(respond, host="127.0.0.1").stop()  # type: ignore[arg-type]


def test_a_restart_keeps_keys_and_entries(tmp_path: Path) -> None:
    with Sandbox.start(tmp_path) as first:
        root = first.trusted_root.read_bytes()
        entry = first.instance.rekor1.add(b'{"kind":"k","apiVersion":"v"}')
        first.instance.rekor2.add(b"{}")
        checkpoints = (first.instance.rekor1.checkpoint(), first.instance.rekor2.checkpoint())
        token = first.mint_token({"iss": "https://x.example", "sub": "s"})
    with Sandbox.start(tmp_path) as second:
        assert second.trusted_root.read_bytes() == root
        log = second.instance.rekor1
        kept = log.by_uuid(entry.uuid)
        assert (kept.body, kept.integrated_time) == (entry.body, entry.integrated_time)
        again = (log.checkpoint(), second.instance.rekor2.checkpoint())
        # ECDSA is randomised: compare what is signed, not the signature.
        assert [item.split("\n\n")[0] for item in again] == [
            item.split("\n\n")[0] for item in checkpoints
        ]
        second.instance.oidc.tokens.check(token, issuers={"https://x.example"})


def test_init_makes_a_root_that_run_keeps(tmp_path: Path) -> None:
    root = Sandbox.init(tmp_path / "new" / "directory")
    before = root.read_bytes()
    assert Sandbox.init(root.parent).read_bytes() == before
    with Sandbox.start(root.parent) as sandbox:
        assert sandbox.trusted_root.read_bytes() == before


def test_the_trusted_root_names_no_port(sandbox: Sandbox) -> None:
    port = str(urlsplit(sandbox.url).port)
    text = sandbox.trusted_root.read_text()
    assert "127.0.0.1" not in text
    assert port not in json.dumps([json.loads(text)["tlogs"][0]["baseUrl"]])
    assert ".attest.invalid" in text


@pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")
def test_keys_are_for_their_owner_only(sandbox: Sandbox) -> None:
    keys = list(sandbox.directory.glob("keys/*.key.pem"))
    assert len(keys) == 10
    assert {stat.S_IMODE(path.stat().st_mode) for path in keys} == {0o600}
    assert stat.S_IMODE((sandbox.directory / "keys").stat().st_mode) == 0o700


def test_a_directory_serves_one_sandbox(tmp_path: Path) -> None:
    with Sandbox.start(tmp_path), pytest.raises(SandboxError, match="another"):
        Sandbox.start(tmp_path)


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("keys/root.key.pem", b"not a key"),
        ("keys/rekor2.key.pem", None),
        ("state/rekor1.jsonl", b'{"body": "e30='),
        ("state/rekor1.jsonl", b"[]\n"),
        ("state/rekor1.jsonl", b'{"body": "e30="}\n'),
        ("state/rekor2.jsonl", b'{"body": 1}\n'),
        ("state/rekor2.jsonl", b'{"body": "e30"}\n'),
    ],
)
def test_a_damaged_directory_is_an_error(tmp_path: Path, path: str, content: bytes | None) -> None:
    Sandbox.init(tmp_path)
    other = (tmp_path / "keys" / "root.key.pem").read_bytes()
    (tmp_path / path).write_bytes(other if content is None else content)
    with pytest.raises(SandboxError):
        Sandbox.start(tmp_path)


def test_a_taken_port_is_an_error(sandbox: Sandbox, tmp_path: Path) -> None:
    port = urlsplit(sandbox.url).port
    assert port is not None
    with pytest.raises(OSError) as caught:  # noqa: PT011 -- the errno below is the match
        Sandbox.start(tmp_path, port=port)
    assert caught.value.errno == errno.EADDRINUSE


def test_keys_of_the_wrong_curve_are_refused(tmp_path: Path) -> None:
    from attest.sandbox.store import KeyStore

    store = KeyStore(tmp_path)
    store.ecdsa("log", ec.SECP256R1())
    with pytest.raises(SandboxError):
        store.ecdsa("log", ec.SECP384R1())
