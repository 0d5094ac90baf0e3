"""Rekor v1: signatures of artifacts as `hashedrekord` 0.0.1, envelopes as `dsse` 0.0.1."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime

from attest.bundle import UntrustedInclusionProof, UntrustedLogEntry
from attest.connections import Reply, Request
from attest.errors import MalformedEvidence, SigningError
from attest.signing.config import Service
from attest.signing.transport import Transport, refusal
from attest.signing.work import DigestContent, EnvelopeContent, SignedWork
from attest.strictjson import JSON, Members, canonicalize, decode_hex, encode_base64, loads

SERVICE = "the transparency log"
_PATH = "/api/v1/log/entries"
_UUID = re.compile(r"(?:[0-9a-f]{16})?[0-9a-f]{64}")
_CODE = "log_refused"
_HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}
_HASH_SIZE = 32


def log_v1(work: SignedWork, *, service: Service, transport: Transport) -> UntrustedLogEntry:
    """Log a signature, or find the entry that it has already.

    Args:
        work: the signature.
        service: the log.
        transport: asks; more than once, for the log knows what it has.

    Raises:
        SigningError: `log_refused`, `log_unavailable`, `log_entry_not_ours`.
        NetworkError: `network_unreachable`, `server_not_trusted`, `unexpected_answer`.

    Source: sigstore/rekor, openapi.yaml, pkg/types/{hashedrekord,dsse}; R-074, R-075.
    """
    proposed, body = _proposal(work)
    data = json.dumps(proposed).encode()
    request = Request(url=service.url + _PATH, body=data, headers=_HEADERS)
    reply = transport.ask(request, service=SERVICE, repeatable=True)
    if reply.status == 409:
        return _existing(reply, work, body, service, transport)
    if reply.status not in (200, 201):
        raise refused(reply)
    return _entry(reply)


def _proposal(work: SignedWork) -> tuple[JSON, bytes]:
    """What is sent, and the canonical body that the log makes of it."""
    if isinstance(work.content, DigestContent):
        return _hashedrekord(work, work.content)
    return _dsse(work, work.content)


def _hashedrekord(work: SignedWork, content: DigestContent) -> tuple[JSON, bytes]:
    document: JSON = {
        "apiVersion": "0.0.1",
        "kind": "hashedrekord",
        "spec": {
            "data": {"hash": {"algorithm": content.algorithm, "value": content.digest.hex()}},
            "signature": {
                "content": encode_base64(work.signature),
                "publicKey": {"content": encode_base64(work.verifier.pem)},
            },
        },
    }
    return document, canonicalize(document)


def _dsse(work: SignedWork, content: EnvelopeContent) -> tuple[JSON, bytes]:
    signature, verifier = encode_base64(work.signature), encode_base64(work.verifier.pem)
    envelope = canonicalize(
        {
            "payload": encode_base64(content.payload),
            "payloadType": content.payload_type,
            "signatures": [{"sig": signature}],
        }
    )
    proposal: JSON = {
        "apiVersion": "0.0.1",
        "kind": "dsse",
        "spec": {
            "proposedContent": {"envelope": envelope.decode("utf-8"), "verifiers": [verifier]}
        },
    }
    body = canonicalize(
        {
            "apiVersion": "0.0.1",
            "kind": "dsse",
            "spec": {
                "envelopeHash": _hash(envelope),
                "payloadHash": _hash(content.payload),
                "signatures": [{"signature": signature, "verifier": verifier}],
            },
        }
    )
    return proposal, body


def _hash(data: bytes) -> dict[str, JSON]:
    return {"algorithm": "sha256", "value": hashlib.sha256(data).hexdigest()}


def _existing(
    conflict: Reply, work: SignedWork, body: bytes, service: Service, transport: Transport
) -> UntrustedLogEntry:
    """The entry that stood in the way, if it is this very signature's.

    Only the last part of the address is followed: an answer must not lead anywhere else.
    """
    uuid = conflict.headers.get("location", "").rpartition("/")[2]
    if not _UUID.fullmatch(uuid):
        raise SigningError(
            _CODE, f"{SERVICE} has the entry already and does not say which: {refusal(conflict)}"
        )
    request = Request(url=f"{service.url}{_PATH}/{uuid}", method="GET", headers=_HEADERS)
    # What was logged a moment ago may not be there to read yet.
    reply = transport.ask(request, service=SERVICE, repeatable=True, passing=(404,))
    if reply.status != 200:
        raise refused(reply)
    entry = _entry(reply)
    if entry.body != body:
        raise not_ours("its body is another")
    window = work.verifier.window
    if window is not None:
        start, end = (int(moment.timestamp()) for moment in window)
        if not start <= entry.integrated_time <= end:
            raise not_ours(f"it is of {_date(entry.integrated_time)}, outside the certificate")
    return entry


def _date(seconds: int) -> str:
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError, OSError):
        return "no date"


def not_ours(why: str) -> SigningError:
    """The error for an entry that a log has in the place of ours."""
    return SigningError(
        "log_entry_not_ours",
        f"{SERVICE} says that it has this entry already, and shows another: {why}",
        hint="do not use this log until whoever runs it has explained this; nothing was written",
    )


def _entry(reply: Reply) -> UntrustedLogEntry:
    """Read the log's answer; what it proves, the engine says."""
    try:
        answer = loads(reply.body, where="answer")
        # The one member is named by the entry's UUID.
        values = list(answer.values()) if isinstance(answer, dict) else []
        only = values[0] if len(values) == 1 else None
        return _read(Members(only, where="answer", code=_CODE))
    except MalformedEvidence as error:
        raise unreadable(error) from None


def _read(members: Members) -> UntrustedLogEntry:
    body = members.base64("body")
    header = Members(loads(body, where="body"), where="body", code=_CODE)
    verification = members.members("verification")
    proof = verification.members("inclusionProof")
    hashes = tuple(_hex(item, proof.path("hashes")) for item in proof.array("hashes"))
    return UntrustedLogEntry(
        index=members.int64("logIndex"),
        log_id=_hex(members.raw("logID"), members.path("logID")),
        kind=header.string("kind"),
        version=header.string("apiVersion"),
        integrated_time=members.int64("integratedTime"),
        promise=verification.base64("signedEntryTimestamp"),
        proof=UntrustedInclusionProof(
            index=proof.int64("logIndex"),
            root_hash=_hex(proof.raw("rootHash"), proof.path("rootHash")),
            tree_size=proof.int64("treeSize"),
            hashes=hashes,
            checkpoint=proof.string("checkpoint"),
        ),
        body=body,
        where="answer",
    )


def _hex(value: JSON, where: str) -> bytes:
    if not isinstance(value, str):
        raise MalformedEvidence(_CODE, "must be hex digits", where=where)
    return decode_hex(value, where=where, code=_CODE, size=_HASH_SIZE)


def refused(reply: Reply) -> SigningError:
    """The error for an answer by which a log takes no entry."""
    if reply.status >= 500 or reply.status == 429:
        return SigningError(
            "log_unavailable",
            f"{SERVICE} takes no entries now: {refusal(reply)}",
            hint="sign again when it does",
        )
    return SigningError(
        _CODE,
        f"{SERVICE} took no entry: {refusal(reply)}",
        hint="sign again; nothing was written",
    )


def unreadable(error: MalformedEvidence) -> SigningError:
    """The error for an answer that is no log entry."""
    return SigningError(_CODE, f"{SERVICE}'s answer cannot be read: {error.where}: {error.message}")
