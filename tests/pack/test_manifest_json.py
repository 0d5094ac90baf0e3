"""The JSON of a manifest: what every reader takes for the same, and nothing else."""

from __future__ import annotations

import json

import pytest

from attest.limits import Limits
from attest.pack.manifest import parse_manifest
from tests.pack.full_manifest import FULL, PACK, code_of, code_of_manifest, written

PLACES = [
    ("artifacts", 0, "metadata"),
    ("artifacts", 0, "metadata", "inner"),
    (*PACK, "embedded_attestations", 0, "verificationMaterial"),
    ("sources", 0),
]


@pytest.mark.parametrize("path", PLACES, ids=str)
@pytest.mark.parametrize(
    ("one", "other"),
    [('"a"', '"a"'), ('"a"', '"\\u0061"'), ('"\\u0061"', '"\\u0061"'), ('"/"', '"\\/"'),
     ('"\\n"', '"\\u000A"'), ('"\U0001f600"', '"\\ud83d\\ude00"'), ('""', '""'),
     ('"\u00e9"', '"\\u00E9"'), ('"\\u00e9"', '"\\u00E9"')],
)  # fmt: skip
def test_a_key_is_there_twice_however_it_is_spelled(
    path: tuple[str | int, ...], one: str, other: str
) -> None:
    for text in (f"{{{one}: 1, {other}: 1}}", f'[{{"x": [{{{one}: 1, "y": 0, {other}: 2}}]}}]'):
        assert code_of_manifest(written(*path, as_json=text)) == "duplicate_keys"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('{"a": 1, "A": 2}', None),
        ('{"\u00e9": 1, "e\u0301": 2}', None),  # other code points are another key
        ('{"a": {"a": {"a": [{"a": 1}]}}}', None),
        ('"\\ud83d\\ude00"', "invalid_type"),
        ('{"a": "\\ud83d\\ude00\\u0000\\uffff"}', None),
        ('{"a": "\\ud83d"}', "invalid_json"),
        ('{"a": "\\ude00"}', "invalid_json"),
        ('{"a": "\\ude00\\ud83d"}', "invalid_json"),
        ('{"a": "\\uD83Dx"}', "invalid_json"),
        ('{"a": "\\ud83d\\ud83d\\ude00"}', "invalid_json"),
        ('{"\\udfff": 1}', "invalid_json"),
        ('{"a": "\\\\ud83d"}', None),
        ('{"a": "\t"}', "invalid_json"),
        ('{"a": "\x7f\u2028"}', None),
        ('{"a": "\\x41"}', "invalid_json"),
        ('{"a": "\\u12"}', "invalid_json"),
        ('{"a": 1,}', "invalid_json"),
        ('{"a": [1,]}', "invalid_json"),
        ('{"a": 1 /* x */}', "invalid_json"),
        ("{'a': 1}", "invalid_json"),
        ('{"a" 1}', "invalid_json"),
        ('{"a": True}', "invalid_json"),
        ('{"a": 9007199254740991}', None),
        ('{"a": 9007199254740992}', "jcs_invalid"),
        ('{"a": -9007199254740991}', None),
        ('{"a": -9007199254740992}', "jcs_invalid"),
        ('{"a": 1e300}', None),
        ('{"a": 1e-300}', None),
        ('{"a": 0.1}', None),
        ('{"a": 0e-400}', None),
        ('{"a": 1e-400}', "invalid_number"),
        ('{"a": -1e-400}', "invalid_number"),
        ('{"a": 1e309}', "non_finite_number"),
        ('{"a": [{"b": NaN}]}', "non_finite_number"),
    ],
)
def test_what_metadata_may_hold(text: str, code: str | None) -> None:
    assert code_of_manifest(written("artifacts", 0, "metadata", as_json=text)) == code


RAW = json.dumps(FULL, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b" \t\r\n" + RAW + b" \t\r\n", None),
        (b"\x0b" + RAW, "invalid_json"),
        (b"\xc2\xa0" + RAW, "invalid_json"),
        (RAW + b"\0", "invalid_json"),
        (RAW + RAW, "invalid_json"),
        (RAW + b" x", "invalid_json"),
        (RAW[:-1], "invalid_json"),
        (b"\xef\xbb\xbf" + RAW, "invalid_json"),
        (b" \xef\xbb\xbf" + RAW, "invalid_json"),
        (RAW + b"\xef\xbb\xbf", "invalid_json"),
        (RAW.decode().encode("utf-16"), "invalid_json"),
        (RAW.decode().encode("utf-16-le"), "invalid_json"),
        (RAW.decode().encode("utf-16-be"), "invalid_json"),
        (RAW.decode().encode("utf-32"), "invalid_json"),
        (RAW.decode().encode("utf-32-be"), "invalid_json"),
        (RAW.replace(b"acme", b"ac\xc3\x28me"), "invalid_json"),
        (RAW.replace(b"acme", b"ac\xc0\xafme"), "invalid_json"),
        (RAW.replace(b"acme", b"ac\xed\xa0\xbd\xed\xb8\x80me"), "invalid_json"),
        (RAW.replace(b"acme", b"ac\xf4\x90\x80\x80me"), "invalid_json"),
        (RAW.replace(b"acme", b"ac\xf0\x9f\x98\x80me"), None),
    ],
    ids=str,
)
def test_a_manifest_is_one_utf8_document(data: bytes, code: str | None) -> None:
    found = code_of(lambda: parse_manifest(data))
    assert found == code


@pytest.mark.parametrize("limit", [16, 64])
def test_a_manifest_is_nested_no_deeper_than_allowed(limit: int) -> None:
    # The manifest, its artifacts and the artifact are open around the metadata.
    for more, code in ((0, None), (1, "json_too_deep")):
        depth = limit - 3 + more
        data = written("artifacts", 0, "metadata", as_json='{"a":' * depth + "1" + "}" * depth)
        found = code_of(lambda: parse_manifest(data, limits=Limits(max_json_depth=limit)))  # noqa: B023
        assert found == code
