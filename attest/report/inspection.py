"""What an inspection found, UNVERIFIED, and its text and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from attest.claims import CertificateIdentity
from attest.errors import AttestError
from attest.pack.manifest import Manifest
from attest.report.json import error_to_json
from attest.report.manifest import manifest_json, manifest_lines
from attest.report.model import utc
from attest.statement import Statement
from attest.strictjson import JSON
from attest.terminal import escape

MEDIA_TYPE = "application/vnd.attest.inspection.v1+json"


@dataclass(frozen=True, kw_only=True, slots=True)
class ClaimedLogEntry:
    """What an entry says of itself: kind and version, its index, its time (UTC)."""

    kind: str
    index: int
    time: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ClaimedBundle:
    """What a bundle says, UNVERIFIED; `problem` is set, and nothing else, where it is malformed."""

    file: str
    problem: AttestError | None = None
    version: str | None = None
    identity: CertificateIdentity | None = None
    certificate_from: datetime | None = None
    certificate_to: datetime | None = None
    entries: tuple[ClaimedLogEntry, ...] = ()
    timestamps: int = 0
    content: Literal["dsseEnvelope", "messageSignature"] | None = None
    statement: Statement | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Inspection:
    """What a target says, UNVERIFIED: its manifest if it is a pack, and its bundles.

    `carried` are the attestations of source packs that a merged pack carries in its provenance.
    """

    target: str
    manifest: Manifest | None
    manifest_digest: bytes | None
    bundles: tuple[ClaimedBundle, ...]
    carried: tuple[ClaimedBundle, ...] = ()


def render_text(inspection: Inspection) -> str:
    """The inspection as lines of text, everything untrusted escaped."""
    return "\n".join(_lines(inspection))


def _lines(inspection: Inspection) -> Iterator[str]:
    yield f"UNVERIFIED: {escape(inspection.target)}"
    if inspection.manifest is not None:
        for line in manifest_lines(inspection.manifest):
            yield f"  {line}"
    if inspection.manifest_digest is not None:
        yield f"  manifest digest: {inspection.manifest_digest.hex()}"
    if not inspection.bundles:
        yield "  no attestations"
    for bundle in inspection.bundles:
        yield from _bundle("attestation", bundle)
    for bundle in inspection.carried:
        yield from _bundle("carried attestation", bundle)
    yield "  nothing above was checked: use `attest verify`"


def _bundle(label: str, bundle: ClaimedBundle) -> Iterator[str]:
    yield f"  {label} {escape(bundle.file)} (UNVERIFIED)"
    if bundle.problem is not None:
        yield f"    malformed: {bundle.problem.code}: {escape(bundle.problem.message)}"
        return
    yield f"    bundle v{bundle.version}, {bundle.content}, {bundle.timestamps} timestamps"
    if bundle.identity is None:
        yield "    signed with a public key"
    else:
        yield f"    claims to be signed by: {escape(bundle.identity.subject)}"
        yield f"    claims issuer: {escape(bundle.identity.issuer)}"
    for entry in bundle.entries:
        time = "" if entry.time is None else f" at {utc(entry.time)}"
        yield f"    claims log entry: {escape(entry.kind)}, index {entry.index}{time}"
    if bundle.statement is not None:
        yield f"    predicate type: {escape(bundle.statement.predicate_type)}"
        for subject in bundle.statement.subjects:
            for algorithm, value in subject.digests:
                yield f"    subject: {escape(subject.name)} {escape(algorithm)}:{escape(value)}"


def render_json(inspection: Inspection) -> str:
    """The inspection as one JSON object on one line."""
    manifest = inspection.manifest
    digest = inspection.manifest_digest
    value: dict[str, JSON] = {
        "mediaType": MEDIA_TYPE,
        "verified": False,
        "target": inspection.target,
        "manifest_digest": None if digest is None else digest.hex(),
        "manifest": None if manifest is None else manifest_json(manifest),
        "attestations": [_bundle_json(bundle) for bundle in inspection.bundles],
        "carried_attestations": [_bundle_json(bundle) for bundle in inspection.carried],
    }
    return json.dumps(value, ensure_ascii=True)


def _bundle_json(bundle: ClaimedBundle) -> JSON:
    identity, statement = bundle.identity, bundle.statement
    claims: Mapping[str, str] = {} if identity is None else identity.claims
    return {
        "file": bundle.file,
        "error": None if bundle.problem is None else error_to_json(bundle.problem),
        "bundle_version": bundle.version,
        "content": bundle.content,
        "claimed_identity": None if identity is None else identity.subject,
        "claimed_issuer": None if identity is None else identity.issuer,
        "claimed_claims": dict(claims),
        "certificate_from": _time(bundle.certificate_from),
        "certificate_to": _time(bundle.certificate_to),
        "claimed_log_entries": [
            {"kind": item.kind, "index": str(item.index), "time": _time(item.time)}
            for item in bundle.entries
        ],
        "timestamps": bundle.timestamps,
        "statement": None
        if statement is None
        else {
            "type": statement.type,
            "predicate_type": statement.predicate_type,
            "subjects": [
                {"name": item.name, "digest": dict(item.digests)} for item in statement.subjects
            ],
        },
    }


def _time(time: datetime | None) -> str | None:
    return None if time is None else utc(time)
