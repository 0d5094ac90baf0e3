"""Step 2, RFC 3161: signed timestamps over the signature, by authorities of the trusted root."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding

from attest.engine.chain import USUAL_BYTES
from attest.errors import AttestError, MalformedEvidence, Untrusted, VerificationFailed
from attest.trust.root import Authority
from attest.verified import VerifiedTime

if TYPE_CHECKING:
    from rfc3161_client import TimeStampResponse, Verifier

_RULE = "step 2"
#: A timestamp authority's certificate and at least its root.
_MIN_CHAIN = 2


def verify_timestamp(
    data: bytes, signature: bytes, authorities: Sequence[Authority], *, where: str
) -> tuple[VerifiedTime, str]:
    """Check one timestamp over a signature; its time, and the operator of its authority.

    Args:
        data: DER of the time-stamp response.
        signature: the signature bytes that it must cover.
        authorities: timestamp authorities of the trusted root.
        where: its place in the bundle.

    Raises:
        MalformedEvidence: `malformed_timestamp`.
        Untrusted: `untrusted_timestamp`, if no listed authority is named as signer.
        VerificationFailed: `invalid_timestamp`.

    Source: RFC 3161, section 2.4.2.
    """
    verify = _verified if len(data) <= USUAL_BYTES else _verified.__wrapped__
    try:
        return verify(data, signature, tuple(authorities))
    except AttestError as error:
        error.where = where
        raise


# Whoever signs verifies a timestamp before anything is logged, and again within the bundle. What
# is kept here was found by this very function of these very bytes, and errors are not kept.
@lru_cache(maxsize=64)
def _verified(
    data: bytes, signature: bytes, authorities: tuple[Authority, ...]
) -> tuple[VerifiedTime, str]:
    response, time = _decode(data)
    failure: VerificationFailed | None = None
    for authority in _named(response, authorities):
        try:
            return _verify(response, time, signature, authority), authority.operator
        except VerificationFailed as error:
            failure = failure or error
    raise failure or Untrusted(
        "untrusted_timestamp", "signed by no timestamp authority of the trusted root", rule=_RULE
    )


def _decode(data: bytes) -> tuple[TimeStampResponse, datetime]:
    from rfc3161_client import decode_timestamp_response

    try:
        response = decode_timestamp_response(data)
        canonical, time = response.as_bytes(), response.tst_info.gen_time
    except ValueError as error:
        raise _malformed(f"cannot be read: {error}") from None
    if canonical != data:
        raise _malformed("is not in DER form")
    return response, time


def _named(response: TimeStampResponse, authorities: Sequence[Authority]) -> list[Authority]:
    """The authorities that a timestamp names as its signer, by issuer and serial or certificate."""
    signed = response.signed_data
    try:
        embedded = signed.certificates
        signers = [(item.version, item.issuer, item.serial_number) for item in signed.signer_infos]
    # Names are parsed here, and have no common error: ValueError, TypeError, KeyError, and
    # warnings where a filter raises them.
    except Exception as error:  # noqa: BLE001
        raise _malformed(f"its signer cannot be read: {error}") from None
    if len(signers) != 1:
        raise _malformed("needs exactly one signer")
    version, *signer = signers[0]
    # No signature covers these two; each has one right value (RFC 5652, sections 5.1 and 5.3).
    if (signed.version, version) != (3, 1):
        raise _malformed("has CMS versions other than 3 and 1")
    return [
        authority
        for authority in authorities
        if [authority.certificates[0].issuer, authority.certificates[0].serial_number] == signer
        # Carrying an authority's certificate attributes it too: then another name is a forgery.
        or authority.certificates[0].public_bytes(Encoding.DER) in embedded
    ]


def _malformed(message: str) -> MalformedEvidence:
    return MalformedEvidence("malformed_timestamp", message, rule=_RULE)


def _verify(
    response: TimeStampResponse, time: datetime, signature: bytes, authority: Authority
) -> VerifiedTime:
    verifier = _verifier(authority)
    try:
        # The library verifies the chain at genTime, the purpose and the imprint. The leaf is
        # pinned, so that a certificate embedded in the token can only be this very one.
        verifier.verify_message(response, signature)
    # Its own VerificationError, and whatever embedded certificates make their parser raise.
    except Exception as error:  # noqa: BLE001
        raise VerificationFailed(
            "invalid_timestamp", f"does not verify: {error}", rule=_RULE
        ) from None
    certificates_valid = all(
        item.not_valid_before_utc <= time <= item.not_valid_after_utc
        for item in authority.certificates
    )
    if not (authority.valid.contains(time) and certificates_valid):
        raise VerificationFailed(
            "invalid_timestamp",
            f"its authority was not valid at {time:%Y-%m-%dT%H:%M:%SZ}",
            rule=_RULE,
        )
    return VerifiedTime(time=time, source="tsa", authority=authority.uri)


@lru_cache(maxsize=64)
def _verifier(authority: Authority) -> Verifier:
    from rfc3161_client import VerifierBuilder

    if len(authority.certificates) < _MIN_CHAIN:
        raise VerificationFailed(
            "invalid_timestamp",
            "the trusted root lists its authority without a chain",
            rule=_RULE,
        )
    leaf, *middle, root = authority.certificates
    return VerifierBuilder(tsa_certificate=leaf, intermediates=list(middle), roots=[root]).build()
