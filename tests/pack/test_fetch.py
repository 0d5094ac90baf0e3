"""A reference is fetched whole or not at all, held to its digest, and no secret is told."""

from __future__ import annotations

import json
import logging
import os
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

import attest
from attest.errors import AttestError
from attest.limits import Limits
from tests.pack.fetching import DIGEST, HOST, REPORT, fetched, pack_with, refused
from tests.pack.web import Web, dripping, raw, redirect, reply
from tests.pack.zipbytes import JSON

SECRET = "s3cr3t-t0ken"


def test_a_file_is_fetched_and_held_to_its_digest(web: Web) -> None:
    assert fetched(web, web.url("/report.pdf")) == REPORT
    ((path, headers),) = web.seen
    assert path == "/report.pdf"
    assert headers["Host"] == f"{HOST}:{web.port}"
    assert headers.keys() == {"Host", "Accept-Encoding", "User-Agent"}


def test_without_a_digest_the_result_says_so(web: Web) -> None:
    assert fetched(web, web.url("/report.pdf"), digest=None) == REPORT


def test_another_digest_is_a_verdict(web: Web) -> None:
    error = refused(web, web.url("/report.pdf"), digest="sha256:" + "0" * 64)
    assert (error.code, error.exit_code) == ("digest_mismatch", 1)


@pytest.mark.parametrize(
    ("size", "headers", "code"),
    [
        (1_048_576, {}, None),
        (1_048_577, {}, "artifact_too_large"),
        (0, {"Content_Length": "1048577"}, "artifact_too_large"),  # nothing more was read
        (1_048_576, {"Content_Length": ""}, None),
        (1_048_577, {"Content_Length": ""}, "artifact_too_large"),
        (20_000_000, {"Content_Length": ""}, "artifact_too_large"),
        (5, {"Content_Length": "6"}, "unexpected_answer"),
        (5, {"Content_Encoding": "gzip"}, "unexpected_answer"),
    ],
)
def test_the_size_is_limited_while_it_is_read(
    web: Web, size: int, headers: dict[str, str], code: str | None
) -> None:
    web.replies["/big"] = reply(bytes(size), 200, **headers)
    limits = Limits(max_artifact_bytes=1_048_576)
    if code is None:
        assert fetched(web, web.url("/big"), digest=None, limits=limits) == bytes(size)
    else:
        error = refused(web, web.url("/big"), digest=None, limits=limits)
        assert (error.code, error.exit_code) == (code, 2)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (reply(b"no", 404), "fetch_refused"),
        (reply(b"no", 401), "fetch_refused"),
        (reply(b"no", 500), "fetch_refused"),
        (reply(b"no", 204), "fetch_refused"),
        (reply(b"part", 206), "fetch_refused"),
        (reply(status=302), "fetch_refused"),
        (reply(status=304, Location="/report.pdf"), "fetch_refused"),
        (raw(b""), "network_unreachable"),
        (raw(b"SSH-2.0-x\r\n"), "unexpected_answer"),
        (raw(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200), "unexpected_answer"),
        (raw(b"HTTP/1.1 200 OK\r\nA: " + b"b" * 70_000), "unexpected_answer"),
        (
            raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc"),
            "unexpected_answer",
        ),
        (raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), "unexpected_answer"),
    ],
)
def test_an_odd_answer_is_no_verdict(web: Web, answer: object, code: str) -> None:
    web.replies["/odd"] = answer  # type: ignore[assignment]  # the table mixes kinds
    error = refused(web, web.url("/odd"), digest=None)
    assert (error.code, error.exit_code) == (code, 2)


def test_a_chunked_body_is_read_whole(web: Web) -> None:
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (REPORT[:4], REPORT[4:]))
    web.replies["/c"] = raw(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    )
    assert fetched(web, web.url("/c")) == REPORT


def test_nothing_is_sent_along(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = Path.cwd().parent / "netrc"
    netrc.write_text(f"machine {HOST} login ana password {SECRET}\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", os.devnull)
    web.replies["/a"] = reply(
        status=302, Location=web.url("/report.pdf", "cdn.example"), Set_Cookie=f"a={SECRET}"
    )
    allow = (f"{HOST}:{web.port}", f"cdn.example:{web.port}")
    assert fetched(web, web.url("/a"), allow=allow) == REPORT
    for _, headers in web.seen:
        assert headers.keys() == {"Host", "Accept-Encoding", "User-Agent"}


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/x?token={}", reply(b"no", 403)),
        ("/x?{}", reply(b"no", 403)),
        ("/x?a=b&{}==", reply(b"no", 403)),
        ("/x?a=b&sig={}&c", raw(b"HTTP/1.1 200 OK\r\nbroken header\r\n\r\n")),
        ("/x?token={}", raw(b"")),
        ("/x?token={}", redirect("http://evidence.example/?token={}")),
        ("/x?token={}", redirect("https://elsewhere.example/?token={}")),
        ("/x?token={}", redirect("https://ana:{}@evidence.example/")),
        ("/x?token={}", redirect("https://127.0.0.2/?token={}")),
        ("/eyJhbGciOiJIUzI1NiIs.{}.c2ln", reply(b"no", 403)),
    ],
)
def test_no_secret_reaches_an_error_or_a_log(
    web: Web, path: str, answer: object, caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    secret = "c2VjcmV0LXRva2Vu"
    target = path.format(secret)
    web.replies[target] = answer  # type: ignore[assignment]  # the table mixes kinds
    caplog.set_level(logging.DEBUG)
    error = refused(web, web.url(target), digest="sha256:" + "0" * 64)
    assert web.seen[0][0] == target
    told = f"{error!r} {error} {error.message} {error.hint} {error.where} {error.__cause__!r}"
    assert secret not in told + caplog.text + "".join(capfd.readouterr())
    assert error.__suppress_context__ or error.__context__ is None


def test_the_result_hides_the_secret_too(web: Web) -> None:
    web.replies[f"/r?token={SECRET}&sig=abc"] = reply(REPORT)
    pack = pack_with({"uri": web.url(f"/r?token={SECRET}&sig=abc")})
    result = attest.fetch(
        pack, "report", allow=[f"{HOST}:{web.port}"], internet=web.internet(), out="x"
    )
    assert result.uri == web.url("/r?token=REDACTED&sig=REDACTED")
    assert SECRET not in repr(result)


@pytest.mark.parametrize(
    "beginning",
    [
        b"HTTP/1.1 ",
        b"HTTP/1.1 200 OK\r\nX: ",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
    ],
)
def test_a_server_that_drips_is_hung_up_on(
    web: Web, beginning: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("attest.pack.fetch._MOST_SECONDS", 0.5)
    web.replies["/slow"] = dripping(beginning)
    start = time.monotonic()
    error = refused(web, web.url("/slow"), digest=None)
    assert (error.code, error.message) == ("network_unreachable", "takes too long")
    assert time.monotonic() - start < 5


def test_a_server_that_falls_silent_is_hung_up_on(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has fewer seconds left than a server may be silent otherwise."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\na")
        time.sleep(8)

    monkeypatch.setattr("attest.pack.fetch._MOST_SECONDS", 0.5)
    web.replies["/silent"] = answer
    start = time.monotonic()
    error = refused(web, web.url("/silent"), digest=None)
    assert (error.code, error.message) == ("network_unreachable", "takes too long")
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("told", [True, False])
def test_progress_is_told_where_the_size_is_known(web: Web, *, told: bool) -> None:
    length = "300000" if told else ""
    web.replies["/big"] = reply(bytes(300_000), Content_Length=length)
    seen: list[tuple[int, int]] = []
    attest.fetch(
        pack_with({"uri": web.url("/big")}),
        "report",
        allow=[f"{HOST}:{web.port}"],
        internet=web.internet(),
        progress=lambda done, total: seen.append((done, total)),
    )
    if told:
        assert len(seen) > 1
        assert seen[-1] == (300_000, 300_000)
        assert seen == sorted(seen)
    else:
        assert seen == []


@pytest.mark.parametrize(
    ("references", "name", "code"),
    [
        ([], "report", "unknown_reference"),
        ([{"name": "other"}], "report", "unknown_reference"),
        ([{"name": "report"}, {"name": "report"}], "report", "ambiguous_reference"),
        ([{"name": "../report"}], "../report", "output_needed"),
        ([{"name": "a/b"}], "a/b", "output_needed"),
        ([{"name": "/etc/passwd"}], "/etc/passwd", "output_needed"),
        ([{"name": ".bashrc"}], ".bashrc", "output_needed"),
        ([{"name": "-rf"}], "-rf", "output_needed"),
        ([{"name": "CON"}], "CON", "output_needed"),
        ([{"name": "a\nb"}], "a\nb", "output_needed"),
    ],
)
def test_the_reference_and_its_file_must_be_clear(
    web: Web, references: list[JSON], name: str, code: str
) -> None:
    pack = pack_with(*({"uri": web.url("/report.pdf")} | reference for reference in references))
    with pytest.raises(AttestError) as caught:
        attest.fetch(pack, name, allow=[f"{HOST}:{web.port}"], internet=web.internet())
    assert (caught.value.code, caught.value.exit_code) == (code, 2)
    assert web.seen == []


def test_a_file_that_exists_is_left_alone_and_nobody_is_asked(web: Web) -> None:
    Path("report").write_text("mine")
    pack = pack_with({"uri": web.url("/report.pdf")})
    with pytest.raises(AttestError) as caught:
        attest.fetch(pack, "report", allow=[f"{HOST}:{web.port}"], internet=web.internet())
    assert caught.value.code == "file_exists"
    assert Path("report").read_text() == "mine"
    assert web.seen == []


@pytest.mark.parametrize(
    ("uri", "code"),
    [
        ("http://example.com/data.json", "insecure_scheme"),
        ("https://user:pass@example.com/data.json", "userinfo_not_allowed"),
        ("https://example.com/data.json#section", "fragment_not_allowed"),
        ("https://bücher.example/", "invalid_uri"),
    ],
)
def test_a_bad_uri_makes_the_pack_malformed(web: Web, uri: str, code: str) -> None:
    error = refused(web, uri)
    assert (error.code, error.exit_code) == (code, 1)


def test_reading_a_pack_asks_nobody(web: Web) -> None:
    pack = pack_with({"uri": web.url("/report.pdf"), "digest": DIGEST})
    with attest.open_pack(pack) as opened:
        opened.check_integrity()
    attest.inspect(pack)
    assert (web.seen, web.asked) == ([], [])


def test_a_manifest_that_lies_about_json_is_not_used(web: Web) -> None:
    pack = pack_with({"uri": web.url("/report.pdf")})
    pack.write_bytes(pack.read_bytes().replace(b'"report"', b'"rep\xffrt"'))
    with pytest.raises(AttestError):
        attest.fetch(pack, "report", allow=[f"{HOST}:{web.port}"], internet=web.internet())
    assert json.dumps(web.seen) == "[]"
