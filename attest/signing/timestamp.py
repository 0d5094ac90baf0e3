"""RFC 3161: a timestamp over a signature, checked before anything is logged."""

from __future__ import annotations

import hashlib

from attest.connections import Request
from attest.engine.timestamp import verify_timestamp
from attest.errors import AttestError, NetworkError, SigningError
from attest.signing.config import Service
from attest.signing.failures import redact
from attest.signing.transport import Transport, refusal
from attest.trust.root import TrustRoot

_SERVICE = "the timestamp authority"


def request_timestamp(
    signature: bytes, *, service: Service, root: TrustRoot, transport: Transport
) -> bytes:
    """Get a timestamp over a signature.

    Args:
        signature: the signature's bytes.
        service: the authority.
        root: what the instance trusts, under which the timestamp must verify.
        transport: asks.

    Returns:
        The time-stamp response in DER.

    Raises:
        SigningError: `timestamp_missing`.

    Source: RFC 3161, sections 2.4 and 3.4.
    """
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder, decode_timestamp_response

    query = (
        TimestampRequestBuilder(data=signature, hash_algorithm=HashAlgorithm.SHA256)
        .nonce(nonce=True)
        .cert_request(cert_request=True)
        .build()
    )
    request = Request(
        url=service.url,
        body=query.as_bytes(),
        headers={"Content-Type": "application/timestamp-query"},
    )
    try:
        reply = transport.ask(request, service=_SERVICE, repeatable=True)
    except NetworkError as error:
        raise _missing(error.message, service) from None
    if reply.status not in (200, 201):
        raise _missing(refusal(reply), service)
    try:
        answer = decode_timestamp_response(reply.body)
        granted, info = answer.status in (0, 1), answer.tst_info
        ours = info.message_imprint.message == hashlib.sha256(signature).digest()
        fresh = info.nonce == query.nonce
    except ValueError as error:
        raise _missing(f"its answer cannot be read: {redact(str(error))}", service) from None
    if not (granted and ours and fresh):
        raise _missing("its answer is not to what it was asked", service)
    try:
        verify_timestamp(
            reply.body, signature, root.timestamp_authorities, where="the new timestamp"
        )
    except AttestError as error:
        raise _missing(f"{error.code}: {error.message}", service) from None
    return reply.body


def _missing(why: str, service: Service) -> SigningError:
    return SigningError(
        "timestamp_missing",
        f"a timestamp authority of this instance gave no usable timestamp: {why}",
        where=redact(service.url),
        hint="sign again when it answers; nothing was logged or written",
    )
