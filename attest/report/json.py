"""The report as JSON, version 1: every key always present, 64-bit indexes as strings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from attest import __version__
from attest.errors import AttestError
from attest.report.model import AttestationResult, Report, SourceResult, TrustFacts, utc
from attest.strictjson import JSON
from attest.verified import Check, KeyIdentity, VerifiedAttestation, VerifiedLogEntry

if TYPE_CHECKING:  # where there is a decision, its type is loaded
    from attest.policy.decision import Decision

MEDIA_TYPE = "application/vnd.attest.report.v1+json"


def render(report: Report) -> str:
    """The report on one line, for a file or JSON Lines."""
    return json.dumps(to_json(report), ensure_ascii=True)


def to_json(report: Report) -> dict[str, JSON]:
    """The report as JSON values (design, section 4, "Report")."""
    return {
        "mediaType": MEDIA_TYPE,
        "result": report.result,
        "assurance": report.assurance,
        "error": error_to_json(report.error) if report.error else None,
        "warnings": [{"code": item.code, "message": item.message} for item in report.warnings],
        "target": {
            "kind": report.target.kind,
            "name": report.target.name,
            "digest": dict(report.target.digest),
        },
        "pack": None
        if report.pack is None
        else {
            "stream": report.pack.stream,
            "pack_digest": report.pack.pack_digest,
            "manifest_digest": report.pack.manifest_digest,
            "artifacts": report.pack.artifacts,
            "bytes": report.pack.bytes,
            "sources": [_source(item) for item in report.pack.sources],
        },
        "checks": [_check(item) for item in report.checks],
        "attestations": [_attestation(item) for item in report.attestations],
        "policy": _policy(report.decision, report.attestations),
        "trust": None
        if report.trust is None
        else {
            "more": [_trust(item) for item in report.more_trust],
            **_trust(report.trust),
            # Whoever asks only this must not take evidence of a sandbox for more than it is.
            "sandbox": report.sandbox,
        },
        "tool": {"name": "attest", "version": __version__},
    }


def error_to_json(error: AttestError) -> dict[str, JSON]:
    """An error as it stands in reports and in the JSON output of every command."""
    return {
        "code": error.code,
        "message": error.message,
        "hint": error.hint or error.advice,
        "where": error.where,
    }


def _trust(trust: TrustFacts) -> dict[str, JSON]:
    return {
        "instance": trust.instance,
        "root_sha256": trust.root_sha256.hex(),
        "age_seconds": trust.age_seconds,
        "sandbox": trust.sandbox,
    }


def _check(check: Check) -> JSON:
    return {
        "check": check.check,
        "status": check.status,
        "code": check.code,
        "rule": check.rule,
        "where": check.where,
        "detail": check.detail,
    }


def _source(item: SourceResult) -> JSON:
    return {
        "stream": item.stream,
        "pack_digest": item.pack_digest,
        "manifest_digest": item.manifest_digest,
        "artifacts": item.artifacts,
        "status": item.status,
        "matched": list(item.matched),
        "why": list(item.why),
        "attestations": [_attestation(result) for result in item.attestations],
    }


def _attestation(item: AttestationResult) -> JSON:
    verified = item.verified
    identity = verified.identity if verified else None
    return {
        "file": item.file,
        "kind": item.kind,
        "status": item.status,
        "principal": verified.signer.principal if verified else None,
        "identity": identity.subject if identity else None,
        "issuer": identity.issuer if identity else None,
        "claims": dict(identity.claims) if identity else None,
        "key_id": _key_id(verified),
        "predicate_type": _predicate_type(verified),
        "signed_at": _signed_at(verified),
        "log": _log(verified.log_entries[0]) if verified and verified.log_entries else None,
        "level2": verified is not None and verified.level2,
        "instance": verified.instance if verified else None,
        "checks": [_check(check) for check in item.checks],
    }


def _key_id(verified: VerifiedAttestation | None) -> str | None:
    signer = verified.signer if verified else None
    return signer.key_id if isinstance(signer, KeyIdentity) else None


def _predicate_type(verified: VerifiedAttestation | None) -> str | None:
    return verified.statement.predicate_type if verified and verified.statement else None


def _signed_at(verified: VerifiedAttestation | None) -> list[JSON]:
    times = verified.times if verified else ()
    return [{"time": utc(item.time), "source": item.source} for item in times]


def _log(entry: VerifiedLogEntry) -> JSON:
    return {
        "id": entry.log_id.hex(),
        "index": None if entry.index is None else str(entry.index),
        "origin": entry.origin,
    }


def _policy(decision: Decision | None, attestations: Sequence[AttestationResult]) -> JSON:
    if decision is None:
        return None
    # A decision counts positions among what verified; readers want the files.
    files = [item.file for item in attestations if item.verified is not None]
    return {
        "file": decision.file,
        "sha256": None if decision.sha256 is None else decision.sha256.hex(),
        "result": decision.result,
        "requirements": [
            {
                "require": item.require,
                "status": item.status,
                "matched": [files[at] for at in item.matched],
                "why": list(item.why),
            }
            for item in decision.requirements
        ],
    }
