"""What services say reaches messages without secrets, on one bounded line."""

from __future__ import annotations

import pytest
import requests

from attest.signing.failures import described, redact, unreachable

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


def answered(status: int, body: bytes) -> requests.HTTPError:
    response = requests.Response()
    response.status_code = status
    response._content = body
    return requests.HTTPError("client's words", response=response)


def test_the_services_own_words_are_found_behind_an_exception_without_any() -> None:
    error = RuntimeError()
    error.__context__ = answered(400, b'{"message": "no such issuer"}')
    assert described(error) == "HTTP 400: no such issuer"
    assert unreachable(error, "the service") is None


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"message": 5}', b"\xff"])
def test_an_answer_that_says_nothing_still_has_its_status(body: bytes) -> None:
    assert described(answered(502, body)).startswith("HTTP 502: ")


def test_only_a_missing_answer_is_a_network_error() -> None:
    found = unreachable(requests.ConnectionError(), "the service")
    assert found is not None
    assert found.code == "network_unreachable"
    assert unreachable(ValueError("bad answer"), "the service") is None
