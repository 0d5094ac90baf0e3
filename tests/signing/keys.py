"""Key files for tests: of every kind and encryption, also as cosign encrypts them."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from nacl.secret import SecretBox

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
PASSPHRASE = b"correct horse"
SALT, NONCE = bytes(range(32)), bytes(range(24))


@cache
def key_of(kind: str) -> Key:
    """One key of each kind, also of those that cannot sign here."""
    curves: dict[str, ec.EllipticCurve] = {
        "p256": ec.SECP256R1(),
        "p384": ec.SECP384R1(),
        "p521": ec.SECP521R1(),
        "secp256k1": ec.SECP256K1(),
    }
    kind = kind.removeprefix("another ")
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(curves[kind])


def pem_of(
    kind: str, passphrase: bytes | None = None, form: PrivateFormat = PrivateFormat.PKCS8
) -> bytes:
    """The private key as PEM."""
    encryption: KeySerializationEncryption = NoEncryption()
    if passphrase is not None:
        encryption = BestAvailableEncryption(passphrase)
    return key_of(kind).private_bytes(Encoding.PEM, form, encryption)


def public_of(kind: str) -> bytes:
    """The public key as PEM."""
    return key_of(kind).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def written(path: Path, data: bytes, *, mode: int = 0o600) -> Path:
    """A file with these bytes and permissions."""
    path.write_bytes(data)
    path.chmod(mode)
    return path


def nothing() -> bytes:
    """A passphrase that must not be asked for."""
    raise AssertionError("asked for a passphrase")


def cosign_document(kind: str = "p256", passphrase: bytes = PASSPHRASE) -> dict[str, object]:
    """What cosign puts into its PEM, as JSON."""
    plain = key_of(kind).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    secret = Scrypt(salt=SALT, length=32, n=2**15, r=8, p=1).derive(passphrase)
    sealed = SecretBox(secret).encrypt(plain, NONCE).ciphertext
    return {
        "kdf": {
            "name": "scrypt",
            "params": {"N": 2**15, "r": 8, "p": 1},
            "salt": b64encode(SALT).decode(),
        },
        "cipher": {"name": "nacl/secretbox", "nonce": b64encode(NONCE).decode()},
        "ciphertext": b64encode(sealed).decode(),
    }


def cosign_pem(document: Mapping[str, object], label: str = "SIGSTORE") -> bytes:
    """That JSON as PEM."""
    text = b64encode(json.dumps(document).encode()).decode()
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    name = f"ENCRYPTED {label} PRIVATE KEY"
    return f"-----BEGIN {name}-----\n{lines}\n-----END {name}-----\n".encode()
