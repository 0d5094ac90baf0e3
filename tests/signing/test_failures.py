"""What services say reaches messages without secrets, on one bounded line."""

from __future__ import annotations

import json

import pytest
import requests

from attest.connections import Reply
from attest.signing.failures import redact, unreachable
from attest.signing.transport import refusal

TOKEN = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJzZWNyZXQifQ.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "text",
    [
        f"cannot use {TOKEN}",
        f"Authorization: Bearer {TOKEN}",
        f"cut short: {TOKEN[:40]}",
        f"https://user:{TOKEN}@host/path",
        f"GET /token?value={TOKEN}&audience=sigstore",
        f"{TOKEN}\n{TOKEN}",
    ],
)
def test_tokens_are_taken_out(text: str) -> None:
    told = redact(text)
    assert not any(part[:12] in told for part in TOKEN.split("."))


def test_known_secrets_of_any_shape_are_taken_out() -> None:
    assert "opaque" not in redact("refused: opaque-value", ["opaque-value", ""])


@pytest.mark.parametrize("text", ["a\x1b[31mb", "a\r\nb", "a\x00b", "a\u202eb", "x" * 10_000])
def test_a_message_is_one_bounded_printable_line(text: str) -> None:
    told = redact(text)
    assert told.isprintable()
    assert len(told) <= 301


def answered(status: int, body: bytes) -> Reply:
    return Reply(status=status, headers={}, body=body)


@pytest.mark.parametrize("name", ["message", "error_description", "error"])
def test_the_services_own_words_are_told(name: str) -> None:
    body = json.dumps({name: "no such issuer"}).encode()
    assert refusal(answered(400, body)) == "HTTP 400: no such issuer"


def test_a_token_in_the_services_own_words_is_not() -> None:
    body = json.dumps({"message": f"bad {TOKEN} from opaque"}).encode()
    assert refusal(answered(400, body), ["opaque"]) == "HTTP 400: bad [token] from [secret]"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"upstream is away\n", "upstream is away"),
        (b"<html>\r\n<h1>502 Bad Gateway</h1></html>", "502 Bad Gateway"),
        (b'{"error": {"code": 7, "message": "no"}}', '{"error": {"code": 7, "message": "no"}}'),
        (b'{"message": 5}', '{"message": 5}'),
        (b'"busy"', '"busy"'),
        (b"not \xff text", "not \ufffd text"),
        (b"a\x1b[2Jb\r\nc", "a [2Jb c"),
        (b"x" * 100_000, "x" * 300 + "…"),
    ],
)
def test_words_of_other_forms_are_told_on_one_bounded_line(body: bytes, told: str) -> None:
    assert refusal(answered(502, body)) == f"HTTP 502: {told}"


def test_a_token_in_words_of_other_forms_is_not() -> None:
    body = b"x" * 250 + f" bad {TOKEN} from opaque, Bearer {TOKEN}".encode()
    told = refusal(answered(400, body), ["opaque"])
    assert told.startswith("HTTP 400: xxx")
    assert "bad [token] from [secret], Bearer" in told
    assert not any(part[:12] in told for part in TOKEN.split("."))


@pytest.mark.parametrize("body", [b"", b" \n", b"<html>", b"[]", b"{}", b"\xff", b"[" * 99_999])
def test_an_answer_that_says_nothing_still_has_its_status(body: bytes) -> None:
    assert refusal(answered(502, body)) == "HTTP 502: no reason given"


def test_an_answer_behind_an_exception_is_no_missing_one() -> None:
    response = requests.Response()
    response.status_code = 400
    error = RuntimeError()
    error.__context__ = requests.HTTPError("client's words", response=response)
    assert unreachable(error, "the service") is None


def test_only_a_missing_answer_is_a_network_error() -> None:
    found = unreachable(requests.ConnectionError(), "the service")
    assert found is not None
    assert found.code == "network_unreachable"
    assert unreachable(ValueError("bad answer"), "the service") is None
