"""Where each value of a field occurs among attestations, so that many rules look it up at once."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

from attest.policy.match import Fold, folded, select
from attest.policy.rules import Pattern

#: Positions of attestations, as the bits of an integer: a rule costs a few operations on these.
Positions: TypeAlias = int


@dataclass(frozen=True, kw_only=True, slots=True)
class Occurrences:
    """Every value of a field, as it is folded, with its positions; `order` has them sorted."""

    fold: Fold
    at: Mapping[str, Positions]
    order: Sequence[str]

    @classmethod
    def of(cls, values: Sequence[str | None], fold: Fold) -> Occurrences:
        """Index the values of a field; absent ones (None) are nowhere.

        Args:
            values: what each attestation says, by position.
            fold: what of them is compared without regard to case.
        """
        at: dict[str, Positions] = {}
        for position, value in enumerate(values):
            if value is not None:
                text = folded(value, fold)
                at[text] = at.get(text, 0) | 1 << position
        return cls(fold=fold, at=at, order=sorted(at))

    def matching(self, any_of: Sequence[Pattern], left: Positions) -> Positions:
        """Where values match one of several patterns.

        Args:
            any_of: the patterns.
            left: the positions that are asked about; of others nothing is said.
        """
        found = 0
        for pattern in any_of:
            text = folded(pattern.text, self.fold)
            if pattern.kind == "exact":  # a look-up, where `select` would compare each
                found |= self.at.get(text, 0)
            else:
                head = text.partition("*")[0] if pattern.kind == "glob" else ""
                for value in select(pattern, self._that_begin(head, left), fold=self.fold):
                    found |= self.at[value]
        return found

    def _that_begin(self, head: str, left: Positions) -> Iterator[str]:
        """The values that begin so, and occur where it is asked about."""
        for value in islice(self.order, bisect_left(self.order, head), None):
            if not value.startswith(head):
                break
            if self.at[value] & left:
                yield value
