"""Who fills which slot: a maximum matching of principals to the lines of a policy."""

from __future__ import annotations

from collections.abc import Sequence


def fill(wanted: Sequence[int], eligible: Sequence[int]) -> tuple[int, ...]:
    """Give each line as many different principals as it wants, and nobody to two lines.

    As many slots are filled as can be at all; among equals, those of earlier lines.

    Args:
        wanted: how many slots each line has.
        eligible: who may fill them, a set of principals as the bits of an integer.

    Returns:
        Who fills each line, as such sets: fewer than wanted where there are not enough.

    Source: augmenting paths, as in Hopcroft and Karp, "An n^5/2 Algorithm for Maximum Matchings in
    Bipartite Graphs" (1973).
    """
    owners: dict[int, int] = {}
    taken = 0
    for line, slots in enumerate(wanted):
        # A slot once filled stays filled, though by somebody else; the slots of a line are alike,
        # so that none is filled behind one that could not be.
        for _ in range(slots):
            found = _augment(line, eligible, owners, taken)
            if not found:
                break
            taken |= found
    filled = [0] * len(wanted)
    for principal, line in owners.items():
        filled[line] |= principal
    return tuple(filled)


def _augment(start: int, eligible: Sequence[int], owners: dict[int, int], taken: int) -> int:
    """Fill one more slot of a line, moving others between lines where that is needed.

    Args:
        start: the line.
        eligible: as for `fill`.
        owners: the line that each principal fills a slot of, by its bit; changed.
        taken: all principals that fill a slot.

    Returns:
        Who fills one now and did not before; 0 if nobody can.
    """
    asked = 0
    #: Line -> the line before it on the path, and who would move there from it.
    came: dict[int, tuple[int, int]] = {}
    lines = [start]
    for line in lines:  # it grows while it is walked
        if free := eligible[line] & ~taken:
            principal = free & -free
            _move(principal, line, came, owners)
            return principal
        busy = eligible[line] & ~asked
        asked |= busy
        while busy:
            principal = busy & -busy
            busy ^= principal
            owner = owners[principal]
            if owner != start and owner not in came:
                came[owner] = (line, principal)
                lines.append(owner)
    return 0


def _move(
    principal: int, line: int, came: dict[int, tuple[int, int]], owners: dict[int, int]
) -> None:
    """Walk the path back: each line gets one, and gives one up to the line before it."""
    owners[principal] = line
    while line in came:
        line, principal = came[line]
        owners[principal] = line
