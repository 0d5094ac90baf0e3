"""The record of the checks that a verification made, in order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from attest.errors import AttestError, Untrusted
from attest.verified import Check


class Step:
    """One step while it runs; what it saw goes into `detail`."""

    __slots__ = ("detail", "where")

    def __init__(self) -> None:
        self.detail: str | None = None
        self.where: str | None = None


class Trace:
    """Collects a `Check` for every step, also for the one that fails."""

    __slots__ = ("_checks",)

    def __init__(self) -> None:
        self._checks: list[Check] = []

    @property
    def checks(self) -> tuple[Check, ...]:
        """The checks so far."""
        return tuple(self._checks)

    @contextmanager
    def step(self, name: str, *, rule: str | None = None) -> Iterator[Step]:
        """Record one step: pass if its block ends, fail or skip if it raises.

        Args:
            name: number and name of the step, as in the design.
            rule: rule of the published document that it enforces.
        """
        step = Step()
        try:
            yield step
        except AttestError as error:
            self._checks.append(
                Check(
                    check=name,
                    status="skip" if isinstance(error, Untrusted) else "fail",
                    code=error.code,
                    rule=error.rule or rule,
                    where=error.where,
                    detail=error.message,
                )
            )
            raise
        self._checks.append(
            Check(check=name, status="pass", rule=rule, where=step.where, detail=step.detail)
        )

    def note_untrusted(self, name: str, error: Untrusted) -> None:
        """Record something issued by nobody we trust: it counts for nothing."""
        self._checks.append(
            Check(
                check=name,
                status="skip",
                code=error.code,
                rule=error.rule,
                where=error.where,
                detail=error.message,
            )
        )
