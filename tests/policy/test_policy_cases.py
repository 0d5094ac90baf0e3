"""Test cases of policies: those that ship hold, wrong ones fail, and unclear ones are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from jsonschema import Draft202012Validator

from attest.api.policy import find_cases, load_cases, run_cases
from attest.claims import CertificateIdentity
from attest.errors import AttestError
from attest.policy.described import describe_identity
from attest.policy.fields import FIELDS
from attest.policy.nodes import parse_nodes
from attest.policy.schema import cases_schema
from attest.report.cases import FileResult, render_json, render_junit, render_text
from attest.shared_data import shared_folder
from tests.policy.policy_texts import PEMS
from tests.policy.test_policy_schema import plain
from tests.policy.verified_makers import GITLAB, person, workflow

FOLDER = shared_folder("policy")
SHIPPED = find_cases([str(FOLDER)])
POLICIES = sorted(
    path.name
    for path in FOLDER.glob("*.yaml")
    if ".policy-test" not in path.name and path.name != "example.yaml"
)
POLICY = {
    "version": 1,
    "signers": {"ana": {"issuer": "google", "email": "ana@acme.example"}},
    "require": ["ana"],
}
CASES: dict[str, Any] = {
    "version": 1,
    "policy": "policy.json",
    "now": "2026-11-21T12:00:00Z",
    "signatures": {"ana": {"issuer": "google", "email": "ana@acme.example"}},
    "cases": {"Ana": {"signed": "ana", "expect": "pass"}},
}
WORKFLOW = {
    "issuer": "github-actions",
    "repository": "acme/x",
    "workflow": "w.yml",
    "ref": "refs/heads/main",
}
VALIDATOR = Draft202012Validator(cases_schema())


def write(folder: Path, **changes: object) -> Path:
    (folder / "policy.json").write_text(json.dumps(POLICY))
    path = folder / "a.policy-test.json"
    path.write_text(json.dumps({**CASES, **changes}))
    return path


def verdicts(folder: Path, case: dict[str, Any], **signatures: object) -> str:
    described = {**CASES["signatures"], **signatures}
    (result,) = run_cases(load_cases(write(folder, signatures=described, cases={"case": case})))
    return result.found


@pytest.mark.parametrize("name", SHIPPED, ids=lambda name: Path(name).name)
def test_the_cases_that_ship_end_as_they_say(name: str) -> None:
    loaded = load_cases(name)
    results = run_cases(loaded)
    text = render_text([FileResult(file=name, policy="", results=results)])
    assert all(result.passed for result in results), text
    refused = [case for case in loaded.cases if case.expect != "pass"]
    assert len(refused) > len(loaded.cases) / 2
    VALIDATOR.validate(plain(parse_nodes(Path(name).read_bytes(), file=name)))
    first = Path(name).read_text().split("\n")[0]
    assert first == "# yaml-language-server: $schema=attest-policy-test-v1.schema.json"


def test_every_policy_that_ships_has_its_cases() -> None:
    tested = {Path(load_cases(name).policy.file or "").name for name in SHIPPED}
    assert sorted(tested) == POLICIES
    assert len(POLICIES) >= 4


@pytest.mark.parametrize(
    ("case", "found"),
    [
        ({"signed": "ana"}, "pass"),
        ({"signed": ["ana", "ana"]}, "pass"),
        ({"signed": []}, "no_verified_attestation"),
        ({"signed": "bo"}, "certificate_identity_mismatch"),
        ({"signed": "by-key"}, "certificate_identity_mismatch"),
        ({"signed": "later"}, "time_in_future"),
        ({"signed": "later", "now": "2027-01-02T00:00:00Z"}, "pass"),
    ],
)
def test_a_verdict_is_that_of_the_policy(tmp_path: Path, case: dict[str, Any], found: str) -> None:
    assert (
        verdicts(
            tmp_path,
            {**case, "expect": "pass"},
            bo={"like": "ana", "email": "bo@acme.example"},
            later={"like": "ana", "at": "2027-01-01T00:00:00Z"},
            **{"by-key": {"key": PEMS[0]}},
        )
        == found
    )


def changed(**case: object) -> dict[str, Any]:
    return {"cases": {"c": {"signed": "ana", "expect": "pass", **case}}}


def signature(**members: object) -> dict[str, Any]:
    return {"signatures": {**CASES["signatures"], "x": members}}


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"version": 2}, "policy_invalid_value", "version"),
        ({"cases": {}}, "policy_empty", "cases"),
        ({"now": "today"}, "policy_invalid_value", "now"),
        ({"now": "2026-02-30T00:00:00Z"}, "policy_invalid_value", "now"),
        ({"policy": "../policy.json"}, "policy_path_not_allowed", "policy"),
        ({"policy": "nothing.json"}, "file_not_found", ""),
        ({"extra": 1}, "policy_unknown_key", "extra"),
        (changed(signed="anna"), "policy_unknown_signer", "cases.c.signed"),
        (changed(expect="PASS"), "policy_invalid_value", "cases.c.expect"),
        (changed(skipped=-1), "policy_invalid_value", "cases.c.skipped"),
        (changed(skipped=True), "policy_wrong_type", "cases.c.skipped"),
        (changed(pack="x.epack"), "policy_invalid_value", "cases.c.signed"),
        (changed(**{"trusted-root": "r.json"}), "policy_invalid_value", "cases.c.trusted-root"),
        ({"cases": {"c": {"expect": "pass"}}}, "policy_empty", "cases.c"),
        ({"cases": {"c": {"signed": "ana"}}}, "policy_missing_key", "cases.c"),
        (
            {"cases": {"c": {"pack": "../x.epack", "expect": "pass"}}},
            "policy_path_not_allowed",
            "cases.c.pack",
        ),
        (
            {"cases": {"c": {"pack": "x.epack", "stream": "s", "expect": "pass"}}},
            "policy_invalid_value",
            "cases.c.stream",
        ),
        (signature(email="ana@acme.example"), "policy_missing_key", "signatures.x"),
        (signature(issuer="google"), "policy_missing_key", "signatures.x"),
        (signature(issuer="google", email="ana"), "policy_invalid_value", "signatures.x.email"),
        (signature(issuer="gogle", email="a@b.c"), "policy_invalid_value", "signatures.x.issuer"),
        (signature(issuer="google", ref=["a"]), "policy_wrong_type", "signatures.x.ref"),
        (signature(**{**WORKFLOW, "ref": {"regex": "a"}}), "policy_wrong_type", "signatures.x.ref"),
        (
            signature(issuer="github-actions", repository="a/b"),
            "policy_missing_key",
            "signatures.x",
        ),
        (
            signature(issuer="github-actions", repository="a/b", workflow="w.yml"),
            "policy_missing_key",
            "signatures.x",
        ),
        (signature(like="bo"), "policy_unknown_signer", "signatures.x.like"),
        (signature(like="x"), "policy_unknown_signer", "signatures.x.like"),
        (signature(like="ana", without="ref"), "policy_invalid_value", "signatures.x.without"),
        (signature(like="ana", without="issuer"), "policy_invalid_value", "signatures.x.without"),
        (
            signature(issuer="google", email="a@b.c", without="ref"),
            "policy_invalid_value",
            "signatures.x.without",
        ),
        (signature(like="ana", at="now"), "policy_invalid_value", "signatures.x.at"),
        (signature(like="ana", log="yes"), "policy_invalid_value", "signatures.x.log"),
        (signature(like="ana", key="k.pem"), "policy_invalid_value", "signatures.x.issuer"),
        (signature(key="k.pem"), "file_not_found", "signatures.x.key"),
        (signature(key="../k.pem"), "policy_path_not_allowed", "signatures.x.key"),
    ],
)
def test_an_unclear_file_is_refused(
    tmp_path: Path, changes: dict[str, Any], code: str, path: str
) -> None:
    with pytest.raises(AttestError) as caught:
        load_cases(write(tmp_path, **changes))
    assert caught.value.code == code
    assert caught.value.exit_code == 2
    assert (caught.value.where or "").endswith(f": {path}" if path else "")


def test_a_wrong_expectation_is_told(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        cases={
            "right": {"signed": "ana", "expect": "pass"},
            "wrong ##[x]": {"signed": [], "expect": "pass"},
        },
    )
    loaded = load_cases(path)
    tested = [FileResult(file="f", policy="p", results=run_cases(loaded))]
    assert "FAILED wrong" in render_text(tested)
    assert render_text(tested).endswith("f: 1 of 2 cases as expected")
    found = json.loads(render_json(tested))["files"][0]["cases"]
    assert [(item["result"], item["found"]) for item in found] == [
        ("pass", "pass"),
        ("fail", "no_verified_attestation"),
    ]
    text = render_junit(tested)
    suite = ET.fromstring(text)[0]
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    (failure,) = suite.iter("failure")
    assert failure.get("message") == "expected pass, found no_verified_attestation"
    assert "##" not in text


def test_control_characters_in_a_name_leave_the_documents_readable(tmp_path: Path) -> None:
    loaded = load_cases(write(tmp_path, cases={"a\u200b<b>": {"signed": [], "expect": "pass"}}))
    tested = [FileResult(file="f\x1b", policy="p\x00", results=run_cases(loaded))]
    ET.fromstring(render_junit(tested))
    for text in (render_text(tested), render_json(tested), render_junit(tested)):
        assert not {"\x1b", "\u200b", "\x00"} & set(text)


def test_folders_are_searched_and_may_not_be_empty(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    path = write(tmp_path / "below")
    assert find_cases([str(tmp_path)]) == [str(path)]
    (tmp_path / "empty").mkdir()
    with pytest.raises(AttestError) as caught:
        find_cases([str(tmp_path / "empty")])
    assert caught.value.code == "no_policy_tests"


IDENTITIES = [
    workflow(),
    workflow(number=None),
    workflow(
        signer="https://github.com/other/ci/.github/workflows/s.yml@refs/tags/v1",
        runner_environment="self-hosted",
    ),
    person("ana@acme.example"),
    person("ana@acme.example", "https://login.acme.example"),
    CertificateIdentity(
        subject="https://gitlab.com/acme/sub/x//.gitlab-ci.yml@refs/heads/main",
        kind="uri",
        issuer=GITLAB,
        claims={
            "issuer": GITLAB,
            "source-repository-uri": "https://gitlab.com/acme/sub/x",
            "source-repository-ref": "refs/heads/main",
            "build-config-uri": "https://gitlab.com/acme/sub/x//.gitlab-ci.yml@refs/heads/main",
            "build-signer-uri": "https://gitlab.com/acme/sub/x//.gitlab-ci.yml@refs/heads/main",
        },
    ),
]


@pytest.mark.parametrize("identity", IDENTITIES, ids=lambda item: item.subject[:60])
def test_an_identity_described_by_its_fields_is_that_identity(
    identity: CertificateIdentity,
) -> None:
    read = {name: field.read(identity) for name, field in FIELDS.items() if name != "subject"}
    said: dict[str, str] = {name: value for name, value in read.items() if value is not None}
    described = describe_identity(identity.issuer, said, {})
    again = {name: field.read(described) for name, field in FIELDS.items() if name != "subject"}
    assert again == read
    assert described.subject == identity.subject
    assert described.principal == identity.principal
