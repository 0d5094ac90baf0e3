"""A P-256 key by the hex of its point: 65 bytes that begin with 04, on the curve, or none."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from attest.errors import UsageError
from attest.keys import PublicKey
from attest.publickey import parse_sec1_hex
from tests.sei import second

PUBLIC = second.private_key("ours").public_key()
POINT = second.point(PUBLIC)
#: SP 800-186, section 3.2.1.3: the prime of P-256.
PRIME = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF


def test_a_point_is_its_key_in_either_case() -> None:
    for text in (POINT.hex(), POINT.hex().upper()):
        key = parse_sec1_hex(text)
        assert key == PublicKey(PUBLIC)
        assert key.point == POINT
        assert key.point_id is not None
        assert key.point_id.hex() == second.keyid(PUBLIC)
        assert key.is_p256


def encoded(form: serialization.PublicFormat, key: ec.EllipticCurvePublicKey = PUBLIC) -> bytes:
    return key.public_bytes(serialization.Encoding.X962, form)


COMPRESSED = encoded(serialization.PublicFormat.CompressedPoint)
OTHER_CURVES = [
    ec.generate_private_key(curve).public_key()
    for curve in (ec.SECP384R1(), ec.SECP521R1(), ec.SECP256K1())
]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "04",
        POINT.hex()[:-1],
        POINT.hex()[:-2],
        POINT.hex() + "00",
        "00" + POINT.hex(),
        "0x" + POINT.hex()[2:],
        " " + POINT.hex(),
        POINT.hex() + "\n",
        POINT.hex()[:64] + " " + POINT.hex()[65:],
        "g" + POINT.hex()[1:],
        "\uff10" + POINT.hex()[1:],
        COMPRESSED.hex(),
        # The hybrid form, and the compressed one with more behind it.
        ("06" if POINT[-1] % 2 == 0 else "07") + POINT.hex()[2:],
        COMPRESSED.hex() + "00" * 32,
        "05" + POINT.hex()[2:],
        "04" + "00" * 64,
        "04" + "ff" * 64,
        "04" + POINT.hex()[66:] + POINT.hex()[2:66],
        f"04{PRIME:064x}{POINT[33:].hex()}",
        "00" * 65,
        *(encoded(serialization.PublicFormat.UncompressedPoint, key).hex() for key in OTHER_CURVES),
        PublicKey(PUBLIC).spki.hex(),
        second.keyid(PUBLIC),
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_sec1_hex(text, where="--pubkey")
    assert caught.value.code == "invalid_key"
    assert caught.value.where == "--pubkey"


def test_a_private_scalar_given_by_mistake_is_not_repeated() -> None:
    scalar = f"{second.scalar_of('ours'):064x}"
    with pytest.raises(UsageError) as caught:
        parse_sec1_hex(scalar)
    assert scalar not in f"{caught.value} {caught.value.hint} {caught.value.__dict__}"


@pytest.mark.parametrize(
    "data", [b"", b"\x04", POINT[:-1], POINT + b"\x00", COMPRESSED, b"\x05" + POINT[1:]]
)
def test_a_key_is_made_of_an_uncompressed_point_alone(data: bytes) -> None:
    with pytest.raises(ValueError, match="not 65 bytes that begin with 04"):
        PublicKey.from_point(data)


@given(st.binary(min_size=65, max_size=65).map(lambda data: b"\x04" + data[1:]))
def test_a_random_point_is_not_on_the_curve(data: bytes) -> None:
    with pytest.raises(UsageError):
        parse_sec1_hex(data.hex())


@pytest.mark.parametrize("key", OTHER_CURVES[:2])
def test_other_curves_have_points_and_are_not_p256(key: ec.EllipticCurvePublicKey) -> None:
    public = PublicKey(key)
    assert public.point == encoded(serialization.PublicFormat.UncompressedPoint, key)
    assert not public.is_p256
