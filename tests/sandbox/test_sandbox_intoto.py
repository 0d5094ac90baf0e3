"""Rekor v1 takes `intoto` 0.0.2 proposals, checks them and logs what Rekor logs."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric import ec

from attest.sandbox import Refusal, TransparencyLogV1
from tests.sandbox.log_requests import (
    PAYLOAD_TYPE,
    V1,
    change,
    intoto,
    pae,
    submit_v1,
)
from tests.sandbox.wire_client import Client, b64, pem, sha256, sign

PAYLOAD = b'{"an":"attestation"}'
CONTENT = "spec.content"
ENVELOPE = f"{CONTENT}.envelope"


def proposal(key: ec.EllipticCurvePrivateKey, keyid: str = "") -> dict[str, object]:
    signature = sign(key, pae(PAYLOAD))
    return intoto(PAYLOAD, signature=signature, verifier=pem(key), keyid=keyid)


def test_the_body_binds_type_payload_signature_and_key(
    client: Client, key: ec.EllipticCurvePrivateKey
) -> None:
    signature = sign(key, pae(PAYLOAD))
    request = intoto(PAYLOAD, signature=signature, verifier=pem(key), keyid="who")
    _, entry = submit_v1(client, request)
    body = base64.b64decode(str(entry["body"]))
    assert rfc8785.dumps(json.loads(body)) == body
    assert json.loads(body) == {
        "apiVersion": "0.0.2",
        "kind": "intoto",
        "spec": {
            "content": {
                "envelope": {
                    "payloadType": PAYLOAD_TYPE,
                    "signatures": [
                        {
                            "keyid": "who",
                            "publicKey": b64(pem(key)),
                            "sig": b64(b64(signature).encode()),
                        }
                    ],
                },
                "hash": {"algorithm": "sha256", "value": sha256(b"the envelope").hex()},
                "payloadHash": {
                    "algorithm": "sha256",
                    "value": hashlib.sha256(PAYLOAD).hexdigest(),
                },
            }
        },
    }


def test_an_empty_keyid_and_the_payload_are_not_logged(key: ec.EllipticCurvePrivateKey) -> None:
    log = TransparencyLogV1(key=ec.generate_private_key(ec.SECP256R1()))
    entry = log.submit(proposal(key))
    envelope = json.loads(entry.body)["spec"]["content"]["envelope"]
    assert set(envelope) == {"payloadType", "signatures"}
    assert set(envelope["signatures"][0]) == {"publicKey", "sig"}
    assert entry.to_message().kind_version.to_dict() == {"kind": "intoto", "version": "0.0.2"}


def test_the_same_proposal_twice_is_a_conflict(
    client: Client, key: ec.EllipticCurvePrivateKey
) -> None:
    request = proposal(key)
    uuid, _ = submit_v1(client, request)
    again = client.post(V1, request)
    assert (again.status, again.headers["Location"]) == (409, f"{V1}/{uuid}")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("apiVersion", "0.0.1"),
        ("apiVersion", "0.0.3"),
        ("spec", []),
        (CONTENT, None),
        (ENVELOPE, None),
        (f"{ENVELOPE}.payload", None),
        (f"{ENVELOPE}.payload", b64(b64(b"another").encode())),
        (f"{ENVELOPE}.payload", b64(PAYLOAD)),
        (f"{ENVELOPE}.payload", b64(b"\xff\xff")),
        (f"{ENVELOPE}.payloadType", "application/json"),
        (f"{ENVELOPE}.payloadType", None),
        (f"{ENVELOPE}.signatures", []),
        (f"{ENVELOPE}.signatures", [1]),
        (f"{CONTENT}.hash", None),
        (f"{CONTENT}.hash.algorithm", "sha512"),
        (f"{CONTENT}.hash.value", "00"),
        (f"{CONTENT}.hash.value", "zz" * 32),
    ],
)
def test_a_proposal_is_checked(
    client: Client, key: ec.EllipticCurvePrivateKey, path: str, value: object
) -> None:
    answer = client.post(V1, change(proposal(key), path, value))
    assert (answer.status, answer.json()["code"]) == (400, 400)


def test_each_signature_is_checked_with_the_key_beside_it(key: ec.EllipticCurvePrivateKey) -> None:
    log = TransparencyLogV1(key=ec.generate_private_key(ec.SECP256R1()))
    other = ec.generate_private_key(ec.SECP256R1())
    good = {"sig": b64(b64(sign(key, pae(PAYLOAD))).encode()), "publicKey": b64(pem(key))}
    refused = [
        {**good, "publicKey": b64(pem(other))},
        {**good, "publicKey": b64(b"not a key")},
        {**good, "sig": b64(sign(key, pae(PAYLOAD)))},
        {**good, "sig": b64(b64(sign(key, PAYLOAD)).encode())},
        {**good, "keyid": 1},
        {"sig": good["sig"]},
        {"publicKey": good["publicKey"]},
    ]
    for item in refused:
        request = change(proposal(key), f"{ENVELOPE}.signatures", [good, item])
        with pytest.raises(Refusal) as caught:
            log.submit(request)
        assert (caught.value.status, log.size) == (400, 1)
    second = {"sig": b64(b64(sign(other, pae(PAYLOAD))).encode()), "publicKey": b64(pem(other))}
    log.submit(change(proposal(key), f"{ENVELOPE}.signatures", [good, second]))
    assert log.size == 2
