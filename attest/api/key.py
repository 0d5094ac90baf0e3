"""Keys of one's own: made, imported, opened for signing, and named by their ids."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from attest.atomic import write_new
from attest.errors import UsageError
from attest.files import read_file
from attest.keys import PublicKey
from attest.publickey import parse_public_key
from attest.signing.cosign_key import decrypt_cosign_key, is_cosign_key
from attest.signing.keyed import SigningKey
from attest.signing.keyfile import (
    KINDS,
    MAX_BYTES,
    FileKey,
    KeyKind,
    Passphrase,
    PrivateKey,
    encode_private_key,
    is_encrypted,
    new_key,
    parse_private_key,
)
from attest.signing.kms import open_service_key, scheme_of

__all__ = [
    "KINDS",
    "KeyKind",
    "Passphrase",
    "PublicKey",
    "SigningKey",
    "generate_key",
    "import_key",
    "is_key_encrypted",
    "is_shared",
    "open_key",
    "public_key_of",
    "public_path",
    "scheme_of",
]


def generate_key(
    out: str | os.PathLike[str], *, kind: KeyKind = "p256", passphrase: Passphrase | None
) -> PublicKey:
    """Make a key: PKCS#8 in `out`, for nobody else to read, and its public half in `out.pub`.

    Args:
        out: the file to make; neither it nor `out.pub` may exist.
        kind: which curve.
        passphrase: encrypts it; None leaves it readable for whoever has the file.

    Raises:
        UsageError: `file_exists`, `unwritable_file`, `passphrase_empty`, and those of
            `passphrase`.
    """
    path = Path(out)
    _require_free(path)
    return _write(new_key(kind), path, None if passphrase is None else passphrase())


def import_key(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    passphrase: Passphrase,
    new_passphrase: Passphrase | None,
) -> PublicKey:
    """Make a key file, as `generate_key` does, of a key that exists.

    Args:
        source: PEM: a key as cosign encrypts it, PKCS#8, or SEC 1.
        out: the file to make; neither it nor `out.pub` may exist.
        passphrase: opens `source` if it is encrypted.
        new_passphrase: encrypts `out`; None leaves it readable for whoever has the file.

    Raises:
        UsageError: those of `generate_key`, `parse_private_key` and `decrypt_cosign_key`.
    """
    path = Path(out)
    _require_free(path)
    data, where = read_file(os.fspath(source), limit=MAX_BYTES), os.fspath(source)
    key = (
        decrypt_cosign_key(data, passphrase, where=where)
        if is_cosign_key(data)
        else parse_private_key(data, passphrase, where=where)
    )
    return _write(key, path, None if new_passphrase is None else new_passphrase())


def open_key(reference: str, *, passphrase: Passphrase) -> SigningKey:
    """Open a key to sign with.

    Args:
        reference: the path of a key file, or the URI of a key in a token or service.
        passphrase: opens an encrypted file; of a token it is the PIN.

    Raises:
        UsageError: those of `parse_private_key` and `open_service_key`;
            `deterministic_signing_unavailable`.
        SigningError: `key_service_failed`.
    """
    if scheme_of(reference) is not None:
        return open_service_key(reference, passphrase)
    data = read_file(reference, limit=MAX_BYTES)
    return FileKey(parse_private_key(data, passphrase, where=reference))


def public_key_of(reference: str, *, passphrase: Passphrase) -> PublicKey:
    """The public half of a key.

    Args:
        reference: as for `open_key`, or a file that holds the public key itself.
        passphrase: as for `open_key`.

    Raises:
        UsageError, SigningError: as for `open_key` and `parse_public_key`.
    """
    if scheme_of(reference) is not None:
        return open_service_key(reference, passphrase).public
    data = read_file(reference, limit=MAX_BYTES)
    if b"-----BEGIN PUBLIC KEY-----" in data:
        return parse_public_key(data, where=reference)
    return PublicKey(parse_private_key(data, passphrase, where=reference).public_key())


def public_path(out: str | os.PathLike[str]) -> Path:
    """Where the public half of a key file is written."""
    return Path(f"{os.fspath(out)}.pub")


def is_shared(path: str | os.PathLike[str]) -> bool:
    """Whether other users of the machine may read or write a file, as far as can be told."""
    if os.name == "nt":  # what a mode says there is not who may read
        return False
    with suppress(OSError):
        return bool(stat.S_IMODE(Path(path).stat().st_mode) & 0o077)
    return False


def is_key_encrypted(source: str | os.PathLike[str]) -> bool:
    """Whether a file holds a key that a passphrase opens.

    Raises:
        UsageError: `file_not_found`, `unreadable_file`.
    """
    data = read_file(os.fspath(source), limit=MAX_BYTES)
    return is_cosign_key(data) or is_encrypted(data)


def _require_free(path: Path) -> None:
    """Refuse a taken name before a passphrase is asked for; writing refuses it again."""
    for name in (path, public_path(path)):
        if os.path.lexists(name):
            raise UsageError(
                "file_exists",
                "the file exists already, and a key is never overwritten",
                where=str(name),
                hint="choose another name, or move it away",
            )


def _write(key: PrivateKey, path: Path, passphrase: bytes | None) -> PublicKey:
    public = PublicKey(key.public_key())
    write_new(path, encode_private_key(key, passphrase), mode=0o600)
    try:
        write_new(public_path(path), public.pem)
    except BaseException:
        path.unlink(missing_ok=True)  # a key that nobody has used yet
        raise
    return public
