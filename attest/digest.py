"""Streaming hashes of files, and the digests that name evidence."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import BinaryIO, Literal, TypeAlias

from attest.errors import UsageError

Algorithm: TypeAlias = Literal["sha256", "sha384", "sha512"]

SIZES: dict[Algorithm, int] = {"sha256": 32, "sha384": 48, "sha512": 64}

_CHUNK = 1_048_576
_TARGET = re.compile(r"(sha256|sha512):([0-9a-f]+)")
#: What only somebody who means a digest writes.
_MEANT = re.compile(r"(?i)(?:sha|md)[0-9-]+:[0-9a-f]*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Digests:
    """What is known of one content: raw digests by algorithm, None where it was not computed."""

    sha256: bytes | None = None
    sha384: bytes | None = None
    sha512: bytes | None = None

    def __call__(self, algorithm: Algorithm) -> bytes | None:
        """The raw digest by an algorithm, if known."""
        return {"sha256": self.sha256, "sha384": self.sha384, "sha512": self.sha512}[algorithm]

    def hex(self) -> dict[str, str]:
        """Every known digest as lowercase hex, by algorithm name."""
        return {name: value.hex() for name in SIZES if (value := self(name)) is not None}


def digest_of_stream(stream: BinaryIO, algorithm: Algorithm) -> bytes:
    """The raw digest of a stream, read from where it stands to its end in bounded memory."""
    hasher = hashlib.new(algorithm)
    while chunk := stream.read(_CHUNK):
        hasher.update(chunk)
    return hasher.digest()


def parse_target(text: str) -> Digests | None:
    """Read `sha256:HEX` or `sha512:HEX`; None if the text is not of that form.

    Raises:
        UsageError: `invalid_digest` if it starts like a digest and is not one.
    """
    match = _TARGET.fullmatch(text)
    if match is None:
        if text.startswith(("sha256:", "sha512:")) or _MEANT.fullmatch(text):
            raise _no_digest(text, "is not a digest that can be looked for")
        return None
    name, digits = match.groups()
    if len(digits) != (64 if name == "sha256" else 128):
        expected = 64 if name == "sha256" else 128
        raise _no_digest(text, f"has {len(digits)} hex digits where {name} has {expected}")
    value = bytes.fromhex(digits)
    return Digests(sha256=value) if name == "sha256" else Digests(sha512=value)


def _no_digest(text: str, message: str) -> UsageError:
    return UsageError(
        "invalid_digest",
        message,
        where=text[:80],
        hint="write sha256: or sha512: and the digest in lowercase hex",
    )
