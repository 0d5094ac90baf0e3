"""Step 5: what the body of a log entry must bind."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from attest.errors import MalformedEvidence
from tests.engine.log_edits import (
    ENTRY,
    MALFORMED_ENTRY,
    UNSUPPORTED,
    Verdict,
    edited,
    set_at,
    verdict,
)
from tests.engine.virtual_evidence import (
    HASHED_DSSE,
    V1_DSSE,
    V1_MESSAGE,
    V2_DSSE,
    Evidence,
    entry_of,
    statement,
    verify,
)
from tests.engine.virtual_instance import (
    Json,
    b64,
    p256,
    unb64,
)

OTHER = b64(b"another signature")
OTHER_PEM = b64(Evidence(key=p256("other")).certificate().public_bytes(Encoding.PEM))
OTHER_DER = b64(Evidence(key=p256("other")).certificate().public_bytes(Encoding.DER))
ZERO = "00" * 32
V1_MESSAGE_SPEC = ("spec", "signature")
V2_SPEC = ("spec", "hashedRekordV002")
BODIES: dict[str, tuple[Evidence, tuple[str | int, ...], object, Verdict]] = {
    "other digest": (V1_MESSAGE, ("spec", "data", "hash", "value"), ZERO, ENTRY),
    "other hash": (V1_MESSAGE, ("spec", "data", "hash", "algorithm"), "sha512", ENTRY),
    "digest in capitals": (
        V1_MESSAGE,
        ("spec", "data", "hash", "value"),
        hashlib.sha256(b"evidence\n").hexdigest().upper(),
        MALFORMED_ENTRY,
    ),
    "other signature": (V1_MESSAGE, (*V1_MESSAGE_SPEC, "content"), OTHER, ENTRY),
    "signature is a number": (V1_MESSAGE, (*V1_MESSAGE_SPEC, "content"), 7, MALFORMED_ENTRY),
    "other certificate": (V1_MESSAGE, (*V1_MESSAGE_SPEC, "publicKey", "content"), OTHER_PEM, ENTRY),
    "certificate is junk": (
        V1_MESSAGE,
        (*V1_MESSAGE_SPEC, "publicKey", "content"),
        b64(b"junk"),
        ENTRY,
    ),
    "certificate is no base64": (
        V1_MESSAGE,
        (*V1_MESSAGE_SPEC, "publicKey", "content"),
        "-_-_",
        MALFORMED_ENTRY,
    ),
    "extra member in data": (V1_MESSAGE, ("spec", "data", "url"), "x", MALFORMED_ENTRY),
    "extra member in hash": (V1_MESSAGE, ("spec", "data", "hash", "x"), "x", MALFORMED_ENTRY),
    "extra member in signature": (V1_MESSAGE, (*V1_MESSAGE_SPEC, "x"), "x", MALFORMED_ENTRY),
    "extra member in spec": (V1_MESSAGE, ("spec", "x"), "x", MALFORMED_ENTRY),
    "extra member": (V1_MESSAGE, ("x",), "x", MALFORMED_ENTRY),
    "spec is a list": (V1_MESSAGE, ("spec",), [], MALFORMED_ENTRY),
    "dsse: other payload": (V1_DSSE, ("spec", "payloadHash", "value"), ZERO, ENTRY),
    "dsse: other hash": (V1_DSSE, ("spec", "payloadHash", "algorithm"), "sha512", ENTRY),
    "dsse: other signature": (V1_DSSE, ("spec", "signatures", 0, "signature"), OTHER, ENTRY),
    "dsse: other certificate": (V1_DSSE, ("spec", "signatures", 0, "verifier"), OTHER_PEM, ENTRY),
    "dsse: no signature": (V1_DSSE, ("spec", "signatures"), [], MALFORMED_ENTRY),
    "dsse: extra member": (V1_DSSE, ("spec", "signatures", 0, "x"), "x", MALFORMED_ENTRY),
    "dsse: extra member in spec": (V1_DSSE, ("spec", "x"), "x", MALFORMED_ENTRY),
    "v2: other digest": (V2_DSSE, (*V2_SPEC, "data", "digest"), b64(bytes(32)), ENTRY),
    "v2: other hash": (V2_DSSE, (*V2_SPEC, "data", "algorithm"), "SHA2_512", ENTRY),
    "v2: other signature": (V2_DSSE, (*V2_SPEC, "signature", "content"), OTHER, ENTRY),
    "v2: other key details": (
        V2_DSSE,
        (*V2_SPEC, "signature", "verifier", "keyDetails"),
        "PKIX_ECDSA_P384_SHA_384",
        ENTRY,
    ),
    "v2: other certificate": (
        V2_DSSE,
        (*V2_SPEC, "signature", "verifier", "x509Certificate", "rawBytes"),
        OTHER_DER,
        ENTRY,
    ),
    "v2: a key beside the certificate": (
        V2_DSSE,
        (*V2_SPEC, "signature", "verifier", "publicKey"),
        {"rawBytes": b64(b"x")},
        MALFORMED_ENTRY,
    ),
    "v2: extra member": (V2_DSSE, (*V2_SPEC, "x"), "x", MALFORMED_ENTRY),
    "v2: extra member in signature": (V2_DSSE, (*V2_SPEC, "signature", "x"), 1, MALFORMED_ENTRY),
    "v2: extra member in data": (V2_DSSE, (*V2_SPEC, "data", "x"), 1, MALFORMED_ENTRY),
    "v2: extra member in spec": (V2_DSSE, ("spec", "x"), 1, MALFORMED_ENTRY),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_logged_for_something_else(name: str) -> None:
    evidence, path, value, expected = BODIES[name]
    data = replace(evidence, body=lambda body: set_at(body, path, value)).build()
    assert verdict(data) == expected


def test_two_signatures_in_a_dsse_body() -> None:
    def repeat(body: Json) -> None:
        body["spec"]["signatures"] *= 2

    assert verdict(replace(V1_DSSE, body=repeat).build()) == MALFORMED_ENTRY


def test_the_envelope_hash_binds_nothing_and_is_not_compared() -> None:
    data = replace(V1_DSSE, body=lambda it: set_at(it, ("spec", "envelopeHash", "value"), ZERO))
    assert verify(data.build()).level2


RAW: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "no JSON": (lambda _: b"{", "invalid_json"),
    "duplicate keys": (lambda body: body[:-1] + b',"kind":"dsse"}', "duplicate_keys"),
    "deep": (lambda _: b"[" * 100_000, "json_too_deep"),
    "no UTF-8": (lambda _: b'"\xff"', "invalid_json"),
    "not finite": (lambda _: b"[1e999]", "non_finite_number"),
    "a list": (lambda _: b"[]", "invalid_tlog_entry"),
    "null": (lambda _: b"null", "invalid_tlog_entry"),
}


@pytest.mark.parametrize("name", RAW)
def test_a_body_that_cannot_be_read(name: str) -> None:
    edit, code = RAW[name]

    def replace_body(entry: Json) -> None:
        entry["canonicalizedBody"] = b64(edit(unb64(entry["canonicalizedBody"])))

    assert verdict(edited(V1_DSSE, replace_body)) == (MalformedEvidence, code)


def test_a_body_in_another_layout_of_the_same_certificate() -> None:
    def rewrap(body: Json) -> None:
        signature = body["spec"]["signatures"][0]
        begin, *lines, end = unb64(signature["verifier"]).strip().split(b"\n")
        signature["verifier"] = b64(b"\n".join([begin, b"".join(lines), end]))

    assert verify(replace(V1_DSSE, body=rewrap).build()).level2


KIND_VERSIONS: dict[str, tuple[Evidence, str, str, Verdict]] = {
    "bundle says hashedrekord": (V1_DSSE, "hashedrekord", "0.0.1", ENTRY),
    "bundle says 0.0.2": (V1_DSSE, "dsse", "0.0.2", ENTRY),
    "bundle says intoto": (V1_DSSE, "intoto", "0.0.2", ENTRY),
    "v2 as v1": (V2_DSSE, "hashedrekord", "0.0.1", ENTRY),
}


@pytest.mark.parametrize("name", KIND_VERSIONS)
def test_kind_and_version_of_bundle_and_body_agree(name: str) -> None:
    evidence, kind, version, expected = KIND_VERSIONS[name]
    data = edited(
        evidence, lambda entry: entry.update(kindVersion={"kind": kind, "version": version})
    )
    assert verdict(data) == expected


@pytest.mark.parametrize(
    ("evidence", "kind", "version"),
    [
        (V1_MESSAGE, "dsse", "0.0.1"),
        (V1_DSSE, "intoto", "0.0.1"),
        (V1_DSSE, "dsse", "0.0.2"),
        (V1_DSSE, "hashedrekord", "0.0.3"),
        (V1_DSSE, "HASHEDREKORD", "0.0.2"),
    ],
)
def test_kinds_that_cannot_bind_this_content(evidence: Evidence, kind: str, version: str) -> None:
    data = replace(evidence, body=lambda body: body.update(kind=kind, apiVersion=version)).build()
    assert verdict(data) == UNSUPPORTED


def test_the_entry_of_another_signature_over_the_same_content() -> None:
    other = json.loads(V1_DSSE.build())
    for evidence in (V1_DSSE, replace(V1_DSSE, payload=statement(predicateType="https://o/"))):
        assert verdict(edited(evidence, lambda entry: entry.update(entry_of(other)))) == ENTRY


def test_an_envelope_may_be_logged_by_its_hash() -> None:
    assert verify(HASHED_DSSE.build()).level2


HASHES_OF_NO_ENVELOPE = {
    "of the payload": hashlib.sha256(statement()).hexdigest(),
    "of the artifact": hashlib.sha256(b"evidence\n").hexdigest(),
    "of nothing": ZERO,
}


@pytest.mark.parametrize("name", HASHES_OF_NO_ENVELOPE)
def test_the_hash_of_an_envelope_is_of_all_that_was_signed(name: str) -> None:
    path = ["spec", "data", "hash", "value"]
    edit = lambda body: set_at(body, path, HASHES_OF_NO_ENVELOPE[name])  # noqa: E731
    assert verdict(replace(HASHED_DSSE, body=edit).build()) == ENTRY
