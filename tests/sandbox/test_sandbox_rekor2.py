"""Rekor v2 checks what it is told, and its tiles rebuild its checkpoint."""

from __future__ import annotations

import base64
import json
import struct
from typing import cast

import pytest
import rfc8785
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from attest.sandbox import Refusal, Sandbox, TransparencyLogV2
from tests.sandbox.log_requests import (
    V2,
    change,
    hashedrekord_v2,
    mth,
    note,
)
from tests.sandbox.wire_client import Client, b64, sha256


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


def test_v2_an_entry_that_no_bundle_could_hold_is_refused() -> None:
    log = TransparencyLogV2(key=ed25519.Ed25519PrivateKey.generate())
    with pytest.raises(Refusal) as caught:
        log.add(b"x" * 65_536)
    assert (caught.value.status, log.size) == (413, 1)
