"""The report's schema is one, and refuses reports that would mislead."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from attest.errors import UsageError, VerificationFailed
from attest.report import json as report_json
from attest.report.model import Report, Target
from tests.conftest import SCHEMA

VALIDATOR = Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
PASSED: dict[str, Any] = {
    "mediaType": "application/vnd.attest.report.v1+json",
    "result": "pass",
    "assurance": "identity",
    "error": None,
    "warnings": [],
    "target": {"kind": "file", "name": "a", "digest": {"sha256": "0" * 64}},
    "pack": None,
    "checks": [],
    "attestations": [
        {
            "file": "a.sigstore.json",
            "kind": "keyless",
            "status": "pass",
            "instance": "x",
            "principal": "email:ana@acme.example",
            "identity": "ana@acme.example",
            "issuer": "https://accounts.google.com",
            "claims": {},
            "key_id": None,
            "predicate_type": None,
            "signed_at": [{"time": "2026-01-01T00:00:00Z", "source": "tsa"}],
            "log": {"id": "00", "index": "7", "origin": "log.example"},
            "level2": True,
            "checks": [],
        }
    ],
    "policy": {
        "file": None,
        "sha256": None,
        "result": "pass",
        "requirements": [
            {"require": "x", "status": "pass", "matched": ["a.sigstore.json"], "why": []}
        ],
    },
    "trust": {
        "instance": "x",
        "root_sha256": "0" * 64,
        "age_seconds": None,
        "sandbox": False,
        "more": [],
    },
    "tool": {"name": "attest", "version": "0"},
}


def test_the_schema_is_a_schema_and_accepts_a_report() -> None:
    Draft202012Validator.check_schema(VALIDATOR.schema)
    VALIDATOR.validate(PASSED)


def _lose(report: dict[str, Any]) -> None:
    del report["policy"]


def _nobody_signed(report: dict[str, Any]) -> None:
    report["attestations"] = []


def _failed_with_identity(report: dict[str, Any]) -> None:
    report["attestations"][0]["status"] = "fail"


def _policy_said_no(report: dict[str, Any]) -> None:
    report["policy"]["result"] = "fail"


def _index_as_number(report: dict[str, Any]) -> None:
    report["attestations"][0]["log"]["index"] = 7


def _no_time(report: dict[str, Any]) -> None:
    report["attestations"][0]["signed_at"] = []


def _fail_without_error(report: dict[str, Any]) -> None:
    report["result"] = "fail"


def _integrity_with_signers(report: dict[str, Any]) -> None:
    report["assurance"] = "integrity"


def _local_time(report: dict[str, Any]) -> None:
    report["attestations"][0]["signed_at"][0]["time"] = "2026-01-01T00:00:00+01:00"


BY_KEY = {"kind": "key", "identity": None, "issuer": None, "claims": None, "key_id": "0" * 64}


def _signer(**changes: object) -> Callable[[dict[str, Any]], None]:
    """Make its attestation one that a key signed, and change it."""

    def spoil(report: dict[str, Any]) -> None:
        report["attestations"][0] |= BY_KEY | changes

    return spoil


def _not_logged(*, level2: bool) -> Callable[[dict[str, Any]], None]:
    def spoil(report: dict[str, Any]) -> None:
        report["attestations"][0] |= {"log": None, "level2": level2}

    return spoil


def _artefact(**changes: object) -> Callable[[dict[str, Any]], None]:
    """Make it the report of a `.sei` artefact that a key signed, under no root, and change that."""

    def spoil(report: dict[str, Any]) -> None:
        _signer(signed_at=[], log=None, level2=False, instance="")(report)
        report["target"]["kind"] = "artefact"
        report["trust"] = None
        report["attestations"][0] |= changes

    return spoil


def _file_without_trust(report: dict[str, Any]) -> None:
    _artefact()(report)
    report["target"]["kind"] = "file"


def _identity_without_trust(report: dict[str, Any]) -> None:
    report["target"]["kind"] = "artefact"
    report["trust"] = None


@pytest.mark.parametrize(
    "change",
    [_signer(), _signer(signed_at=[]), _not_logged(level2=False), _artefact()],
    ids=["key", "key without a time", "no log", "artefact"],
)
def test_a_report_may_tell_of_keys_and_of_no_log(change: Callable[[dict[str, Any]], None]) -> None:
    report = copy.deepcopy(PASSED)
    change(report)
    VALIDATOR.validate(report)


def _more_without_sandbox(report: dict[str, Any]) -> None:
    report["trust"]["more"] = [{"instance": "y", "root_sha256": "0" * 64, "age_seconds": 1}]


def _unknown_member(report: dict[str, Any]) -> None:
    report["verified"] = True


def _source(**changes: object) -> Callable[[dict[str, Any]], None]:
    """Make it the report of a merged pack whose one source is told of like this."""

    def spoil(report: dict[str, Any]) -> None:
        digest = "0" * 64
        source = {
            "stream": "acme/api",
            "pack_digest": "sha256:" + digest,
            "manifest_digest": digest,
            "artifacts": 1,
            "status": "pass",
            "matched": ["a.sigstore.json"],
            "why": [],
            "attestations": copy.deepcopy(report["attestations"]),
        }
        report["pack"] = {
            "stream": "acme/all",
            "pack_digest": "sha256:" + digest,
            "manifest_digest": digest,
            "artifacts": 1,
            "bytes": 1,
            "sources": [source | changes],
        }

    return spoil


def _sources_missing(report: dict[str, Any]) -> None:
    _source()(report)
    del report["pack"]["sources"]


def _source_with_a_broken_attestation(report: dict[str, Any]) -> None:
    _source()(report)
    broken = copy.deepcopy(report["attestations"][0]) | {
        "status": "fail", "instance": None, "principal": None, "identity": None, "issuer": None,
        "claims": None, "key_id": None, "predicate_type": None, "signed_at": [], "log": None,
        "level2": False,
    }  # fmt: skip
    report["pack"]["sources"][0]["attestations"].append(broken)


def _integrity_with_sources(report: dict[str, Any]) -> None:
    _source()(report)
    report |= {"assurance": "integrity", "attestations": [], "policy": None}


@pytest.mark.parametrize(
    "change", [{}, {"status": "unsigned", "matched": [], "attestations": []}], ids=["signed", "not"]
)
def test_a_report_may_tell_of_sources(change: dict[str, Any]) -> None:
    report = copy.deepcopy(PASSED)
    _source(**change)(report)
    VALIDATOR.validate(report)


@pytest.mark.parametrize(
    "spoil",
    [
        _source(status="fail"),
        _source(status="skip"),
        _source(matched=[]),
        _source(why=["nobody"]),
        _source(attestations=[]),
        _source(status="unsigned"),
        _source(status="unsigned", matched=[]),
        _source(verified=True),
        _signer(kind="keyless"),
        _signer(identity="ana@acme.example"),
        _signer(issuer="https://issuer.example"),
        _signer(claims={}),
        _signer(key_id=None),
        _signer(key_id="a key"),
        _signer(principal=None),
        _signer(instance=None),
        _more_without_sandbox,
        _not_logged(level2=True),
        _sources_missing,
        _source_with_a_broken_attestation,
        _integrity_with_sources,
        _artefact(key_id=None),
        _artefact(level2=True),
        _artefact(status="fail"),
        _file_without_trust,
        _identity_without_trust,
        _lose,
        _nobody_signed,
        _failed_with_identity,
        _policy_said_no,
        _index_as_number,
        _no_time,
        _fail_without_error,
        _integrity_with_signers,
        _local_time,
        _unknown_member,
    ],
)
def test_a_report_that_would_mislead_is_refused(spoil: Callable[[dict[str, Any]], None]) -> None:
    report = copy.deepcopy(PASSED)
    spoil(report)
    with pytest.raises(ValidationError):
        VALIDATOR.validate(report)


@pytest.mark.parametrize(
    ("error", "result", "exit_code"),
    [
        (UsageError("file_not_found", "does not exist"), "error", 2),
        (VerificationFailed("signature_invalid", "wrong"), "fail", 1),
    ],
)
def test_the_kind_of_error_decides_result_and_exit_code(
    error: UsageError | VerificationFailed, result: str, exit_code: int
) -> None:
    target = Target(kind="file", name="a", digest={})
    report = Report(result="pass", assurance="identity", target=target).failed(error)
    document = report_json.to_json(report)
    assert (document["result"], report.exit_code) == (result, exit_code)
    assert document["error"] == {
        "code": error.code,
        "message": error.message,
        "hint": error.advice,
        "where": None,
    }
