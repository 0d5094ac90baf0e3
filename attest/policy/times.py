"""What verified times say of when a signature was made."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeAlias

from attest.verified import KeyIdentity, VerifiedAttestation

#: What is proven of when an attestation was made.
Proven: TypeAlias = Callable[[VerifiedAttestation], datetime | None]
#: A verified time further ahead than clocks drift means that one of them is wrong.
MAX_FUTURE = timedelta(minutes=5)


def earliest(attestation: VerifiedAttestation) -> datetime | None:
    """The earliest verified time; None without any."""
    return min((item.time for item in attestation.times), default=None)


def latest(attestation: VerifiedAttestation) -> datetime | None:
    """The latest verified time; None without any."""
    return max((item.time for item in attestation.times), default=None)


def made(attestation: VerifiedAttestation, generated_at: datetime | None) -> datetime | None:
    """A time that the signature was certainly not made before; None if nothing says.

    A certificate lives for minutes. A key may have signed at any time before its verified one,
    though not before the pack was made that it signs.

    Args:
        attestation: what verified.
        generated_at: when the signed pack says that it was made.
    """
    time = earliest(attestation)
    if time is None or not isinstance(attestation.signer, KeyIdentity):
        return time
    return generated_at if generated_at is not None and generated_at <= time else None


def is_untimed_key(attestation: VerifiedAttestation) -> bool:
    """Whether a key signed, and nothing proves when."""
    return isinstance(attestation.signer, KeyIdentity) and not attestation.times


def utc(time: datetime | None) -> str | None:
    """RFC 3339 in UTC with `Z`; None stays None."""
    return None if time is None else time.isoformat().replace("+00:00", "Z")
