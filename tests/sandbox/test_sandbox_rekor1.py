"""Rekor v1 checks what it is told, and what it publishes can be recomputed."""

from __future__ import annotations

import base64
import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import cast

import pytest
import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from attest.sandbox import Refusal, Sandbox, TransparencyLogV1
from tests.sandbox.log_requests import (
    PAYLOAD_TYPE,
    V1,
    change,
    climb,
    dsse,
    hashedrekord,
    mth,
    note,
    pae,
    submit_v1,
)
from tests.sandbox.wire_client import Client, b64, pem, sha256, sign


def test_v1_answers_with_a_valid_proof_and_promise(
    sandbox: Sandbox, client: Client, key: ec.EllipticCurvePrivateKey
) -> None:
    uuid, entry = submit_v1(client, hashedrekord(key, b"proof and promise"))
    verification = cast("dict[str, object]", entry["verification"])
    proof = cast("dict[str, object]", verification["inclusionProof"])
    body = base64.b64decode(str(entry["body"]))
    leaf = sha256(b"\x00" + body)
    hashed = [bytes.fromhex(item) for item in cast("list[str]", proof["hashes"])]
    index, size = cast("int", proof["logIndex"]), cast("int", proof["treeSize"])
    origin, noted_size, root, text, name, signature = note(str(proof["checkpoint"]))
    log = sandbox.instance.rekor1
    assert climb(leaf, index, size, hashed) == root == bytes.fromhex(str(proof["rootHash"]))
    assert (origin, noted_size, name) == (f"{log.host} - {log.tree_id}", size, log.host)
    assert signature[:4] == log.log_id[:4]
    log.public_key.verify(signature[4:], text, ec.ECDSA(hashes.SHA256()))
    promise = rfc8785.dumps(
        # The members are known here to be what JCS takes; the stub's private union does not show.
        {name: entry[name] for name in ("body", "integratedTime", "logID", "logIndex")}  # type: ignore[misc]
    )
    signed = base64.b64decode(str(verification["signedEntryTimestamp"]))
    log.public_key.verify(signed, promise, ec.ECDSA(hashes.SHA256()))
    assert entry["logIndex"] != index
    assert uuid.endswith(leaf.hex())
    assert rfc8785.dumps(json.loads(body)) == body


def test_v1_a_duplicate_is_a_conflict_that_says_where(
    client: Client, key: ec.EllipticCurvePrivateKey
) -> None:
    request = hashedrekord(key, b"twice")
    uuid, entry = submit_v1(client, request)
    again = client.post(V1, request)
    assert (again.status, again.json()["code"]) == (409, 409)
    assert again.headers["Location"] == f"{V1}/{uuid}"
    found = client.get(again.headers["Location"]).json()
    assert cast("dict[str, object]", found[uuid])["body"] == entry["body"]
    by_index = client.get(f"{V1}?logIndex={entry['logIndex']}").json()
    assert set(by_index) == {uuid}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{V1}?logIndex=0", 404),
        (f"{V1}?logIndex=39999999", 404),
        (f"{V1}?logIndex=99999999", 404),
        (f"{V1}?logIndex=-1", 400),
        (f"{V1}?logIndex=", 400),
        (V1, 400),
        (f"{V1}?logIndex=1&logIndex=2", 400),
        (f"{V1}/{'0' * 80}", 404),
        (f"{V1}/{'0' * 64}", 404),
        (f"{V1}/abc", 404),
    ],
)
def test_v1_what_is_not_there_is_not_found(client: Client, path: str, status: int) -> None:
    answer = client.get(path)
    assert (answer.status, answer.json()["code"]) == (status, status)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.data.hash.value", "00" * 32),
        ("spec.data.hash.value", "00" * 31),
        ("spec.data.hash.value", "zz"),
        ("spec.data.hash.algorithm", "sha512"),
        ("spec.data.hash.algorithm", "md5"),
        ("spec.signature.content", b64(b"not a signature")),
        ("spec.signature.content", "-_-_"),
        ("spec.signature.content", None),
        ("spec.signature.publicKey.content", b64(b"not a key")),
        ("spec.signature.publicKey.content", b64(b"-----BEGIN CERTIFICATE-----\n")),
        ("apiVersion", "0.0.2"),
        ("kind", "intoto"),
        ("spec", []),
    ],
)
def test_v1_hashedrekord_is_checked(
    client: Client, key: ec.EllipticCurvePrivateKey, path: str, value: object
) -> None:
    request = change(hashedrekord(key, b"checked"), path, value)
    answer = client.post(V1, request)
    assert (answer.status, answer.json()["code"]) == (400, 400)


def test_v1_a_signature_by_another_key_is_refused(
    client: Client, key: ec.EllipticCurvePrivateKey
) -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    request = change(
        hashedrekord(key, b"other"), "spec.signature.publicKey.content", b64(pem(other))
    )
    assert client.post(V1, request).status == 400


def test_v1_ed25519_cannot_sign_a_digest(client: Client, key: ec.EllipticCurvePrivateKey) -> None:
    edwards = ed25519.Ed25519PrivateKey.generate()
    encoded = edwards.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    request = hashedrekord(key, b"edwards")
    request = change(request, "spec.signature.content", b64(edwards.sign(sha256(b"edwards"))))
    request = change(request, "spec.signature.publicKey.content", b64(encoded))
    assert client.post(V1, request).status == 400


def test_v1_dsse_body_binds_payload_and_signature(
    client: Client, key: ec.EllipticCurvePrivateKey
) -> None:
    _, entry = submit_v1(client, dsse(key, b'{"a":1}'))
    spec = json.loads(base64.b64decode(str(entry["body"])))["spec"]
    assert spec["payloadHash"]["value"] == hashlib.sha256(b'{"a":1}').hexdigest()
    assert [item["verifier"] for item in spec["signatures"]] == [b64(pem(key))]


def test_v1_dsse_is_checked(client: Client, key: ec.EllipticCurvePrivateKey) -> None:
    payload, other = b'{"b":1}', ec.generate_private_key(ec.SECP256R1())
    envelope = {
        "payload": b64(payload),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"sig": b64(sign(key, pae(payload)))} for _ in range(2)],
    }
    idle = dsse(key, payload, verifiers=[pem(key), pem(other)])
    bad = (
        change(idle, "spec.proposedContent.envelope", json.dumps(envelope)),
        dsse(key, payload, signature=sign(key, payload)),
        dsse(key, payload, signature=sign(other, pae(payload))),
        dsse(key, payload, verifiers=[pem(other)]),
        dsse(key, payload, verifiers=[pem(key), pem(other)]),
        change(dsse(key, payload), "spec.proposedContent.envelope", "{}"),
        change(dsse(key, payload), "spec.proposedContent.envelope", "not json"),
        change(dsse(key, payload), "spec.proposedContent.verifiers", []),
        change(dsse(key, payload), "spec.proposedContent.verifiers", [1]),
    )
    assert [client.post(V1, request).status for request in bad] == [400] * len(bad)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 31, 33])
def test_proofs_hold_at_every_size(size: int) -> None:
    log = TransparencyLogV1(key=ec.generate_private_key(ec.SECP256R1()))
    for number in range(1, size):
        log.add(b'{"n":%d}' % number)
    bodies = [log.entry(index).body for index in range(size)]
    root = mth([sha256(b"\x00" + body) for body in bodies])
    for index, body in enumerate(bodies):
        proof = log.entry(index)
        assert proof.root == root
        assert climb(sha256(b"\x00" + body), index, size, list(proof.hashes)) == root


def test_v1_adds_at_any_time_and_never_checks() -> None:
    log = TransparencyLogV1(key=ec.generate_private_key(ec.SECP256R1()), offset=7)
    entry = log.add(b'{"kind":"k","apiVersion":"v"}', at=datetime(2026, 1, 2, tzinfo=UTC))
    assert entry.integrated_time == 1767312000
    assert (entry.shard_index, entry.log_index) == (1, 8)
    assert entry.to_message().to_dict()["logIndex"] == "8"


def test_simultaneous_entries_get_different_indexes(
    client: Client, sandbox: Sandbox, key: ec.EllipticCurvePrivateKey
) -> None:
    log = sandbox.instance.rekor1
    before = log.size
    requests = [hashedrekord(key, b"parallel %d" % number) for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        entries = list(pool.map(lambda request: submit_v1(client, request)[1], requests))
    indexes = {cast("int", entry["logIndex"]) - log.offset for entry in entries}
    assert indexes == set(range(before, before + 24))
    leaves = [sha256(b"\x00" + log.entry(index).body) for index in range(log.size)]
    assert note(log.checkpoint())[2] == mth(leaves)


def test_a_lying_checkpoint_is_signed_all_the_same() -> None:
    log = TransparencyLogV1(key=ec.generate_private_key(ec.SECP256R1()))
    _, _, root, text, _, signature = note(log.checkpoint(1, root=b"\x00" * 32))
    assert root == b"\x00" * 32
    log.public_key.verify(signature[4:], text, ec.ECDSA(hashes.SHA256()))
    with pytest.raises(InvalidSignature):
        log.public_key.verify(
            signature[4:], sha256(text + b"!"), ec.ECDSA(Prehashed(hashes.SHA256()))
        )


def test_the_v1_refusal_is_an_exception_for_those_who_call_it_directly() -> None:
    log = TransparencyLogV1(key=ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(Refusal) as caught:
        log.by_global_index(1)
    assert caught.value.status == 404


def test_v1_tells_about_itself(sandbox: Sandbox, client: Client) -> None:
    info = client.get("/api/v1/log").json()
    assert info["treeID"] == str(sandbox.instance.rekor1.tree_id)
    key = serialization.load_pem_public_key(client.get("/api/v1/log/publicKey").body)
    assert key == sandbox.instance.rekor1.public_key
