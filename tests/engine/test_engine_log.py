"""Step 5: unknown logs, signed entry timestamps, which index is bound, old bundles."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from attest.engine.trace import Trace
from attest.errors import MalformedEvidence, Untrusted, VerificationFailed
from attest.sandbox.wire import canonical_json
from tests.engine.log_edits import (
    BUNDLE,
    CHECKPOINT,
    MALFORMED_ENTRY,
    PROOF,
    SET,
    Edit,
    Verdict,
    edited,
    set_at,
    verdict,
)
from tests.engine.virtual_evidence import (
    MANIFEST_DIGEST,
    PACK,
    PACK_EVIDENCE,
    V1_DSSE,
    V2_DSSE,
    Evidence,
    entry_of,
    stamp,
    verify,
)
from tests.engine.virtual_instance import (
    ELSEWHERE,
    HERE,
    MINUTE,
    NOW,
    Json,
    b64,
    p256,
    parse_root,
    root_json,
    unb64,
)

ZERO = "00" * 32


def proof_of(entry: Json) -> Json:
    proof: Json = entry["inclusionProof"]
    return proof


# Unknown against broken, several entries


def test_an_entry_of_an_unknown_log_is_untrusted() -> None:
    stranger = replace(HERE, rekor1=ELSEWHERE.rekor1)
    trace = Trace()
    with pytest.raises(Untrusted) as caught:
        verify(replace(V1_DSSE, parts=stranger).build(), trace=trace)
    assert caught.value.code == "untrusted_log"
    assert [(item.check, item.status) for item in trace.checks][-1] == ("5 log", "skip")


def test_an_entry_that_claims_a_known_log_is_broken() -> None:
    stranger = replace(HERE, rekor1=ELSEWHERE.rekor1)
    claim: Edit = lambda bundle: entry_of(bundle).update(  # noqa: E731
        logId={"keyId": b64(HERE.rekor1.log_id)}
    )
    assert verdict(replace(V1_DSSE, parts=stranger, bundle=claim).build()) == CHECKPOINT


def second_entry(evidence: Evidence, change: Edit = lambda _: None) -> bytes:
    """The bundle with the same body in a second log behind its own."""

    def add(bundle: Json) -> None:
        body = unb64(entry_of(bundle)["canonicalizedBody"])
        entry = ELSEWHERE.rekor1.add(body, at=NOW + MINUTE).to_message().to_dict()
        change(entry)
        bundle["verificationMaterial"]["tlogEntries"].append(entry)

    return replace(evidence, bundle=add).build()


def both_logs(root: Json) -> None:
    other = json.loads(json.dumps(root["tlogs"][0]))
    spki = ELSEWHERE.rekor1.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    other["publicKey"]["rawBytes"] = b64(spki)
    other["logId"]["keyId"] = b64(ELSEWHERE.rekor1.log_id)
    root["tlogs"].append(other)


def test_an_unknown_log_beside_a_known_one_counts_for_nothing() -> None:
    data = second_entry(V1_DSSE)
    assert len(verify(data).log_entries) == 1
    assert len(verify(data, root=parse_root(root_json(both_logs))).log_entries) == 2


def test_a_broken_entry_fails_beside_a_good_one() -> None:
    data = second_entry(V1_DSSE, lambda e: set_at(proof_of(e)["hashes"], (0,), b64(bytes(32))))
    assert verdict(data, parse_root(root_json(both_logs))) == PROOF


def test_the_same_entry_twice_is_malformed() -> None:
    def repeat(bundle: Json) -> None:
        bundle["verificationMaterial"]["tlogEntries"] *= 2

    assert verdict(replace(V1_DSSE, bundle=repeat).build()) == BUNDLE


@pytest.mark.parametrize("evidence", [V1_DSSE, V2_DSSE])
def test_without_an_entry_nothing_is_proven(evidence: Evidence) -> None:
    trace = Trace()
    with pytest.raises(VerificationFailed) as caught:
        verify(replace(evidence, log=None, timestamps=[stamp()]).build(), trace=trace)
    assert caught.value.code == "not_enough_log_entries"
    assert trace.checks[-1].code == "not_enough_log_entries"


# The signed entry timestamp, and which index is bound

TIME = int((NOW + MINUTE).timestamp())
SETS: dict[str, tuple[Edit, Verdict]] = {
    "another index": (lambda e: e.update(logIndex=str(int(e["logIndex"]) + 1)), SET),
    "the shard's index": (lambda e: e.update(logIndex=proof_of(e)["logIndex"]), SET),
    "another time": (lambda e: e.update(integratedTime=str(TIME + 1)), SET),
    "no time": (lambda e: e.pop("integratedTime"), SET),
    "no index": (lambda e: e.pop("logIndex"), SET),
    "junk": (
        lambda e: e.update(inclusionPromise={"signedEntryTimestamp": b64(b"junk")}),
        SET,
    ),
    "empty": (lambda e: e.update(inclusionPromise={"signedEntryTimestamp": ""}), BUNDLE),
    "empty object": (lambda e: e.update(inclusionPromise={}), BUNDLE),
    "index beyond what JSON numbers hold": (
        lambda e: e.update(logIndex=str(2**60)),
        (MalformedEvidence, "jcs_invalid"),
    ),
}


@pytest.mark.parametrize("name", SETS)
def test_a_set_over_something_else(name: str) -> None:
    edit, expected = SETS[name]
    assert verdict(edited(V1_DSSE, edit)) == expected


def promise(
    *,
    time: int = TIME,
    key: ec.EllipticCurvePrivateKey | None = None,
    signed: Callable[[Json], object] = lambda _: None,
) -> Edit:
    """Replace the SET by one over this time, with members of what is signed changed."""

    def edit(entry: Json) -> None:
        entry["integratedTime"] = str(time)
        members: Json = {
            "body": entry["canonicalizedBody"],
            "integratedTime": time,
            "logID": HERE.rekor1.log_id.hex(),
            "logIndex": int(entry["logIndex"]),
        }
        signed(members)
        signature = (key or HERE.rekor1.key).sign(
            canonical_json(members), ec.ECDSA(hashes.SHA256())
        )
        entry["inclusionPromise"] = {"signedEntryTimestamp": b64(signature)}

    return edit


def test_a_set_that_the_log_signed() -> None:
    assert verify(edited(V1_DSSE, promise())).times


SIGNED_SETS: dict[str, tuple[Edit, Verdict]] = {
    "by another key": (promise(key=p256("impostor")), SET),
    "over another body": (promise(signed=lambda it: it.update(body=b64(b"{}"))), SET),
    "over another log": (promise(signed=lambda it: it.update(logID=ZERO)), SET),
    "over another member": (promise(signed=lambda it: it.update(x=1)), SET),
    "over a time as text": (promise(signed=lambda it: it.update(integratedTime=str(TIME))), SET),
    "of 1970": (promise(time=0), (VerificationFailed, "log_not_valid_at_time")),
    "of the year 9999": (
        promise(time=253_402_300_799),
        (VerificationFailed, "certificate_not_valid_at_time"),
    ),
    "of no year": (promise(time=253_402_300_800), MALFORMED_ENTRY),
    "of no time at all": (promise(time=2**53 - 1), MALFORMED_ENTRY),
}


@pytest.mark.parametrize("name", SIGNED_SETS)
def test_a_set_signed_over_something_else(name: str) -> None:
    edit, expected = SIGNED_SETS[name]
    assert verdict(edited(V1_DSSE, edit)) == expected


def test_a_global_index_counts_only_under_a_set() -> None:
    with_set = verify(V1_DSSE.build()).log_entries[0]
    assert with_set.index is not None
    assert with_set.index >= HERE.rekor1.offset
    lying = replace(V1_DSSE, timestamps=[stamp()])

    def drop(entry: Json) -> None:
        del entry["inclusionPromise"]
        entry["logIndex"], entry["integratedTime"] = "999", "4102444800"

    attestation = verify(edited(lying, drop))
    assert attestation.log_entries[0].index is None
    assert [item.source for item in attestation.times] == ["tsa"]


def test_a_v2_index_is_the_proofs() -> None:
    (entry,) = verify(V2_DSSE.build()).log_entries
    assert entry.index == HERE.rekor2.size - 1
    data = edited(V2_DSSE, lambda e: e.update(logIndex=str(int(e["logIndex"]) + 1)))
    assert verdict(data) == MALFORMED_ENTRY


@pytest.mark.parametrize(
    "edit",
    [
        lambda e: e.update(integratedTime=str(TIME)),
        lambda e: e.update(inclusionPromise={"signedEntryTimestamp": b64(b"x")}),
    ],
)
def test_a_v2_entry_with_a_time_or_a_promise(edit: Edit) -> None:
    assert verdict(edited(V2_DSSE, edit)) == MALFORMED_ENTRY


# Old bundles


def old(version: str, edit: Edit = lambda _: None) -> Evidence:
    def change(bundle: Json) -> None:
        bundle["mediaType"] = f"application/vnd.dev.sigstore.bundle+json;version={version}"
        edit(entry_of(bundle))

    return replace(V1_DSSE, chain=True, bundle=change)


def test_old_bundles_pass_in_full_form() -> None:
    for version in ("0.1", "0.2", "0.3"):
        assert verify(old(version).build()).level2


def test_a_promise_alone_serves_in_version_01_only_and_is_no_proof() -> None:
    attestation = verify(old("0.1", lambda e: e.pop("inclusionProof")).build())
    assert not attestation.level2
    (entry,) = attestation.log_entries
    assert (entry.proof, entry.origin) == ("promise", None)
    assert entry.index is not None
    for version in ("0.2", "0.3"):
        data = old(version, lambda e: e.pop("inclusionProof")).build()
        assert verdict(data) == (MalformedEvidence, "missing_inclusion_proof")


def test_version_01_with_neither_proof_nor_promise() -> None:
    def strip(entry: Json) -> None:
        del entry["inclusionProof"], entry["inclusionPromise"]

    data = replace(old("0.1", strip), timestamps=[stamp()]).build()
    assert verdict(data) == (VerificationFailed, "missing_set")


def test_version_01_with_a_good_promise_and_a_broken_proof() -> None:
    data = old("0.1", lambda e: proof_of(e)["hashes"].reverse()).build()
    assert verdict(data) == PROOF


@pytest.mark.parametrize("version", ["0.1", "0.2"])
def test_old_bundles_are_not_for_packs(version: str) -> None:
    def change(bundle: Json) -> None:
        bundle["mediaType"] = f"application/vnd.dev.sigstore.bundle+json;version={version}"

    assert verify(PACK_EVIDENCE.build(), PACK).level2
    data = replace(PACK_EVIDENCE, chain=True, bundle=change).build()
    with pytest.raises(MalformedEvidence) as caught:
        verify(data, PACK)
    assert caught.value.code == "invalid_bundle_media_type"


def test_a_pack_needs_an_entry_and_its_proof() -> None:
    cases: list[tuple[Evidence, str]] = [
        (replace(PACK_EVIDENCE, log=None, timestamps=[stamp()]), "missing_tlog_entry"),
        (
            replace(PACK_EVIDENCE, bundle=lambda it: entry_of(it).pop("inclusionProof")),
            "missing_inclusion_proof",
        ),
    ]
    for evidence, code in cases:
        with pytest.raises(MalformedEvidence) as caught:
            verify(evidence.build(), PACK)
        assert caught.value.code == code
    assert PACK.manifest_digest == MANIFEST_DIGEST
