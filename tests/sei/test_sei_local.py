"""A scalar in the environment becomes the key that it is, or a clear error that never shows it."""

from __future__ import annotations

import hashlib
import traceback

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from attest.errors import UsageError
from attest.signing.sei_local import DEVELOPMENT_SCALAR, open_local_key, parse_scalar

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
#: RFC 6979, section A.2.5: the private key, its point, and its signatures with SHA-256.
RFC_6979 = "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721"
POINT = (
    "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
)
SIGNATURES = {
    "sample": (
        0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716,
        0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8,
    ),
    "test": (
        0xF1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367,
        0x019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083,
    ),
}


@pytest.mark.parametrize("spelling", [RFC_6979, RFC_6979.lower()])
@pytest.mark.parametrize("message", SIGNATURES)
def test_a_scalar_signs_as_rfc_6979_says(message: str, spelling: str) -> None:
    key = open_local_key({"SEI_SIGNING_KEY": spelling})
    point = key.public.point
    assert point is not None
    assert point.hex() == POINT
    expected = encode_dss_signature(*SIGNATURES[message])
    assert key.sign(message.encode()) == expected
    assert key.sign_digest(hashlib.sha256(message.encode()).digest()) == expected


@pytest.mark.parametrize("scalar", [1, 2, ORDER - 1])
def test_every_number_in_the_range_is_a_key(scalar: int) -> None:
    assert parse_scalar(f"{scalar:064x}").private_numbers().private_value == scalar


BAD = {
    "zero": "0" * 64,
    "the order": f"{ORDER:064x}",
    "above the order": "f" * 64,
    "odd": RFC_6979[:-1],
    "odd and longer": RFC_6979 + "1",
    "31 bytes": RFC_6979[:-2],
    "33 bytes": RFC_6979 + "00",
    "33 bytes, the first zero": "00" + RFC_6979,
    "0x": "0x" + RFC_6979,
    "0x in the length": "0x" + RFC_6979[2:],
    "colons": ":".join(RFC_6979[at : at + 2] for at in range(0, 64, 2)),
    "no hex": "g" + RFC_6979[1:],
    "digits of another script": "\u0663" + RFC_6979[1:],
    "underscores": RFC_6979[:31] + "__" + RFC_6979[33:],
    "a sign": "+" + RFC_6979[1:],
    "a newline": RFC_6979 + "\n",
    "a newline in the length": RFC_6979[:-1] + "\n",
    "spaces": f" {RFC_6979} ",
    "a public key": POINT,
    "PEM": "-----BEGIN PRIVATE KEY-----\nMIGH",
    "half a character": "\udc80" + RFC_6979[1:],
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_what_is_no_scalar_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(UsageError) as raised:
        open_local_key({"SEI_SIGNING_KEY": text})
    error = raised.value
    assert (error.code, error.where) == ("invalid_scalar", "SEI_SIGNING_KEY")
    shown = f"{error} {error.hint} {error!r} {''.join(traceback.format_exception(error))}"
    if text != "0" * 64:
        assert text.strip() not in shown
        assert RFC_6979[8:24] not in shown


def test_a_key_that_is_set_and_empty_is_not_taken_for_none() -> None:
    # A CI system makes an empty variable of a secret that is missing.
    with pytest.raises(UsageError) as raised:
        open_local_key({"SEI_SIGNING_KEY": ""})
    assert raised.value.code == "invalid_scalar"


def code_of(text: str) -> str | None:
    try:
        key = parse_scalar(text)
    except UsageError as error:
        return error.code
    return None if f"{key.private_numbers().private_value:064x}" == text.lower() else "another key"


@given(st.text() | st.text("0123456789abcdefABCDEF", min_size=60, max_size=68))
def test_any_text_is_a_key_or_that_error(text: str) -> None:
    assert code_of(text) in (None, "invalid_scalar")


def test_the_development_scalar_is_what_its_sentence_says() -> None:
    sentence = b"attest: the development key for .sei artefacts, which is no secret"
    assert hashlib.sha256(sentence).hexdigest() == DEVELOPMENT_SCALAR
    assert open_local_key({}).public == open_local_key(
        {"SEI_SIGNING_KEY": DEVELOPMENT_SCALAR}
    ).public  # fmt: skip


def test_a_key_does_not_show_its_scalar() -> None:
    key = open_local_key({"SEI_SIGNING_KEY": RFC_6979})
    assert RFC_6979.lower() not in repr(key).lower()
    assert str(int(RFC_6979, 16)) not in repr(key)
