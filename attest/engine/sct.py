"""Step 4: the certificate was promised to a certificate transparency log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from cryptography import x509
from cryptography.x509.certificate_transparency import SignedCertificateTimestamp

from attest.engine.chain import VerifiedIssuer
from attest.engine.checkpoint import signers_of
from attest.errors import Untrusted, VerificationFailed
from attest.trust.root import Log

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RULE = "step 4"


def verify_scts(
    leaf: x509.Certificate, issuer: VerifiedIssuer, ct_logs: Sequence[Log], *, minimum: int
) -> int:
    """Check the embedded SCTs; the number of distinct logs that verified.

    Args:
        leaf: the signing certificate.
        issuer: its issuer from the verified path; its key hash is part of what is signed.
        ct_logs: the CT logs of the trusted root.
        minimum: how many distinct logs must have promised.

    Raises:
        VerificationFailed: `missing_sct`, `invalid_sct`.
        Untrusted: `untrusted_sct`, if every SCT comes from a log that the root does not list.

    Source: RFC 6962, section 3.2.
    """
    scts, promised = _promises(leaf, issuer, tuple(ct_logs))
    if promised >= minimum:
        return promised
    if not scts:
        raise VerificationFailed(
            "missing_sct", "the certificate has no SCT", where="certificate", rule=_RULE
        )
    raise Untrusted(
        "untrusted_sct",
        f"{scts} SCTs, {promised} by CT logs of the trusted root, {minimum} needed",
        where="certificate",
        rule=_RULE,
    )


@lru_cache(maxsize=4)  # one certificate signs many things in a row
def _promises(
    leaf: x509.Certificate, issuer: VerifiedIssuer, ct_logs: tuple[Log, ...]
) -> tuple[int, int]:
    """How many SCTs there are, and of how many logs those are that verified."""
    promised: set[bytes] = set()
    scts = _embedded(leaf)
    for sct in scts:
        logs = [log for log in ct_logs if log.log_id == sct.log_id]
        if not logs:
            continue  # unknown counts for nothing
        _verify(sct, leaf, issuer, logs)
        promised.add(sct.log_id)
    return len(scts), len(promised)


def _embedded(leaf: x509.Certificate) -> list[SignedCertificateTimestamp]:
    try:
        return list(
            leaf.extensions.get_extension_for_class(
                x509.PrecertificateSignedCertificateTimestamps
            ).value
        )
    except x509.ExtensionNotFound:
        return []


def _verify(
    sct: SignedCertificateTimestamp,
    leaf: x509.Certificate,
    issuer: VerifiedIssuer,
    logs: Sequence[Log],
) -> None:
    try:
        time = sct.timestamp.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise _bad("its time is no date") from None
    signed = _signed_bytes(sct, leaf, issuer)
    signers = signers_of(sct.signature, signed, logs)
    if not signers:
        raise _bad("its signature does not verify")
    if not any(log.valid.contains(time) for log in signers):
        raise _bad(f"its CT log was not valid at {time:%Y-%m-%dT%H:%M:%SZ}")


def _signed_bytes(
    sct: SignedCertificateTimestamp, leaf: x509.Certificate, issuer: VerifiedIssuer
) -> bytes:
    milliseconds = (sct.timestamp.replace(tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)
    tbs, extensions = leaf.tbs_precertificate_bytes, sct.extension_bytes
    return b"".join(
        (
            b"\x00\x00",  # v1, certificate_timestamp
            milliseconds.to_bytes(8, "big"),
            b"\x00\x01",  # precert_entry: whatever is embedded was promised before issuance
            issuer.spki_sha256,
            len(tbs).to_bytes(3, "big"),
            tbs,
            len(extensions).to_bytes(2, "big"),
            extensions,
        )
    )


def _bad(message: str) -> VerificationFailed:
    return VerificationFailed("invalid_sct", message, where="certificate", rule=_RULE)
