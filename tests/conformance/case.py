"""One published case: what it feeds in, what it expects, and whether this implementation agrees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from attest.errors import AttestError

#: An object of a vector file.
Members: TypeAlias = dict[str, object]
#: Applies the operation: what it computed, or an `AttestError`.
Run: TypeAlias = Callable[[], Mapping[str, str]]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A case of a vector file; `codes` are those that answer it, any if there are none."""

    name: str
    valid: bool
    run: Run
    codes: frozenset[str] = frozenset()
    expected: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a case; `error` is None where it was accepted."""

    vector: str
    case: Case
    error: AttestError | None
    computed: Mapping[str, str]

    @property
    def passed(self) -> bool:
        """Whether the verdict, the code and everything computed are the published ones."""
        if self.case.valid:
            return self.error is None and self.computed == self.case.expected
        return self.error is not None and (
            not self.case.codes or self.error.code in self.case.codes
        )

    @property
    def name(self) -> str:
        return f"{self.vector}: {self.case.name}"


def judge(vector: str, case: Case) -> Outcome:
    """Run a case; only an `AttestError` is an answer, anything else escapes."""
    try:
        return Outcome(vector=vector, case=case, error=None, computed=case.run())
    except AttestError as error:
        return Outcome(vector=vector, case=case, error=error, computed={})


def listed(value: object) -> list[Members]:
    """A list of cases that is not empty."""
    if not isinstance(value, list) or not value:
        raise ValueError("expected a list of cases")
    return value


def members(value: object) -> Members:
    """An object of a vector file."""
    if not isinstance(value, dict):
        raise TypeError("expected an object")
    return value
