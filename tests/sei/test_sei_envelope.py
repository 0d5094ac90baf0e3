"""What is inside a `.sig`: read strictly, judged by what the document states and nothing else."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest.errors import AttestError, MalformedEvidence, VerificationFailed
from attest.formats.sei.signature import check_statement, parse_signature
from attest.limits import Limits
from attest.statement import STATEMENT_V01
from tests.sei import second
from tests.sei.verdicts import DATA, OURS, SHA256, SHA384, SHA512, code_of, verified


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
        {"subject": [{"digest": {"sha256": SHA256.hex(), "sha512": SHA512.hex()}}]},
        {"subject": [{"digest": {"sha256": SHA256.hex(), "sha384": SHA384.hex()}}]},
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
        (
            {"subject": [{"digest": {"sha256": SHA256.hex(), "sha512": "0" * 128}}]},
            "digest_mismatch",
        ),
        (
            {"subject": [{"digest": {"sha256": SHA256.hex(), "sha384": SHA512.hex()[:96]}}]},
            "digest_mismatch",
        ),
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
        check_statement(parsed, lambda _: (SHA256 + SHA256)[:size])
    assert caught.value.code == "digest_mismatch"


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
