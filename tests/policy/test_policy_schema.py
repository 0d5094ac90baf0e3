"""The JSON Schema of policies says what the loader says, as far as a schema can."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from attest.errors import PolicyFileError
from attest.policy.grammar import POLICY
from attest.policy.load import parse_policy
from attest.policy.nodes import Mapping, Node, Scalar, parse_nodes
from attest.policy.schema import CASES_SCHEMA_FILE, SCHEMA_FILE, cases_schema, schema, written
from attest.policy.structure import Structure
from attest.shared_data import shared_folder
from tests.policy.policy_texts import EXAMPLE, FULL, REFUSED, Refused, changed

FOLDER = shared_folder("policy")
VALIDATOR = Draft202012Validator(schema())


def plain(node: Node) -> object:
    """The value of a node, for validators: those of a policy are texts and whole numbers."""
    if isinstance(node, Mapping):
        return {name: plain(member.value) for name, member in node.members.items()}
    if not isinstance(node, Scalar):
        return [plain(item) for item in node.items]
    return int(node.value) if node.kind == "integer" else node.value


@pytest.mark.parametrize(
    ("name", "made"), [(SCHEMA_FILE, schema()), (CASES_SCHEMA_FILE, cases_schema())]
)
def test_the_schemas_in_the_folder_are_those_of_the_tables(name: str, made: dict[str, Any]) -> None:
    there = (FOLDER / name).read_text(encoding="utf-8")
    assert there == written(made), "write it with `make schema`"
    Draft202012Validator.check_schema(json.loads(there))


def test_what_is_accepted_validates() -> None:
    VALIDATOR.validate(FULL)
    VALIDATOR.validate(plain(parse_nodes(EXAMPLE.encode(), file="p.yaml")))


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.change)
def test_what_is_refused_does_not_validate(case: Refused) -> None:
    """But for what no schema can say, which refused.txt marks."""
    assert VALIDATOR.is_valid(case.document) != case.by_schema


def descriptions(part: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, member in part.get("properties", {}).items():
        yield name, member
        yield from descriptions(member)
    for inner in part.get("$defs", {}).values():
        yield from descriptions(inner)
    named = part.get("additionalProperties")
    if isinstance(named, dict):
        yield from descriptions(named)


def test_every_key_is_described_for_editors() -> None:
    found = [*descriptions(schema()), *descriptions(cases_schema())]
    assert len(found) > 80
    assert [name for name, member in found if not member["description"].endswith((".", ")"))] == []


EXAMPLES = sorted(
    path
    for path in FOLDER.rglob("*")
    if path.suffix in {".yaml", ".yml", ".json"}
    and path.name not in (SCHEMA_FILE, CASES_SCHEMA_FILE)
    and ".policy-test." not in path.name
)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_policy_that_ships_is_valid_and_tells_editors_so(path: Path) -> None:
    data = path.read_bytes()
    parse_policy(data, file=str(path), folder=path.parent)
    VALIDATOR.validate(plain(parse_nodes(data, file=str(path))))
    if path.suffix != ".json":
        first, mark, named = data.decode().split("\n")[0].partition("$schema=")
        assert (first, mark) == ("# yaml-language-server: ", "$schema=")
        assert (path.parent / named).resolve() == (FOLDER / SCHEMA_FILE).resolve()


def places(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of every value inside a value."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else ()
    for step, inner in enumerate(value) if isinstance(value, list) else items:
        yield from places(inner, (*path, step))


# Numbers with a fraction are what JSON Schema takes for whole ones where the fraction is 0, and
# `$` is before a last line break too in this validator's language.
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 300)
    | st.floats(0.1, 0.9)
    | st.sampled_from(["ci", "google", "a@b", "a/b", "*", "x" * 1_001, "required", "1d", "0" * 64])
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["regex", "value", "since", "key", "issuer", "of", "at-least", "a b"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=5,
)


@settings(deadline=None)
@given(path=st.sampled_from(sorted(places(FULL), key=str)), value=st.just(...) | VALUES)
def test_schema_and_loader_judge_a_changed_value_alike(
    path: tuple[str | int, ...], value: object
) -> None:
    document = changed(*path, to=value)
    root = parse_nodes(json.dumps(document).encode(), file="p.json")
    try:
        Structure("p.json").check(root, POLICY)
        accepted = True
    except PolicyFileError:
        accepted = False
    assert accepted == VALIDATOR.is_valid(document)
