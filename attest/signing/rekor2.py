"""Rekor v2: one entry kind, `hashedrekord` 0.0.2, whose digest is of the PAE for an envelope."""

from __future__ import annotations

import json

from attest.bundle import UntrustedLogEntry, parse_log_entry
from attest.connections import Request
from attest.errors import MalformedEvidence, SigningError, UsageError
from attest.signing.config import Service
from attest.signing.rekor1 import SERVICE, refused, unreadable
from attest.signing.transport import Transport, refusal
from attest.signing.work import SignedWork, Verifier
from attest.strictjson import JSON, Members, encode_base64, loads

_PATH = "/api/v2/log/entries"
_CODE = "log_refused"


def log_v2(work: SignedWork, *, service: Service, transport: Transport) -> UntrustedLogEntry:
    """Log a signature.

    Args:
        work: the signature.
        service: the log.
        transport: asks; more than once, for the log refuses what it has.

    Raises:
        SigningError: `log_refused`, `log_unavailable`, `log_has_entry`.
        UsageError: `unsupported_key` for an Ed25519 key, which would have to sign by Ed25519ph.
        NetworkError: `network_unreachable`, `server_not_trusted`, `unexpected_answer`.

    Source: sigstore/rekor-tiles, api/proto/rekor/v2; CLIENTS.md there.
    """
    key = work.verifier.key
    if key.digest is None:
        raise UsageError(
            "unsupported_key",
            "a Rekor v2 log takes Ed25519 keys only by Ed25519ph, which is not to be had here",
            hint="use an ECDSA key, or a log of version 1 for statements",
        )
    proposal: JSON = {
        "hashedRekordRequestV002": {
            "digest": encode_base64(work.digest(key.digest)),
            "signature": {
                "content": encode_base64(work.signature),
                "verifier": {**_verifier(work.verifier), "keyDetails": next(iter(key.details))},
            },
        }
    }
    request = Request(
        url=service.url + _PATH,
        body=json.dumps(proposal).encode(),
        headers={"Content-Type": "application/json", "Accept": "application/json"},
    )
    reply = transport.ask(request, service=SERVICE, repeatable=True)
    if reply.status == 409:
        # A v2 log serves tiles, not entries with their proofs: what it has cannot be fetched.
        raise SigningError(
            "log_has_entry",
            f"{SERVICE} has this entry already, and gives no proof of it: {refusal(reply)}",
            hint="sign again: a new signature makes a new entry; nothing was written",
        )
    if reply.status not in (200, 201):
        raise refused(reply)
    try:
        members = Members(loads(reply.body, where="answer"), where="answer", code=_CODE)
        return parse_log_entry(members)
    except MalformedEvidence as error:
        raise unreadable(error) from None


def _verifier(verifier: Verifier) -> dict[str, JSON]:
    if verifier.certificate is not None:
        return {"x509Certificate": {"rawBytes": encode_base64(verifier.certificate)}}
    return {"publicKey": {"rawBytes": encode_base64(verifier.spki)}}
