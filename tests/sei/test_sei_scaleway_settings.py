"""Where a key in Scaleway's Key Manager is: read strictly, for it goes into a URL and a header."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from attest.errors import AttestError
from attest.signing.scaleway import read_location
from tests.sei.key_manager import KEY_ID, SECRET, KeyManager


@pytest.mark.parametrize("name", ["SCW_SECRET_KEY", "SCW_DEFAULT_REGION", "SEI_SCALEWAY_KEY_ID"])
@pytest.mark.parametrize("value", [None, ""])
def test_a_variable_that_is_missing_is_named(name: str, value: str | None) -> None:
    environ = {key: item for key, item in KeyManager().environ.items() if key != name}
    if value is not None:
        environ[name] = value
    with pytest.raises(AttestError) as raised:
        read_location(environ)
    assert (raised.value.code, raised.value.where) == ("setting_missing", name)


IMPOSSIBLE = {
    "SCW_DEFAULT_REGION": ["fr-par-1", "FR-PAR", "../../x", "fr-par/keys", "fr-par\n", "fr-pa?"],
    "SEI_SCALEWAY_KEY_ID": [
        f"fr-par/{KEY_ID}",
        KEY_ID.replace("1", "A"),
        KEY_ID.replace("-", ""),
        f"{KEY_ID}\n",
        f"{KEY_ID}/sign?x=",
        "../../secret-manager",
        "my-key",
    ],
    "SCW_SECRET_KEY": [
        f"{SECRET}\r\nX-Injected: yes",
        f"{SECRET}\n",
        f" {SECRET}",
        f"{SECRET}\u20ac",
        f"{SECRET}\x00",
        SECRET * 50,
    ],
    "SCW_API_URL": [
        "http://api.scaleway.com",
        "http://localhost:1",
        "ftp://api.scaleway.com",
        "api.scaleway.com",
        "https://",
        "https://user:pw@api.scaleway.com",
        "https://api.scaleway.com/v1",
        "https://api.scaleway.com/?x=1",
        "https://api.scaleway.com?",
        "https://api.scaleway.com#x",
        "https://api.scaleway.com\r\nHost: x",
        "https://api.scaleway.com:99999",
        "https://api.scaleway.com:x",
        "https://api.scalew\u00e4y.com",
        "https://[::1",
        "https://api scaleway.com",
    ],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in IMPOSSIBLE.items() for value in values]
)
def test_a_variable_that_cannot_be_is_refused(name: str, value: str) -> None:
    environ = {**KeyManager().environ, "SCW_API_URL": "https://api.scaleway.com", name: value}
    with pytest.raises(AttestError) as raised:
        read_location(environ)
    error = raised.value
    assert (error.code, error.where) == ("invalid_setting", name)
    assert SECRET not in f"{error} {error.hint} {error!r}"
    assert "pw@" not in f"{error} {error.hint}"


@pytest.mark.parametrize("spelling", [str.lower, str.upper])
def test_a_secret_in_the_place_of_an_id_is_not_shown(spelling: Callable[[str], str]) -> None:
    secret = "7c1d9e0a-53f2-4b88-9c1e-0123456789ab"  # a UUID, as an id is
    environ = {**KeyManager().environ, "SEI_SCALEWAY_KEY_ID": secret}
    with pytest.raises(AttestError) as raised:
        read_location({**environ, "SCW_API_URL": "", "SCW_SECRET_KEY": spelling(secret)})
    error = raised.value
    assert (error.code, error.where) == ("invalid_setting", "SEI_SCALEWAY_KEY_ID")
    assert secret not in f"{error} {error.hint} {error!r}"


@pytest.mark.parametrize(
    ("given", "used"),
    [
        (None, "https://api.scaleway.com"),
        ("", "https://api.scaleway.com"),
        ("https://api.scaleway.com/", "https://api.scaleway.com"),
        ("https://kms.example:8443", "https://kms.example:8443"),
        ("http://127.0.0.1:9", "http://127.0.0.1:9"),
        ("http://[::1]:9", "http://[::1]:9"),
    ],
)
def test_where_it_is_may_be_said(given: str | None, used: str) -> None:
    environ = KeyManager().environ
    environ.pop("SCW_API_URL")
    if given is not None:
        environ["SCW_API_URL"] = given
    assert read_location(environ).api_url == used
