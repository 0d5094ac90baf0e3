"""A public key as PEM, or as the hex of its point, read strictly: one clear error for all else."""

from __future__ import annotations

import re
from base64 import b64decode
from pathlib import Path

from attest.errors import UsageError
from attest.files import read_file
from attest.keys import PublicKey, UnsupportedKeyError

#: A 4096-bit RSA key has 800 bytes of PEM.
_MAX_BYTES = 65_536
_LABELS = re.compile(r"-----BEGIN ([^\n-]*)-----")
_POINT_HEX = re.compile(r"[0-9A-Fa-f]{130}")
_BEGIN, _END = "-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----"


def load_public_key(path: Path | str) -> PublicKey:
    """Load the one public key in a PEM file.

    Raises:
        UsageError: `file_not_found`, `unreadable_file`, a code of `parse_public_key`.
    """
    return parse_public_key(read_file(path, limit=_MAX_BYTES), where=str(path))


def parse_public_key(data: bytes, *, where: str = "key") -> PublicKey:
    """Read the one public key in a PEM text (SubjectPublicKeyInfo).

    Args:
        data: the text.
        where: name of its source, for errors.

    Raises:
        UsageError: `private_key_given`, `certificate_given`, `several_keys`, `invalid_key`,
            `unsupported_key_kind`.

    Source: RFC 7468, section 13; sigstore/architecture-docs, algorithm-registry.md.
    """
    if len(data) > _MAX_BYTES:
        raise _invalid(f"is larger than {_MAX_BYTES} bytes", where)
    text = data.decode("utf-8", errors="replace")
    labels = _LABELS.findall(text)
    _refuse_others(labels, where)
    block = text.strip()
    if not (block.startswith(_BEGIN) and block.endswith(_END)):
        found = f"is PEM of {labels[0]!r}" if labels else "is not PEM"
        raise _invalid(f"{found}, not one block of PUBLIC KEY and nothing else", where)
    body = "".join(block.removeprefix(_BEGIN).removesuffix(_END).split())
    try:
        return PublicKey.from_der(b64decode(body, validate=True))
    except UnsupportedKeyError:
        raise UsageError(
            "unsupported_key_kind",
            "is of a kind that Sigstore does not use",
            where=where,
            hint="use ECDSA P-256, P-384 or P-521, Ed25519, or RSA of 2048, 3072 or 4096 bits",
        ) from None
    except ValueError:
        raise _invalid("holds no public key", where) from None


def is_sec1_hex(text: str) -> bool:
    """Whether a text has the form of a P-256 key's uncompressed point in hex."""
    return bool(_POINT_HEX.fullmatch(text))


def parse_sec1_hex(text: str, *, where: str = "key") -> PublicKey:
    """Read a P-256 key from the hex of its uncompressed point (SEC 1), as `.sei` users register it.

    Args:
        text: 130 hex digits, in either case.
        where: name of its source, for errors.

    Raises:
        UsageError: `invalid_key`. The text is not repeated: it might be a private scalar.

    Source: "The .sei/* artefacts", `sei pubkey`; SEC 1, section 2.3.3.
    """
    if not is_sec1_hex(text):
        raise _invalid_point(f"is not 130 hex digits but {len(text)} characters", where)
    if not text.startswith("04"):
        raise _invalid_point("does not begin with 04, as an uncompressed point does", where)
    try:
        return PublicKey.from_point(bytes.fromhex(text))
    except ValueError:
        raise _invalid_point("is no point of the curve P-256", where) from None


def _invalid_point(message: str, where: str) -> UsageError:
    return UsageError(
        "invalid_key",
        message,
        where=where,
        hint="give the 130 hex digits that `attest sei pubkey` prints, of the uncompressed point",
    )


def _refuse_others(labels: list[str], where: str) -> None:
    """Refuse what is PEM and yet not one public key, by the labels of its blocks."""
    for label in labels:
        if label.endswith("PRIVATE KEY"):
            kind = "an encrypted private key" if "ENCRYPTED" in label else "a private key"
            raise UsageError(
                "private_key_given",
                f"holds {kind}, where a public one is needed; it was not used",
                where=where,
                hint="give its public half, and keep this file to yourself",
            )
        if "CERTIFICATE" in label:
            raise UsageError(
                "certificate_given",
                "holds a certificate, not a public key",
                where=where,
                hint="its signers are named by --identity and --issuer",
            )
    if len(labels) > 1:
        raise UsageError(
            "several_keys",
            f"holds {len(labels)} keys",
            where=where,
            hint="give each key in a file of its own",
        )


def _invalid(message: str, where: str) -> UsageError:
    return UsageError(
        "invalid_key",
        message,
        where=where,
        hint="a public key begins with -----BEGIN PUBLIC KEY-----",
    )
