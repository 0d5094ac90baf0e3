"""Policy files to values: what each spelling means, and which error a senseless one ends in."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest.errors import PolicyFileError, UsageError
from attest.policy.grammar import CLAIM_RULES, MATCHED
from attest.policy.load import load_policy, parse_policy
from attest.policy.rules import (
    CertificateSigner,
    FieldName,
    FieldRule,
    KeySigner,
    Pattern,
    PolicyFile,
    Position,
    Requirement,
    Revocations,
    Revoked,
    Window,
)
from tests.policy.policy_texts import EXAMPLE, FULL, REFUSED, Refused, changed, load, parse


def exact(text: str) -> Pattern:
    return Pattern(kind="exact", text=text)


def refused(document: object) -> PolicyFileError:
    text = document if isinstance(document, str) else json.dumps(document)
    with pytest.raises(PolicyFileError) as caught:
        parse(text)
    assert caught.value.where is not None
    assert caught.value.where.startswith("p.yaml:")
    return caught.value


def signer(policy: PolicyFile, name: str) -> CertificateSigner:
    found = next(item for item in policy.signers if item.name == name)
    assert isinstance(found, CertificateSigner)
    return found


def test_the_example_of_the_design_is_read_whole() -> None:
    policy = parse(EXAMPLE)
    ci, auditor, key = policy.signers
    assert ci == CertificateSigner(
        name="ci",
        issuer="https://token.actions.githubusercontent.com",
        fields=(
            FieldRule(name="repository", any_of=(exact("acme/evidence"),)),
            FieldRule(name="repository-id", any_of=(exact("123456789"),)),
            FieldRule(name="workflow", any_of=(exact(".github/workflows/pack.yml"),)),
            FieldRule(
                name="ref",
                any_of=(exact("refs/heads/main"), Pattern(kind="glob", text="refs/tags/v*")),
            ),
            FieldRule(name="runner", any_of=(exact("github-hosted"),)),
            FieldRule(name="environment", any_of=(exact("production"),)),
        ),
    )
    assert auditor == CertificateSigner(
        name="auditor",
        issuer="https://accounts.google.com",
        fields=(
            FieldRule(name="email", any_of=(exact("ana@audit.example"), exact("bo@audit.example"))),
        ),
    )
    assert isinstance(key, KeySigner)
    assert key.window == Window(not_after=datetime(2027, 1, 1, tzinfo=UTC))
    assert policy.require == (
        Requirement(at_least=1, of=("ci",)),
        Requirement(at_least=2, of=("auditor", "release-key")),
    )
    assert policy.evidence.stream == (exact("acme/prod"),)
    assert policy.evidence.predicate_types == ("https://evidencepack.org/attestation/v1",)
    assert policy.evidence.max_age == timedelta(days=90)
    assert (policy.log, policy.timestamp, policy.others) == ("required", "required", "report")
    assert policy.revoked == Revocations()
    assert policy.expires == datetime(2027, 6, 30, tzinfo=UTC)
    assert (policy.trust, policy.serial) == (("sigstore",), None)


def test_everything_that_can_be_written_arrives() -> None:
    policy = load(FULL)
    ci = signer(policy, "ci")
    assert {rule.name for rule in ci.fields} == {*get_args(FieldName), "claims"} - {
        "subject",
        "email",
    }
    claims = {rule.claim: rule.any_of for rule in ci.fields if rule.name == "claims"}
    assert claims == {
        "token-subject": (Pattern(kind="glob", text="repo:**"),),
        "build-trigger": (exact("push"),),
    }
    assert ci.window.not_before == datetime(2025, 12, 31, 23, 0, 0, 500_000, tzinfo=UTC)
    assert policy.trust == ("sigstore", "roots/acme.json")
    assert policy.serial == 7
    assert (policy.log, policy.timestamp, policy.others) == ("optional", "optional", "forbid")
    assert policy.revoked.identities[0] == Revoked(value="email:eve@audit.example")
    assert policy.revoked.keys[1] == Revoked(value="1" * 64, since=datetime(2026, 1, 1, tzinfo=UTC))
    assert policy.revoked.log_entries == (Revoked(value="4" * 64),)


def test_a_small_policy_asks_for_proof_unless_it_says_otherwise() -> None:
    policy = parse("version: 1\nsigners: {a: {issuer: google, email: a@b.example}}\nrequire: [a]")
    assert (policy.log, policy.timestamp, policy.others) == ("required", "required", "report")
    assert policy.trust == ("sigstore",)
    assert policy.expires is None


def test_every_field_and_claim_of_the_values_is_in_the_grammar() -> None:
    from attest.claims import CLAIMS

    assert {field.name for field in MATCHED} == set(get_args(FieldName))
    assert {field.name for field in CLAIM_RULES.fields} == set(CLAIMS.values())


@pytest.mark.parametrize("indent", [None, 2, "\t"])
def test_yaml_and_its_json_are_the_same_policy(indent: int | str | None) -> None:
    yaml = parse(EXAMPLE)
    document = {
        "version": 1,
        "description": "Who may sign acme/prod",
        "expires": "2027-06-30T00:00:00Z",
        "trust": "sigstore",
        "signers": {
            "ci": {
                "issuer": "github-actions",
                "repository": "acme/evidence",
                "workflow": ".github/workflows/pack.yml",
                "ref": ["refs/heads/main", "refs/tags/v*"],
                "environment": "production",
                "runner": "github-hosted",
                "repository-id": 123456789,
            },
            "auditor": FULL["signers"]["auditor"],
            "release-key": FULL["signers"]["release-key"],
        },
        "require": ["ci", {"at-least": 2, "of": ["auditor", "release-key"]}],
        "evidence": {
            "stream": "acme/prod",
            "predicate-type": ["https://evidencepack.org/attestation/v1"],
            "max-age": "90d",
        },
        "log": "required",
        "others": "report",
        "revoked": {"keys": [], "certificates": [], "identities": [], "log-entries": []},
    }
    found = parse(json.dumps(document, indent=indent))
    assert found.sha256 != yaml.sha256
    assert replace(found, sha256=yaml.sha256) == yaml


def test_positions_are_those_of_the_file() -> None:
    policy = parse(EXAMPLE)
    assert signer(policy, "ci").position == Position(line=7, column=3)
    assert signer(policy, "auditor").position == Position(line=15, column=3)
    assert signer(policy, "ci").fields[0].position == Position(line=9, column=5)
    assert [item.position and item.position.column for item in policy.require] == [5, 5]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.change)
def test_what_means_nothing_is_refused_where_it_stands(case: Refused) -> None:
    error = refused(case.document)
    place, _, path = str(error.where).partition(": ")
    assert (error.code, path) == (case.code, case.path)
    assert len(place.split(":")) == 3


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[1]", "policy_wrong_type"),
        ("version", "policy_wrong_type"),
        ("{}", "policy_empty"),
        ("---\n", "policy_empty"),
        (EXAMPLE.replace("version: 1", "version: 0x1"), "policy_invalid_value"),
        (EXAMPLE.replace("version: 1", "version: +1"), "policy_invalid_value"),
        (EXAMPLE.replace("123456789 ", "0x12 "), "policy_invalid_value"),
        (EXAMPLE.replace("123456789 ", "+12 "), "policy_invalid_value"),
    ],
)
def test_what_no_json_spells_is_refused_too(text: str, code: str) -> None:
    assert refused(text).code == code


@pytest.mark.parametrize(
    ("document", "meant"),
    [
        (changed("signers", "ci", "repositry", to="x"), "repository"),
        (changed("revoke", to={}), "revoked"),
        (changed("signers", "bot", to={"keey": "x"}), "key"),
        (changed("signers", "ci", "claims", "token-subjet", to="x"), "token-subject"),
        (changed("signers", "bot", "issuer", to="github-action"), "github-actions"),
        (changed("others", to="forbidden"), "forbid"),
        (changed("require", 0, to="auditors"), "auditor"),
        (changed("require", 2, "atleast", to=2), "at-least"),
    ],
)
def test_the_nearest_spelling_is_named(document: object, meant: str) -> None:
    assert f"did you mean {meant!r}?" in str(refused(document).hint)


@pytest.mark.parametrize(
    "text",
    [
        "2027-06-31T00:00:00Z",
        "2027-02-29T00:00:00Z",
        "2027-13-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "2027-06-30",
        "2027-06-30T00:00:00",
        "2027-06-30 00:00:00Z",
        "2027-06-30T24:00:00Z",
        "2027-06-30T23:59:60Z",
        "2027-06-30T00:00:00z",
        "2027-06-30T00:00Z",
        "2027-06-30T00:00:00+0100",
        "2027-06-30T00:00:00+24:00",
        "2027-06-30T00:00:00+01:60",
        "2027-06-30T00:00:00,5Z",
        "2027-W26-3T00:00:00Z",
        "٢٠٢٧-06-30T00:00:00Z",
        "2027-06-30T00:00:00Z\n",
    ],
)
def test_a_time_that_is_none_is_refused(text: str) -> None:
    assert refused(changed("expires", to=text)).code == "policy_invalid_value"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90d", 7_776_000), ("12h", 43_200), ("30m", 1_800), ("45s", 45), ("99999d", 99_999 * 86_400)],
)
def test_a_duration_is_a_number_and_a_unit(text: str, seconds: int) -> None:
    assert load(changed("evidence", "max-age", to=text)).evidence.max_age == timedelta(
        seconds=seconds
    )


@pytest.mark.parametrize(
    "text",
    ["0d", "90", "90 d", "1.5h", "-1d", "+1d", "1w", "1y", "90D", "P90D", "100000d", "1d2h", "٣d"],
)
def test_a_duration_that_is_none_is_refused(text: str) -> None:
    assert refused(changed("evidence", "max-age", to=text)).code == "policy_invalid_value"


@pytest.mark.parametrize(
    "issuer", ["http://localhost:8080", "http://127.0.0.1/x", "http://[::1]:1"]
)
def test_issuers_on_loopback_need_no_tls(issuer: str) -> None:
    policy = load(changed("signers", "bot", "issuer", to=issuer))
    assert signer(policy, "bot").issuer == issuer


@pytest.mark.parametrize("text", ["a*", "**", "a*b", "*"])
def test_a_text_with_a_star_is_a_glob(text: str) -> None:
    policy = load(changed("signers", "bot", "subject", to=text))
    assert signer(policy, "bot").fields[0].any_of == (Pattern(kind="glob", text=text),)


@pytest.mark.parametrize("text", ["a?", "[ab]", "a.b", "^a$", "{a,b}", "!a", "no", "1e3", "~"])
def test_a_text_without_a_star_stands_for_itself(text: str) -> None:
    policy = load(changed("signers", "bot", "subject", to=text))
    assert signer(policy, "bot").fields[0].any_of == (exact(text),)


def test_unquoted_words_that_old_yaml_reads_as_something_else_are_texts() -> None:
    text = EXAMPLE.replace("environment: production", "environment: [no, on, 2027-01-01, 1_0]")
    rule = next(rule for rule in signer(parse(text), "ci").fields if rule.name == "environment")
    assert [pattern.text for pattern in rule.any_of] == ["no", "on", "2027-01-01", "1_0"]


@pytest.mark.parametrize("word", ["true", "1e3", "12", "1.0", ".inf"])
def test_what_is_no_text_needs_quotes_to_be_one(word: str) -> None:
    text = EXAMPLE.replace("environment: production", f"environment: {word}\n")
    error = refused(text)
    assert error.code == "policy_wrong_type"
    assert f'"{word}"' in str(error.hint)
    parse(text.replace(f": {word}\n", f': "{word}"'))


def test_a_missing_file_is_no_policy_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="file_not_found"):
        load_policy(tmp_path / "none.yaml")


@given(data=st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_bytes_are_a_policy_or_a_policy_error(data: bytes) -> None:
    try:
        found: object = parse_policy(data, file="p.yaml", folder=None)
    except PolicyFileError as error:
        found = error
    assert isinstance(found, PolicyFile | PolicyFileError)


@given(at=st.integers(0, len(EXAMPLE)), size=st.integers(0, 12), put=st.text(max_size=6))
def test_an_edited_policy_is_a_policy_or_a_policy_error(at: int, size: int, put: str) -> None:
    text = EXAMPLE[:at] + put + EXAMPLE[at + size :]
    try:
        parse_policy(text.encode(), file="p.yaml", folder=None)
        where = "p.yaml:1:1"
    except PolicyFileError as error:
        where = str(error.where)
    assert re.match(r"p\.yaml:[1-9][0-9]*:[1-9][0-9]*(: .+)?$", where)
