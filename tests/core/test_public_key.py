"""Public keys from PEM: what is one, and one clear error for everything else."""

from __future__ import annotations

import shutil
import subprocess
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from attest.errors import UsageError
from attest.keys import PublicKey
from attest.publickey import load_public_key, parse_public_key
from tests.engine.virtual_instance import HERE

P256 = ec.generate_private_key(ec.SECP256R1())
RSA = {
    bits: rsa.generate_private_key(public_exponent=65537, key_size=bits) for bits in (1024, 2048)
}


def pem(key: object) -> bytes:
    public: Callable[..., bytes] = key.public_key().public_bytes  # type: ignore[attr-defined]  # no common base
    return public(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def private(*, password: bytes | None = None, form: PrivateFormat = PrivateFormat.PKCS8) -> bytes:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return P256.private_bytes(Encoding.PEM, form, encryption)


def relabelled(data: bytes, label: str) -> bytes:
    return data.replace(b"PUBLIC KEY", label.encode())


GOOD = {
    "P-256": (pem(P256), "PKIX_ECDSA_P256_SHA_256"),
    "P-384": (pem(ec.generate_private_key(ec.SECP384R1())), "PKIX_ECDSA_P384_SHA_384"),
    "P-521": (pem(ec.generate_private_key(ec.SECP521R1())), "PKIX_ECDSA_P521_SHA_512"),
    "Ed25519": (pem(ed25519.Ed25519PrivateKey.generate()), "PKIX_ED25519"),
    "RSA 2048": (pem(RSA[2048]), "PKIX_RSA_PKCS1V15_2048_SHA256"),
    "without a last line break": (pem(P256).rstrip(), "PKIX_ECDSA_P256_SHA_256"),
    "with CRLF": (pem(P256).replace(b"\n", b"\r\n"), "PKIX_ECDSA_P256_SHA_256"),
    "with blank lines around": (b"\n\n" + pem(P256) + b"\n\n", "PKIX_ECDSA_P256_SHA_256"),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_public_key(name: str, tmp_path: Path) -> None:
    data, details = GOOD[name]
    path = tmp_path / "key.pub"
    path.write_bytes(data)
    key = load_public_key(path)
    assert key.details == {details}
    assert key == parse_public_key(data)


CERTIFICATE = HERE.ca.intermediate.certificate.public_bytes(Encoding.PEM)
OPENSSH = P256.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
PKCS1 = RSA[2048].public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1)
DER = P256.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
K256 = ec.generate_private_key(ec.SECP256K1())


def block(data: bytes) -> bytes:
    return b"-----BEGIN PUBLIC KEY-----\n" + data + b"\n-----END PUBLIC KEY-----\n"


BAD: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "invalid_key"),
    "text": (b"ana@acme.example\n", "invalid_key"),
    "binary": (bytes(range(256)), "invalid_key"),
    "DER": (DER, "invalid_key"),
    "an OpenSSH key": (OPENSSH, "invalid_key"),
    "PKCS #1": (PKCS1, "invalid_key"),
    "text before": (b"my key\n" + pem(P256), "invalid_key"),
    "text after": (pem(P256) + b"my key\n", "invalid_key"),
    "a header inside": (block(b"Proc-Type: 4\n\n" + b64encode(DER)), "invalid_key"),
    "an empty block": (block(b""), "invalid_key"),
    "junk in the block": (block(b64encode(b"junk")), "invalid_key"),
    "no base64": (block(b"*" * 64), "invalid_key"),
    "half a key": (block(b64encode(DER[:-5])), "invalid_key"),
    "a key and more": (block(b64encode(DER + b"x")), "invalid_key"),
    "no end": (pem(P256)[:-30], "invalid_key"),
    "another end": (pem(P256).replace(b"END PUBLIC", b"END PRIVATE"), "invalid_key"),
    "no end behind much space": (block(b"A")[:30] + b" " * 60_000, "invalid_key"),
    "64 kB of spaces": (pem(P256) + b" " * 65_536, "invalid_key"),
    "a private key": (private(), "private_key_given"),
    "an EC private key": (private(form=PrivateFormat.TraditionalOpenSSL), "private_key_given"),
    "an OpenSSH private key": (private(form=PrivateFormat.OpenSSH), "private_key_given"),
    "an encrypted private key": (private(password=b"secret"), "private_key_given"),
    "cosign's private key": (
        relabelled(pem(P256), "ENCRYPTED SIGSTORE PRIVATE KEY"),
        "private_key_given",
    ),
    "a key pair": (pem(P256) + private(), "private_key_given"),
    "a certificate": (CERTIFICATE, "certificate_given"),
    "a key and its certificate": (pem(P256) + CERTIFICATE, "certificate_given"),
    "two keys": (pem(P256) + pem(RSA[2048]), "several_keys"),
    "the same key twice": (pem(P256) * 2, "several_keys"),
    "RSA 1024": (pem(RSA[1024]), "unsupported_key_kind"),
    "P-256's Bitcoin cousin": (pem(K256), "unsupported_key_kind"),
    "P-224": (pem(ec.generate_private_key(ec.SECP224R1())), "unsupported_key_kind"),
    "Ed448": (pem(ed448.Ed448PrivateKey.generate()), "unsupported_key_kind"),
    "X25519": (pem(x25519.X25519PrivateKey.generate()), "unsupported_key_kind"),
    "DSA": (pem(dsa.generate_private_key(key_size=1024)), "unsupported_key_kind"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_public_key(name: str, tmp_path: Path) -> None:
    data, code = BAD[name]
    path = tmp_path / "key.pub"
    path.write_bytes(data)
    with pytest.raises(UsageError) as caught:
        load_public_key(path)
    assert caught.value.code == code
    assert caught.value.where == str(path)
    assert caught.value.hint


def test_an_encrypted_key_is_told_from_a_plain_one() -> None:
    for data, encrypted in ((private(), False), (private(password=b"secret"), True)):
        with pytest.raises(UsageError) as caught:
            parse_public_key(data)
        assert ("encrypted" in caught.value.message) is encrypted
        assert "not used" in caught.value.message


@pytest.mark.parametrize(("bits", "known"), [(3072, True), (3071, False)])
def test_rsa_keys_are_of_the_sizes_in_the_registry(bits: int, *, known: bool) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    if known:
        assert parse_public_key(pem(key)).digest == "sha256"
        return
    with pytest.raises(UsageError) as caught:
        parse_public_key(pem(key))
    assert caught.value.code == "unsupported_key_kind"


@pytest.mark.parametrize(
    ("name", "code"), [("missing", "file_not_found"), (".", "unreadable_file")]
)
def test_a_file_that_cannot_be_read(name: str, code: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load_public_key(tmp_path / name)
    assert caught.value.code == code


@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda text: block(text.encode())))
def test_any_bytes_are_a_key_or_an_error_of_ours(data: bytes) -> None:
    with suppress(UsageError):
        assert isinstance(parse_public_key(data), PublicKey)


def test_equal_keys_are_equal() -> None:
    again = parse_public_key(pem(P256))
    assert again == PublicKey(P256.public_key())
    assert len({again, PublicKey(P256.public_key())}) == 1
    assert again != parse_public_key(pem(RSA[2048]))
    assert again != again.spki


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_names_the_same_key_id(tmp_path: Path) -> None:
    """The id that reports give is what anybody can compute: SHA-256 of the DER."""
    path = tmp_path / "key.pub"
    path.write_bytes(pem(P256))
    command = ["openssl", "pkey", "-pubin", "-in", str(path), "-outform", "DER"]
    der = subprocess.run(command, check=True, capture_output=True).stdout
    assert der == load_public_key(path).spki
