"""Keys that cosign encrypted: opened by their passphrase alone, and at a cost that is bounded."""

from __future__ import annotations

import sys
from base64 import b64encode
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from attest.api.key import import_key, open_key
from attest.errors import UsageError
from attest.signing import cosign_key
from attest.signing.cosign_key import decrypt_cosign_key
from tests.signing.keys import (
    PASSPHRASE,
    cosign_document,
    cosign_pem,
    key_of,
    nothing,
    public_of,
    written,
)

#: Any: the tests break it at will.
DOCUMENT: dict[str, Any] = cosign_document()


def decrypt(data: bytes, passphrase: bytes = PASSPHRASE) -> object:
    return decrypt_cosign_key(data, lambda: passphrase, where="cosign.key")


def edited(edit: Callable[[dict[str, Any]], object]) -> bytes:
    document = deepcopy(DOCUMENT)
    edit(document)
    return cosign_pem(document)


@pytest.mark.parametrize("label", ["SIGSTORE", "COSIGN"])
def test_both_labels_open(label: str, tmp_path: Path) -> None:
    source = written(tmp_path / "cosign.key", cosign_pem(DOCUMENT, label))
    import_key(
        source,
        tmp_path / "k",
        passphrase=lambda: PASSPHRASE,
        new_passphrase=lambda: PASSPHRASE,
    )
    assert (tmp_path / "k.pub").read_bytes() == public_of("p256")
    assert open_key(str(tmp_path / "k"), passphrase=lambda: PASSPHRASE).public.digest == "sha256"


def test_cosign_takes_an_empty_passphrase_and_so_must_we() -> None:
    assert decrypt(cosign_pem(cosign_document(passphrase=b"")), b"") is not key_of("p256")


@pytest.mark.parametrize("wrong", [b"", b"correct", PASSPHRASE + b"\n"])
def test_a_wrong_passphrase_opens_nothing(wrong: bytes) -> None:
    with pytest.raises(UsageError) as caught:
        decrypt(cosign_pem(DOCUMENT), wrong)
    assert caught.value.code == "passphrase_wrong"


def parameter(name: str, value: object) -> bytes:
    return edited(lambda it: it["kdf"]["params"].update({name: value}))


ODD = {
    "a cost that takes hours": parameter("N", 2**40),
    "a cost just above the bound": parameter("N", 2**19),
    "a cost that protects nothing": parameter("N", 2**13),
    "a cost that is no power of two": parameter("N", 2**15 + 1),
    "no cost": parameter("N", 0),
    "another r": parameter("r", 1024),
    "p zero": parameter("p", 0),
    "a p that takes hours": parameter("p", 2**20),
    "another derivation": edited(lambda it: it["kdf"].update(name="pbkdf2")),
    "another cipher": edited(lambda it: it["cipher"].update(name="aes")),
    "a short nonce": edited(lambda it: it["cipher"].update(nonce=b64encode(bytes(12)).decode())),
    "a short salt": edited(lambda it: it["kdf"].update(salt="AAAA")),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_parameters_are_refused_before_the_passphrase_is_asked_for(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        decrypt_cosign_key(ODD[name], nothing, where="cosign.key")
    assert caught.value.code == "unsupported_key_encryption"


MALFORMED = {
    "no JSON": cosign_pem({}).replace(b64encode(b"{}"), b64encode(b"{")),
    "an empty object": cosign_pem({}),
    "no base64": b"-----BEGIN ENCRYPTED COSIGN PRIVATE KEY-----\n?\n"
    b"-----END ENCRYPTED COSIGN PRIVATE KEY-----\n",
    "an unknown member": edited(lambda it: it.update(extra=1)),
    "an unknown parameter": parameter("q", 1),
    "a cost that is no number": parameter("N", "much"),
    "a negative cost": parameter("N", -1),
    "no ciphertext": edited(lambda it: it.pop("ciphertext")),
    "two keys": cosign_pem(DOCUMENT) * 2,
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_no_key_of_cosign_is_refused(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        decrypt_cosign_key(MALFORMED[name], nothing, where="cosign.key")
    assert caught.value.code == "invalid_private_key"


@pytest.mark.parametrize("at", [0, 15, 16, 60, -1])
def test_a_changed_ciphertext_opens_nothing(at: int) -> None:
    def flip(document: dict[str, Any]) -> None:
        from base64 import b64decode

        sealed = bytearray(b64decode(document["ciphertext"]))
        sealed[at] ^= 1
        document["ciphertext"] = b64encode(sealed).decode()

    with pytest.raises(UsageError) as caught:
        decrypt(edited(flip))
    assert caught.value.code == "passphrase_wrong"


def test_rsa_inside_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        decrypt(cosign_pem(cosign_document("rsa")))
    assert caught.value.code == "unsupported_key_kind"


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("nacl", "nacl.exceptions", "nacl.secret"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError) as caught:
        decrypt_cosign_key(cosign_pem(DOCUMENT), nothing, where="cosign.key")
    assert caught.value.code == "extra_missing"
    assert "epack-attest[cosign]" in (caught.value.hint or "")
    assert cosign_key.is_cosign_key(cosign_pem(DOCUMENT))
