"""Logging in through a browser: PKCE and state hold, every way back that is wrong has a code."""

from __future__ import annotations

import logging
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.message import Message
from typing import get_args
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from attest.errors import AttestError, NetworkError, SigningError
from attest.oidc import IdentityToken
from attest.sandbox import Sandbox
from attest.signing.instance import SigningInstance
from attest.signing.login import log_in
from attest.signing.loginpage import Problem, not_done, received
from tests.signing.issuer import serving


def follow(url: str) -> bool:
    """A person at a browser who is logged in already: it follows redirects."""
    return bool(page_of(url))


def page_of(url: str) -> str:
    """What a browser shows of an address: pages of errors too, like any other."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return error.read().decode()


def test_a_person_logs_in(
    instance: SigningInstance,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    seen: list[str] = []

    def browser(url: str) -> bool:
        seen.append(url)
        return follow(url)

    token = IdentityToken.from_text(log_in(instance.login_url(), open_browser=browser))
    assert (token.identity, token.issuer) == ("ana@acme.example", "https://accounts.google.com")
    query = parse_qs(urlsplit(seen[0]).query)
    assert query["code_challenge_method"] == ["S256"]
    assert "code_verifier" not in query
    told = capfd.readouterr()
    assert told.out + told.err == ""
    assert token.reveal() not in caplog.text
    assert "code=" not in caplog.text


def fails(attempt: Callable[[], object]) -> AttestError:
    with pytest.raises(AttestError) as caught:
        attempt()
    return caught.value


@pytest.mark.parametrize(
    "answer",
    [
        "code=stolen&state=x{state}",
        "code=stolen",
        "",
        "state={state}",
        "error=access_denied&state={state}",
        # A code that the issuer never gave: it refuses to exchange it.
        "code=invented&state={state}",
    ],
)
def test_a_browser_that_comes_back_wrong(sandbox: Sandbox, answer: str) -> None:
    def browser(url: str) -> bool:
        query = parse_qs(urlsplit(url).query)
        return follow(f"{query['redirect_uri'][0]}?{answer.format(state=query['state'][0])}")

    error = fails(lambda: log_in(sandbox.issuer_url, open_browser=browser))
    assert (type(error), error.code) == (SigningError, "login_failed")
    assert "stolen" not in f"{error} {error.hint}"


def test_other_requests_to_the_listener_do_not_end_the_login(sandbox: Sandbox) -> None:
    def browser(url: str) -> bool:
        redirect = parse_qs(urlsplit(url).query)["redirect_uri"][0]
        assert page_of(redirect.replace("/auth/callback", "/favicon.ico")) == ""
        return follow(url)

    text = log_in(sandbox.issuer_url, open_browser=browser)
    assert IdentityToken.from_text(text).identity == "ana@acme.example"


def test_nobody_logs_in(sandbox: Sandbox) -> None:
    error = fails(
        lambda: log_in(sandbox.issuer_url, open_browser=lambda _: True, patience_seconds=0.05)
    )
    assert error.code == "login_timeout"


def test_there_is_no_browser(sandbox: Sandbox) -> None:
    error = fails(lambda: log_in(sandbox.issuer_url, open_browser=lambda _: False))
    assert error.code == "no_browser"


def test_a_browser_that_fails(sandbox: Sandbox) -> None:
    def browser(_: str) -> bool:
        raise OSError("no display")

    error = fails(lambda: log_in(sandbox.issuer_url, open_browser=browser))
    assert error.code == "login_failed"


def test_an_issuer_that_does_not_answer() -> None:
    error = fails(lambda: log_in("http://127.0.0.1:9", open_browser=follow))
    assert (type(error), error.code) == (NetworkError, "network_unreachable")


def test_an_issuer_that_is_none(sandbox: Sandbox) -> None:
    error = fails(lambda: log_in(f"{sandbox.issuer_url}/nothing-here", open_browser=follow))
    assert (type(error), error.code) == (SigningError, "login_failed")


MARK = "<b>mark</b>"


def come_back_with(answer: str) -> tuple[list[str], Callable[[str], bool]]:
    """A browser that comes back with this query, and the pages that it is shown."""
    pages: list[str] = []

    def browser(url: str) -> bool:
        query = parse_qs(urlsplit(url).query)
        back = answer.format(state=query["state"][0], mark=quote(MARK))
        pages.append(page_of(f"{query['redirect_uri'][0]}?{back}"))
        return True

    return pages, browser


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("code=x&state=wrong", "does not belong to the login"),
        ("code=x&state={mark}", "does not belong to the login"),
        ("state={state}&x={mark}", "incomplete"),
        ("error=access_denied&error_description={mark}&state={state}", "declined"),
        ("error={mark}&state={state}", "reported a problem"),
        ("error=server_error&error_description={mark}&state={state}", "reported a problem"),
    ],
)
def test_the_page_at_the_end_says_what_went_wrong_and_repeats_nothing(
    sandbox: Sandbox, answer: str, told: str
) -> None:
    pages, browser = come_back_with(answer)
    error = fails(lambda: log_in(sandbox.issuer_url, open_browser=browser))
    assert error.code == "login_failed"
    assert told in pages[0]
    assert "Login not completed" in pages[0]
    assert "mark" not in pages[0]


def test_the_page_of_a_login_that_worked(sandbox: Sandbox) -> None:
    pages: list[str] = []

    def browser(url: str) -> bool:
        pages.append(page_of(url))
        return True

    log_in(sandbox.issuer_url, open_browser=browser)
    assert "has received your login" in pages[0]
    assert "Nothing was signed" not in pages[0]


@pytest.mark.parametrize(
    "page", [received(), *(not_done(problem) for problem in get_args(Problem))]
)
def test_every_page_is_plain_and_complete(page: bytes) -> None:
    text = page.decode()
    assert text.startswith('<!doctype html>\n<html lang="en">')
    for part in ("title", "h1", "main", "p"):
        assert f"<{part}>" in text
    assert "You may close this window" in text
    # The browser's own colours have the contrast that the person has chosen.
    assert "color-scheme:light dark" in text
    assert not re.search(r"(?<!-)color:|background|<script|src=|href=|url\(|http", text)


def test_the_page_may_load_nothing_and_tell_nobody(sandbox: Sandbox) -> None:
    headers: list[Message] = []

    def browser(url: str) -> bool:
        with urllib.request.urlopen(url, timeout=10) as answer:
            headers.append(answer.headers)
        return True

    log_in(sandbox.issuer_url, open_browser=browser)
    policy = headers[0]["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert (headers[0]["Cache-Control"], headers[0]["Referrer-Policy"]) == (
        "no-store",
        "no-referrer",
    )


@contextmanager
def issuer(answers: Mapping[str, object]) -> Iterator[str]:
    """An issuer that answers every path with a document."""
    with serving(lambda path, _: (200, answers.get(urlsplit(path).path, {}))) as url:
        yield url


CONFIGURATION = "/.well-known/openid-configuration"
GOOD = {"authorization_endpoint": "HERE/auth", "token_endpoint": "HERE/token"}


def come_back(url: str) -> bool:
    query = parse_qs(urlsplit(url).query)
    return follow(f"{query['redirect_uri'][0]}?code=x&state={query['state'][0]}")


@pytest.mark.parametrize(
    "answers",
    [
        {CONFIGURATION: b"<html>"},
        {CONFIGURATION: []},
        {CONFIGURATION: {}},
        {CONFIGURATION: GOOD | {"token_endpoint": 5}},
        # Neither the code nor the person goes where others can read along.
        {CONFIGURATION: GOOD | {"token_endpoint": "http://issuer.example/token"}},
        {CONFIGURATION: GOOD | {"authorization_endpoint": "http://issuer.example/auth"}},
        {CONFIGURATION: GOOD | {"authorization_endpoint": "file:///etc/passwd"}},
        {CONFIGURATION: GOOD | {"authorization_endpoint": "https://a:b@issuer.example/"}},
        {CONFIGURATION: b'{"token_endpoint": "HERE/a", "token_endpoint": "HERE/token"}'},
        {CONFIGURATION: GOOD, "/token": b""},
        {CONFIGURATION: GOOD, "/token": []},
        {CONFIGURATION: GOOD, "/token": {"access_token": "x"}},
        {CONFIGURATION: GOOD, "/token": {"id_token": None}},
    ],
)
def test_an_issuer_that_answers_wrong(answers: Mapping[str, object]) -> None:
    with issuer(answers) as url:
        error = fails(lambda: log_in(url, open_browser=come_back))
    assert (type(error), error.code) == (SigningError, "login_failed")


def test_the_answers_above_fail_only_for_what_is_wrong_in_them() -> None:
    with issuer({CONFIGURATION: GOOD, "/token": {"id_token": "x"}}) as url:
        assert log_in(url, open_browser=come_back) == "x"
