"""The verdict on a `.sig` by one key, for the tests of what is inside and of who signed."""

from __future__ import annotations

import hashlib

import pytest

from attest.errors import AttestError
from attest.formats.sei.signature import digests_of, parse_signature, verify_signature
from attest.keys import PublicKey
from attest.signing.keyfile import FileKey
from attest.verified import VerifiedAttestation
from tests.sei import second

DATA = b'{\n  "schema_version": 1\n}'
SHA256 = hashlib.sha256(DATA).digest()
SHA384 = hashlib.sha384(DATA).digest()
SHA512 = hashlib.sha512(DATA).digest()
NAME = ".sei/reconstruct.json"
OURS = second.private_key("ours")
KEY = FileKey(OURS)
STRANGER = second.private_key("a stranger")


def verified(sig: bytes, *keys: PublicKey, data: bytes = DATA) -> VerifiedAttestation:
    parsed = parse_signature(sig, "x.json.sig")
    return verify_signature(parsed, digests_of(data), keys or (KEY.public,))


def code_of(sig: bytes, *keys: PublicKey, data: bytes = DATA) -> str:
    with pytest.raises(AttestError) as caught:
        verified(sig, *keys, data=data)
    assert caught.value.exit_code == 1
    return caught.value.code
