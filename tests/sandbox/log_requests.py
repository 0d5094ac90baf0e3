"""Requests to the logs, and the arithmetic that judges their answers."""

from __future__ import annotations

import base64
import json
from typing import cast

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

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


def mth(leaves: list[bytes]) -> bytes:
    """RFC 6962's definition, straight."""
    if len(leaves) == 1:
        return leaves[0]
    left = 1
    while left * 2 < len(leaves):
        left *= 2
    return sha256(b"\x01" + mth(leaves[:left]) + mth(leaves[left:]))


def intoto(
    payload: bytes, *, signature: bytes, verifier: bytes, keyid: str = ""
) -> dict[str, object]:
    """A proposed `intoto` 0.0.2: its bytes are the envelope's base64 texts."""
    signed: dict[str, object] = {"sig": b64(b64(signature).encode()), "publicKey": b64(verifier)}
    if keyid:
        signed["keyid"] = keyid
    envelope = {
        "payload": b64(b64(payload).encode()),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [signed],
    }
    hashed = {"algorithm": "sha256", "value": sha256(b"the envelope").hex()}
    content = {"envelope": envelope, "hash": hashed}
    return {"apiVersion": "0.0.2", "kind": "intoto", "spec": {"content": content}}
