"""Keys whose private half anybody has: what they sign is whole, and signed by nobody."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class DeniedKey:
    """A P-256 key: SHA-256 of its SPKI and of its point, and the point's x coordinate, in hex."""

    key_id: str
    point_id: str
    x: str
    what: str


#: A short list of keys that are published and in use, not one of all weak keys, which has no end.
DENIED_KEYS: tuple[DeniedKey, ...] = (
    DeniedKey(
        key_id="1bdde41accd8a491e858b5d39be360deb05439d8f7315b805f9ea656760ae541",
        point_id="a554fddf8ad3c50e10f45b64448e4bc1df3d1386e6fdb12f5c15a6170d903bbc",
        x="8e6cf60da9cc6b51609664aa66a6e6f5505c893208eb8c3cee1cfe117df341f4",
        what="the development key, with which `attest sei` signs where no key is configured",
    ),
    DeniedKey(
        key_id="5cd252fb0ce8932436faf8ccd1040981b89ee4ad6b9fe9e2a2b7e71aacb27cd3",
        point_id="698bea63dc44a344663ff1429aea10842df27b6b991ef25866b2c6c02cdcc5be",
        x="6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
        what="the key of the scalar 1, the first that anybody writes to try something out",
    ),
    DeniedKey(
        key_id="5a7a78cca4a0f420d9bc62bb669c3c2759e39f723d3ae10dcbe0f0815a07ecd4",
        point_id="b18b86ce1389e46de87aa4a5131ce83c1160fa33c087ab15b863574d31d8ff3c",
        x="60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6",
        what="the key of RFC 6979, section A.2.5, which examples and tests use",
    ),
)
_COORDINATES = tuple(bytes.fromhex(key.x) for key in DENIED_KEYS)
_BY_ID = {name: key for key in DENIED_KEYS for name in (key.key_id, key.point_id)}


def denied_key(key_id: str) -> DeniedKey | None:
    """The entry of a key; None for keys that may count.

    Args:
        key_id: SHA-256 of its SPKI or of its uncompressed point, in lowercase hex.
    """
    return _BY_ID.get(key_id)


def certifies_denied_key(certificate: bytes) -> bool:
    """Whether a certificate (DER) is one of such a key.

    Its key holds the point as it is, and nothing else in a certificate has 32 bytes in common with
    one: so it need not be parsed for each signature that is judged.
    """
    return any(coordinate in certificate for coordinate in _COORDINATES)
