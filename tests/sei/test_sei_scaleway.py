"""Scaleway's Key Manager: asked as documented, believed only once verified, its secret untold."""

from __future__ import annotations

import hashlib
import logging
import traceback
from base64 import b64encode
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from attest.errors import AttestError, SigningError
from attest.keys import PublicKey
from attest.signing.scaleway import read_location
from attest.signing.sei_backend import open_backend
from attest.signing.transport import Patience
from tests.sei.key_manager import (
    KEY_ID,
    REGION,
    SECRET,
    KeyManager,
    answering,
    failing,
    running,
)

MESSAGE = b"what is signed"
IMPATIENT = Patience(attempts=3, pause_seconds=0.01, total_seconds=20)


@pytest.fixture
def service() -> Iterator[KeyManager]:
    with running(KeyManager()) as found:
        yield found


def sign(service: KeyManager, patience: Patience = IMPATIENT, **changes: str) -> bytes:
    with open_backend({**service.environ, **changes}, patience=patience) as opened:
        assert opened.warning is None
        return opened.key.sign(MESSAGE)


def refusal(service: KeyManager, patience: Patience = IMPATIENT, **changes: str) -> AttestError:
    """The error, in which the secret is nowhere."""
    with pytest.raises(AttestError) as raised:
        sign(service, patience, **changes)
    error = raised.value
    assert error.exit_code == 2
    told = f"{error} {error!r} {error.hint} {error.where}"
    assert "\n" not in told
    # Nor is its beginning, where a text was cut in the middle of it.
    assert SECRET[:8] not in told + "".join(traceback.format_exception(error))
    return error


def test_what_it_signs_verifies_and_only_the_digest_is_sent(service: KeyManager) -> None:
    # The service itself refuses whatever is not one member with 32 bytes.
    with open_backend(service.environ, patience=IMPATIENT) as opened:
        assert opened.key.public == PublicKey(service.key.public_key())
        assert opened.key.takes_digests
        for message in (MESSAGE, b"", b"x" * 100_000):
            digest = hashlib.sha256(message).digest()
            opened.key.public.verify(opened.key.sign(message), message)
            opened.key.public.verify_digest(opened.key.sign_digest(digest), digest)
    assert service.asked == ["public-key", *["sign"] * 6]


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_may_pass_is_asked_again(service: KeyManager, status: int) -> None:
    service.meddling = failing(status, times=2)
    sign(service)
    assert service.signing_requests == 3


def test_a_connection_that_is_cut_is_asked_again(service: KeyManager) -> None:
    service.cuts = 2
    sign(service)
    assert service.signing_requests == 3


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_does_not_pass_ends_in_an_error(service: KeyManager, status: int) -> None:
    service.meddling = failing(status, said={"message": "too many of you"})
    error = refusal(service)
    assert error.code == "key_service_failed"
    assert str(status) in error.message
    assert "too many of you" in error.message
    assert service.signing_requests == IMPATIENT.attempts


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 418, 201, 204, 302])
def test_what_will_not_pass_is_asked_once(service: KeyManager, status: int) -> None:
    service.meddling = failing(status, said=b"" if status == 204 else {"message": "no"})
    error = refusal(service)
    assert error.code == "key_service_failed"
    assert str(status) in error.message
    assert service.signing_requests == 1


def test_a_pause_that_it_asks_for_is_kept(service: KeyManager) -> None:
    def meddle(action: str) -> tuple[int, dict[str, str], object] | None:
        return (429, {"Retry-After": "3600"}, {"message": "wait"}) if action == "sign" else None

    service.meddling = meddle
    error = refusal(service)
    assert "3600 seconds" in error.message
    assert service.signing_requests == 1  # it would be longer than patience lasts


def test_one_that_is_cut_for_ever_is_unreachable(service: KeyManager) -> None:
    service.cuts = 100
    assert refusal(service).code == "unexpected_answer"
    assert service.signing_requests == IMPATIENT.attempts


def test_one_that_is_slow_is_unreachable(service: KeyManager) -> None:
    service.slow = 1.5
    error = refusal(service, Patience(attempts=2, pause_seconds=0.01, total_seconds=0.4))
    assert error.code == "network_unreachable"


def test_one_that_is_not_there_is_unreachable() -> None:
    with running(KeyManager()) as gone:
        pass
    error = refusal(gone)
    assert error.code == "network_unreachable"
    assert "SCW_API_URL" in (error.hint or "")


def test_a_signature_by_another_key_is_not_used(service: KeyManager) -> None:
    service.signs_with = ec.generate_private_key(ec.SECP256R1())
    assert refusal(service).code == "key_signature_invalid"


def test_a_signature_over_another_message_is_not_used(service: KeyManager) -> None:
    _, _, document = service.answer(
        f"/key-manager/v1alpha1/regions/{REGION}/keys/{KEY_ID}/sign",
        SECRET,
        b'{"digest": "' + b64encode(bytes(32)) + b'"}',
    )
    service.meddling = answering("sign", document)
    assert refusal(service).code == "key_signature_invalid"


def test_no_byte_of_a_signature_can_be_another(service: KeyManager) -> None:
    with open_backend(service.environ, patience=IMPATIENT) as opened:
        good = opened.key.sign(MESSAGE)
        for at in range(len(good)):
            for flip in (0x01, 0x80):
                changed = bytes([*good[:at], good[at] ^ flip, *good[at + 1 :]])
                answer = {"signature": b64encode(changed).decode()}
                service.meddling = answering("sign", answer)
                with pytest.raises(SigningError) as raised:
                    opened.key.sign(MESSAGE)
                assert raised.value.code in ("key_signature_invalid", "key_signature_malformed")


GOOD = encode_dss_signature(7, 9)


@pytest.mark.parametrize(
    "signature",
    [
        b"\x30\x00",
        b"\x30",
        GOOD[:-1],
        GOOD + b"\x00",
        b"\x31" + GOOD[1:],
        b"\x30\x81\x06" + GOOD[2:],  # a length in more bytes than it needs
        b"\x30\x80" + GOOD[2:] + b"\x00\x00",  # one that is not told
        bytes.fromhex("3007020200070201 09".replace(" ", "")),  # a zero before r
        bytes.fromhex("3006020187020109"),  # a negative r
        bytes.fromhex("3009020107020109020101"),  # a third number
        b"\x01" * 64,  # r and s themselves
        b"MEUCIQ",  # base64 twice
    ],
)
def test_a_signature_that_is_not_der_has_its_own_code(
    service: KeyManager, signature: bytes
) -> None:
    service.meddling = answering("sign", {"signature": b64encode(signature).decode()})
    assert refusal(service).code == "key_signature_malformed"


@pytest.mark.parametrize(("r", "s"), [(0, 9), (7, 0), (0, 0), (2**256 - 1, 9), (7, 2**300)])
def test_numbers_that_no_signature_has_do_not_verify(service: KeyManager, r: int, s: int) -> None:
    signature = b64encode(encode_dss_signature(r, s)).decode()
    service.meddling = answering("sign", {"signature": signature})
    assert refusal(service).code == "key_signature_invalid"


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<html>gateway</html>",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b"[]",
        b"{}",
        b'{"signature": null}',
        b'{"signature": ""}',
        b'{"signature": 7}',
        b'{"signature": "***"}',
        b'{"signature": "AAA_"}',
        b'{"signature": "AAAA", "signature": "AAAA"}',
        b"[" * 10_000,
    ],
)
def test_an_answer_of_another_form_is_a_failure(service: KeyManager, document: bytes) -> None:
    service.meddling = answering("sign", document)
    assert refusal(service).code == "key_service_failed"
    assert service.signing_requests == 1


def spki(key: PublicKey | object) -> str:
    assert isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


KINDS = {
    "p384": ec.generate_private_key(ec.SECP384R1()).public_key(),
    "p521": ec.generate_private_key(ec.SECP521R1()).public_key(),
    "secp256k1": ec.generate_private_key(ec.SECP256K1()).public_key(),
    "rsa": rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key(),
    "ed25519": ed25519.Ed25519PrivateKey.generate().public_key(),
}


@pytest.mark.parametrize("key", KINDS.values(), ids=KINDS.keys())
def test_a_key_of_another_kind_signs_nothing(service: KeyManager, key: object) -> None:
    service.meddling = answering("public-key", {"pem": spki(key)})
    assert refusal(service).code == "unsupported_key_kind"
    assert service.signing_requests == 0


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"pem": None},
        {"pem": ""},
        {"pem": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"},
        {"pem": "\ud800"},
        {
            "pem": ec.generate_private_key(ec.SECP256R1())
            .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            .decode()
        },
    ],
)
def test_a_public_key_that_is_none_is_a_failure(
    service: KeyManager, document: dict[str, object]
) -> None:
    service.meddling = answering("public-key", document)
    assert refusal(service).code == "key_service_failed"
    assert service.signing_requests == 0


def test_an_unknown_key_is_told_with_where_to_look(service: KeyManager) -> None:
    error = refusal(service, SEI_SCALEWAY_KEY_ID="99999999-2222-3333-4444-555555555555")
    assert error.code == "key_service_failed"
    assert "SEI_SCALEWAY_KEY_ID" in (error.hint or "")


@pytest.mark.parametrize(
    "said",
    [
        {"message": f"token {SECRET} is unknown"},
        {"error": f"X-Auth-Token: {SECRET}"},
        {"message": f"bearer {SECRET}"},
        {"message": "x" * 280 + SECRET},
        f'{{"{SECRET}": 1, "{SECRET}": 2}}'.encode(),
        f"<html>{SECRET}</html>".encode(),
    ],
)
@pytest.mark.parametrize("status", [200, 400, 403, 404, 500])
def test_a_secret_that_it_repeats_is_not_told(
    service: KeyManager, status: int, said: object, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    service.meddling = answering("sign", said, status)
    refusal(service, Patience(attempts=1))  # which looks for the secret
    assert SECRET not in caplog.text
    assert SECRET[:12] not in caplog.text


def test_no_text_of_an_object_has_the_secret(service: KeyManager) -> None:
    location = read_location(service.environ)
    assert SECRET not in f"{location!r} {location}"
    with open_backend(service.environ) as opened:
        assert SECRET not in f"{opened!r} {opened.key!r}"


def test_a_redirect_does_not_get_the_secret(service: KeyManager) -> None:
    with running(KeyManager()) as elsewhere:
        target = f"{elsewhere.url}/key-manager/v1alpha1/regions/{REGION}/keys/{KEY_ID}/sign"

        def meddle(action: str) -> tuple[int, dict[str, str], object] | None:
            return (307, {"Location": target}, {}) if action == "sign" else None

        service.meddling = meddle
        assert refusal(service).code == "key_service_failed"
        assert elsewhere.asked == []
