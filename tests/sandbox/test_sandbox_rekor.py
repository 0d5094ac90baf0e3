"""Both logs check what they are told, and what they publish can be recomputed."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import cast

import pytest
import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from attest.sandbox import Refusal, Sandbox, TransparencyLogV1, TransparencyLogV2
from tests.sandbox.wire_client import Client, b64, pem, sha256, sign

V1 = "/api/v1/log/entries"
V2 = "/api/v2/log/entries"
PAYLOAD_TYPE = "application/vnd.in-toto+json"


def pae(payload: bytes) -> bytes:
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)


def hashedrekord(key: ec.EllipticCurvePrivateKey, artifact: bytes) -> dict[str, object]:
    return {
        "apiVersion": "0.0.1",
        "kind": "hashedrekord",
        "spec": {
            "data": {"hash": {"algorithm": "sha256", "value": sha256(artifact).hex()}},
            "signature": {
                "content": b64(sign(key, artifact)),
                "publicKey": {"content": b64(pem(key))},
            },
        },
    }


def dsse(
    key: ec.EllipticCurvePrivateKey,
    payload: bytes,
    *,
    signature: bytes | None = None,
    verifiers: list[bytes] | None = None,
) -> dict[str, object]:
    envelope = {
        "payload": b64(payload),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"sig": b64(signature or sign(key, pae(payload)))}],
    }
    proposed = {
        "envelope": json.dumps(envelope),
        "verifiers": [b64(item) for item in (verifiers or [pem(key)])],
    }
    return {"apiVersion": "0.0.1", "kind": "dsse", "spec": {"proposedContent": proposed}}


def hashedrekord_v2(key: ec.EllipticCurvePrivateKey, artifact: bytes) -> dict[str, object]:
    spki = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    verifier = {"publicKey": {"rawBytes": b64(spki)}, "keyDetails": "PKIX_ECDSA_P256_SHA_256"}
    signature = {"content": b64(sign(key, artifact)), "verifier": verifier}
    return {"hashedRekordRequestV002": {"digest": b64(sha256(artifact)), "signature": signature}}


def change(request: dict[str, object], path: str, value: object) -> dict[str, object]:
    """A copy of the request with the member at `a.b.c` replaced, or removed for `None`."""
    copy = json.loads(json.dumps(request))
    target = copy
    *parents, last = path.split(".")
    for name in parents:
        target = target[name]
    if value is None:
        del target[last]
    else:
        target[last] = value
    return cast("dict[str, object]", copy)


def climb(leaf: bytes, index: int, size: int, proof: list[bytes]) -> bytes:
    """The root an inclusion proof leads to, by the algorithm of RFC 9162, 2.1.3.2."""
    position, last, current = index, size - 1, leaf
    for item in proof:
        if position & 1 or position == last:
            current = sha256(b"\x01" + item + current)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            current = sha256(b"\x01" + current + item)
        position, last = position >> 1, last >> 1
    return current


def note(checkpoint: str) -> tuple[str, int, bytes, bytes, str, bytes]:
    """Origin, size, root, signed text, signer and signature of a checkpoint."""
    text, _, signatures = checkpoint.partition("\n\n")
    origin, size, root = text.split("\n")
    dash, name, signature = signatures.removesuffix("\n").split(" ")
    assert dash == "\N{EM DASH}"
    raw = base64.b64decode(signature)
    return origin, int(size), base64.b64decode(root), f"{text}\n".encode(), name, raw


def submit_v1(client: Client, request: dict[str, object]) -> tuple[str, dict[str, object]]:
    answer = client.post(V1, request)
    assert answer.status == 201, answer.body
    ((uuid, entry),) = answer.json().items()
    return uuid, cast("dict[str, object]", entry)


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


def test_v2_tiles_rebuild_the_checkpoint(
    sandbox: Sandbox, client: Client, key: ec.EllipticCurvePrivateKey
) -> None:
    for number in range(3):
        assert client.post(V2, hashedrekord_v2(key, b"tile %d" % number)).status == 201
    checkpoint = client.get("/api/v2/checkpoint").body.decode()
    origin, size, root, text, name, signature = note(checkpoint)
    log = sandbox.instance.rekor2
    assert origin == name == log.host
    raw = log.public_key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    assert signature[:4] == sha256(origin.encode() + b"\n\x01" + raw)[:4] == log.log_id[:4]
    log.public_key.verify(signature[4:], text)
    assert mth(tile_leaves(client, size)) == mth(bundle_leaves(client, size)) == root


def mth(leaves: list[bytes]) -> bytes:
    """RFC 6962's definition, straight."""
    if len(leaves) == 1:
        return leaves[0]
    left = 1
    while left * 2 < len(leaves):
        left *= 2
    return sha256(b"\x01" + mth(leaves[:left]) + mth(leaves[left:]))


def tile_leaves(client: Client, size: int) -> list[bytes]:
    assert size < 256
    raw = client.get(f"/api/v2/tile/0/000.p/{size}").body
    return [raw[start : start + 32] for start in range(0, len(raw), 32)]


def bundle_leaves(client: Client, size: int) -> list[bytes]:
    raw = client.get(f"/api/v2/tile/entries/000.p/{size}").body
    found = []
    while raw:
        (length,) = struct.unpack("!H", raw[:2])
        found.append(sha256(b"\x00" + raw[2 : 2 + length]))
        raw = raw[2 + length :]
    return found


def test_v2_answers_in_protobuf_json(client: Client, key: ec.EllipticCurvePrivateKey) -> None:
    answer = client.post(V2, hashedrekord_v2(key, b"protobuf"))
    entry = answer.json()
    proof = cast("dict[str, object]", entry["inclusionProof"])
    assert isinstance(entry["logIndex"], str)
    assert entry["logIndex"] == proof["logIndex"] != "0"
    body = base64.b64decode(str(entry["canonicalizedBody"]))
    assert rfc8785.dumps(json.loads(body)) == body
    assert "integratedTime" not in entry
    again = client.post(V2, hashedrekord_v2(key, b"protobuf"))
    assert again.status == 201, "ECDSA signatures differ, so this is another entry"


def test_v2_the_same_request_twice_is_a_conflict(
    client: Client, key: ec.EllipticCurvePrivateKey
) -> None:
    request = hashedrekord_v2(key, b"conflict")
    assert client.post(V2, request).status == 201
    again = client.post(V2, request)
    assert (again.status, again.json()["code"]) == (409, 6)


WHERE = "hashedRekordRequestV002"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (f"{WHERE}.digest", b64(sha256(b"another"))),
        (f"{WHERE}.digest", b64(b"short")),
        (f"{WHERE}.digest", None),
        (f"{WHERE}.signature.content", b64(b"not a signature")),
        (f"{WHERE}.signature.verifier.keyDetails", "PKIX_ECDSA_P384_SHA_384"),
        (f"{WHERE}.signature.verifier.keyDetails", None),
        (f"{WHERE}.signature.verifier.publicKey", None),
        (f"{WHERE}.signature.verifier.publicKey.rawBytes", b64(b"not a key")),
        (f"{WHERE}.signature.verifier.x509Certificate", {"rawBytes": b64(b"both")}),
        (WHERE, None),
    ],
)
def test_v2_is_checked(
    client: Client, key: ec.EllipticCurvePrivateKey, path: str, value: object
) -> None:
    answer = client.post(V2, change(hashedrekord_v2(key, b"checked"), path, value))
    assert (answer.status, answer.json()["code"]) == (400, 3)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v2/tile/0/000",
        "/api/v2/tile/0/000.p/255",
        "/api/v2/tile/0/000.p/0",
        "/api/v2/tile/0/000.p/256",
        "/api/v2/tile/0/000.p/",
        "/api/v2/tile/1/000.p/1",
        "/api/v2/tile/6/000.p/1",
        "/api/v2/tile/0/1",
        "/api/v2/tile/0/x000/001.p/1",
        "/api/v2/tile/entries/000",
    ],
)
def test_v2_tiles_that_do_not_exist(client: Client, path: str) -> None:
    assert client.get(path).status == 404


def test_v2_full_tiles_and_upper_levels() -> None:
    log = TransparencyLogV2(key=ed25519.Ed25519PrivateKey.generate())
    for number in range(256):
        log.add(b"entry %d" % number)
    assert log.size == 257
    first = log.tile(0, "000")
    leaves = [first[start : start + 32] for start in range(0, len(first), 32)]
    assert len(leaves) == 256
    assert log.tile(1, "000.p/1") == mth(leaves)
    last = log.tile(0, "001.p/1")
    assert note(log.checkpoint())[2] == sha256(b"\x01" + mth(leaves) + last)


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


def test_v2_an_entry_that_no_bundle_could_hold_is_refused() -> None:
    log = TransparencyLogV2(key=ed25519.Ed25519PrivateKey.generate())
    with pytest.raises(Refusal) as caught:
        log.add(b"x" * 65_536)
    assert (caught.value.status, log.size) == (413, 1)


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
