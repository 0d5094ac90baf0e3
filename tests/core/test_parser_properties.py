"""Bundles and checkpoints: whatever the bytes, a value or an `AttestError`, nothing else."""

from __future__ import annotations

import json
from base64 import b64encode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attest.bundle import MEDIA_TYPE, parse_bundle
from attest.engine.checkpoint import parse_checkpoint
from attest.errors import MalformedEvidence
from attest.strictjson import JSON
from tests.evidence import KINDS, sandbox_evidence

#: A machine with other work is no reason to fail.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

#: Names that the parser asks for, so that random documents get past the first step.
MEMBERS = st.sampled_from(
    [
        "mediaType",
        "verificationMaterial",
        "certificate",
        "x509CertificateChain",
        "certificates",
        "publicKey",
        "rawBytes",
        "tlogEntries",
        "logIndex",
        "logId",
        "keyId",
        "kindVersion",
        "inclusionPromise",
        "inclusionProof",
        "checkpoint",
        "envelope",
        "hashes",
        "timestampVerificationData",
        "rfc3161Timestamps",
        "dsseEnvelope",
        "payload",
        "signatures",
        "sig",
        "messageSignature",
        "messageDigest",
        "signature",
    ]
)
BASE64 = st.binary(max_size=9).map(lambda data: b64encode(data).decode())
VALUES: st.SearchStrategy[JSON] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | BASE64,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MEMBERS, inner, max_size=5),
    max_leaves=25,
)


def refused_or_read(data: bytes) -> None:
    for in_pack in (False, True):
        try:
            parsed = parse_bundle(data, in_pack=in_pack)
        except MalformedEvidence:
            continue
        assert parsed.signature


@PATIENT
@given(st.binary(max_size=200))
def test_any_bytes_as_a_bundle(data: bytes) -> None:
    refused_or_read(data)


@PATIENT
@given(
    st.dictionaries(MEMBERS, VALUES, max_size=4),
    st.dictionaries(MEMBERS, VALUES, max_size=4),
    st.dictionaries(MEMBERS, VALUES, max_size=4),
)
def test_any_json_as_a_bundle(
    material: dict[str, JSON], content: dict[str, JSON], more: dict[str, JSON]
) -> None:
    document: dict[str, JSON] = {
        **more,
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": material,
        "messageSignature": content,
    }
    refused_or_read(json.dumps(document).encode())


@PATIENT
@given(st.sampled_from(KINDS), st.data())
def test_a_bundle_with_bytes_replaced_removed_or_inserted(kind: str, data: st.DataObject) -> None:
    bundle = sandbox_evidence().bundles[kind]
    start = data.draw(st.integers(0, len(bundle)))
    end = data.draw(st.integers(start, min(len(bundle), start + 8)))
    refused_or_read(bundle[:start] + data.draw(st.binary(max_size=8)) + bundle[end:])


@pytest.mark.parametrize("kind", KINDS)
def test_a_truncated_bundle_is_refused(kind: str) -> None:
    bundle = sandbox_evidence().bundles[kind]
    for length in range(0, len(bundle), 7):
        with pytest.raises(MalformedEvidence) as caught:
            parse_bundle(bundle[:length])
        assert caught.value.code == "invalid_json"


NOTE_TEXT = st.text(st.sampled_from("ab19+/= -\n\u2014\r\u0660") | st.characters(), max_size=60)
NOTE_LINES = st.lists(
    st.sampled_from(["", "host", "0", "12", "01", b64encode(bytes(32)).decode()])
    | st.sampled_from(["\u2014 host AAAAAAAA", "\u2014 host AAAA", "\u2014  AAAAAAAA"]),
    max_size=9,
).map("\n".join)


@PATIENT
@given(NOTE_TEXT | NOTE_LINES | NOTE_LINES.map(lambda text: text + "\n"))
def test_any_text_as_a_checkpoint(text: str) -> None:
    try:
        checkpoint = parse_checkpoint(text, where="x")
    except MalformedEvidence:
        return
    # What is signed starts the note, byte for byte, and all lines behind it are signatures.
    assert text.encode().startswith(checkpoint.signed + "\n\u2014 ".encode())
    lines = checkpoint.signed.decode().split("\n")
    assert lines[:2] == [checkpoint.origin, str(checkpoint.tree_size)]
    assert len(checkpoint.signatures) == text.count("\n") - checkpoint.signed.count(b"\n") - 1
