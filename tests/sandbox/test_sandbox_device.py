"""The device flow: pending until the code is entered, slower for who asks too soon, used once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest

from attest.sandbox.device import GRANT, DeviceFlow
from attest.sandbox.refusal import OAuthRefusal, Refusal
from tests.sandbox.test_sandbox_oidc import VERIFIER, challenge, claims
from tests.sandbox.wire_client import Client

START, TOKEN = "/oauth2/device/code", "/oauth2/token"
URL = "http://127.0.0.1:1"


def started(client: Client) -> dict[str, object]:
    form = {
        "client_id": "sigstore",
        "code_challenge": challenge(),
        "code_challenge_method": "S256",
    }
    answer = client.form(START, form)
    assert answer.status == 200
    return dict(answer.json())


def polling(code: object, **changes: str) -> dict[str, str]:
    form = {"grant_type": GRANT, "client_id": "sigstore", "code_verifier": VERIFIER}
    return {**form, "device_code": str(code), **changes}


def test_a_person_enters_the_code_and_a_token_comes(client: Client) -> None:
    login = started(client)
    code = str(login["user_code"])
    path = f"/device?{urlencode({'user_code': code, 'login_hint': 'bo@acme.example'})}"
    page = client.get(path)
    assert page.status == 200
    assert b"logged in as bo@acme.example" in page.body
    answer = client.form(TOKEN, polling(login["device_code"]))
    assert claims(answer.json()["id_token"])["email"] == "bo@acme.example"


@pytest.mark.parametrize(
    "change",
    [
        {"code_verifier": "w" * 43},
        {"code_verifier": ""},
        {"device_code": "unknown"},
        {"client_id": "other"},
    ],
)
def test_a_wrong_poll_gets_no_token(client: Client, change: dict[str, str]) -> None:
    login = started(client)
    client.get(f"/device?user_code={login['user_code']}")
    answer = client.form(TOKEN, polling(login["device_code"], **change))
    assert (answer.status, answer.json()["error"]) == (400, "invalid_grant")


def test_a_code_gives_one_token(client: Client) -> None:
    login = started(client)
    client.get(f"/device?user_code={login['user_code']}")
    assert client.form(TOKEN, polling(login["device_code"])).status == 200
    assert client.form(TOKEN, polling(login["device_code"])).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_client"),
        ({"client_id": "other"}, "invalid_client"),
        (
            {"client_id": "sigstore", "code_challenge": "x", "code_challenge_method": "plain"},
            "invalid_request",
        ),
    ],
)
def test_a_bad_start_is_refused(client: Client, form: dict[str, str], error: str) -> None:
    answer = client.form(START, form)
    assert (answer.status, answer.json()["error"]) == (400, error)


@pytest.mark.parametrize("query", ["user_code=", "user_code=XXXX-XXXX", "user_code=%3Cb%3E"])
def test_a_wrong_code_enters_nothing_and_is_not_repeated(client: Client, query: str) -> None:
    answer = client.get(f"/device?{query}")
    assert answer.status == 404
    assert b"XXXX" not in answer.body
    assert b"<b>" not in answer.body


def test_the_page_asks_for_the_code_and_names_nobody_in_html(client: Client) -> None:
    assert b"<form" in client.get("/device").body
    login = started(client)
    query = urlencode({"user_code": str(login["user_code"]), "login_hint": "<script>x</script>"})
    assert b"<script>" not in client.get(f"/device?{query}").body


class Later:
    """A flow whose clock tests move on."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 2, tzinfo=UTC)
        self.flow = DeviceFlow(clock=lambda: self.now)
        self.login = self.flow.start({"client_id": "sigstore"}, url=URL)

    def after(self, seconds: float) -> str:
        self.now += timedelta(seconds=seconds)
        form = {"client_id": "sigstore", "device_code": str(self.login["device_code"])}
        try:
            return self.flow.poll(form)[0]
        except OAuthRefusal as refusal:
            return refusal.error

    def enter(self, **query: str) -> None:
        self.flow.page({"user_code": str(self.login["user_code"]), **query}, person="ana@x.example")


def test_who_asks_too_soon_must_ask_less_often() -> None:
    later = Later()
    assert [later.after(0), later.after(1), later.after(0.2)] == [
        "authorization_pending",
        "authorization_pending",
        "slow_down",
    ]
    later.enter()
    # The interval is six seconds by now, and the code that was entered gives nothing before.
    assert [later.after(3), later.after(12)] == ["slow_down", "ana@x.example"]


def test_a_person_declines() -> None:
    later = Later()
    later.enter(answer="deny")
    assert [later.after(1), later.after(5)] == ["access_denied", "invalid_grant"]


def test_a_code_expires() -> None:
    later = Later()
    assert later.after(300) == "expired_token"
    with pytest.raises(Refusal):
        later.enter()


@pytest.mark.parametrize("second", ["allow", "deny"])
def test_an_answer_stands(second: str) -> None:
    later = Later()
    later.enter()
    with pytest.raises(Refusal):
        later.enter(answer=second)
    assert later.after(1) == "ana@x.example"


@pytest.mark.parametrize("typed", [str.lower, lambda code: code.replace("-", " ")])
def test_a_code_may_be_typed_loosely(typed: object) -> None:
    later = Later()
    assert callable(typed)
    later.flow.page({"user_code": typed(str(later.login["user_code"]))}, person="ana@x.example")
    assert later.after(1) == "ana@x.example"
