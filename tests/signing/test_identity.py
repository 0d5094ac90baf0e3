"""Where a token comes from: the order, renewal, and that nobody waits for a person in CI."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from attest.errors import AttestError, SigningError
from attest.oidc import IdentityToken
from attest.signing.identity import Person, TokenSource, choose_login, find_source
from tests.signing.test_oidc import mint

#: When this file was loaded; tokens that are judged by the real clock last far longer than a run.
NOW = datetime.now(UTC)


def lasting(seconds: float, sub: str = "subject-1") -> str:
    start = int(NOW.timestamp())
    return mint({"sub": sub, "iat": start - 10, "exp": start + seconds})


def never() -> str:
    raise AssertionError("nobody may be asked")


def someone() -> str:
    return lasting(3000, "person")


def source(
    argument: str | None = None,
    environ: Mapping[str, str] | None = None,
    log_in: Callable[[], str] | None = someone,
    stdin: str = "",
) -> TokenSource:
    return find_source(
        argument=argument,
        environ=environ or {},
        stdin=io.StringIO(stdin),
        person=None if log_in is None else Person(login="browser", log_in=log_in),
    )


def fails(attempt: Callable[[], object]) -> AttestError:
    with pytest.raises(AttestError) as caught:
        attempt()
    return caught.value


def test_the_order_in_which_a_token_is_looked_for() -> None:
    environ = {
        "SIGSTORE_ID_TOKEN": lasting(3000, "first"),
        "SIGSTORE_IDENTITY_TOKEN": lasting(3000, "second"),
        "GITHUB_ACTIONS": "true",
        "CI": "true",
    }
    found = [source(lasting(3000, "given"), environ)]
    for name in ("SIGSTORE_ID_TOKEN", "SIGSTORE_IDENTITY_TOKEN", "GITHUB_ACTIONS", "CI"):
        if name != "CI":
            found.append(source(None, environ))
        del environ[name]
    found.append(source(None, environ))
    assert [one.name for one in found] == [
        "identity-token",
        "SIGSTORE_ID_TOKEN",
        "SIGSTORE_IDENTITY_TOKEN",
        "github-actions",
        "browser",
    ]
    identities = [one.token().identity for one in found if one.name != "github-actions"]
    assert identities == ["given", "first", "second", "person"]


def test_an_empty_variable_is_none() -> None:
    environ = {"SIGSTORE_ID_TOKEN": "", "SIGSTORE_IDENTITY_TOKEN": "", "GITLAB_CI": "", "CI": ""}
    assert source(None, environ).name == "browser"


@pytest.mark.parametrize("name", ["SIGSTORE_ID_TOKEN", "SIGSTORE_IDENTITY_TOKEN"])
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("no token", "token_malformed"),
        (lasting(-1), "token_expired"),
        (mint({"aud": "other"}), "token_wrong_audience"),
    ],
)
def test_a_bad_token_is_named_by_its_variable_and_never_replaced(
    name: str, text: str, code: str
) -> None:
    error = fails(source(None, {name: text, "GITHUB_ACTIONS": "true"}, never).token)
    assert (error.code, error.where) == (code, name)


@pytest.mark.parametrize("argument", ["", "not a token", lasting(-5)])
def test_a_bad_given_token_is_not_replaced_by_another_one(argument: str) -> None:
    found = source(argument, {"SIGSTORE_ID_TOKEN": lasting(3000)}, never)
    assert fails(found.token).code in ("token_malformed", "token_expired")


@pytest.mark.parametrize(
    "environ",
    [
        {"CI": "true"},
        {"CI": "1"},
        {"TF_BUILD": "True"},
        {"JENKINS_URL": "https://ci.acme.example"},
        {"TEAMCITY_VERSION": "2026.1"},
    ],
)
def test_ci_without_a_token_never_asks_a_person(environ: Mapping[str, str]) -> None:
    assert fails(lambda: source(None, environ, never)).code == "no_identity"


@pytest.mark.parametrize("value", ["false", "0", "False"])
def test_a_variable_that_says_no_ci_is_believed(value: str) -> None:
    assert source(None, {"CI": value}).name == "browser"


def test_nobody_to_ask_is_said() -> None:
    assert fails(lambda: source(None, {}, None)).code == "no_identity"


def test_a_name_misspelt_is_told_before_anything_is_asked(tmp_path: Path) -> None:
    assert fails(lambda: source(f"@{tmp_path / 'none'}")).code == "token_unreadable"


@pytest.mark.parametrize(
    ("environ", "platform", "login"),
    [
        ({"DISPLAY": ":0"}, "linux", "browser"),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", "browser"),
        ({}, "darwin", "browser"),
        ({}, "win32", "browser"),
        ({"BROWSER": "firefox"}, "linux", "browser"),
        ({"BROWSER": "firefox", "SSH_CONNECTION": "a 1 b 2"}, "linux", "browser"),
        ({}, "linux", "device"),
        ({}, "freebsd14", "device"),
        ({"DISPLAY": ""}, "linux", "device"),
        ({"SSH_CONNECTION": "a 1 b 2", "DISPLAY": ":10"}, "linux", "device"),
        ({"SSH_TTY": "/dev/pts/1"}, "darwin", "device"),
        ({"SSH_TTY": "x"}, "win32", "device"),
    ],
)
def test_who_has_no_browser_here_logs_in_elsewhere(
    environ: Mapping[str, str], platform: str, login: str
) -> None:
    assert choose_login(environ, platform=platform, device=False) == login
    assert choose_login(environ, platform=platform, device=True) == "device"


class Clock:
    """Tells a time that tests move on."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def asked(texts: list[str], clock: Clock, *, renewable: bool = True) -> TokenSource:
    """A source that gives these tokens one after another, and fails a test that asks for more."""
    return TokenSource("github-actions", lambda: texts.pop(0), renewable=renewable, clock=clock)


def test_one_token_serves_while_it_lasts() -> None:
    clock = Clock()
    found = asked([lasting(600)], clock)
    first = found.token(30)
    clock.now += timedelta(seconds=560)
    assert found.token(30) is first


def test_a_token_about_to_expire_is_renewed() -> None:
    clock = Clock()
    found = asked([lasting(600), lasting(1200)], clock)
    first = found.token(30)
    clock.now += timedelta(seconds=580)
    second = found.token(30)
    assert second.expires - first.expires == timedelta(seconds=600)
    assert found.token(30) is second


@pytest.mark.parametrize(
    ("texts", "later", "code"),
    [
        # Signing goes on as somebody else: a batch would silently have two signers.
        ([lasting(60), lasting(1200, "other")], 40, "identity_changed"),
        # The CI has nothing better to give.
        ([lasting(60), lasting(60)], 40, "token_expires_soon"),
        ([lasting(60), lasting(60)], 90, "token_expired"),
        ([lasting(20)], 0, "token_expires_soon"),
        ([lasting(60), "rubbish"], 40, "token_malformed"),
    ],
)
def test_a_renewal_that_does_not_help_is_said(texts: list[str], later: float, code: str) -> None:
    clock = Clock()
    found = asked(texts, clock)
    if later:
        found.token(30)
    clock.now += timedelta(seconds=later)
    assert fails(lambda: found.token(30)).code == code


@pytest.mark.parametrize("later", [580, 600, 700])
def test_a_token_that_cannot_be_renewed_is_never_asked_for_again(later: float) -> None:
    clock = Clock()
    found = asked([lasting(600)], clock, renewable=False)
    found.token(30)
    clock.now += timedelta(seconds=later)
    error = fails(lambda: found.token(30))
    assert (type(error), error.code) == (SigningError, "token_expires_soon")
    assert "not signed yet" in str(error.hint)


def test_a_person_is_asked_once() -> None:
    asks: list[int] = []

    def log_in() -> str:
        asks.append(1)
        return lasting(3000)

    found = source(None, {}, log_in)
    found.token()
    error = fails(lambda: found.token(4000))
    assert (error.code, len(asks), found.is_person) == ("token_expires_soon", 1, True)
    assert "log in again" in str(error.hint)


def test_a_token_file_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(lasting(3000))
    found = source(f"@{file}")
    found.token()
    file.write_text(lasting(6000))
    assert found.token(4000).seconds_left(now=NOW) > 5000


def test_standard_input_and_values_are_not_read_again() -> None:
    for found in (source("-", stdin=lasting(3000)), source(lasting(3000))):
        found.token()
        assert fails(lambda: found.token(4000)).code == "token_expires_soon"  # noqa: B023


def test_many_threads_ask_once() -> None:
    clock = Clock()
    texts = [lasting(600)]
    gate = threading.Barrier(8)
    found = asked(texts, clock)

    def ask(_: int) -> IdentityToken:
        gate.wait()
        return found.token(30)

    with ThreadPoolExecutor(8) as pool:
        assert len({id(token) for token in pool.map(ask, range(8))}) == 1


def test_a_ready_token_is_a_source() -> None:
    token = IdentityToken.from_text(lasting(3000))
    found = TokenSource.of(token)
    assert found.token(30) is token
    assert fails(lambda: found.token(4000)).code == "token_expires_soon"


def test_a_source_shows_no_token() -> None:
    text = lasting(3000)
    for found in (source(text), source(None, {"SIGSTORE_ID_TOKEN": text})):
        found.token()
        assert not any(part in f"{found!r} {found}" for part in text.split("."))
