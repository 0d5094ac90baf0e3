"""Lint finds what a policy leaves open, and nothing in one that leaves nothing open."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from attest.policy.breadth import as_glob
from attest.policy.lint import RULES, Finding, lint
from attest.policy.load import parse_policy
from attest.policy.match import matches
from attest.policy.rules import CertificateSigner, Pattern
from attest.policy.shadows import covers, shadowed
from attest.shared_data import shared_folder
from tests.policy.policy_texts import PEMS
from tests.policy.verified_makers import ACTIONS, field

NOW = datetime(2026, 11, 21, tzinfo=UTC)
CI: dict[str, Any] = {
    "issuer": "github-actions",
    "repository": "acme/evidence",
    "workflow": ".github/workflows/pack.yml",
    "ref": ["refs/heads/main", "refs/tags/v*"],
    "runner": "github-hosted",
    "trigger": ["push", "release"],
}
ANA: dict[str, Any] = {"issuer": "google", "email": "ana@audit.example"}


def found(document: dict[str, Any]) -> list[Finding]:
    data = json.dumps({"version": 1, "expires": "2027-06-30T00:00:00Z", **document}).encode()
    return list(lint(parse_policy(data, file="p.json", folder=None), now=NOW))


def codes(document: dict[str, Any]) -> list[str]:
    return [item.rule for item in found(document) if item.level != "note"]


def of_signer(signer: dict[str, Any], require: Any = "x") -> list[str]:  # noqa: ANN401  # JSON
    return codes({"signers": {"x": signer}, "require": [require]})


def ci(**changes: object) -> dict[str, Any]:
    """The signer that leaves nothing open, changed; None removes a field."""
    made = {**CI, **{name.replace("_", "-"): value for name, value in changes.items()}}
    return {name: value for name, value in made.items() if value is not None}


@pytest.mark.parametrize(
    ("signer", "expected"),
    [
        (ci(repository="*/evidence", repository_id=None), ["wildcard_owner"]),
        (ci(repository="**/*"), ["wildcard_owner"]),
        (ci(repository="acme*/evidence"), ["wildcard_owner"]),
        (ci(repository={"regex": "[^/]+/evidence"}), ["wildcard_owner"]),
        (ci(repository={"regex": ".*/evidence"}), ["regex_as_glob", "wildcard_owner"]),
        (ci(signer_repository="**/*", owner_id="1"), ["wildcard_owner"]),
        (ci(claims={"build-signer-uri": "**"}), ["wildcard_owner"]),
        (ci(claims={"build-signer-uri": {"regex": ".+"}}), ["wildcard_owner"]),
        (ci(repository=None, signer_repository="acme/ci"), ["broad_repository"]),
        (ci(repository="acme/*"), ["broad_repository"]),
        (ci(repository=["acme/evidence", "acme/ev*"]), ["broad_repository"]),
        (ci(repository="**/*", owner_id="1"), ["broad_repository"]),
        (ci(repository=None, workflow=None, owner_id="1"), ["broad_repository"]),
        (ci(workflow=None), ["any_workflow"]),
        (ci(workflow="**"), ["any_workflow"]),
        (ci(workflow=[".github/workflows/a.yml", "**"]), ["any_workflow"]),
        (ci(ref=None), ["broad_ref"]),
        (ci(ref="**"), ["broad_ref"]),
        (ci(ref="refs/heads/*"), ["broad_ref"]),
        (ci(ref=["refs/tags/v1", "refs/**"]), ["broad_ref"]),
        (ci(ref="refs/pull/**"), ["broad_ref"]),
        (ci(ref={"regex": "refs/heads/(.*)"}), ["broad_ref"]),
        (ci(runner=None), ["self_hosted_runner"]),
        (ci(runner=["github-hosted", "self-hosted"]), ["self_hosted_runner"]),
        (ci(runner="*-hosted"), ["self_hosted_runner"]),
        (ci(trigger=["push", "pull_request_target"]), ["pull_request_target"]),
        (ci(trigger="**"), ["pull_request_target"]),
        (ci(ref={"regex": "refs/tags/v1\\.0"}), ["regex_as_glob"]),
        (ci(ref={"regex": "^refs/tags/v[^/]*$"}), ["regex_as_glob"]),
        (ANA | {"email": "*@gmail.com"}, ["shared_email_domain"]),
        (ANA | {"email": "ana*@GMail.com"}, ["shared_email_domain"]),
        (ANA | {"email": "*@*"}, ["shared_email_domain"]),
        (ANA | {"email": {"regex": "(ana|bo).+@gmail\\.com"}}, ["shared_email_domain"]),
        ({"issuer": "google", "subject": "*@outlook.com"}, ["shared_email_domain"]),
    ],
)
def test_what_a_signer_leaves_open_is_found(signer: dict[str, Any], expected: list[str]) -> None:
    assert sorted(of_signer(signer)) == sorted(expected)


HOME = "https://github.com/acme/evidence/.github/workflows/pack.yml"


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (f"{HOME}@refs/heads/main", []),
        (f"{HOME}@refs/tags/v*", []),
        (f"{HOME}@**", ["broad_ref"]),
        (f"{HOME}@refs/heads/*", ["broad_ref"]),
        (f"{HOME}**", ["broad_ref"]),
        (f"{HOME.rpartition('/')[0]}/*@refs/heads/main", []),
        ("https://github.com/acme/evidence/**@refs/heads/main", ["any_workflow"]),
        ("https://github.com/acme/*/.github/x.yml@refs/heads/main", ["broad_repository"]),
        ("https://github.com/*/evidence/.github/x.yml@refs/heads/main", ["wildcard_owner"]),
        ("https://github.com/**", ["any_workflow", "broad_ref", "wildcard_owner"]),
        ("**/pack.yml@refs/heads/main", ["wildcard_owner"]),
        ("**", ["any_workflow", "broad_ref", "wildcard_owner"]),
        ({"regex": "https://github.com/.*/evidence/x.yml@refs/heads/(a|b)"}, ["wildcard_owner"]),
        ({"regex": f"{HOME}@(refs/heads/main|refs/tags/v1)"}, []),
        ({"regex": f"{HOME}@.+"}, ["broad_ref"]),
    ],
)
def test_a_subject_is_taken_apart(subject: object, expected: list[str]) -> None:
    signer = {"issuer": "github-actions", "subject": subject, "runner": "github-hosted"}
    assert sorted(of_signer({**signer, "trigger": "push"})) == expected


@pytest.mark.parametrize(
    "signer",
    [
        CI,
        ANA,
        ci(ref="refs/heads/release/*"),
        ci(ref=None, commit="c" * 40),
        ci(repository="**/*", repository_id=123),
        ci(trigger=None, environment="production"),
        ci(signer_repository="acme/ci", signer_workflow=".github/workflows/x.yml"),
        ci(ref={"regex": "refs/tags/v[0-9]+"}),
        ANA | {"email": "ana@gmail.com"},
        ANA | {"email": "*@audit.example"},
        {"issuer": "https://login.acme.example", "subject": "https://acme.example/bot"},
        {"key": PEMS[0]},
    ],
)
def test_a_signer_that_leaves_nothing_open_is_clean(signer: dict[str, Any]) -> None:
    assert of_signer(signer) == []


def test_a_key_that_everybody_has_is_an_error() -> None:
    key = ec.derive_private_key(1, ec.SECP256R1()).public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    (finding,) = found({"signers": {"x": {"key": pem}}, "require": ["x"]})
    assert (finding.rule, finding.level) == ("development_key", "error")
    assert finding.path == "signers.x.key"


def test_that_any_event_may_start_a_workflow_is_only_noted() -> None:
    (note,) = found({"signers": {"x": ci(trigger=None)}, "require": ["x"]})
    assert (note.rule, note.level, note.path) == ("pull_request_target", "note", "signers.x")


OTHER = ci(workflow=".github/workflows/other.yml")


@pytest.mark.parametrize(
    ("signers", "line", "expected"),
    [
        ({"x": ci(workflow="**/p*.yml")}, {"at-least": 2, "of": "x"}, ["same_repository"]),
        ({"x": CI, "y": OTHER}, {"at-least": 2, "of": ["x", "y"]}, ["same_repository"]),
        (
            {"x": CI, "y": OTHER | {"repository": "ACME/Evidence"}, "a": ANA},
            {"at-least": 2, "of": ["x", "y", "a"]},
            ["same_repository"],
        ),
        ({"x": CI, "y": ci(repository="acme/x")}, {"at-least": 2, "of": ["x", "y"]}, []),
        ({"x": CI, "a": ANA}, {"at-least": 2, "of": ["x", "a"]}, []),
        ({"x": CI, "y": OTHER}, {"at-least": 1, "of": ["x", "y"]}, []),
        (
            {"x": ci(ref="refs/tags/v1"), "y": CI},
            {"at-least": 1, "of": ["x", "y"]},
            ["shadowed_signer"],
        ),
        ({"x": CI, "y": CI}, {"at-least": 1, "of": ["x", "y"]}, ["shadowed_signer"]),
        ({"x": ANA, "y": ANA | {"email": "*@audit.example"}}, {"at-least": 1, "of": ["x", "y"]},
         ["shadowed_signer"]),
        ({"x": {"key": PEMS[0]}, "y": {"key": PEMS[0]}}, {"at-least": 1, "of": ["x", "y"]},
         ["shadowed_signer"]),
        ({"x": {"key": PEMS[0]}, "y": {"key": PEMS[1]}}, {"at-least": 1, "of": ["x", "y"]}, []),
        (
            {
                "x": {"key": PEMS[0], "not-after": "2027-01-01T00:00:00Z"},
                "y": {"key": PEMS[0], "not-before": "2027-01-01T00:00:00Z"},
            },
            {"at-least": 1, "of": ["x", "y"]},
            [],
        ),
        ({"x": ANA, "y": ANA | {"issuer": "microsoft"}}, {"at-least": 1, "of": ["x", "y"]}, []),
        # A rule of a repository takes none of its reusable workflows from elsewhere.
        (
            {"x": ci(workflow=None, signer_repository="acme/ci", signer_workflow="s.yml"),
             "y": ci(workflow=None)},
            {"at-least": 1, "of": ["x", "y"]},
            ["any_workflow"],
        ),
        ({"x": CI, "y": ANA}, "x", ["unused_signer"]),
    ],
)  # fmt: skip
def test_lines_are_looked_at_as_a_whole(
    signers: dict[str, Any], line: object, expected: list[str]
) -> None:
    assert codes({"signers": signers, "require": [line]}) == expected


def test_a_signer_may_be_named_only_to_be_permitted() -> None:
    document = {"signers": {"x": CI, "y": ANA}, "require": ["x"], "others": "forbid"}
    assert codes(document) == []


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"expires": NOW - timedelta(seconds=1)}, ["expired"]),
        ({"expires": NOW + timedelta(days=29)}, ["expires_soon"]),
        ({"expires": NOW + timedelta(days=31)}, []),
        ({"description": "Trust on first use: from x.epack"}, ["trust_on_first_use"]),
        ({"description": "No trust on first use"}, []),
    ],
)
def test_the_file_as_a_whole_is_looked_at(members: dict[str, object], expected: list[str]) -> None:
    said = {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in members.items()
    }
    assert codes({"signers": {"a": ANA}, "require": ["a"], **said}) == expected


def test_a_policy_without_an_end_is_found() -> None:
    data = json.dumps({"version": 1, "signers": {"a": ANA}, "require": ["a"]}).encode()
    policy = parse_policy(data, file="p.json", folder=None)
    assert [item.rule for item in lint(policy, now=NOW)] == ["no_expiry"]


def test_a_finding_says_where_it_is() -> None:
    data = (
        b"version: 1\nexpires: 2027-06-30T00:00:00Z\nsigners:\n  ana:\n    issuer: google\n"
        b"    email: '*@gmail.com'\nrequire: [ana]\n"
    )
    (one,) = lint(parse_policy(data, file="p.yaml", folder=None), now=NOW)
    assert (one.path, one.position.line, one.position.column) == ("signers.ana.email", 6, 5)


def test_the_policies_that_ship_are_clean() -> None:
    shipped = [
        path for path in shared_folder("policy").glob("*.yaml") if "policy-test" not in path.name
    ]
    assert shipped
    for path in shipped:
        policy = parse_policy(path.read_bytes(), file=path.name, folder=path.parent)
        assert [item for item in lint(policy, now=NOW) if item.level != "note"] == [], path.name


def test_every_rule_is_found_by_some_test_above() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    assert [code for code in RULES if f'"{code}"' not in source] == []


REGEX = st.text(st.sampled_from("ab/.*[^]\\+?(|)$^v1"), min_size=1, max_size=12)


@settings(deadline=None)  # the machine may be busy
@given(text=REGEX, value=st.text(st.sampled_from("ab/.*v1"), max_size=8))
def test_a_glob_that_is_offered_says_what_the_regular_expression_says(
    text: str, value: str
) -> None:
    regex = Pattern(kind="regex", text=text)
    glob = as_glob(regex)
    if glob is not None:
        offered = Pattern(kind="glob" if "*" in glob else "exact", text=glob)
        assert matches(offered, value) == matches(regex, value)


VALUES = st.lists(st.sampled_from(["a", "b", "A", "a*", "*", "**", "a/b"]), min_size=1, unique=True)


@settings(deadline=None)  # the machine may be busy
@given(drawn=st.data())
def test_shadows_are_those_that_comparing_every_pair_finds(drawn: st.DataObject) -> None:
    issuers = st.sampled_from([ACTIONS, "https://accounts.google.com"])
    names = st.sampled_from(["ref", "repository", "signer-workflow"])
    signers = drawn.draw(
        st.lists(st.tuples(issuers, st.dictionaries(names, VALUES, min_size=1)), max_size=6)
    )
    rules = [
        CertificateSigner(
            name=f"x{number}",
            issuer=issuer,
            fields=tuple(field(name, *values) for name, values in members.items()),
        )
        for number, (issuer, members) in enumerate(signers)
    ]
    expected = {
        narrow.name
        for at, narrow in enumerate(rules)
        for other, wide in enumerate(rules)
        if other != at and covers(wide, narrow) and (other < at or not covers(narrow, wide))
    }
    assert {narrow.name for narrow, _ in shadowed(rules)} == expected
