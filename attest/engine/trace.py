"""The record of the checks that a verification made, in order."""

from __future__ import annotations

from time import perf_counter
from typing import Self

from attest.errors import AttestError, Untrusted
from attest.verified import Check, Compared


class Step:
    """One step while it runs: recorded as pass if its block ends, as fail or skip if it raises.

    What it saw goes into `detail`, its place into `where`; what it compares is told by `compare`.
    """

    __slots__ = ("_checks", "_compared", "_name", "_rule", "_start", "detail", "explains", "where")

    def __init__(self, checks: list[Check], name: str, rule: str | None, *, explains: bool) -> None:
        self._checks = checks
        self._name = name
        self._rule = rule
        self._start = 0.0
        self._compared: tuple[Compared, ...] = ()
        #: Whether anybody asked: what is compared need not be put into words otherwise.
        self.explains = explains
        self.detail: str | None = None
        self.where: str | None = None

    def compare(self, what: str, found: object, wanted: object = None) -> None:
        """Keep a value that the step looks at, for an explanation.

        Args:
            what: its name.
            found: the value; bytes are shown as hex.
            wanted: what it must be, if that is one value or a few.
        """
        self._compared += (
            Compared(
                what=what,
                found=_shown(found),
                wanted=None if wanted is None else _shown(wanted),
            ),
        )

    def __enter__(self) -> Self:
        if self.explains:
            self._start = perf_counter()
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        seconds = perf_counter() - self._start if self.explains else None
        if error is None:
            self._checks.append(
                Check(
                    check=self._name,
                    status="pass",
                    rule=self._rule,
                    where=self.where,
                    detail=self.detail,
                    compared=self._compared,
                    seconds=seconds,
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
                    compared=self._compared,
                    seconds=seconds,
                )
            )


def _shown(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


class Trace:
    """Collects a `Check` for every step, also for the one that fails.

    Args:
        explains: keep what each step compares and the time that it takes.
    """

    __slots__ = ("_checks", "explains")

    def __init__(self, *, explains: bool = False) -> None:
        self._checks: list[Check] = []
        self.explains = explains

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
        return Step(self._checks, name, rule, explains=self.explains)
