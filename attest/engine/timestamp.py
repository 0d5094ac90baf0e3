"""Step 2, RFC 3161: signed timestamps over the signature, by authorities of the trusted root."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from attest.errors import MalformedEvidence, Untrusted, VerificationFailed
from attest.trust.root import Authority
from attest.verified import VerifiedTime

if TYPE_CHECKING:
    from rfc3161_client import TimeStampResponse, Verifier

_RULE = "step 2"
#: A timestamp authority's certificate and at least its root.
_MIN_CHAIN = 2


def verify_timestamp(
    data: bytes, signature: bytes, authorities: Sequence[Authority], *, where: str
) -> VerifiedTime:
    """Check one timestamp over a signature.

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
    from rfc3161_client import decode_timestamp_response

    try:
        response = decode_timestamp_response(data)
        canonical = response.as_bytes()
    except ValueError as error:
        raise MalformedEvidence(
            "malformed_timestamp", f"cannot be read: {error}", where=where
        ) from None
    if canonical != data:
        raise MalformedEvidence("malformed_timestamp", "is not in DER form", where=where)
    failure: VerificationFailed | None = None
    for authority in _named(response, authorities, where):
        try:
            return _verify(response, signature, authority, where)
        except VerificationFailed as error:
            failure = failure or error
    raise failure or Untrusted(
        "untrusted_timestamp",
        "signed by no timestamp authority of the trusted root",
        where=where,
        rule=_RULE,
    )


def _named(
    response: TimeStampResponse, authorities: Sequence[Authority], where: str
) -> list[Authority]:
    signers = {(item.issuer, item.serial_number) for item in response.signed_data.signer_infos}
    if len(signers) != 1:
        raise MalformedEvidence("malformed_timestamp", "needs exactly one signer", where=where)
    return [
        authority
        for authority in authorities
        if (authority.certificates[0].issuer, authority.certificates[0].serial_number) in signers
    ]


def _verify(
    response: TimeStampResponse, signature: bytes, authority: Authority, where: str
) -> VerifiedTime:
    from rfc3161_client import VerificationError

    time = response.tst_info.gen_time
    try:
        # The library verifies the chain at genTime, the purpose and the imprint. The leaf is
        # pinned, so that a certificate embedded in the token can only be this very one.
        _verifier(authority).verify_message(response, signature)
    except (VerificationError, ValueError) as error:
        raise VerificationFailed(
            "invalid_timestamp", f"does not verify: {error}", where=where, rule=_RULE
        ) from None
    certificates_valid = all(
        item.not_valid_before_utc <= time <= item.not_valid_after_utc
        for item in authority.certificates
    )
    if not (authority.valid.contains(time) and certificates_valid):
        raise VerificationFailed(
            "invalid_timestamp",
            f"its authority was not valid at {time:%Y-%m-%dT%H:%M:%SZ}",
            where=where,
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
