"""Time as a parameter: every part of the sandbox can be asked to act at another moment."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Answers the current time as an aware UTC datetime."""


def utc_now() -> datetime:
    """The current time, UTC."""
    return datetime.now(UTC)


def require_utc(moment: datetime) -> datetime:
    """`moment` in UTC; a naive datetime is refused because its meaning depends on the machine."""
    if moment.tzinfo is None:
        message = "naive datetime: give an aware UTC datetime"
        raise ValueError(message)
    return moment.astimezone(UTC)


def whole_seconds(moment: datetime) -> datetime:
    """`moment` in UTC cut to the second, the resolution of X.509 and of Rekor v1."""
    return require_utc(moment).replace(microsecond=0)
