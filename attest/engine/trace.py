"""The record of the checks that a verification made, in order."""

from __future__ import annotations

from typing import Self

from attest.errors import AttestError, Untrusted
from attest.verified import Check


class Step:
    """One step while it runs: recorded as pass if its block ends, as fail or skip if it raises.

    What it saw goes into `detail`, its place into `where`.
    """

    __slots__ = ("_checks", "_name", "_rule", "detail", "where")

    def __init__(self, checks: list[Check], name: str, rule: str | None) -> None:
        self._checks = checks
        self._name = name
        self._rule = rule
        self.detail: str | None = None
        self.where: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if error is None:
            self._checks.append(
                Check(
                    check=self._name,
                    status="pass",
                    rule=self._rule,
                    where=self.where,
                    detail=self.detail,
                )
            )
        elif isinstance(error, AttestError):
            self._checks.append(
                Check(
                    check=self._name,
                    status="skip" if isinstance(error, Untrusted) else "fail",
                    code=error.code,
                    rule=error.rule or self._rule,
                    where=error.where,
                    detail=error.message,
                )
            )


class Trace:
    """Collects a `Check` for every step, also for the one that fails."""

    __slots__ = ("_checks",)

    def __init__(self) -> None:
        self._checks: list[Check] = []

    @property
    def checks(self) -> tuple[Check, ...]:
        """The checks so far."""
        return tuple(self._checks)

    def step(self, name: str, *, rule: str | None = None) -> Step:
        """Record one step, in a `with` block.

        Args:
            name: number and name of the step, as in the design.
            rule: rule of the published document that it enforces.
        """
        return Step(self._checks, name, rule)
