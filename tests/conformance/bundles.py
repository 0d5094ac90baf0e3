"""The published cases about attestations and references, as far as no service is needed."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from attest.bundle import MEDIA_TYPE, parse_bundle
from attest.dsse import IN_TOTO_PAYLOAD_TYPE, UntrustedEnvelope
from attest.engine.content import PackContent, check_content
from attest.http import redact_url
from attest.limits import DEFAULT_LIMITS
from attest.pack.fetch import fetch_reference
from attest.pack.manifest import ReferencedArtifact
from attest.strictjson import decode_base64, encode_base64
from tests.conformance.case import Case, Members, listed, members
from tests.conformance.manifests import codes, dumps, in_manifest, is_valid, parsed

#: What the payload of the published bundles signs: SHA-256 of nothing.
SIGNED = bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")


def check(data: bytes, manifest_digest: bytes = SIGNED) -> dict[str, str]:
    """Everything that is judged without a trusted root: the bundle, and the statement in it."""
    bundle = parse_bundle(data, in_pack=True)
    check_content(bundle.content, PackContent(manifest_digest=manifest_digest))
    return {}


def check_statement(payload_type: str, payload: str) -> dict[str, str]:
    """The rules for the statement alone."""
    signed = decode_base64(payload, where="payload", code="malformed_bundle")
    envelope = UntrustedEnvelope(payload_type=payload_type, payload=signed, signature=b"x")
    check_content(envelope, PackContent(manifest_digest=SIGNED))
    return {}


def filled(value: object) -> object:
    """A published bundle with bytes where it only has dots."""
    if isinstance(value, dict):
        return {key: filled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item) for item in value]
    if isinstance(value, str) and value.endswith("..."):
        return encode_base64(bytes(32))
    return value


def bundles(document: Members) -> Iterator[Case]:
    """Whole bundles as published, with their gaps filled, and the statements in them alone."""
    for case in listed(document["cases"]) if "cases" in document else [document]:
        name, valid = str(case.get("name", case["description"])), is_valid(case)
        value = members(members(case["input"])["bundle"])
        full = filled(value)
        gaps = full != value
        # Dots are no base64: what has them may be refused before its own fault is reached.
        found = frozenset[str]() if gaps else codes(case)
        yield Case(name=name, valid=valid, run=partial(check, dumps(value)), codes=found)
        envelope = members(value.get("dsseEnvelope", {}))
        payload = str(envelope.get("payload", "..."))
        if payload != "...":
            run = partial(check_statement, str(envelope["payloadType"]), payload)
            yield Case(name=f"{name}: its statement", valid=valid, run=run, codes=codes(case))
        if gaps and (valid or payload == "..."):
            run = partial(check, dumps(full))
            yield Case(name=f"{name}: without gaps", valid=valid, run=run, codes=codes(case))


def process(document: Members) -> Iterator[Case]:
    """Steps 4 and 5 of the published process: predicate type and subject."""
    for step in listed(document["verification_steps"]):
        for case in listed(step["tests"]) if "tests" in step else ():
            digest = bytes.fromhex(str(case.get("computed_manifest_digest", SIGNED.hex())))
            subject = str(case.get("subject_digest", SIGNED.hex()))
            kind = str(case.get("predicateType", "https://evidencepack.org/attestation/v1"))
            yield Case(
                name=str(case["name"]),
                valid=is_valid(case),
                run=partial(check, _bundle(subject, kind), digest),
                codes=codes(case),
            )


def _bundle(subject: str, predicate_type: str) -> bytes:
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "manifest.json", "digest": {"sha256": subject}}],
        "predicateType": predicate_type,
        "predicate": {},
    }
    gap = encode_base64(bytes(32))
    proof = {"rootHash": gap, "treeSize": "1", "checkpoint": {"envelope": "..."}}
    entry = {
        "logId": {"keyId": gap},
        "kindVersion": {"kind": "dsse", "version": "0.0.1"},
        "inclusionProof": proof,
        "canonicalizedBody": gap,
    }
    return json.dumps(
        {
            "mediaType": MEDIA_TYPE,
            "verificationMaterial": {"certificate": {"rawBytes": gap}, "tlogEntries": [entry]},
            "dsseEnvelope": {
                "payloadType": IN_TOTO_PAYLOAD_TYPE,
                "payload": encode_base64(json.dumps(statement).encode()),
                "signatures": [{"sig": gap}],
            },
        }
    ).encode()


def references(document: Members) -> Iterator[Case]:
    """What is judged of a reference: in a manifest, or when it is to be fetched."""
    for case in listed(document["uri_safety_tests"]):
        if "redirect_to" in case:
            continue  # needs a server: see the tests of fetching
        reference = members(case["reference"])
        full = {"type": "reference", "name": "x", "access": {"policy": "public"}} | reference
        address = str(case.get("expected_error", "")) in OF_ADDRESSES
        run = partial(fetched, str(reference["uri"])) if address else None
        data = in_manifest("artifacts", value=[full])
        yield Case(
            name=str(case["name"]),
            valid=is_valid(case),
            run=run or partial(parsed, data),
            codes=codes(case),
        )


def fetched(uri: str) -> dict[str, str]:
    """Fetch from an address that is allowed by name, and refused before anything is sent."""
    reference = ReferencedArtifact(name="x", uri=uri, access_policy="public")
    host = str(urlsplit(uri).hostname)
    with tempfile.TemporaryDirectory() as folder:
        fetch_reference(reference, Path(folder) / "x", allow=[host], limits=DEFAULT_LIMITS)
    return {}


def secrets(document: Members) -> Iterator[Case]:
    """URLs as messages show them; the examples without one say what is never written."""
    for case in listed(document["tests"]):
        url = str(case.get("url", case.get("example", "")))
        if url.startswith("https:"):
            credentials = "https://registry.example.com/"
            yield Case(
                name=str(case["name"]),
                valid=True,
                run=lambda url=url: {"url": redact_url(url)},  # type: ignore[misc]  # bound here
                expected={"url": str(case.get("logged_url", credentials))},
            )


#: Codes of addresses that are never asked.
OF_ADDRESSES = frozenset({"loopback_rejected", "link_local_rejected", "private_network_rejected"})

BUNDLES: Mapping[str, Callable[[Members], Iterator[Case]]] = {
    "attestation/valid-attestation.json": bundles,
    "attestation/invalid-media-type.json": bundles,
    "attestation/invalid-type.json": bundles,
    "attestation/missing-dsse-envelope.json": bundles,
    "attestation/missing-verification-material.json": bundles,
    "attestation/verification-process.json": process,
    "manifest/referenced-uri-handling.json": references,
    "manifest/logging-secrets.json": secrets,
}
