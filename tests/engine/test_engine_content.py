"""Steps 6 and 7: whose signature it is, and that what was signed speaks of this content."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest

from attest.digest import Digests
from attest.dsse import pae
from attest.engine.content import ArtifactContent, PackContent
from attest.errors import AttestError, MalformedEvidence, UsageError, VerificationFailed
from attest.statement import PACK_PREDICATE_TYPE, STATEMENT_V01, STATEMENT_V1, pack_statement
from tests.engine.virtual_evidence import (
    ARTIFACT,
    FILE,
    MANIFEST_DIGEST,
    PACK,
    PACK_EVIDENCE,
    V1_DSSE,
    V1_MESSAGE,
    V2_DSSE,
    V2_MESSAGE,
    Evidence,
    sign,
    statement,
    verify,
)
from tests.engine.virtual_instance import Json, b64, p256

Verdict = tuple[type[AttestError], str]
SHA256 = hashlib.sha256(ARTIFACT).hexdigest()
SHA384 = hashlib.sha384(ARTIFACT).hexdigest()
SHA512 = hashlib.sha512(ARTIFACT).hexdigest()
WRONG = "0" * 64
MISMATCH = (VerificationFailed, "digest_mismatch")
SIGNATURE = (VerificationFailed, "signature_invalid")
SUBJECT = (MalformedEvidence, "invalid_subject")
STATEMENT = (MalformedEvidence, "invalid_statement")


def verdict(data: bytes, content: PackContent | ArtifactContent = FILE) -> Verdict:
    with pytest.raises(AttestError) as caught:
        verify(data, content)
    return type(caught.value), caught.value.code


def signing(payload: bytes) -> bytes:
    return replace(V1_DSSE, payload=payload).build()


# Step 6

KINDS = [V1_DSSE, V1_MESSAGE, V2_DSSE, V2_MESSAGE]
NAMES = ["v1 dsse", "v1 message", "v2 dsse", "v2 message"]


@pytest.mark.parametrize("evidence", KINDS, ids=NAMES)
def test_a_signature_by_another_key(evidence: Evidence) -> None:
    assert verdict(replace(evidence, signing_key=p256("impostor")).build()) == SIGNATURE


def set_payload(bundle: Json, payload: bytes) -> None:
    bundle["dsseEnvelope"]["payload"] = b64(payload)


@pytest.mark.parametrize(
    "payload", [b"", b"{}", statement(predicate={"x": 1}), statement() + b" ", b"\x00"]
)
def test_another_payload_under_the_same_signature(payload: bytes) -> None:
    data = replace(V1_DSSE, bundle=lambda it: set_payload(it, payload)).build()
    assert verdict(data) == SIGNATURE


@pytest.mark.parametrize("payload_type", ["", "text/plain", "application/vnd.in-toto+json "])
def test_another_payload_type_under_the_same_signature(payload_type: str) -> None:
    def change(bundle: Json) -> None:
        bundle["dsseEnvelope"]["payloadType"] = payload_type

    assert verdict(replace(V1_DSSE, bundle=change).build()) == SIGNATURE


@pytest.mark.parametrize(
    "payload_type", ["", "text/plain", "application/vnd.in-toto+json; x", "application/é+json"]
)
def test_a_payload_type_that_is_signed_and_not_in_totos(payload_type: str) -> None:
    # Only a PAE that counts bytes verifies the last one, and so gets as far as this code.
    data = replace(V1_DSSE, payload_type=payload_type).build()
    assert verdict(data) == (VerificationFailed, "invalid_payload_type")


def test_a_pae_that_counts_characters_does_not_verify() -> None:
    kind, payload = "application/é+json", statement()
    by_characters = f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload
    assert by_characters != pae(kind, payload)

    def resign(bundle: Json) -> None:
        bundle["dsseEnvelope"]["signatures"][0]["sig"] = b64(sign(p256("leaf"), by_characters))

    data = replace(V1_DSSE, payload_type=kind, payload=payload, bundle=resign).build()
    assert verdict(data) == SIGNATURE


def test_a_signature_over_the_payload_itself() -> None:
    def resign(bundle: Json) -> None:
        bundle["dsseEnvelope"]["signatures"][0]["sig"] = b64(sign(p256("leaf"), statement()))

    assert verdict(replace(V1_DSSE, bundle=resign).build()) == SIGNATURE


def test_a_message_signature_over_another_artifact() -> None:
    assert verdict(replace(V1_MESSAGE, artifact=b"other").build()) == MISMATCH

    def unclaimed(bundle: Json) -> None:
        del bundle["messageSignature"]["messageDigest"]

    data = replace(V1_MESSAGE, artifact=b"other", bundle=unclaimed).build()
    assert verdict(data) == SIGNATURE
    assert verify(replace(V1_MESSAGE, bundle=unclaimed).build()).statement is None


def test_a_message_signature_whose_claim_is_of_another_artifact() -> None:
    def lie(bundle: Json) -> None:
        bundle["messageSignature"]["messageDigest"]["digest"] = b64(bytes(32))

    assert verdict(replace(V1_MESSAGE, bundle=lie).build()) == MISMATCH


def test_a_digest_alone_serves_if_it_is_the_one_that_was_signed() -> None:
    data = V1_MESSAGE.build()
    right = Digests(sha256=hashlib.sha256(ARTIFACT).digest())
    other = Digests(sha512=hashlib.sha512(ARTIFACT).digest())
    assert verify(data, ArtifactContent(digest_of=right)).level2
    assert verdict(data, ArtifactContent(digest_of=other)) == (
        UsageError,
        "digest_algorithm_needed",
    )
    wrong = Digests(sha256=bytes(32))
    assert verdict(data, ArtifactContent(digest_of=wrong)) == MISMATCH


# Step 7, files and digests


def subjects(*digests: dict[str, str]) -> bytes:
    return statement(subject=[{"name": "x", "digest": digest} for digest in digests])


MATCHING = {
    "sha256": subjects({"sha256": SHA256}),
    "sha384": subjects({"sha384": SHA384}),
    "sha512 only": subjects({"sha512": SHA512}),
    "all": subjects({"sha256": SHA256, "sha384": SHA384, "sha512": SHA512}),
    "one of several subjects": subjects({"sha256": WRONG}, {"sha256": SHA256}),
    "an algorithm that we do not judge beside": subjects({"sha256": SHA256, "gitCommit": "ab"}),
    "statement v0.1": statement(_type=STATEMENT_V01),
    "any predicate": statement(predicate={"a": [1.5e3, None]}),
    "no predicate": statement(predicate=None),
    "no name": statement(subject=[{"digest": {"sha256": SHA256}}]),
    "optional members": statement(
        subject=[{"digest": {"sha256": SHA256}, "uri": "x", "annotations": {}}]
    ),
}


@pytest.mark.parametrize("name", MATCHING)
def test_a_statement_about_this_artifact(name: str) -> None:
    attestation = verify(signing(MATCHING[name]))
    assert attestation.statement is not None
    assert attestation.statement.predicate_type == "https://example.com/predicate/v1"


STATEMENTS: dict[str, tuple[bytes, Verdict]] = {
    "another artifact": (subjects({"sha256": WRONG}), MISMATCH),
    "several others": (subjects({"sha256": WRONG}, {"sha512": "0" * 128}), MISMATCH),
    "one of its digests disagrees": (subjects({"sha256": SHA256, "sha512": "0" * 128}), MISMATCH),
    "the other of its digests disagrees": (subjects({"sha256": WRONG, "sha512": SHA512}), MISMATCH),
    "digests of two subjects do not add up": (
        subjects({"sha256": SHA256, "sha512": "0" * 128}, {"sha256": WRONG, "sha512": SHA512}),
        MISMATCH,
    ),
    "only digests that nobody judges": (subjects({"sha1": "0" * 40}), MISMATCH),
    "sha256 in the place of sha512": (subjects({"sha512": SHA256}), SUBJECT),
    "digest in capitals": (subjects({"sha256": SHA256.upper()}), SUBJECT),
    "digest with a prefix": (subjects({"sha256": "sha256:" + SHA256}), SUBJECT),
    "digest is a number": (statement(subject=[{"digest": {"sha256": 1}}]), STATEMENT),
    "no digest": (subjects({}), SUBJECT),
    "digest missing": (statement(subject=[{"name": "x"}]), STATEMENT),
    "no subject": (statement(subject=[]), SUBJECT),
    "subject missing": (statement(subject=None), SUBJECT),
    "subject is an object": (statement(subject={}), STATEMENT),
    "subject is null": (b'{"_type":"%s","subject":[null]}' % STATEMENT_V1.encode(), STATEMENT),
    "unknown member of a subject": (
        statement(subject=[{"digest": {"sha256": SHA256}, "sha512": SHA512}]),
        STATEMENT,
    ),
    "unknown member": (statement(predicatetype="x"), STATEMENT),
    "no predicate type": (statement(predicateType=None), STATEMENT),
    "empty predicate type": (statement(predicateType=""), STATEMENT),
    "predicate type is a list": (statement(predicateType=[]), STATEMENT),
    "no type": (statement(_type=None), STATEMENT),
    "other type": (
        statement(_type="https://in-toto.io/Statement/v2"),
        (MalformedEvidence, "invalid_statement_type"),
    ),
    "type without scheme": (
        statement(_type="in-toto.io/Statement/v1"),
        (MalformedEvidence, "invalid_statement_type"),
    ),
    "a list": (b"[]", STATEMENT),
    "null": (b"null", STATEMENT),
    "no JSON": (b"not JSON", (MalformedEvidence, "invalid_json")),
    "empty": (b"", (MalformedEvidence, "invalid_json")),
    "two documents": (statement() + statement(), (MalformedEvidence, "invalid_json")),
    "byte order mark": (b"\xef\xbb\xbf" + statement(), (MalformedEvidence, "invalid_json")),
    "UTF-16": (statement().decode().encode("utf-16"), (MalformedEvidence, "invalid_json")),
    "duplicate keys": (
        statement()[:-1] + b',"predicateType":"x"}',
        (MalformedEvidence, "duplicate_keys"),
    ),
    "duplicate keys inside": (
        statement().replace(b'"sha256"', b'"sha256":"%s","sha256"' % WRONG.encode(), 1),
        (MalformedEvidence, "duplicate_keys"),
    ),
    "lone surrogate": (statement(predicate={"x": "\ud800"}), (MalformedEvidence, "invalid_json")),
    "NaN": (
        statement(predicate={"x": float("nan")}),
        (MalformedEvidence, "non_finite_number"),
    ),
    "integer of 5000 digits": (
        statement().replace(b"{}", b"1" * 5000),
        (MalformedEvidence, "invalid_number"),
    ),
    "nested 100 deep": (
        statement().replace(b"{}", b"[" * 100 + b"]" * 100),
        (MalformedEvidence, "json_too_deep"),
    ),
    "nested 100,000 deep": (
        statement().replace(b"{}", b"[" * 100_000 + b"]" * 100_000),
        (MalformedEvidence, "json_too_deep"),
    ),
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_about_something_else_or_about_nothing(name: str) -> None:
    payload, expected = STATEMENTS[name]
    assert verdict(signing(payload)) == expected


def test_a_known_digest_decides_for_a_digest_target() -> None:
    data = signing(subjects({"sha256": SHA256, "sha512": SHA512}))
    right = Digests(sha256=hashlib.sha256(ARTIFACT).digest())
    assert verify(data, ArtifactContent(digest_of=right)).level2
    assert verdict(data, ArtifactContent(digest_of=Digests(sha512=bytes(64)))) == MISMATCH


def test_a_digest_that_cannot_be_compared_is_no_verdict() -> None:
    needed = (UsageError, "digest_algorithm_needed")
    known = ArtifactContent(digest_of=Digests(sha256=hashlib.sha256(ARTIFACT).digest()))
    assert verdict(signing(subjects({"sha512": SHA512})), known) == needed
    assert verdict(signing(subjects({"sha256": WRONG}, {"sha384": SHA384})), known) == needed
    # What matches decides, whatever stands beside it; what disagrees is a verdict.
    assert verify(signing(subjects({"sha384": SHA384}, {"sha256": SHA256})), known).level2
    assert verdict(signing(subjects({"sha256": WRONG, "sha512": SHA512})), known) == MISMATCH
    assert verdict(signing(subjects({"sha1": "0" * 40})), known) == MISMATCH


# Step 7, packs: R-067 to R-068e


def pack_payload(**changes: object) -> bytes:
    members = json.loads(pack_statement(MANIFEST_DIGEST))
    members.update(changes)
    return json.dumps({key: value for key, value in members.items() if value is not None}).encode()


def pack_subject(**changes: object) -> bytes:
    subject = {"name": "manifest.json", "digest": {"sha256": MANIFEST_DIGEST.hex()}, **changes}
    return pack_payload(subject=[subject])


FAILED = VerificationFailed
PACKS: dict[str, tuple[bytes, Verdict]] = {
    "R-067: statement v0.1": (
        pack_payload(_type=STATEMENT_V01),
        (FAILED, "invalid_statement_type"),
    ),
    "R-067: other type": (
        pack_payload(_type="x"),
        (MalformedEvidence, "invalid_statement_type"),
    ),
    "R-068a: no subject": (pack_payload(subject=[]), SUBJECT),
    "R-068a: two subjects": (
        pack_payload(
            subject=[{"name": "manifest.json", "digest": {"sha256": MANIFEST_DIGEST.hex()}}] * 2
        ),
        (FAILED, "invalid_subject"),
    ),
    "R-068b: other name": (pack_subject(name="Manifest.json"), (FAILED, "invalid_subject")),
    "R-068b: path": (pack_subject(name="./manifest.json"), (FAILED, "invalid_subject")),
    "R-068b: empty name": (pack_subject(name=""), (FAILED, "invalid_subject")),
    "R-068c: sha512": (pack_subject(digest={"sha512": "0" * 128}), (FAILED, "invalid_subject")),
    "R-068c: two digests": (
        pack_subject(digest={"sha256": MANIFEST_DIGEST.hex(), "sha1": "x"}),
        (FAILED, "invalid_subject"),
    ),
    "R-068c: prefix": (pack_subject(digest={"sha256": "sha256:" + MANIFEST_DIGEST.hex()}), SUBJECT),
    "R-068c: capitals": (pack_subject(digest={"sha256": MANIFEST_DIGEST.hex().upper()}), SUBJECT),
    "R-068c: short": (pack_subject(digest={"sha256": "00"}), SUBJECT),
    "R-068d: other predicate type": (
        pack_payload(predicateType="https://evidencepack.dev/attestation/v1"),
        (FAILED, "invalid_predicate_type"),
    ),
    "R-068d: with a slash": (
        pack_payload(predicateType=PACK_PREDICATE_TYPE + "/"),
        (FAILED, "invalid_predicate_type"),
    ),
    "R-068e: content": (
        pack_payload(predicate={"pack_digest": "x"}),
        (FAILED, "invalid_predicate"),
    ),
    "R-068e: missing": (pack_payload(predicate=None), (FAILED, "invalid_predicate")),
    "R-068e: a list": (pack_payload(predicate=[]), (FAILED, "invalid_predicate")),
    "R-068e: false": (pack_payload(predicate=False), (FAILED, "invalid_predicate")),
    "R-088d: no JSON": (b"x", (MalformedEvidence, "invalid_json")),
    "R-087: another manifest": (
        pack_statement(bytes(32)),
        (FAILED, "manifest_digest_mismatch"),
    ),
}


@pytest.mark.parametrize("name", PACKS)
def test_a_statement_that_breaks_a_rule_of_packs(name: str) -> None:
    payload, expected = PACKS[name]
    assert verdict(replace(PACK_EVIDENCE, payload=payload).build(), PACK) == expected


def test_a_statement_as_packs_need_it() -> None:
    attestation = verify(PACK_EVIDENCE.build(), PACK)
    assert attestation.statement is not None
    assert attestation.statement.predicate_type == PACK_PREDICATE_TYPE
    # The order of members and white space are the signer's business.
    loose = replace(PACK_EVIDENCE, payload=pack_payload() + b"\n")
    assert verify(loose.build(), PACK).level2


def test_a_message_signature_is_nothing_for_a_pack() -> None:
    with pytest.raises(MalformedEvidence) as caught:
        verify(V1_MESSAGE.build(), PACK)
    assert caught.value.code == "missing_dsse_envelope"
    assert caught.value.hint is not None
    assert "attest sign" in caught.value.hint


def test_a_packs_attestation_read_as_a_files_speaks_of_its_manifest() -> None:
    manifest = Digests(sha256=MANIFEST_DIGEST)
    data = PACK_EVIDENCE.build()
    assert verify(data, ArtifactContent(digest_of=manifest)).level2
    assert verdict(data) == MISMATCH
