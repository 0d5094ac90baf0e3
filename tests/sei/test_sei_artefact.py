"""The envelope of `.sei` artefacts: what is written, and that nothing but it is read."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest.errors import AttestError, MalformedEvidence, VerificationFailed
from attest.formats.sei.artefact import (
    Artefact,
    Kind,
    check_bundle,
    encode_artefact,
    parse_artefact,
)
from attest.limits import Limits

ARTEFACT = Artefact(kind="conformance", system="loan", payload={"z": [1, "é"], "a": {}, "e": []})
TEXT = """{
  "schema_version": 1,
  "kind": "conformance",
  "system": "loan",
  "payload": {
    "z": [
      1,
      "é"
    ],
    "a": {},
    "e": []
  }
}"""
MEMBERS: dict[str, Any] = {
    "schema_version": 1,
    "kind": "conformance",
    "system": "loan",
    "payload": {},
}


def code_of(data: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(MalformedEvidence) as caught:
        parse_artefact(data, "x.json", limits=limits or Limits())
    return caught.value.code


def test_it_is_written_in_declaration_order_and_nothing_is_sorted() -> None:
    assert encode_artefact(ARTEFACT) == TEXT.encode()
    assert parse_artefact(TEXT.encode(), "x.json") == ARTEFACT


def test_only_what_json_must_escape_is_escaped() -> None:
    text = '\x00\x1f"\\\b\f\n\r\t\x7f/\u2028é\U0001f600'
    data = encode_artefact(replace(ARTEFACT, system=text))
    escaped = '\\u0000\\u001f\\"\\\\\\b\\f\\n\\r\\t\x7f/\u2028é\U0001f600'
    assert f'"system": "{escaped}"'.encode() in data


def test_another_layout_is_read_alike() -> None:
    data = json.dumps(dict(reversed(MEMBERS.items())), separators=(",", ":")).encode()
    assert parse_artefact(data + b"\n", "x.json").system == "loan"


@pytest.mark.parametrize("name", MEMBERS)
def test_every_member_is_needed(name: str) -> None:
    rest = {key: value for key, value in MEMBERS.items() if key != name}
    assert code_of(json.dumps(rest).encode()) == "invalid_artefact"
    assert code_of(json.dumps({**MEMBERS, name: None}).encode()) == "invalid_artefact"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("schema_version", 0),
        ("schema_version", -1),
        ("schema_version", True),
        ("schema_version", 1.0),
        ("schema_version", "1"),
        ("schema_version", 2**32),
        ("kind", "bundle"),
        ("kind", "Conformance"),
        ("kind", ""),
        ("kind", ["conformance"]),
        ("system", ""),
        ("system", 1),
        ("system", {"name": "loan"}),
        ("payload", []),
        ("payload", "{}"),
        ("payload", False),
        ("timestamp", "2026-11-21T00:00:00Z"),
        ("Kind", "conformance"),
    ],
)
def test_a_member_of_another_value_is_refused(name: str, value: object) -> None:
    assert code_of(json.dumps({**MEMBERS, name: value}).encode()) == "invalid_artefact"


@pytest.mark.parametrize("version", [2, 3, 2**32 - 1])
def test_a_version_to_come_is_not_guessed_at(version: int) -> None:
    data = json.dumps({**MEMBERS, "schema_version": version}).encode()
    assert code_of(data) == "unsupported_schema_version"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "invalid_json"),
        (b"[]", "invalid_artefact"),
        (b'"text"', "invalid_artefact"),
        (b"\xef\xbb\xbf" + TEXT.encode(), "invalid_json"),
        (TEXT.encode("utf-16"), "invalid_json"),
        (TEXT.encode("latin-1"), "invalid_json"),
        (TEXT.encode() + b"{}", "invalid_json"),
        (TEXT.encode()[:-1], "invalid_json"),
        (TEXT.replace('"loan"', '"\\ud800"').encode(), "invalid_json"),
        (TEXT.replace('"z"', '"kind"').encode(), None),
        (TEXT.replace('"system"', '"kind"').encode(), "duplicate_keys"),
        (TEXT.replace('"z"', '"a"').encode(), "duplicate_keys"),
        (TEXT.replace("1,\n ", "NaN,\n ").encode(), "non_finite_number"),
        (TEXT.replace("1,\n ", "1e999,\n ").encode(), "non_finite_number"),
        (TEXT.replace("{}", "[" * 99 + "]" * 99).encode(), "json_too_deep"),
        (TEXT.replace("{}", "[" * 9999 + "]" * 9999).encode(), "json_too_deep"),
    ],
)
def test_what_two_readers_could_read_in_two_ways_is_refused(data: bytes, code: str | None) -> None:
    if code is None:  # a key of the payload is nobody's business
        parse_artefact(data, "x.json")
    else:
        assert code_of(data) == code


def test_a_huge_file_is_refused_before_it_is_parsed() -> None:
    limits = Limits(max_artifact_bytes=1_048_576)
    assert code_of(b"[" * (1_048_576 + 1), limits) == "artifact_too_large"
    assert code_of(b"[" * 1_048_576, limits) == "json_too_deep"


@pytest.mark.parametrize(
    "payload",
    [
        {"x": float("nan")},
        {"x": float("inf")},
        {"x": "\ud800"},
        {1: "x"},
        {"1": "x", 1: "y"},
        {"x": (1, 2)},
        {"x": b"bytes"},
        {"x": {1, 2}},
        {"x": 10**5000},
        {(1, 2): "x"},
        [],
        None,
    ],
)
def test_what_json_does_not_have_is_not_written(payload: Any) -> None:  # noqa: ANN401
    with pytest.raises(MalformedEvidence) as caught:
        encode_artefact(replace(ARTEFACT, payload=payload))
    assert caught.value.code in {"invalid_artefact", "duplicate_keys"}


@pytest.mark.parametrize("version", [0, 2])
def test_what_would_not_be_read_is_not_written(version: int) -> None:
    with pytest.raises(MalformedEvidence):
        encode_artefact(replace(ARTEFACT, schema_version=version))


def test_a_payload_that_holds_itself_is_not_written() -> None:
    payload: dict[str, Any] = {}
    payload["x"] = payload
    with pytest.raises(MalformedEvidence) as caught:
        encode_artefact(replace(ARTEFACT, payload=payload))
    assert caught.value.code == "invalid_artefact"


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**70), max_value=2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)
PAYLOADS = st.dictionaries(st.text(), JSON_VALUES, max_size=4)


@given(st.text(min_size=1), PAYLOADS, st.sampled_from(get_args(Kind)))
def test_what_is_written_is_read_again_and_written_alike(
    system: str, payload: dict[str, Any], kind: Kind
) -> None:
    artefact = Artefact(kind=kind, system=system, payload=payload)
    data = encode_artefact(artefact)
    again = parse_artefact(data, "x.json")
    assert encode_artefact(again) == data
    assert json.loads(data) == {**MEMBERS, "kind": kind, "system": system, "payload": payload}
    assert list(again.payload) == list(payload)


@given(st.binary(max_size=80))
def test_any_bytes_are_an_artefact_or_an_error(data: bytes) -> None:
    with pytest.raises(MalformedEvidence):  # four members need more than these
        parse_artefact(data, "x.json")


@given(st.dictionaries(st.sampled_from([*MEMBERS, "other"]), JSON_VALUES))
def test_any_members_are_an_artefact_or_an_error(members: dict[str, Any]) -> None:
    try:
        artefact = parse_artefact(json.dumps(members).encode(), "x.json")
    except AttestError:
        return
    assert set(members) == set(MEMBERS)
    assert artefact.payload == members["payload"]


@pytest.mark.parametrize("data", [b"{}", b' {"kind": "x", "x": [1.5, null]} \n'])
def test_a_bundle_is_any_object(data: bytes) -> None:
    check_bundle(data, "bundle.json")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "invalid_json"),
        (b"[]", "invalid_artefact"),
        (b"null", "invalid_artefact"),
        (b"\xef\xbb\xbf{}", "invalid_json"),
        (b'{"a": 1, "a": 1}', "duplicate_keys"),
        (b'{"a": "\xff"}', "invalid_json"),
        (b'{"a": Infinity}', "non_finite_number"),
    ],
)
def test_a_bundle_is_nothing_else(data: bytes, code: str) -> None:
    with pytest.raises(MalformedEvidence) as caught:
        check_bundle(data, "bundle.json")
    assert caught.value.code == code


def test_an_artefact_is_no_bundle() -> None:
    with pytest.raises(VerificationFailed) as caught:
        check_bundle(TEXT.encode(), "bundle.json")
    assert caught.value.code == "kind_mismatch"
