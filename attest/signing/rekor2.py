"""Rekor v2: one entry kind, `hashedrekord` 0.0.2, whose digest is of the PAE for an envelope."""

from __future__ import annotations

import json
import re
import time

from attest.bundle import UntrustedLogEntry, parse_log_entry
from attest.connections import Reply, Request
from attest.errors import MalformedEvidence, SigningError, UsageError
from attest.signing.assemble import HASHES
from attest.signing.config import Service
from attest.signing.failures import said
from attest.signing.rekor1 import SERVICE, not_ours, refused, unreadable
from attest.signing.tiles import read_entry
from attest.signing.transport import Transport, refusal
from attest.signing.work import SignedWork, Verifier
from attest.strictjson import JSON, Members, canonicalize, encode_base64, loads
from attest.trust.root import TrustRoot

_PATH = "/api/v2/log/entries"
_CODE = "log_refused"
#: A v2 log names the index in words alone; what is found there is compared, so it is a hint.
_INDEX = re.compile(r"\bindex ([0-9]{1,15})\b")


def log_v2(
    work: SignedWork, *, service: Service, transport: Transport, root: TrustRoot
) -> UntrustedLogEntry:
    """Log a signature, or find the entry that it has already.

    Args:
        work: the signature.
        service: the log.
        transport: asks; more than once, for the log knows what it has.
        root: what the instance trusts.

    Raises:
        SigningError: `log_refused`, `log_unavailable`, `log_has_entry`, `log_entry_not_ours`.
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
    digest = encode_base64(work.digest(key.digest))
    signature: JSON = {
        "content": encode_base64(work.signature),
        "verifier": {**_verifier(work.verifier), "keyDetails": next(iter(key.details))},
    }
    proposal: JSON = {"hashedRekordRequestV002": {"digest": digest, "signature": signature}}
    request = Request(
        url=service.url + _PATH,
        body=json.dumps(proposal).encode(),
        headers={"Content-Type": "application/json", "Accept": "application/json"},
    )
    reply = transport.ask(request, service=SERVICE, repeatable=True)
    if reply.status == 409:
        data: JSON = {"algorithm": HASHES[key.digest], "digest": digest}
        body: JSON = {
            "apiVersion": "0.0.2",
            "kind": "hashedrekord",
            "spec": {"hashedRekordV002": {"data": data, "signature": signature}},
        }
        return _existing(reply, canonicalize(body), service, transport, root)
    if reply.status not in (200, 201):
        raise refused(reply)
    try:
        members = Members(loads(reply.body, where="answer"), where="answer", code=_CODE)
        return parse_log_entry(members)
    except MalformedEvidence as error:
        raise unreadable(error) from None


def _existing(
    conflict: Reply, body: bytes, service: Service, transport: Transport, root: TrustRoot
) -> UntrustedLogEntry:
    """The entry that stood in the way, if it is this very signature's; its proof from tiles."""
    match = _INDEX.search(said(conflict.body))
    if match is None:
        raise SigningError(
            "log_has_entry",
            f"{SERVICE} has this entry already, and does not say where: {refusal(conflict)}",
            hint="sign again: a new signature makes a new entry; nothing was written",
        )

    deadline = time.monotonic() + transport.patience.total_seconds

    def fetch(path: str) -> bytes:
        if time.monotonic() > deadline:  # of all of them together, and there may be many
            raise SigningError(
                "log_unavailable",
                f"{SERVICE} has this entry already, and takes too long to show it",
                hint="sign again when it does",
            )
        request = Request(url=f"{service.url}/api/v2/{path}", method="GET")
        reply = transport.ask(request, service=SERVICE, repeatable=True, passing=(404,))
        if reply.status != 200:
            raise refused(reply)
        return reply.body

    try:
        return read_entry(int(match[1]), body, fetch=fetch, root=root)
    except MalformedEvidence as error:
        raise not_ours(error.message) from None


def _verifier(verifier: Verifier) -> dict[str, JSON]:
    if verifier.certificate is not None:
        return {"x509Certificate": {"rawBytes": encode_base64(verifier.certificate)}}
    return {"publicKey": {"rawBytes": encode_base64(verifier.spki)}}
