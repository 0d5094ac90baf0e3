"""Keys in services: found and used by URI, and what they refuse is told on one line, no secrets."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Never, cast

import pytest

from attest.api.key import open_key, scheme_of
from attest.errors import AttestError, UsageError
from attest.keys import PublicKey
from attest.signing.kms import SCHEMES, Pin, ServiceKey
from tests.signing.key_services import TOKEN, Service, serving
from tests.signing.keys import key_of, nothing, public_of

if TYPE_CHECKING:
    from securesystemslib.signer import Signer

MESSAGE = b"what is signed"
AWS_SECRET = "not/a/real/secret/key"
VAULT, AMAZON = "hashivault:release", "awskms:alias/release"


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with serving(Service()) as running:
        for name, value in {
            "VAULT_ADDR": running.url,
            "VAULT_TOKEN": TOKEN,
            "AWS_ENDPOINT_URL_KMS": running.url,
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "AKIANOTREAL",
            "AWS_SECRET_ACCESS_KEY": AWS_SECRET,
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_CONFIG_FILE": "/nowhere",
            "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
            "AWS_EC2_METADATA_DISABLED": "true",
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # it keeps credentials
        yield running


def refusal(uri: str) -> AttestError:
    with pytest.raises(AttestError) as caught:
        open_key(uri, passphrase=nothing).sign(MESSAGE)
    error = caught.value
    assert error.exit_code == 2
    told = f"{error!r} {error} {error.hint}"
    assert not any(secret in told for secret in (TOKEN, AWS_SECRET))
    assert "\n" not in told
    return error


@pytest.mark.parametrize(
    ("uri", "kind"),
    [(VAULT, "p256"), (VAULT, "ed25519"), (AMAZON, "p256"), (AMAZON, "p384")],
)
def test_it_signs_and_its_public_half_verifies(uri: str, kind: str, service: Service) -> None:
    service.kind = kind
    key = open_key(uri, passphrase=nothing)
    assert key.public.pem == public_of(kind)
    key.public.verify(key.sign(MESSAGE), MESSAGE)


@pytest.mark.parametrize(
    ("uri", "version"), [(VAULT, "10"), (f"{VAULT}/9", "9"), (f"{VAULT}/10", "10")]
)
def test_the_newest_version_is_taken_unless_one_is_named(
    uri: str, version: str, service: Service
) -> None:
    open_key(uri, passphrase=nothing).sign(MESSAGE)
    assert service.asked == ["/v1/transit/keys/release", f"/v1/transit/sign/release {version}"]


def test_it_is_not_asked_to_sign_when_only_its_public_half_is_wanted(service: Service) -> None:
    _ = open_key(AMAZON, passphrase=nothing).public
    assert service.asked == ["GetPublicKey alias/release"]


@pytest.mark.parametrize("uri", [VAULT, AMAZON])
def test_what_it_refuses_is_told_without_secrets(uri: str, service: Service) -> None:
    service.refuses = f"no, not with Bearer {TOKEN}\nand never"
    error = refusal(uri)
    assert error.code == "key_service_failed"
    assert "no, not with" in error.message


@pytest.mark.parametrize("uri", [VAULT, AMAZON])
def test_a_service_that_is_away_is_told_of(
    uri: str, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("VAULT_ADDR", "AWS_ENDPOINT_URL_KMS"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    error = refusal(uri)
    assert error.code == "key_service_failed"
    assert "127.0.0.1:1" in error.message
    assert "ConnectionPool" not in error.message  # nobody's service, but a client's inside
    assert service.asked == []


@pytest.mark.parametrize(
    ("uri", "kind", "code"),
    [
        (VAULT, "p384", "unsupported_key_kind"),  # it would sign a SHA-256
        (VAULT, "rsa", "unsupported_key_kind"),
        (AMAZON, "rsa", "unsupported_key_kind"),
        ("hashivault:other", "p256", "key_service_failed"),
        ("hashivault:release/11", "p256", "key_service_failed"),
        ("hashivault:", "p256", "invalid_key_uri"),
        ("hashivault:a/b/c", "p256", "invalid_key_uri"),
        ("hashivault:release/new", "p256", "invalid_key_uri"),
        ("awskms:", "p256", "invalid_key_uri"),
        ("gcpkms:", "p256", "invalid_key_uri"),
        ("gcpkms:release", "p256", "invalid_key_uri"),
        ("hsm:two", "p256", "invalid_key_uri"),
        ("hsm:2?slot=1", "p256", "invalid_key_uri"),
        ("hsm://token/2", "p256", "invalid_key_uri"),
        ("unknown:key", "p256", "unknown_key_scheme"),
    ],
)
def test_what_cannot_be(uri: str, kind: str, code: str, service: Service) -> None:
    service.kind = kind
    assert refusal(uri).code == code


def test_no_credentials_no_key(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_TOKEN", "another")
    assert refusal(VAULT).code == "key_service_failed"
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    assert refusal(AMAZON).code == "key_service_failed"
    assert service.asked == ["/v1/transit/keys/release"]


class PinIncorrect(Exception):
    """What a token answers."""


class LockingToken:
    """Takes no PIN, and counts how often it was tried: many tokens lock at the third."""

    def __init__(self) -> None:
        self.tried = 0

    def sign(self, payload: bytes) -> Never:
        self.tried += 1
        raise PinIncorrect(f"not {payload!r}")


def test_a_wrong_pin_is_tried_once_however_many_targets_there_are() -> None:
    token = LockingToken()
    key = ServiceKey(
        uri="hsm:2",
        public=PublicKey(key_of("p256").public_key()),
        signer=cast("Signer", token),
        pin=Pin(nothing),
    )
    for _ in range(5):
        with pytest.raises(UsageError) as caught:
            key.sign(MESSAGE)
        assert caught.value.code == "pin_wrong"
    assert token.tried == 1


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_missing_library_names_its_extra(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(sys.modules):
        if name.startswith("securesystemslib.signer"):
            monkeypatch.delitem(sys.modules, name)
    for name in ("hvac", "boto3", "botocore", "pkcs11", "google.cloud", "azure.identity"):
        monkeypatch.setitem(sys.modules, name, None)
    uris = {
        "azurekms": "azurekms://v.vault.azure.net/keys/k",
        "gcpkms": "gcpkms:projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1",
    }
    error = refusal(uris.get(scheme, f"{scheme}:1"))
    assert error.code == "extra_missing"
    assert f"epack-attest[{scheme}]" in (error.hint or "")


@pytest.mark.parametrize(
    ("reference", "scheme"),
    [
        ("hsm:", "hsm"),
        ("AWSKMS:alias/x", "awskms"),
        ("x-y+z.1:rest", "x-y+z.1"),
        ("release.key", None),
        ("./hsm:2", None),
        ("C:\\keys\\release.key", None),
        ("C:/keys/release.key", None),
        ("", None),
    ],
)
def test_what_is_a_uri_and_what_a_path(reference: str, scheme: str | None) -> None:
    assert scheme_of(reference) == scheme


def test_a_file_that_is_called_like_a_uri_has_a_spelling(tmp_path: object) -> None:
    with pytest.raises(UsageError) as caught:
        open_key(f"{tmp_path}/hsm:2", passphrase=nothing)
    assert caught.value.code == "file_not_found"
