"""Private keys in files: made, read and written as PEM, and signing with them deterministically."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal, TypeAlias, get_args

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_pem_private_key,
)

from attest.errors import UsageError
from attest.keys import PublicKey

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
KeyKind: TypeAlias = Literal["p256", "p384", "ed25519"]
KINDS: tuple[KeyKind, ...] = get_args(KeyKind)
#: Gives a passphrase when one is needed; raises UsageError `passphrase_missing` if there is none.
Passphrase: TypeAlias = Callable[[], bytes]

COSIGN_LABELS = ("ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY")
#: Keys of these kinds have hundreds of bytes of PEM.
MAX_BYTES = 65_536
_LABELS = re.compile(r"-----BEGIN ([^\n-]{1,64})-----")
_CURVES: dict[str, ec.EllipticCurve] = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1()}
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "secp256r1": hashes.SHA256(),
    "secp384r1": hashes.SHA384(),
}
_ENCRYPTED, _PLAIN = "ENCRYPTED PRIVATE KEY", ("PRIVATE KEY", "EC PRIVATE KEY")
#: What `openssl ecparam -genkey` writes before the key; the key names its curve itself.
_PARAMETERS = re.compile(rb"-----BEGIN EC PARAMETERS-----[^-]*-----END EC PARAMETERS-----\s*")


def new_key(kind: KeyKind) -> PrivateKey:
    """Make a key.

    Args:
        kind: which curve.
    """
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(_CURVES[kind])


def encode_private_key(key: PrivateKey, passphrase: bytes | None) -> bytes:
    """A key as PKCS#8 in PEM.

    Args:
        key: the key.
        passphrase: encrypts it; None leaves it readable for whoever has the file.

    Raises:
        UsageError: `passphrase_empty`.

    Source: RFC 5958; RFC 8018 (PBES2).
    """
    encryption: KeySerializationEncryption = NoEncryption()
    if passphrase is not None:
        if not passphrase:
            raise UsageError(
                "passphrase_empty",
                "an empty passphrase protects nothing",
                hint="choose one, or say --no-passphrase",
            )
        encryption = BestAvailableEncryption(passphrase)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def parse_private_key(data: bytes, passphrase: Passphrase, *, where: str) -> PrivateKey:
    """Read the one private key in a PEM text: PKCS#8, encrypted or not, or SEC 1.

    Args:
        data: the text.
        passphrase: asked only if the key is encrypted.
        where: name of its source, for errors.

    Raises:
        UsageError: `invalid_private_key`, `public_key_given`, `certificate_given`,
            `cosign_key_given`, `passphrase_wrong`, `unsupported_key_encryption`,
            `unsupported_key_kind`, and those of `passphrase`.

    Source: RFC 7468, sections 10 and 11; RFC 5915.
    """
    if len(data) > MAX_BYTES:
        raise invalid_private_key(f"is larger than {MAX_BYTES} bytes", where)
    data = _PARAMETERS.sub(b"", data, count=1)
    label = only_label(data, where)
    if label in COSIGN_LABELS:
        raise UsageError(
            "cosign_key_given",
            "is a key in cosign's own encryption",
            where=where,
            hint="make a key file of it with attest key import",
        )
    if label != _ENCRYPTED and label not in _PLAIN:
        raise _unsupported_kind(where)
    if b"Proc-Type:" in data:
        raise UsageError(
            "unsupported_key_encryption",
            "is encrypted in the old way of OpenSSL, which protects little",
            where=where,
            hint="convert it: openssl pkcs8 -topk8 -in KEY -out NEW",
        )
    if label == _ENCRYPTED:
        return _decrypted(data, passphrase(), where)
    try:
        return _supported(load_pem_private_key(data, password=None), where)
    except UnsupportedAlgorithm:
        raise _unsupported_kind(where) from None
    except (ValueError, TypeError):
        raise invalid_private_key("holds no private key", where) from None


def is_encrypted(data: bytes) -> bool:
    """Whether a text claims to be a key that a passphrase opens."""
    return f"-----BEGIN {_ENCRYPTED}-----".encode() in data


def from_pkcs8(data: bytes, *, where: str) -> PrivateKey:
    """Read a DER private key.

    Raises:
        UsageError: `invalid_private_key`, `unsupported_key_kind`.
    """
    try:
        return _supported(load_der_private_key(data, password=None), where)
    except UnsupportedAlgorithm:
        raise _unsupported_kind(where) from None
    except (ValueError, TypeError):
        raise invalid_private_key("holds no private key", where) from None


def only_label(data: bytes, where: str) -> str:
    """The label of the one PEM block of a private key.

    Raises:
        UsageError: `invalid_private_key`, `public_key_given`, `certificate_given`.
    """
    labels = _LABELS.findall(data.decode("utf-8", errors="replace"))
    for label in labels:
        if label.endswith("PUBLIC KEY"):
            raise UsageError(
                "public_key_given",
                "holds a public key, where a private one is needed",
                where=where,
                hint="give the key that it was made from; the public one is for verifying",
            )
        if "CERTIFICATE" in label:
            raise UsageError(
                "certificate_given",
                "holds a certificate, where a private key is needed",
                where=where,
                hint="give the private key itself",
            )
    if len(labels) != 1:
        found = f"holds {len(labels)} PEM blocks, not one" if labels else "is not PEM"
        raise invalid_private_key(found, where)
    label = str(labels[0])
    text = data.strip()
    if not (
        text.startswith(f"-----BEGIN {label}-----".encode())
        and text.endswith(f"-----END {label}-----".encode())
    ):
        raise invalid_private_key("is not one PEM block and nothing else", where)
    return label


def invalid_private_key(message: str, where: str) -> UsageError:
    """The error for what is no private key."""
    return UsageError(
        "invalid_private_key",
        message,
        where=where,
        hint="a private key begins with -----BEGIN ENCRYPTED PRIVATE KEY----- or"
        " -----BEGIN PRIVATE KEY-----",
    )


def _decrypted(data: bytes, passphrase: bytes, where: str) -> PrivateKey:
    wrong = UsageError(
        "passphrase_wrong",
        "does not open with this passphrase",
        where=where,
        hint="check the passphrase, and that the file is whole",
    )
    if not passphrase:  # nothing that we write has an empty one, and it is not the same as none
        raise wrong
    try:
        return _supported(load_pem_private_key(data, password=passphrase), where)
    except UnsupportedAlgorithm:
        raise UsageError(
            "unsupported_key_encryption",
            "is encrypted, or a key, of a kind that is not supported",
            where=where,
            hint="convert it: openssl pkcs8 -topk8 -in KEY -out NEW",
        ) from None
    except (ValueError, TypeError):  # what OpenSSL says of it differs between versions
        raise wrong from None


def _supported(key: object, where: str) -> PrivateKey:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _HASHES:
        return key
    raise _unsupported_kind(where)


def _unsupported_kind(where: str) -> UsageError:
    return UsageError(
        "unsupported_key_kind",
        "is of a kind that cannot sign here",
        where=where,
        hint="use ECDSA P-256 or P-384, or Ed25519",
    )


class FileKey:
    """Signs with a key from a file; ECDSA deterministically (RFC 6979).

    Raises:
        UsageError: `deterministic_signing_unavailable`.
    """

    __slots__ = ("_sign", "_sign_digest", "public")

    def __init__(self, key: PrivateKey) -> None:
        self.public = PublicKey(key.public_key())
        self._sign: Callable[[bytes], bytes]
        self._sign_digest: Callable[[bytes], bytes] | None = None
        if isinstance(key, ec.EllipticCurvePrivateKey):
            algorithm = _HASHES[key.curve.name]
            self._sign = _deterministic(key, algorithm)
            self._sign_digest = _deterministic(key, Prehashed(algorithm))
        else:
            self._sign = key.sign

    @property
    def takes_digests(self) -> bool:
        """Whether `sign_digest` is to be had."""
        return self._sign_digest is not None

    def sign(self, message: bytes) -> bytes:
        """Sign a message: DER for ECDSA, raw for Ed25519."""
        return self._sign(message)

    def sign_digest(self, digest: bytes) -> bytes:
        """Sign a message by its raw digest of `public.digest`.

        Raises:
            ValueError: an Ed25519 key signs the message itself.
        """
        if self._sign_digest is None:
            raise ValueError("an Ed25519 key signs the message itself")
        return self._sign_digest(digest)


def _deterministic(
    key: ec.EllipticCurvePrivateKey, algorithm: hashes.HashAlgorithm | Prehashed
) -> Callable[[bytes], bytes]:
    try:
        scheme = ec.ECDSA(algorithm, deterministic_signing=True)
    except UnsupportedAlgorithm:
        raise UsageError(
            "deterministic_signing_unavailable",
            "the OpenSSL that is linked here cannot sign ECDSA deterministically",
            hint="use a release of cryptography with OpenSSL 3.2 or newer",
        ) from None
    return lambda data: key.sign(data, scheme)
