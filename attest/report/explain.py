"""The explanation of one check, for people: what was compared with what, and the time it took."""

from __future__ import annotations

from collections.abc import Iterator

from attest.terminal import escape
from attest.verified import Check

#: Values stand on lines of their own, to be copied; statements may be long.
_LONGEST = 2_000


def explained(check: Check) -> Iterator[str]:
    """The lines of a check's explanation, escaped; none where nobody asked for one."""
    for item in check.compared:
        yield f"{escape(item.what)}: {escape(item.found, limit=_LONGEST)}"
        if item.wanted is not None:
            yield f"  against: {escape(item.wanted, limit=_LONGEST)}"
    if check.seconds is not None:
        yield f"took {check.seconds * 1000:.2f} ms"
