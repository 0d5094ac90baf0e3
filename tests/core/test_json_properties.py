"""Strict JSON, base64 and JCS over random documents, against independent readings."""

from __future__ import annotations

import binascii
import json
from base64 import b64decode, b64encode
from decimal import Decimal
from fractions import Fraction

import pytest
import rfc8785
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from attest.errors import MalformedEvidence
from attest.limits import MAX_SAFE_INTEGER
from attest.strictjson import JSON, canonicalize, decode_base64, loads

#: A machine with other work is no reason to fail.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SAFE = st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER)
NUMBERS = SAFE | st.floats(allow_nan=False, allow_infinity=False)
DOCUMENTS: st.SearchStrategy[JSON] = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@PATIENT
@given(document=DOCUMENTS, ascii_only=st.booleans(), indent=st.sampled_from([None, 1]))
def test_valid_documents_are_read_as_every_reader_does(
    *, document: JSON, ascii_only: bool, indent: int | None
) -> None:
    data = json.dumps(document, ensure_ascii=ascii_only, indent=indent).encode()
    assert loads(data, where="x") == json.loads(data)


@PATIENT
@given(st.binary(max_size=40) | st.text(max_size=40).map(lambda text: text.encode(errors="ignore")))
@example(b'{"a":1,"a":1}')
@example(b"\xef\xbb\xbf{}")
@example(b'"\\ud800"')
@example(b"[1e999]")
@example(b"NaN")
@example(b"9" * 5000)
@example(b"[" * 5000)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        value = loads(data, where="x")
    except MalformedEvidence:
        return
    assert value == json.loads(data)  # what is accepted means the same to the common reader


@PATIENT
@given(
    st.from_regex(
        r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,25})?([eE][+-]?0{0,2}[0-9]{1,2})?", fullmatch=True
    )
)
@example("9007199254740990.5")
@example("1.000000000000000000000")
@example("0.99999999999999999999")
@example("0e-99")
def test_no_number_becomes_whole_by_being_read(text: str) -> None:
    if float(text).is_integer() and Fraction(text).denominator != 1:
        with pytest.raises(MalformedEvidence) as caught:
            loads(text.encode(), where="x")
        assert caught.value.code == "invalid_number"
    else:
        assert loads(text.encode(), where="x") == json.loads(text)


@PATIENT
@given(st.dictionaries(TEXT, SAFE, min_size=1), st.data())
def test_a_repeated_key_is_refused_wherever_it_stands(
    members: dict[str, int], data: st.DataObject
) -> None:
    pairs = list(members.items())
    pairs.insert(
        data.draw(st.integers(0, len(pairs))), (data.draw(st.sampled_from(sorted(members))), 0)
    )
    text = ",".join(f"{json.dumps(key)}:{value}" for key, value in pairs)
    with pytest.raises(MalformedEvidence) as caught:
        loads(f'[{{"outer":{{{text}}}}}]'.encode(), where="x")
    assert caught.value.code == "duplicate_keys"


@PATIENT
@given(st.integers(1, 80), st.sampled_from(["[", '{"a":']))
def test_nesting_is_bounded_exactly(depth: int, opening: str) -> None:
    closing = "]" if opening == "[" else "}"
    data = (opening * (depth - 1) + opening[0] + closing + closing * (depth - 1)).encode()
    if depth <= 64:
        assert loads(data, where="x", max_depth=64) == json.loads(data)
    else:
        with pytest.raises(MalformedEvidence) as caught:
            loads(data, where="x", max_depth=64)
        assert caught.value.code == "json_too_deep"


BASE64ISH = st.text(
    st.sampled_from("ABCDwxyz0189+/=-_ \n\u00e9") | st.characters(max_codepoint=127), max_size=12
)


@PATIENT
@given(BASE64ISH | st.binary(max_size=12).map(lambda data: b64encode(data).decode()))
@example("QQ==\n")
@example("QR==")
@example("QQ=")
@example("=")
@example("Q")
def test_base64_is_canonical_or_canonical_without_padding(text: str) -> None:
    try:
        data: bytes | None = decode_base64(text, where="x", code="c")
    except MalformedEvidence:
        data = None
    # Another way to the same set: decode loosely, encode, compare.
    try:
        loose = b64decode(text + "==")
    except (binascii.Error, ValueError):
        loose = None
    canonical = None if loose is None else b64encode(loose).decode()
    expected = loose if canonical and text in {canonical, canonical.rstrip("=")} else None
    assert data == (b"" if text == "" else expected)


@PATIENT
@given(data=st.binary(max_size=40), padded=st.booleans())
def test_base64_of_anything_is_read_back(*, data: bytes, padded: bool) -> None:
    text = b64encode(data).decode()
    assert decode_base64(text if padded else text.rstrip("="), where="x", code="c") == data


@PATIENT
@given(DOCUMENTS)
@example({"\U0001f600": 1, "\ufb33": 2, "\u20ac": 3})
@example({"\ue000": 1, "\U00010000": 2})
@example([1e21, 1e-7, 123456789012345.6, -0.0, 5e-324, 1.0])
@example('\x00\x1f\x7f\u2028"\\/')
def test_the_jcs_form_is_what_others_make(document: JSON) -> None:
    ours = canonicalize(document)
    assert ours == rfc8785.dumps(document)
    assert ours == jcs(document).encode()


@PATIENT
@given(st.integers(min_value=MAX_SAFE_INTEGER + 1) | st.integers(max_value=-MAX_SAFE_INTEGER - 1))
def test_integers_that_readers_see_differently_have_no_jcs_form(value: int) -> None:
    with pytest.raises(MalformedEvidence) as caught:
        canonicalize({"n": [value]})
    assert caught.value.code == "jcs_invalid"


@PATIENT
@given(code=st.integers(0xD800, 0xDFFF), in_key=st.booleans())
def test_lone_surrogates_have_no_jcs_form(*, code: int, in_key: bool) -> None:
    text = f"a{chr(code)}b"
    with pytest.raises(MalformedEvidence) as caught:
        canonicalize({text: 1} if in_key else [text])
    assert caught.value.code == "jcs_invalid"


def jcs(value: JSON) -> str:
    """RFC 8785 once more, in as few words as it takes."""
    match value:
        case None | True | False:
            return {None: "null", True: "true", False: "false"}[value]
        case int():
            return str(value)
        case float():
            return number(value)
        case str():
            return '"' + "".join(map(character, value)) + '"'
        case list():
            return "[" + ",".join(map(jcs, value)) + "]"
        case dict():
            keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
            return "{" + ",".join(f"{jcs(key)}:{jcs(value[key])}" for key in keys) + "}"


def character(letter: str) -> str:
    short = {"\b": "b", "\t": "t", "\n": "n", "\f": "f", "\r": "r", '"': '"', "\\": "\\"}
    if letter in short:
        return "\\" + short[letter]
    return letter if ord(letter) >= 0x20 else f"\\u{ord(letter):04x}"


def number(value: float) -> str:
    """ECMA-262, Number::toString, from the shortest digits that Python also gives."""
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    text, minus = "".join(map(str, digits)), "-" if sign else ""
    point = len(text) + int(exponent)
    if value == 0:
        return "0"
    if len(text) <= point <= 21:
        return minus + text + "0" * (point - len(text))
    if 0 < point <= 21:
        return f"{minus}{text[:point]}.{text[point:]}"
    if -6 < point <= 0:
        return f"{minus}0.{'0' * -point}{text}"
    fraction = f".{text[1:]}" if len(text) > 1 else ""
    return f"{minus}{text[0]}{fraction}e{point - 1:+d}"
