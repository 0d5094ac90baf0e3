"""Keys as `cosign` encrypts them: scrypt and secretbox in a JSON text in PEM."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from attest.errors import MalformedEvidence, UsageError
from attest.signing.keyfile import (
    COSIGN_LABELS,
    Passphrase,
    PrivateKey,
    from_pkcs8,
    invalid_private_key,
    only_label,
)
from attest.strictjson import Members, loads

_KEY_BYTES = 32
_NONCE_BYTES = 24
#: cosign writes 65536, its older releases 32768; r = 8 and p = 1 in all of them.
_N_RANGE = range(2**14, 2**18 + 1)
_R, _P_RANGE = 8, range(1, 5)
_SALT_RANGE = range(16, 65)
_CODE = "invalid_private_key"


def is_cosign_key(data: bytes) -> bool:
    """Whether a text claims to be one."""
    return any(f"-----BEGIN {label}-----".encode() in data for label in COSIGN_LABELS)


def decrypt_cosign_key(data: bytes, passphrase: Passphrase, *, where: str) -> PrivateKey:
    """Decrypt a key.

    Args:
        data: the PEM text.
        passphrase: asked once its parameters are known to be sane; may give an empty one.
        where: name of its source, for errors.

    Raises:
        UsageError: `extra_missing`, `invalid_private_key`, `passphrase_wrong`,
            `unsupported_key_encryption`, `unsupported_key_kind`, and those of `passphrase`.

    Source: secure-systems-lab/go-securesystemslib, encrypted/encrypted.go; sigstore/cosign,
        pkg/cosign/keys.go.
    """
    try:
        from nacl.exceptions import CryptoError
        from nacl.secret import SecretBox
    except ImportError:
        raise UsageError(
            "extra_missing",
            "keys of cosign are decrypted by PyNaCl, which is not installed",
            where=where,
            hint="install it: python -m pip install 'epack-attest[cosign]'",
        ) from None
    try:
        box = _Box.parse(_body(data, where))
    except MalformedEvidence as error:
        place = f"{error.where}: " if error.where else ""
        raise invalid_private_key(f"is no key of cosign: {place}{error.message}", where) from None
    box.require_sane(where)
    kdf = Scrypt(salt=box.salt, length=_KEY_BYTES, n=box.n, r=box.r, p=box.p)
    try:
        plain = SecretBox(kdf.derive(passphrase())).decrypt(box.ciphertext, box.nonce)
    except CryptoError:
        raise UsageError(
            "passphrase_wrong",
            "does not open with this passphrase",
            where=where,
            hint="check the passphrase, and that the file is whole",
        ) from None
    return from_pkcs8(plain, where=where)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Box:
    """The members of the JSON text; nothing of it is secret without the passphrase."""

    kdf: str
    n: int
    r: int
    p: int
    salt: bytes
    cipher: str
    nonce: bytes
    ciphertext: bytes

    @classmethod
    def parse(cls, data: bytes) -> _Box:
        members = Members(loads(data, where="key"), where="key", code=_CODE)
        kdf, cipher = members.members("kdf"), members.members("cipher")
        params = kdf.members("params")
        box = cls(
            kdf=kdf.string("name"),
            n=params.int64("N"),
            r=params.int64("r"),
            p=params.int64("p"),
            salt=kdf.base64("salt"),
            cipher=cipher.string("name"),
            nonce=cipher.base64("nonce"),
            ciphertext=members.base64("ciphertext"),
        )
        for each in (params, kdf, cipher, members):
            each.no_others()
        return box

    def require_sane(self, where: str) -> None:
        """Refuse what cosign does not write, and what would take the machine's memory."""
        odd = None
        if (self.kdf, self.cipher) != ("scrypt", "nacl/secretbox"):
            odd = f"by {self.kdf!r} and {self.cipher!r}, not by scrypt and nacl/secretbox"
        elif self.n not in _N_RANGE or self.n & (self.n - 1):
            odd = f"with N = {self.n} in scrypt, no power of 2 from 16384 to 262144"
        elif self.r != _R or self.p not in _P_RANGE:
            odd = f"with r = {self.r} and p = {self.p} in scrypt, not r = 8 and p of 1 to 4"
        elif len(self.salt) not in _SALT_RANGE or len(self.nonce) != _NONCE_BYTES:
            odd = "with a salt or nonce of another length than cosign's"
        if odd is not None:
            raise UsageError(
                "unsupported_key_encryption",
                f"is encrypted {odd}",
                where=where,
                hint="import a key as cosign generate-key-pair writes it",
            )


def _body(data: bytes, where: str) -> bytes:
    label = only_label(data, where)
    text = data.strip().decode("utf-8", errors="replace")
    body = text.removeprefix(f"-----BEGIN {label}-----").removesuffix(f"-----END {label}-----")
    try:
        return b64decode("".join(body.split()), validate=True)
    except ValueError:
        raise invalid_private_key("is no base64 between its lines", where) from None
