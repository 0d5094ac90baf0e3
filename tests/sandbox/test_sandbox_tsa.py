"""The timestamp authority, judged by `rfc3161-client`."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from rfc3161_client import (
    TimestampRequestBuilder,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)
from rfc3161_client.base import HashAlgorithm

from attest.sandbox import Sandbox, TimestampAuthority, Validity
from tests.sandbox.wire_client import Client, b64, sha256

TIMESTAMP = "/api/v1/timestamp"
QUERY = {"Content-Type": "application/timestamp-query"}
MESSAGE = b"signature bytes"


def verify(authority: TimestampAuthority, response: bytes, message: bytes = MESSAGE) -> None:
    leaf, root = authority.chain
    verifier = VerifierBuilder().tsa_certificate(leaf).add_root_certificate(root).build()
    verifier.verify_message(decode_timestamp_response(response), message)


@pytest.mark.parametrize("algorithm", [HashAlgorithm.SHA256, HashAlgorithm.SHA512])
@pytest.mark.parametrize("embed", [True, False])
def test_a_der_query_is_answered(
    sandbox: Sandbox, client: Client, algorithm: HashAlgorithm, *, embed: bool
) -> None:
    builder = TimestampRequestBuilder().data(MESSAGE).hash_algorithm(algorithm)
    query = builder.cert_request(cert_request=embed).nonce(nonce=True).build()
    answer = client.post(TIMESTAMP, query.as_bytes(), headers=QUERY)
    assert (answer.status, answer.headers["Content-Type"]) == (201, "application/timestamp-reply")
    response = decode_timestamp_response(answer.body)
    assert response.tst_info.nonce == query.nonce
    assert len(response.signed_data.certificates) == int(embed)
    verify(sandbox.instance.tsa, answer.body)


def test_the_javascript_shape_is_answered(sandbox: Sandbox, client: Client) -> None:
    request = {"artifactHash": b64(sha256(MESSAGE)), "hashAlgorithm": "sha256", "nonce": 2**53}
    answer = client.post(TIMESTAMP, request)
    assert answer.status == 201
    assert decode_timestamp_response(answer.body).tst_info.nonce == 2**53
    verify(sandbox.instance.tsa, answer.body)


def test_a_timestamp_of_another_time(sandbox: Sandbox) -> None:
    past = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    response = sandbox.instance.tsa.timestamp(sha256(MESSAGE), at=past, embed_certificate=False)
    assert decode_timestamp_response(response).tst_info.gen_time == past
    verify(sandbox.instance.tsa, response)


def test_another_message_does_not_verify(sandbox: Sandbox) -> None:
    response = sandbox.instance.tsa.timestamp(sha256(b"something else"))
    with pytest.raises(VerificationError):
        verify(sandbox.instance.tsa, response)


def test_another_authority_does_not_verify(sandbox: Sandbox) -> None:
    validity = Validity(
        start=datetime(2025, 1, 1, tzinfo=UTC), end=datetime(2035, 1, 1, tzinfo=UTC)
    )
    stranger = TimestampAuthority.create(validity=validity)
    with pytest.raises(VerificationError):
        verify(sandbox.instance.tsa, stranger.timestamp(sha256(MESSAGE)))


def der_query() -> bytes:
    return TimestampRequestBuilder().data(MESSAGE).nonce(nonce=True).build().as_bytes()


@pytest.mark.parametrize("kind", ["empty", "garbage", "cut", "trailing", "version", "sha1"])
def test_a_bad_der_query_is_refused(client: Client, kind: str) -> None:
    query = der_query()
    bodies = {
        "empty": b"",
        "garbage": b"\x30\x03abc",
        "cut": query[:-1],
        "trailing": query + b"\x00",
        "version": query.replace(b"\x02\x01\x01", b"\x02\x01\x02", 1),
        "sha1": bytes.fromhex("302902010130213009 06052b0e03021a05000414")
        + bytes(20)
        + b"\x01\x01\xff",
    }
    answer = client.post(TIMESTAMP, bodies[kind], headers=QUERY)
    assert (answer.status, answer.json()["code"]) == (400, 400)


@pytest.mark.parametrize(
    "change",
    [
        {"artifactHash": "???"},
        {"artifactHash": b64(b"short")},
        {"artifactHash": None},
        {"hashAlgorithm": "sha512"},
        {"hashAlgorithm": "md5"},
        {"nonce": -1},
        {"nonce": "1"},
        {"nonce": True},
        {"nonce": 2**200},
        {"certificates": "yes"},
    ],
)
def test_a_bad_json_query_is_refused(client: Client, change: dict[str, object]) -> None:
    request = {"artifactHash": b64(sha256(MESSAGE)), "hashAlgorithm": "sha256"} | change
    assert client.post(TIMESTAMP, request).status == 400
