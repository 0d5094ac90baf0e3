"""What is checked all at once is judged as if it were checked one by one."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest.errors import AttestError, MalformedEvidence
from attest.pack import manifest_fields, paths
from attest.pack.columns import read_columns
from attest.pack.document import load_with_canonical
from attest.pack.paths import are_plain, check_path, check_unique
from attest.strictjson import JSON, canonicalize, loads

DIGEST = "sha256:" + "0a" * 32
PLAIN: dict[str, JSON] = {
    "type": "embedded",
    "path": "artifacts/logs/1.log",
    "digest": DIGEST,
    "size": 7,
}
FULL: dict[str, JSON] = PLAIN | {
    "path": "artifacts/full.json",
    "content_type": "text/plain",
    "display_name": "",
    "description": "what it is",
    "collected_at": "2026-11-21T00:00:00Z",
    "schema": "s",
    "semantic_type": "log",
    "metadata": {"any": [1.5, None]},
    "controls": ["AC-2", "AU-6"],
}
ODD: tuple[JSON, ...] = (
    None, "", "x", 0, 1, -1, 2**53 - 1, 2**53, 1.0, 1.5, True, [], [""],
    ["x"], ["x", 1], {}, {"a": 1}, DIGEST, DIGEST.upper(), DIGEST + "\n", DIGEST[:-1],
    "2026-02-30T00:00:00Z",
    "2026-11-21T00:00:00Z", "2026-11-21T00:00:00Z\n", "artifacts/a.log", "artifacts/a\nb",
    "artifacts/CON", "artifacts/x/aux.txt", "artifacts/../x", "other/x", "artifacts/", "reference",
    "artifacts/\u212a", "artifacts/" + "a" * 81, "artifacts/é",
)  # fmt: skip
names = st.sampled_from([*FULL, "unknown"])
changed = st.dictionaries(names, st.sampled_from(ODD), max_size=2)
artifacts = st.builds(
    lambda base, change, lost: {
        key: value for key, value in (base | change).items() if key not in lost
    },
    st.sampled_from([PLAIN, FULL]),
    changed,
    st.sets(names, max_size=2),
)


@given(st.lists(artifacts, min_size=1, max_size=3))
def test_artifacts_are_read_as_one_by_one_or_left_to_that(items: list[dict[str, JSON]]) -> None:
    found = read_columns(items)
    if found is not None:
        assert found == tuple(manifest_fields._read_artifact(item, "") for item in items)


def test_the_usual_form_is_not_left_to_the_slow_way() -> None:
    found = read_columns([PLAIN, FULL, PLAIN])
    assert found is not None
    assert found[1].collected_at is not None
    assert (found[0].controls, found[1].controls) == (None, ("AC-2", "AU-6"))
    with pytest.raises(AttributeError):
        found[0].path = "changed"  # type: ignore[misc]  # that it is frozen is the claim


@pytest.mark.parametrize("name", sorted(FULL))
@pytest.mark.parametrize("value", ODD, ids=repr)
def test_whatever_one_of_many_is_refused_for_is_left_to_the_slow_way(
    name: str, value: JSON
) -> None:
    wrong = FULL | {name: value}
    try:
        manifest_fields._read_artifact(wrong, "")
    except AttestError:
        assert read_columns([PLAIN, wrong]) is None
    else:
        assert read_columns([PLAIN, FULL]) is not None


text = st.text("aA1._-/ :\\\nconCOMauxlpt9\u212aé", max_size=14) | st.sampled_from(
    ["a" * 81, "a" * 80, "/".join(["a" * 79] * 4), "lpt9", "a/Com1.x", "com", "a.", "_a", "a//b"]
)


@given(st.lists(text, max_size=3))
def test_plain_paths_are_allowed_paths(found: list[str]) -> None:
    if are_plain(found):
        for path in found:
            check_path(path)


def test_usual_paths_are_plain() -> None:
    assert are_plain(["manifest.json", "artifacts/raw/0.log", "a" * 80, "attestations/a-b_c.json"])


@given(st.lists(text, max_size=4), st.lists(text, max_size=2))
def test_paths_are_found_unique_as_one_by_one(files: list[str], folders: list[str]) -> None:
    def careful() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(paths, "_are_plainly_unique", lambda *_: False)
            check_unique(files, folders, rule="R-034")

    assert code_of(lambda: check_unique(files, folders, rule="R-034")) == code_of(careful)


def code_of(work: Callable[[], object]) -> str | None:
    try:
        work()
    except MalformedEvidence as error:
        return error.code
    return None


documents = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**54), 2**54)
    | st.sampled_from([1.0, 0.5, -0.0, 1e300])
    | st.text(':"\\a{[é\ue000\U0001f600\x7f\n', max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(':"ab\ue000\U0001f600', max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    documents.flatmap(
        lambda value: st.sampled_from([json.dumps(value), json.dumps(value, ensure_ascii=False)])
    )
)
def test_a_document_has_both_forms_as_one_after_the_other(document: str) -> None:
    data = document.encode()
    found, canonical = load_with_canonical(data, where="", max_depth=9)
    assert found == loads(data, where="")
    if canonical is not None:
        assert canonical == canonicalize(found)


def test_a_usual_document_has_both_forms_at_once() -> None:
    assert load_with_canonical('{"b": [1], "é": ":"}'.encode(), where="", max_depth=2) == (
        {"b": [1], "é": ":"},
        '{"b":[1],"é":":"}'.encode(),
    )


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ('{"a":1,"a":1}', "duplicate_keys"),
        ('{"a":{"b":":"},"a":{"b":":"}}', "duplicate_keys"),
        # The colon that the escape adds must not stand for the member that was lost.
        ('{"a":1,"a":"\\u003a"}', "duplicate_keys"),
        ('{"a":1,"a":"\\u003A"}', "duplicate_keys"),
        ('{"a":1,"\\u0061":1}', "duplicate_keys"),
        ('[{"a":1,"b":{"a":2,"a":"::"}}]', "duplicate_keys"),
        ('{"a":"\\ud800"}', "invalid_json"),
        ('{"a":NaN}', "non_finite_number"),
        ('{"a":1e999}', "non_finite_number"),
        ('{"a":' + "9" * 5000 + "}", "invalid_number"),
        ('{"a":1} x', "invalid_json"),
        ('\ufeff{"a":1}', "invalid_json"),
        ("[[[[]]]]", "json_too_deep"),
        ('{"a":[{"b":{}}]}', "json_too_deep"),
        ("[" * 100_000, "json_too_deep"),
    ],
    ids=lambda text: text[:40],
)
def test_what_a_careful_reader_refuses_is_refused(document: str, code: str) -> None:
    with pytest.raises(MalformedEvidence) as caught:
        load_with_canonical(document.encode(), where="", max_depth=3)
    assert caught.value.code == code
