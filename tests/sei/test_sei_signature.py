"""Signatures of `.sei` artefacts: a second implementation agrees, and the rest is refused."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from base64 import b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from attest.errors import (
    AttestError,
    MalformedEvidence,
    SigningError,
    Untrusted,
    UsageError,
    VerificationFailed,
)
from attest.formats.sei.signature import (
    check_statement,
    key_id_of,
    parse_signature,
    sign_artefact,
    verify_signature,
)
from attest.keys import PublicKey
from attest.limits import Limits
from attest.signing.keyfile import FileKey
from attest.statement import STATEMENT_V01
from attest.verified import KeyIdentity, VerifiedAttestation
from tests.sei import second

DATA = b'{\n  "schema_version": 1\n}'
SHA256 = hashlib.sha256(DATA).digest()
NAME = ".sei/reconstruct.json"
OURS = second.private_key("ours")
KEY = FileKey(OURS)
STRANGER = second.private_key("a stranger")


def verified(sig: bytes, *keys: PublicKey, data: bytes = DATA) -> VerifiedAttestation:
    parsed = parse_signature(sig, "x.json.sig")
    return verify_signature(parsed, hashlib.sha256(data).digest(), keys or (KEY.public,))


def code_of(sig: bytes, *keys: PublicKey, data: bytes = DATA) -> str:
    with pytest.raises(AttestError) as caught:
        verified(sig, *keys, data=data)
    assert caught.value.exit_code == 1
    return caught.value.code


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
        verify_signature(parse_signature(sig, "x"), SHA256, ())
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


def signed(statement: Any, **parts: Any) -> bytes:  # noqa: ANN401  # any JSON
    payload = statement if isinstance(statement, bytes) else second.canonical(statement)
    return second.Parts(payload=payload, **parts).sign(OURS).file()


@pytest.mark.parametrize(
    "changes",
    [
        {"predicateType": "https://example.com/other"},
        {"predicate": {"x": "y"}},
        {"predicate": None},
        {"subject": [{"name": "../../elsewhere", "digest": {"sha256": SHA256.hex()}}]},
        {"subject": [{"digest": {"sha256": SHA256.hex()}}]},
        {"subject": [{"digest": {"sha256": SHA256.hex(), "gitTree": "a1"}, "uri": "x:y"}]},
    ],
)
def test_what_the_document_leaves_open_is_not_judged(changes: dict[str, Any]) -> None:
    statement = {**second.statement_of(DATA), **changes}
    verified(signed(statement))


@pytest.mark.parametrize("payload_type", ["application/json", "é", "", "x" * 1000])
def test_the_payload_type_is_not_judged_but_is_bound(payload_type: str) -> None:
    sig = signed(second.statement_of(DATA), payload_type=payload_type)
    verified(sig)
    document = json.loads(sig)
    document["payloadType"] += "x"
    assert code_of(json.dumps(document).encode()) == "signature_invalid"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"_type": STATEMENT_V01}, "invalid_statement_type"),
        ({"_type": "https://in-toto.io/Statement/v2"}, "invalid_statement_type"),
        ({"_type": ""}, "invalid_statement_type"),
        ({"_type": None}, "invalid_statement"),
        ({"subject": []}, "invalid_subject"),
        ({"subject": None}, "invalid_subject"),
        ({"subject": {}}, "invalid_statement"),
        ({"subject": [{"digest": {}}]}, "invalid_subject"),
        ({"subject": [{"digest": {"sha512": "0" * 128}}]}, "invalid_subject"),
        ({"subject": [{"digest": {"SHA256": SHA256.hex()}}]}, "invalid_subject"),
        ({"subject": [{"digest": {"sha256": SHA256.hex().upper()}}]}, "invalid_subject"),
        ({"subject": [{"digest": {"sha256": SHA256.hex()[:-2]}}]}, "invalid_subject"),
        ({"subject": [{"digest": {"sha256": "0" * 64}}]}, "digest_mismatch"),
        ({"subject": [{"digest": {"sha256": SHA256.hex()}}] * 2}, "invalid_subject"),
        ({"predicateType": ""}, "invalid_statement"),
        ({"other": "member"}, "invalid_statement"),
    ],
)
def test_a_well_signed_statement_of_something_else_fails(
    changes: dict[str, Any], code: str
) -> None:
    assert code_of(signed({**second.statement_of(DATA), **changes})) == code


CANONICAL = second.canonical(second.statement_of(DATA))


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (json.dumps(second.statement_of(DATA)).encode(), "statement_not_canonical"),
        (CANONICAL + b"\n", "statement_not_canonical"),
        (CANONICAL.replace(b"_type", b"\\u005ftype"), "statement_not_canonical"),
        (CANONICAL.replace(b'"predicate":{}', b'"predicate":{"x":1.0}'), "statement_not_canonical"),
        (CANONICAL.replace(b'"predicate":{}', b'"predicate":{"b":1,"a":2}'),
         "statement_not_canonical"),
        (CANONICAL.replace(b'"predicate":{}', b'"predicate":{"x":9007199254740993}'),
         "jcs_invalid"),
        (CANONICAL.replace(b'"predicate":{}', b'"predicate":{"a":1,"a":1}'), "duplicate_keys"),
        (CANONICAL.replace(b'"predicate":{}', b'"predicate":' + b"[" * 99 + b"]" * 99),
         "json_too_deep"),
        (b"\xef\xbb\xbf" + CANONICAL, "invalid_json"),
        (CANONICAL.replace(b"artefact", b"\xff"), "invalid_json"),
        (b"[]", "invalid_statement"),
        (b"not JSON", "invalid_json"),
    ],
)  # fmt: skip
def test_a_well_signed_payload_in_another_form_fails(payload: bytes, code: str) -> None:
    assert payload != CANONICAL
    assert code_of(signed(payload)) == code


def test_an_unsigned_statement_is_never_reached() -> None:
    # Were it read before the signature is checked, its fault would be named.
    parts = second.sign(DATA, OURS)
    parts.payload = b"[]"
    assert code_of(parts.file()) == "signature_invalid"


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_digest_of_another_length_matches_nothing(size: int) -> None:
    parsed = parse_signature(second.sign(DATA, OURS).file(), "x")
    with pytest.raises(AttestError) as caught:
        check_statement(parsed, (SHA256 + SHA256)[:size])
    assert caught.value.code == "digest_mismatch"


def test_the_verify_path_loads_nothing_heavy() -> None:
    heavy = ("attest.signing", "attest.engine", "sigstore", "requests", "pydantic", "logging")
    code = (
        f"import sys, attest.formats.sei.signature; print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


ENVELOPE = second.sign(DATA, OURS).document()
ONE = ENVELOPE["signatures"][0]
FILE = json.dumps(ENVELOPE)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"signatures": []}, "invalid_sei_signature"),
        ({"signatures": [ONE, ONE]}, "invalid_sei_signature"),
        ({"signatures": None}, "invalid_sei_signature"),
        ({"signatures": ONE}, "invalid_sei_signature"),
        ({"signatures": ["x"]}, "invalid_sei_signature"),
        ({"signatures": [{**ONE, "sig": None}]}, "invalid_sei_signature"),
        ({"signatures": [{**ONE, "sig": 7}]}, "invalid_sei_signature"),
        ({"signatures": [{**ONE, "sig": ONE["sig"] + "\n"}]}, "invalid_sei_signature"),
        ({"signatures": [{**ONE, "sig": " " + ONE["sig"]}]}, "invalid_sei_signature"),
        ({"signatures": [{**ONE, "sig": "_" * 88}]}, "invalid_sei_signature"),
        ({"signatures": [{**ONE, "keyid": None}]}, "invalid_keyid"),
        ({"signatures": [{**ONE, "keyid": 7}]}, "invalid_sei_signature"),
        ({"payload": None}, "invalid_sei_signature"),
        ({"payload": ""}, "invalid_sei_signature"),
        ({"payload": "e30=="}, "invalid_sei_signature"),
        ({"payload": "e31="}, "invalid_sei_signature"),
        ({"payload": {}}, "invalid_sei_signature"),
        ({"payloadType": None}, "invalid_sei_signature"),
        ({"payloadType": 7}, "invalid_sei_signature"),
        ({"payloadType": "application/json"}, "signature_invalid"),
    ],
)
def test_an_envelope_that_is_none_is_refused(change: dict[str, Any], code: str) -> None:
    assert code_of(json.dumps({**ENVELOPE, **change}).encode()) == code


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "invalid_json"),
        (b"[]", "invalid_sei_signature"),
        (b"{}", "invalid_sei_signature"),
        (b"\xef\xbb\xbf" + FILE.encode(), "invalid_json"),
        (FILE.encode("utf-16"), "invalid_json"),
        (FILE.encode() + b"\xff", "invalid_json"),
        (FILE.encode() + FILE.encode(), "invalid_json"),
        (FILE.encode()[:-1], "invalid_json"),
        (FILE.replace("}]", ', "x": NaN}]').encode(), "non_finite_number"),
        (FILE.replace("}]", f', "sig": "{ONE["sig"]}"}}]').encode(), "duplicate_keys"),
        (FILE.replace("}]", f', "keyid": "{ONE["keyid"]}"}}]').encode(), "duplicate_keys"),
        (FILE.replace("}]", ', "x": ' + "[" * 99 + "]" * 99 + "}]").encode(), "json_too_deep"),
    ],
)
def test_a_file_that_two_readers_could_read_in_two_ways_is_refused(data: bytes, code: str) -> None:
    assert code_of(data) == code


def test_a_huge_file_is_refused_before_it_is_parsed() -> None:
    limits = Limits(max_bundle_bytes=65_536)
    with pytest.raises(MalformedEvidence) as caught:
        parse_signature(b"[" * 65_537, "x", limits=limits)
    assert caught.value.code == "bundle_too_large"
    with pytest.raises(MalformedEvidence) as caught:
        parse_signature(b"[" * 65_536, "x", limits=limits)
    assert caught.value.code == "json_too_deep"


@given(st.binary(max_size=300))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedEvidence):
        parse_signature(data, "x")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.binary(max_size=70).map(lambda data: b64encode(data).decode()),
    lambda inner: st.lists(inner, max_size=2)
    | st.dictionaries(st.sampled_from(["keyid", "sig", "payload", "x"]), inner),
    max_leaves=8,
)  # fmt: skip


@given(st.sampled_from(["payload", "payloadType", "signatures", "keyid", "sig", "x"]), JSON_VALUES)
def test_any_value_in_any_place_is_an_error_or_not_judged(
    place: str, value: dict[str, Any]
) -> None:
    document: dict[str, Any] = json.loads(FILE)
    inside = document["signatures"][0] if place in ("keyid", "sig") else document
    inside[place] = value
    try:
        verified(json.dumps(document).encode())
    except (MalformedEvidence, VerificationFailed):
        return
    assert place == "x" or document == ENVELOPE
