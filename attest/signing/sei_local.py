"""A `.sei` key from its scalar in the environment, and the development key where there is none."""

from __future__ import annotations

import re
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric import ec

from attest.errors import UsageError
from attest.signing.keyfile import FileKey

SCALAR_VARIABLE = "SEI_SIGNING_KEY"
#: No secret: SHA-256 of "attest: the development key for .sei artefacts, which is no secret".
DEVELOPMENT_SCALAR = "8085442ba1ad5d15b163dd4f77b4c6ad13a3ab4b1ccab136ba0e0c41713811e5"
#: The order n of P-256's group (SP 800-186, section 3.2.1.3).
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_DIGITS = re.compile(r"[0-9A-Fa-f]*")
_LENGTH = 64


def open_local_key(environ: Mapping[str, str]) -> FileKey:
    """The key of the scalar in `SEI_SIGNING_KEY`; the development key where that is not set.

    Args:
        environ: the environment.

    Raises:
        UsageError: `invalid_scalar`, `deterministic_signing_unavailable`.
    """
    return FileKey(parse_scalar(environ.get(SCALAR_VARIABLE, DEVELOPMENT_SCALAR)))


def parse_scalar(text: str) -> ec.EllipticCurvePrivateKey:
    """The P-256 key of a scalar.

    Args:
        text: 32 bytes in hex, big-endian; no error shows it.

    Raises:
        UsageError: `invalid_scalar`.

    Source: SEC 1, section 3.2.1: a private key is a number from 1 to n-1.
    """
    if not text:
        raise _invalid("is set, and empty")
    if not _DIGITS.fullmatch(text):
        raise _invalid("has other characters than hex digits")
    if len(text) != _LENGTH:
        half = "" if len(text) % 2 == 0 else " and a half"
        raise _invalid(f"has {len(text)} hex digits ({len(text) // 2}{half} bytes), not {_LENGTH}")
    scalar = int(text, 16)
    if scalar == 0:
        raise _invalid("is zero, which is no private key")
    if scalar >= _ORDER:
        raise _invalid("is not below the order of P-256, so that it is no private key")
    return ec.derive_private_key(scalar, ec.SECP256R1())


def _invalid(message: str) -> UsageError:
    return UsageError(
        "invalid_scalar",
        message,
        where=SCALAR_VARIABLE,
        hint="give 32 random bytes as 64 hex digits, as from openssl rand -hex 32; to sign with the"
        " development key, leave the variable out altogether",
    )
