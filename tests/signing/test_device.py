"""Logging in on another device: as often as the issuer allows, as long as it allows, no longer."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Mapping
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest.errors import AttestError, NetworkError, SigningError
from attest.oidc import IdentityToken
from attest.sandbox import Sandbox
from attest.signing.device import DeviceCode, log_in_elsewhere
from attest.strictjson import JSON
from tests.signing.issuer import serving

CONFIGURATION = {
    "token_endpoint": "HERE/token",
    "device_authorization_endpoint": "HERE/device",
}
CODE = {
    "device_code": "secret-device-code",
    "user_code": "ABCD-EFGH",
    "verification_uri": "HERE/enter",
    "expires_in": 60,
    "interval": 5,
}
PENDING = (400, {"error": "authorization_pending"})
SLOWER = (400, {"error": "slow_down"})
TOKEN = (200, {"id_token": "x"})


class Script:
    """What an issuer answers to polls, one after another; and what it was asked."""

    def __init__(self, *polls: tuple[int, object]) -> None:
        self.polls = list(polls)
        self.asked: list[dict[str, list[str]]] = []
        self.code: object = CODE
        self.configuration: object = CONFIGURATION

    def answer(self, path: str, form: str) -> tuple[int, object]:
        if path.startswith("/.well-known"):
            return 200, self.configuration
        if path == "/device":
            self.asked.append(parse_qs(form))
            return 200, self.code
        self.asked.append(parse_qs(form))
        return self.polls.pop(0)


class Waiting:
    """A clock that moves only by sleeping."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def clock(self) -> float:
        return sum(self.slept)


def log_in(script: Script, waiting: Waiting | None = None) -> tuple[str, list[DeviceCode]]:
    waiting = waiting or Waiting()
    shown: list[DeviceCode] = []
    with serving(script.answer) as url:
        text = log_in_elsewhere(url, show=shown.append, sleep=waiting.sleep, clock=waiting.clock)
    return text, shown


def fails(attempt: Callable[[], object]) -> AttestError:
    with pytest.raises(AttestError) as caught:
        attempt()
    return caught.value


def enter(**query: str) -> Callable[[DeviceCode], None]:
    """A person with another device, on which the code is entered at once."""

    def show(code: DeviceCode) -> None:
        more = "".join(f"&{name}={value}" for name, value in query.items())
        with urllib.request.urlopen(f"{code.complete_url}{more}", timeout=10) as page:
            assert page.status == 200

    return show


def test_a_person_logs_in_at_the_sandbox(sandbox: Sandbox) -> None:
    text = log_in_elsewhere(
        sandbox.issuer_url, show=enter(login_hint="bo@acme.example"), sleep=lambda _: None
    )
    assert IdentityToken.from_text(text).identity == "bo@acme.example"


def test_a_person_declines_at_the_sandbox(sandbox: Sandbox) -> None:
    error = fails(
        lambda: log_in_elsewhere(
            sandbox.issuer_url, show=enter(answer="deny"), sleep=lambda _: None
        )
    )
    assert (error.code, "declined" in error.message) == ("login_failed", True)


def test_the_sandbox_tells_a_client_in_a_hurry_to_slow_down(sandbox: Sandbox) -> None:
    slept: list[float] = []

    def hurry(seconds: float) -> None:
        slept.append(seconds)

    error = fails(
        lambda: log_in_elsewhere(
            sandbox.issuer_url, show=lambda _: None, sleep=hurry, clock=lambda: sum(slept)
        )
    )
    assert error.code == "login_timeout"
    assert slept[:4] == [1, 1, 6, 11]


def test_the_interval_is_kept_and_grows_when_told() -> None:
    waiting = Waiting()
    text, shown = log_in(Script(PENDING, SLOWER, PENDING, TOKEN), waiting)
    assert text == "x"
    assert waiting.slept == [5, 5, 10, 10]
    assert (shown[0].user_code, shown[0].complete_url) == ("ABCD-EFGH", None)


@pytest.mark.parametrize(("interval", "first"), [(None, 5), (0, 1), (7, 7)])
def test_the_interval_has_a_default_and_a_floor(interval: int | None, first: float) -> None:
    waiting, script = Waiting(), Script(TOKEN)
    script.code = {name: value for name, value in CODE.items() if name != "interval"}
    if interval is not None:
        script.code = CODE | {"interval": interval}
    log_in(script, waiting)
    assert waiting.slept == [first]


def test_what_is_sent_is_what_the_standard_asks_for() -> None:
    script = Script(TOKEN)
    log_in(script)
    start, poll = script.asked
    assert start["client_id"] == poll["client_id"] == ["sigstore"]
    assert start["code_challenge_method"] == ["S256"]
    assert "code_verifier" not in start
    assert poll["grant_type"] == ["urn:ietf:params:oauth:grant-type:device_code"]
    assert poll["device_code"] == ["secret-device-code"]


def test_an_issuer_that_says_pending_by_another_status_is_understood() -> None:
    assert log_in(Script((401, {"error": "authorization_pending"}), TOKEN))[0] == "x"


def test_a_broken_connection_makes_polls_rarer_and_ends_nothing() -> None:
    waiting = Waiting()
    script = Script(TOKEN)
    breaks = iter([True, False])

    def answer(path: str, form: str) -> tuple[int, object]:
        return (0, b"") if path == "/token" and next(breaks) else script.answer(path, form)

    with serving(answer) as url:
        text = log_in_elsewhere(url, show=lambda _: None, sleep=waiting.sleep, clock=waiting.clock)
    assert (text, waiting.slept) == ("x", [5, 10])


def test_nobody_enters_the_code() -> None:
    waiting = Waiting()
    error = fails(lambda: log_in(Script(*[PENDING] * 20), waiting))
    assert (type(error), error.code) == (SigningError, "login_timeout")
    assert sum(waiting.slept) < 60


@pytest.mark.parametrize(
    ("poll", "code"),
    [
        ((400, {"error": "expired_token"}), "login_timeout"),
        ((400, {"error": "access_denied"}), "login_failed"),
        ((400, {"error": "invalid_grant"}), "login_failed"),
        ((400, {"error": "authorization_pending_"}), "login_failed"),
        ((400, {"error": 5}), "login_failed"),
        ((400, b"<html>"), "login_failed"),
        ((500, b""), "login_failed"),
        ((302, {"error": "authorization_pending"}), "login_failed"),
        ((200, {}), "login_failed"),
        ((200, {"id_token": None}), "login_failed"),
        ((200, {"access_token": "x"}), "login_failed"),
        ((200, {"id_token": "x", "error": "invalid_request"}), "login_failed"),
        ((200, []), "login_failed"),
    ],
)
def test_a_poll_that_gives_nothing_ends_the_login(poll: tuple[int, object], code: str) -> None:
    script = Script(poll)
    assert fails(lambda: log_in(script)).code == code
    assert script.polls == []


@pytest.mark.parametrize("words", ["secret-device-code is unknown", "eyJhbGciOiJFUzI1NiJ9.e30.x"])
def test_no_error_repeats_a_secret(words: str) -> None:
    poll = (400, {"error": "invalid_grant", "error_description": words})
    error = fails(lambda: log_in(Script(poll)))
    assert "secret-device-code" not in f"{error} {error!r}"
    assert "eyJhbGci" not in f"{error} {error!r}"


@pytest.mark.parametrize(
    "changes",
    [
        {"device_code": None},
        {"device_code": ""},
        {"device_code": 5},
        {"user_code": None},
        {"user_code": ""},
        {"user_code": "x" * 65},
        {"verification_uri": None},
        {"verification_uri": "http://issuer.example/enter"},
        {"verification_uri": "file:///etc/passwd"},
        {"verification_uri": "javascript:alert(1)"},
        {"verification_uri_complete": "http://issuer.example/enter"},
        {"verification_uri_complete": 5},
        {"expires_in": None},
        {"expires_in": "60"},
        {"expires_in": -1},
        {"expires_in": True},
        {"interval": -1},
        {"interval": "5"},
        {"interval": 2**40},
        {"error": "invalid_client"},
    ],
)
def test_a_code_that_cannot_be_used_is_not_shown(changes: Mapping[str, object]) -> None:
    script = Script()
    script.code = {k: v for k, v in {**CODE, **changes}.items() if v is not None}
    shown: list[DeviceCode] = []
    with serving(script.answer) as url:
        error = fails(lambda: log_in_elsewhere(url, show=shown.append))
    assert (error.code, shown) == ("login_failed", [])


@pytest.mark.parametrize(
    ("configuration", "code"),
    [
        ({"token_endpoint": "HERE/token"}, "no_device_login"),
        ({"device_authorization_endpoint": "HERE/device"}, "login_failed"),
        (
            CONFIGURATION | {"device_authorization_endpoint": "http://issuer.example/device"},
            "login_failed",
        ),
        (CONFIGURATION | {"token_endpoint": 5}, "login_failed"),
    ],
)
def test_an_issuer_without_the_flow(configuration: object, code: str) -> None:
    script = Script()
    script.configuration = configuration
    assert fails(lambda: log_in(script)).code == code


def test_an_issuer_that_does_not_answer() -> None:
    error = fails(lambda: log_in_elsewhere("http://127.0.0.1:9", show=lambda _: None))
    assert (type(error), error.code) == (NetworkError, "network_unreachable")


def test_an_interruption_ends_the_waiting_at_once() -> None:
    script = Script(TOKEN)

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    with serving(script.answer) as url, pytest.raises(KeyboardInterrupt):
        log_in_elsewhere(url, show=lambda _: None, sleep=interrupted)
    assert script.polls == [TOKEN]


def test_a_code_does_not_show_its_secret() -> None:
    _, shown = log_in(Script(TOKEN))
    assert "secret-device-code" not in f"{shown[0]!r}"


_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(),
    st.sampled_from(["https://issuer.example/d", "http://127.0.0.1/d", "https://[", "//x", "ABCD"]),
)


@given(st.dictionaries(st.sampled_from([*CODE, "verification_uri_complete", "error"]), _VALUES))
def test_whatever_an_issuer_answers_is_a_sound_code_or_our_error(
    answer: dict[str, JSON],
) -> None:
    try:
        code = DeviceCode.from_answer(answer)
    except SigningError as error:
        assert error.code == "login_failed"  # noqa: PT017 - most answers end here, not all
    else:
        assert 0 < code.expires_in <= 1800
        assert code.interval > 0
        assert code.secret
        assert 0 < len(code.user_code) <= 64
        for url in (code.url, code.complete_url):
            assert url is None or url.startswith(("https://", "http://127.0.0.1"))
