"""The entry kinds of Rekor v1: each proposal is verified, then written in canonical form (JCS).

A verifier is the PEM of a certificate or of a public key, in every kind. What each kind can check:

=====================  ========================================================================
`hashedrekord` 0.0.1   a digest: ECDSA P-256, P-384, P-521; RSA from 2048 bits (PKCS #1 v1.5).
                       Ed25519 is refused: Rekor takes Ed25519ph there, `cryptography` has none.
`dsse` 0.0.1           the PAE: the same keys and Ed25519; ECDSA with SHA-256 or its curve's hash.
`intoto` 0.0.2         as `dsse`, the verifier beside each signature.
=====================  ========================================================================

`canonical_body` is the door that checks. The functions `..._body` write a body from its parts and
check nothing, for who forges; `TransparencyLogV1.add` logs what they return.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, kw_only=True, slots=True)
class IntotoSignature:
    """One signature of an `intoto` entry.

    Args:
        signature: over the PAE.
        verifier_pem: certificate or public key.
        keyid: as the envelope has it; an empty one is not logged.
    """

    signature: bytes
    verifier_pem: bytes
    keyid: str = ""


def canonical_body(request: JsonObject) -> bytes:
    """The body that is logged for a proposed entry, once its signatures are verified."""
    kind, version = get_text(request, "kind"), get_text(request, "apiVersion")
    read = _KINDS.get((kind, version))
    if read is None:
        raise bad_request(f"entry kind {kind!r} {version!r} is not supported")
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
    return _body("hashedrekord", "0.0.1", spec)


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
        "envelopeHash": _hash(hashlib.sha256(envelope).digest()),
        "payloadHash": _hash(hashlib.sha256(payload).digest()),
        "signatures": sorted(listed, key=lambda item: item["signature"]),
    }
    return _body("dsse", "0.0.1", spec)


def intoto_body(
    *,
    payload_type: str,
    payload: bytes,
    signatures: Sequence[IntotoSignature],
    envelope_digest: bytes,
) -> bytes:
    """The canonical body of an `intoto` 0.0.2, unchecked.

    Args:
        payload_type: of the envelope.
        payload: decoded; only its hash is logged.
        signatures: in the envelope's order.
        envelope_digest: SHA-256 of the envelope as the client computed it; a log cannot check it.

    Source: sigstore/rekor, pkg/types/intoto/v0.0.2: what it holds as bytes are the envelope's
        base64 texts, so that in JSON a signature is in base64 twice.
    """
    listed = [
        {
            "publicKey": encode_base64(item.verifier_pem),
            "sig": _twice(item.signature),
            **({"keyid": item.keyid} if item.keyid else {}),
        }
        for item in signatures
    ]
    content = {
        "envelope": {"payloadType": payload_type, "signatures": listed},
        "hash": _hash(envelope_digest),
        "payloadHash": _hash(hashlib.sha256(payload).digest()),
    }
    return _body("intoto", "0.0.2", {"content": content})


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """DSSE's PAE; lengths count bytes."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def _body(kind: str, version: str, spec: Mapping[str, object]) -> bytes:
    return canonical_json({"apiVersion": version, "kind": kind, "spec": spec})


def _hash(digest: bytes) -> dict[str, str]:
    return {"algorithm": "sha256", "value": digest.hex()}


def _twice(data: bytes) -> str:
    return encode_base64(encode_base64(data).encode())


def _hashedrekord(spec: JsonObject) -> bytes:
    signature = get_object(spec, "signature", "spec.")
    content = get_bytes(signature, "content", "spec.signature.")
    public_key = get_object(signature, "publicKey", "spec.signature.")
    pem = get_bytes(public_key, "content", "spec.signature.publicKey.")
    hashed = get_object(get_object(spec, "data", "spec."), "hash", "spec.data.")
    algorithm = get_text(hashed, "algorithm", "spec.data.hash.")
    if algorithm not in DIGESTS:
        raise bad_request("spec.data.hash.algorithm: not supported")
    digest = _hexadecimal(hashed, "value", "spec.data.hash.")
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


def _intoto(spec: JsonObject) -> bytes:
    content = get_object(spec, "content", "spec.")
    envelope = get_object(content, "envelope", "spec.content.")
    where = "spec.content.envelope."
    payload_type = get_text(envelope, "payloadType", where)
    payload = _from_twice(envelope, "payload", where)
    message = pre_authentication_encoding(payload_type, payload)
    signatures = [
        _intoto_signature(as_object(item, f"{where}signatures"), message)
        for item in get_list(envelope, "signatures", where)
    ]
    claimed = get_object(content, "hash", "spec.content.")
    if get_text(claimed, "algorithm", "spec.content.hash.") != "sha256":
        raise bad_request("spec.content.hash.algorithm: not sha256")
    # Not compared with anything: clients hash the envelope in layouts of their own.
    digest = _hexadecimal(claimed, "value", "spec.content.hash.")
    if len(digest) != hashlib.sha256().digest_size:
        raise bad_request("spec.content.hash.value: not a SHA-256")
    return intoto_body(
        payload_type=payload_type, payload=payload, signatures=signatures, envelope_digest=digest
    )


def _intoto_signature(item: JsonObject, message: bytes) -> IntotoSignature:
    where = "spec.content.envelope.signatures."
    signature = _from_twice(item, "sig", where)
    pem = get_bytes(item, "publicKey", where)
    # Rekor logged the PEM as it came until 2026: in the field some lack the last line break.
    key, canonical_pem = load_pem_verifier(pem, f"{where}publicKey")
    verify_message(key, signature, message, what=f"{where}sig")
    keyid = item.get("keyid", "")
    if not isinstance(keyid, str):
        raise bad_request(f"{where}keyid: expected a string")
    return IntotoSignature(signature=signature, verifier_pem=canonical_pem, keyid=keyid)


def _from_twice(source: JsonObject, name: str, path: str) -> bytes:
    try:
        text = get_bytes(source, name, path).decode("ascii")
    except UnicodeDecodeError as error:
        raise bad_request(f"{path}{name}: not base64 of base64") from error
    return decode_base64(text, f"{path}{name}, decoded once")


def _hexadecimal(source: JsonObject, name: str, path: str) -> bytes:
    try:
        return bytes.fromhex(get_text(source, name, path))
    except ValueError as error:
        raise bad_request(f"{path}{name}: not hexadecimal") from error


_KINDS: Final[Mapping[tuple[str, str], Callable[[JsonObject], bytes]]] = {
    ("hashedrekord", "0.0.1"): _hashedrekord,
    ("dsse", "0.0.1"): _dsse,
    ("intoto", "0.0.2"): _intoto,
}
