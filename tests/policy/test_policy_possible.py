"""Requirements that nobody can meet: found where it is certain, against trying every assignment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest.errors import PolicyFileError
from tests.policy.policy_texts import PEMS, load

KEYS = {f"key{number}": {"key": pem} for number, pem in enumerate(PEMS)}
ANA, BO, EVE = ("ana@a.example", "bo@a.example", "eve@a.example")
WORKFLOW = {
    "issuer": "github-actions",
    "repository": "acme/app",
    "workflow": ".github/workflows/build.yml",
}


def people(*emails: str, issuer: str = "google") -> dict[str, object]:
    return {"issuer": issuer, "email": list(emails)}


def judge(signers: dict[str, object], *require: object) -> str | None:
    """The code of the refusal and where it is, or None."""
    try:
        load({"version": 1, "signers": signers, "require": list(require)})
    except PolicyFileError as error:
        return f"{error.code} {str(error.where).partition(': ')[2]}"
    return None


def of(number: int, *names: str) -> dict[str, object]:
    return {"at-least": number, "of": list(names)}


POSSIBLE: dict[str, tuple[dict[str, object], list[object]]] = {
    "two people of one rule": ({"p": people(ANA, BO)}, [of(2, "p")]),
    "a person and a key": ({"p": people(ANA), "k": KEYS["key0"]}, ["p", "k"]),
    "any of a domain": ({"p": people("*@a.example")}, [of(100, "p")]),
    "one of them a pattern": ({"p": people(ANA, "*@b.example")}, [of(9, "p")]),
    "a regex": ({"p": {"issuer": "google", "email": {"regex": ".*@a"}}}, [of(9, "p")]),
    "a pattern beside a key": ({"p": people("*@a"), "k": KEYS["key0"]}, [of(9, "k", "p")]),
    "a subject": ({"s": {"issuer": "google", "subject": "https://a.example"}}, [of(2, "s")]),
    "workflows of any repository": ({"w": {**WORKFLOW, "repository": "acme/*"}}, [of(2, "w")]),
    "any workflow": ({"w": {**WORKFLOW, "workflow": "**"}}, [of(2, "w")]),
    "any reusable workflow": ({"w": {**WORKFLOW, "signer-repository": "acme/ci"}}, [of(2, "w")]),
    "two repositories": ({"w": {**WORKFLOW, "repository": ["acme/a", "acme/b"]}}, [of(2, "w")]),
    "two ids of one name": ({"w": {**WORKFLOW, "repository-id": [1, 2]}}, [of(2, "w")]),
    "one who can stand back": ({"p": people(ANA, BO), "q": people(ANA)}, ["p", "q"]),
    "a chain of them": (
        {"p": people(ANA, BO), "q": people(BO, EVE), "r": people(EVE), "s": KEYS["key0"]},
        ["p", "q", "r", "s"],
    ),
}


@pytest.mark.parametrize(("signers", "require"), POSSIBLE.values(), ids=POSSIBLE)
def test_what_may_be_met_is_accepted(signers: dict[str, object], require: list[object]) -> None:
    assert judge(signers, *require) is None


IMPOSSIBLE: dict[str, tuple[dict[str, object], list[object], int]] = {
    "three of two": ({"p": people(ANA, BO)}, [of(3, "p")], 0),
    "three of two keys": ({"a": KEYS["key0"], "b": KEYS["key1"]}, [of(3, "a", "b")], 0),
    "one key under two names": ({"a": KEYS["key0"], "b": KEYS["key0"]}, [of(2, "a", "b")], 0),
    "one person by two issuers": (
        {"p": people(ANA), "q": people(ANA, issuer="github")}, [of(2, "p", "q")], 0),
    "one person in two spellings": ({"p": people(ANA, "ANA@A.example")}, [of(2, "p")], 0),
    "one person in two roles": ({"p": people(ANA), "q": people(ANA)}, ["p", "q"], 1),
    "one line twice": ({"k": KEYS["key0"]}, ["k", "k"], 1),
    "three roles of two people": (
        {"p": people(ANA, BO), "q": people(BO, ANA), "r": people(ANA)}, ["p", "q", "r"], 2),
    "one workflow on two refs": (
        {"w": {**WORKFLOW, "ref": "refs/heads/main"}, "x": {**WORKFLOW, "ref": "refs/tags/*"}},
        ["w", "x"], 1),
    "one repository in two spellings": (
        {"w": {**WORKFLOW, "repository": ["acme/app", "Acme/App"]}}, [of(2, "w")], 0),
    "one reusable workflow": (
        {"w": {"issuer": "github-actions", "repository-id": 7, "signer-repository": "acme/ci",
               "signer-workflow": "a.yml"}}, [of(2, "w")], 0),
    "three workflows of two repositories": (
        {"w": {**WORKFLOW, "repository": ["acme/a", "acme/b"]}}, [of(3, "w")], 0),
    "a workflow that calls itself": (
        {"w": WORKFLOW, "x": {**WORKFLOW, "signer-repository": "ACME/app",
                              "signer-workflow": WORKFLOW["workflow"]}}, ["w", "x"], 1),
    "others that can be met around it": (
        {"p": people("*@a"), "k": KEYS["key0"]}, ["p", "k", of(2, "p"), "k"], 3),
}  # fmt: skip


@pytest.mark.parametrize(("signers", "require", "line"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_what_nobody_can_meet_is_refused(
    signers: dict[str, object], require: list[object], line: int
) -> None:
    assert judge(signers, *require) == f"policy_impossible require[{line}]"


def assignments(slots: Sequence[set[str]], everybody: Sequence[str]) -> Iterator[bool]:
    """Whether each way of giving every slot somebody of his own fills them all."""
    for chosen in permutations(everybody, len(slots)):
        yield all(somebody in slot for somebody, slot in zip(chosen, slots, strict=True))


@given(
    rules=st.lists(st.sets(st.sampled_from("abcde"), min_size=1), min_size=1, max_size=4),
    lines=st.lists(
        st.tuples(st.integers(1, 3), st.sets(st.integers(0, 3), min_size=1)),
        min_size=1,
        max_size=4,
    ),
)
def test_it_is_impossible_where_every_assignment_fails(
    rules: list[set[str]], lines: list[tuple[int, set[int]]]
) -> None:
    signers: dict[str, object] = {
        f"r{number}": people(*(f"{letter}@a.example" for letter in sorted(rule)))
        for number, rule in enumerate(rules)
    }
    chosen = [(number, sorted({index % len(rules) for index in names})) for number, names in lines]
    require = [of(number, *(f"r{index}" for index in names)) for number, names in chosen]
    slots = [
        set().union(*(rules[index] for index in names))
        for number, names in chosen
        for _ in range(number)
    ]
    found = judge(signers, *require)
    assert (found is None) == any(assignments(slots, "abcde"))
    assert found is None or found.startswith("policy_impossible require[")
