"""Signatures of `.sei` artefacts: a second implementation agrees, and the rest is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from attest.errors import SigningError, Untrusted, UsageError
from attest.formats.sei.signature import (
    digests_of,
    key_id_of,
    parse_signature,
    sign_artefact,
    verify_signature,
)
from attest.keys import PublicKey
from attest.signing.keyfile import FileKey
from attest.verified import KeyIdentity
from tests.sei import second
from tests.sei.verdicts import DATA, KEY, NAME, OURS, STRANGER, code_of, verified


def test_the_second_implementation_verifies_what_we_sign() -> None:
    second.verify(sign_artefact(DATA, NAME, KEY), DATA, second.point(OURS.public_key()))


def test_we_verify_what_the_second_implementation_signs() -> None:
    found = verified(second.sign(DATA, OURS).file())
    assert found.signer == KeyIdentity(key_id=KEY.public.key_id.hex())
    assert found.identity is None
    assert found.certificate is None
    assert not found.times
    assert not found.log_entries
    assert not found.level2
    assert found.statement is not None
    assert found.statement.predicate_type == "https://example.com/evidence/v7"


def test_what_we_sign_is_what_the_document_says() -> None:
    sig = sign_artefact(DATA, NAME, KEY)
    payload = second.canonical(
        {**second.statement_of(DATA, name=NAME), "predicateType": "urn:attest:sei:v1"}
    )
    expected = second.Parts(payload=payload).sign(OURS).document()
    assert json.loads(sig) == expected
    assert sign_artefact(DATA, NAME, KEY) == sig
    verified(sig)


@given(st.binary(max_size=50), st.text(st.characters(codec="utf-8"), max_size=20))
def test_both_agree_on_any_bytes_and_name(data: bytes, name: str) -> None:
    sig = sign_artefact(data, name, KEY)
    second.verify(sig, data, second.point(OURS.public_key()))
    verified(sig, data=data)
    assert code_of(sig, data=data + b"\n") == "digest_mismatch"


def test_high_and_low_s_are_both_signatures() -> None:
    parts = second.sign(DATA, OURS)
    low, high = sorted((parts.s, second.ORDER - parts.s))
    for parts.s in (low, high):
        verified(parts.file())


@pytest.mark.parametrize("name", ["r", "s"])
@pytest.mark.parametrize("value", [0, second.ORDER, second.ORDER + 1, 2**256 - 1, 1])
def test_a_number_outside_the_group_is_no_signature(name: str, value: int) -> None:
    parts = second.sign(DATA, OURS)
    setattr(parts, name, value)
    assert code_of(parts.file()) == "signature_invalid"


@pytest.mark.parametrize("first", [0, second.ORDER])
def test_two_such_numbers_are_no_signature(first: int) -> None:
    parts = second.sign(DATA, OURS)
    parts.r, parts.s = first, first
    assert code_of(parts.file()) == "signature_invalid"


@pytest.mark.parametrize("size", [0, 1, 32, 63, 65, 70, 72, 96, 128, 5000])
def test_another_length_is_refused(size: int) -> None:
    raw = (second.sign(DATA, OURS).raw * 100)[:size]
    code = "signature_length" if size else "invalid_sei_signature"
    assert code_of(second.sign(DATA, OURS).file(raw)) == code


def test_a_signature_in_der_is_refused_by_its_own_code() -> None:
    parts = second.sign(DATA, OURS)
    assert code_of(parts.file(encode_dss_signature(parts.r, parts.s))) == "der_signature"


def test_der_that_happens_to_have_64_bytes_is_no_signature() -> None:
    der = encode_dss_signature(2**231 - 1, 2**231 - 1)
    assert len(der) == 64
    assert code_of(second.sign(DATA, OURS).file(der)) == "signature_invalid"


def test_the_halves_may_not_be_swapped() -> None:
    parts = second.sign(DATA, OURS)
    assert code_of(parts.file(parts.raw[32:] + parts.raw[:32])) == "signature_invalid"


def test_a_stranger_counts_for_nothing() -> None:
    sig = second.sign(DATA, STRANGER).file()
    with pytest.raises(Untrusted) as caught:
        verified(sig)
    assert caught.value.code == "untrusted_key"
    with pytest.raises(Untrusted):
        verify_signature(parse_signature(sig, "x"), digests_of(DATA), ())
    verified(sig, KEY.public, PublicKey(STRANGER.public_key()))


def test_a_stranger_who_names_our_key_fails() -> None:
    parts = second.sign(DATA, STRANGER)
    parts.keyid = second.keyid(OURS.public_key())
    assert code_of(parts.file()) == "signature_invalid"
    # Not even when the key that signed was given too: the keyid says which is tried.
    both = (KEY.public, PublicKey(STRANGER.public_key()))
    assert code_of(parts.file(), *both) == "signature_invalid"


@pytest.mark.parametrize("other", ["the SPKI's", "a stranger's", "no key's"])
def test_our_signature_under_another_keyid_fails(other: str) -> None:
    parts = second.sign(DATA, OURS)
    parts.keyid = {
        "the SPKI's": KEY.public.key_id.hex(),
        "a stranger's": second.keyid(STRANGER.public_key()),
        "no key's": "0" * 64,
    }[other]
    assert code_of(parts.file()) == "keyid_mismatch"


@pytest.mark.parametrize(
    "keyid", ["", "00", "f" * 63, "f" * 66, "g" * 64, "upper", " padded", "point"]
)
def test_a_keyid_in_another_spelling_is_refused(keyid: str) -> None:
    parts = second.sign(DATA, OURS)
    spelled = {
        "upper": parts.keyid.upper(),
        " padded": f" {parts.keyid}",
        "point": second.point(OURS.public_key()).hex(),
    }
    parts.keyid = spelled.get(keyid, keyid)
    assert code_of(parts.file()) == "invalid_keyid"


def test_a_missing_keyid_is_refused() -> None:
    document = second.sign(DATA, OURS).document()
    del document["signatures"][0]["keyid"]
    assert code_of(json.dumps(document).encode()) == "invalid_keyid"


def test_a_key_of_another_curve_verifies_nothing() -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    public = PublicKey(key.public_key())
    parts = second.sign(DATA, OURS)
    parts.keyid = second.keyid(key.public_key())
    assert code_of(parts.file(), public) == "unsupported_key"
    # Signed by it, the numbers are too long; and under another's keyid it is not even tried.
    der = key.sign(second.pae(parts.payload_type, parts.payload), ec.ECDSA(hashes.SHA384()))
    assert code_of(parts.file(der), public) == "der_signature"
    assert code_of(parts.file(bytes(96)), public) == "signature_length"
    assert code_of(second.sign(DATA, OURS).file(), public) == "untrusted_key"


def test_keys_of_other_kinds_are_passed_by() -> None:
    others = (
        PublicKey(ed25519.Ed25519PrivateKey.generate().public_key()),
        PublicKey(rsa.generate_private_key(65537, 2048).public_key()),
    )
    verified(second.sign(DATA, OURS).file(), *others, KEY.public)
    assert code_of(second.sign(DATA, OURS).file(), *others) == "untrusted_key"


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP384R1()),
        ed25519.Ed25519PrivateKey.generate(),
    ],
)
def test_only_p256_signs(key: Any) -> None:  # noqa: ANN401  # of one of the kinds
    with pytest.raises(UsageError) as caught:
        sign_artefact(DATA, NAME, FileKey(key))
    assert caught.value.code == "unsupported_key"
    with pytest.raises(UsageError):
        key_id_of(PublicKey(key.public_key()))


class LyingKey:
    """Returns something else than its signature."""

    def __init__(self, answer: bytes) -> None:
        self.public = KEY.public
        self.answer = answer

    def sign(self, message: bytes) -> bytes:
        assert message
        return self.answer


@pytest.mark.parametrize("answer", ["another key's", "raw", "garbage", "nothing", "long"])
def test_what_is_no_signature_by_the_key_is_not_written(answer: str) -> None:
    payload = second.canonical(
        {**second.statement_of(DATA, name=NAME), "predicateType": "urn:attest:sei:v1"}
    )
    good = second.Parts(payload=payload).sign(OURS)
    other = second.Parts(payload=payload).sign(STRANGER)
    der = encode_dss_signature(good.r, good.s)
    assert sign_artefact(DATA, NAME, LyingKey(der))  # else none of these would say anything
    answers = {
        "another key's": encode_dss_signature(other.r, other.s),
        "raw": good.raw,
        "garbage": b"\x30\x02\x01",
        "nothing": b"",
        "long": der + b"\x00",
    }
    with pytest.raises(SigningError) as caught:
        sign_artefact(DATA, NAME, LyingKey(answers[answer]))
    assert caught.value.code == "key_signature_invalid"


def test_the_verify_path_loads_nothing_heavy() -> None:
    heavy = ("attest.signing", "attest.engine", "sigstore", "requests", "pydantic", "logging")
    code = (
        f"import sys, attest.formats.sei.signature; print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
