"""Compare two intact packs."""

from __future__ import annotations

import os
from dataclasses import dataclass

from attest.errors import AttestError
from attest.limits import DEFAULT_LIMITS, Limits
from attest.pack.diff import PackDiff, compare_packs
from attest.pack.integrity import Progress
from attest.pack.lines import TextDiff, compare_texts
from attest.pack.reader import Pack, open_pack

__all__ = ["Compared", "PackDiff", "TextDiff", "diff"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """The differences between two intact packs; who made them was not asked.

    `texts` has the differing lines of every changed artifact, if they were asked for.
    """

    difference: PackDiff
    texts: tuple[TextDiff, ...] | None

    @property
    def same(self) -> bool:
        """Whether manifests (by their JCS form), artifacts and attestations are all equal."""
        return self.difference.same


def diff(
    first: str | os.PathLike[str],
    second: str | os.PathLike[str],
    *,
    text: bool = False,
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> Compared:
    """Say what differs between two packs, after checking that both are intact.

    Args:
        first: the pack that counts as before.
        second: the pack that counts as after.
        text: also compare changed artifacts line by line.
        limits: bounds that hold for both packs.
        progress: told bytes done and bytes in all, of both packs.

    Raises:
        MalformedEvidence: a pack is malformed or not intact; `where` names the pack.
        UsageError: `file_not_found`, `unreadable_file`.
    """
    limits = limits or DEFAULT_LIMITS
    with open_pack(first, limits=limits) as old, open_pack(second, limits=limits) as new:
        sizes = [sum(item.size for item in pack.manifest.embedded) for pack in (old, new)]
        for pack, before in ((old, 0), (new, sizes[0])):
            _check(pack, _shifted(progress, before, sum(sizes)))
        difference = compare_packs(old, new, limits=limits)
        texts = tuple(compare_texts(old, new, difference.changed)) if text else None
    return Compared(difference=difference, texts=texts)


def _shifted(progress: Progress | None, before: int, total: int) -> Progress | None:
    """Progress with one pack told as progress with both."""
    return None if progress is None else lambda done, _: progress(before + done, total)


def _check(pack: Pack, progress: Progress | None) -> None:
    try:
        pack.check_integrity(progress=progress)
        for name in pack.attestation_names:
            pack.read_attestation(name)
    except AttestError as error:
        error.where = f"{pack.path}: {error.where}" if error.where else str(pack.path)
        raise
