"""The entry kinds of Rekor v1: each proposal is verified, then written in canonical form (JCS)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from attest.sandbox.refusal import Refusal, bad_request
from attest.sandbox.signatures import (
    DIGESTS,
    SigningKey,
    load_pem_verifier,
    verify_digest,
    verify_message,
)
from attest.sandbox.wire import (
    JsonObject,
    as_object,
    as_text,
    canonical_json,
    decode_base64,
    encode_base64,
    get_bytes,
    get_list,
    get_object,
    get_text,
    parse_object,
)

API_VERSION: Final = "0.0.1"


def canonical_body(request: JsonObject) -> bytes:
    """The body that is logged for a proposed entry, once its signatures are verified."""
    kind = get_text(request, "kind")
    read = _KINDS.get(kind)
    if read is None or get_text(request, "apiVersion") != API_VERSION:
        raise bad_request(f"entry kind {kind!r} in this version is not supported")
    return read(get_object(request, "spec"))


def hashedrekord_body(
    *, digest: bytes, signature: bytes, verifier_pem: bytes, algorithm: str = "sha256"
) -> bytes:
    """The canonical body of a `hashedrekord` 0.0.1, unchecked.

    Args:
        digest: of the artifact.
        signature: over that digest.
        verifier_pem: certificate or public key.
        algorithm: name of the digest's algorithm.
    """
    spec = {
        "data": {"hash": {"algorithm": algorithm, "value": digest.hex()}},
        "signature": {
            "content": encode_base64(signature),
            "publicKey": {"content": encode_base64(verifier_pem)},
        },
    }
    return _body("hashedrekord", spec)


def dsse_body(
    *, envelope: bytes, payload: bytes, signatures: Sequence[tuple[bytes, bytes]]
) -> bytes:
    """The canonical body of a `dsse` 0.0.1, unchecked.

    Args:
        envelope: the JSON envelope as submitted; only its hash is logged.
        payload: the decoded payload; likewise.
        signatures: pairs of a signature and the PEM of its verifier.
    """
    listed = [
        {"signature": encode_base64(signature), "verifier": encode_base64(pem)}
        for signature, pem in signatures
    ]
    spec = {
        "envelopeHash": _hash(envelope),
        "payloadHash": _hash(payload),
        "signatures": sorted(listed, key=lambda item: item["signature"]),
    }
    return _body("dsse", spec)


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """DSSE's PAE; lengths count bytes."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def _body(kind: str, spec: Mapping[str, object]) -> bytes:
    return canonical_json({"apiVersion": API_VERSION, "kind": kind, "spec": spec})


def _hash(data: bytes) -> dict[str, str]:
    return {"algorithm": "sha256", "value": hashlib.sha256(data).hexdigest()}


def _hashedrekord(spec: JsonObject) -> bytes:
    signature = get_object(spec, "signature", "spec.")
    content = get_bytes(signature, "content", "spec.signature.")
    public_key = get_object(signature, "publicKey", "spec.signature.")
    pem = get_bytes(public_key, "content", "spec.signature.publicKey.")
    hashed = get_object(get_object(spec, "data", "spec."), "hash", "spec.data.")
    algorithm = get_text(hashed, "algorithm", "spec.data.hash.")
    if algorithm not in DIGESTS:
        raise bad_request("spec.data.hash.algorithm: not supported")
    try:
        digest = bytes.fromhex(get_text(hashed, "value", "spec.data.hash."))
    except ValueError as error:
        raise bad_request("spec.data.hash.value: not hexadecimal") from error
    key, canonical_pem = load_pem_verifier(pem, "spec.signature.publicKey.content")
    verify_digest(key, content, digest, algorithm)
    return hashedrekord_body(
        digest=digest, signature=content, verifier_pem=canonical_pem, algorithm=algorithm
    )


def _dsse(spec: JsonObject) -> bytes:
    proposed = get_object(spec, "proposedContent", "spec.")
    raw = get_text(proposed, "envelope", "spec.proposedContent.")
    verifiers = [
        load_pem_verifier(decode_base64(as_text(item, where), where), where)
        for number, item in enumerate(get_list(proposed, "verifiers", "spec.proposedContent."))
        if (where := f"spec.proposedContent.verifiers[{number}]")
    ]
    envelope = parse_object(raw, what="envelope")
    payload = get_bytes(envelope, "payload", "envelope.")
    message = pre_authentication_encoding(get_text(envelope, "payloadType", "envelope."), payload)
    signatures = [
        get_bytes(as_object(item, "envelope.signatures"), "sig", "envelope.signatures.")
        for item in get_list(envelope, "signatures", "envelope.")
    ]
    if len(signatures) != len(verifiers):
        raise bad_request("spec.proposedContent: needs one verifier for each signature")
    pairs = [(signature, _verifying_pem(verifiers, signature, message)) for signature in signatures]
    if len({pem for _, pem in pairs}) != len({pem for _, pem in verifiers}):
        raise bad_request("spec.proposedContent.verifiers: one of them signed nothing")
    return dsse_body(envelope=raw.encode(), payload=payload, signatures=pairs)


def _verifying_pem(
    verifiers: Sequence[tuple[SigningKey, bytes]], signature: bytes, message: bytes
) -> bytes:
    """The first verifier under which the signature is good; 400 if there is none."""
    refusal = bad_request("envelope.signatures: no verifier")
    for key, pem in verifiers:
        try:
            verify_message(key, signature, message, what="envelope.signatures")
        except Refusal as error:
            refusal = error
            continue
        return pem
    raise refusal


_KINDS: Final[Mapping[str, Callable[[JsonObject], bytes]]] = {
    "hashedrekord": _hashedrekord,
    "dsse": _dsse,
}
