"""The parts in which who signed differs from who was expected."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest.policy.explain import differences

ACTIONS = "https://token.actions.githubusercontent.com"
GITHUB = "https://github.com/acme/evidence/.github/workflows/pack.yml@refs/heads/main"
GITLAB = "https://gitlab.com/acme/group/evidence//.gitlab-ci.yml@refs/heads/main"


def parts(expected: str, found: str, *, issuer: str = ACTIONS) -> list[str]:
    """What differs, as `part: expected -> found`."""
    lines = differences([(expected, ACTIONS)], found, issuer)
    return [
        line.removeprefix("differs in ").replace("expected ", "").replace(", found ", " -> ")
        for line in lines
    ]


@pytest.mark.parametrize(
    ("expected", "found", "differing"),
    [
        (GITHUB, GITHUB, []),
        (GITHUB, GITHUB.replace("main", "dev"), ["ref: refs/heads/main -> refs/heads/dev"]),
        (
            GITHUB,
            GITHUB.replace("pack.yml", "test.yml"),
            ["workflow: .github/workflows/pack.yml -> .github/workflows/test.yml"],
        ),
        (GITHUB, GITHUB.replace("acme", "evil"), ["repository: acme/evidence -> evil/evidence"]),
        (GITHUB, GITHUB.replace("github.com", "ghe.acme"), ["host: github.com -> ghe.acme"]),
        (GITHUB, GITHUB.partition("@")[0], ["ref: refs/heads/main -> none"]),
        (GITLAB, GITLAB.replace("group/", ""), [
            "repository: acme/group/evidence -> acme/evidence",
        ]),
        (GITHUB.partition("@")[0], GITHUB.partition("@")[0] + "@", [
            f"spelling: {GITHUB.partition('@')[0]} -> {GITHUB.partition('@')[0]}@",
        ]),
        (GITLAB, GITLAB.replace("-ci", ""), ["workflow: .gitlab-ci.yml -> .gitlab.yml"]),
        (GITHUB, "https://github.com/", [
            "repository: acme/evidence -> /",
            "workflow: .github/workflows/pack.yml -> none",
            "ref: refs/heads/main -> none",
        ]),
        ("ana@acme.example", "bob@acme.example", ["name: ana -> bob"]),
        ("ana@acme.example", "ana@acme.test", ["e-mail domain: acme.example -> acme.test"]),
        ("ana@acme.example", GITHUB, ["kind: an e-mail address -> a workflow"]),
        (GITHUB, "ana", ["kind: a workflow -> another name"]),
        (GITHUB, "https://[", ["kind: a workflow -> another name"]),
        ("one", "two", ["subject: one -> two"]),
    ],
)  # fmt: skip
def test_each_part_that_differs_has_a_line(expected: str, found: str, differing: list[str]) -> None:
    assert parts(expected, found) == differing


def test_the_issuer_is_a_part() -> None:
    assert parts(GITHUB, GITHUB, issuer="https://evil.example") == [
        f"issuer: {ACTIONS} -> https://evil.example"
    ]


def test_the_signer_who_is_most_alike_is_the_one_compared() -> None:
    signers = [
        ("ana@acme.example", "https://accounts.google.com"),
        (GITHUB, ACTIONS),
    ]
    assert differences(signers, GITHUB.replace("main", "dev"), ACTIONS) == (
        "differs in ref: expected refs/heads/main, found refs/heads/dev",
    )


def test_whoever_expected_nobody_is_told_nothing() -> None:
    assert differences([], GITHUB, ACTIONS) == ()


@given(st.text(min_size=1), st.text(min_size=1))
def test_any_two_names_can_be_compared(expected: str, found: str) -> None:
    assert bool(parts(expected, found)) == (expected != found)
