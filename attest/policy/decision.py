"""What a policy says of verified attestations: line by line, who met it or what failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class Mismatch:
    """The one condition that failed: what it asked for, any one of, beside what there was.

    `actual` is None where the evidence says nothing of it.
    """

    code: str
    field: str
    expected: tuple[str, ...]
    actual: str | None

    @property
    def lines(self) -> tuple[str, str]:
        """What was asked for, and beside it what there was."""
        found = "nothing" if self.actual is None else self.actual
        return f"{self.field} expected: {' or '.join(self.expected)}", f"found: {found}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Met:
    """A slot that is filled: by which principal, as which signer, by the attestation where."""

    principal: str
    signer: str
    attestation: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """An attestation that fills no slot of a line, and why not the signer it comes closest to.

    `who` names it in lines that can be copied; `differs` says how it is unlike the subjects that
    the line asks for, where it asks for nothing else.
    """

    principal: str
    signer: str
    attestation: int
    who: tuple[str, ...]
    mismatch: Mismatch
    differs: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class RequirementResult:
    """One line of `require`, in words: who met it, and if it failed, why nobody else did.

    `matched` are the positions of all attestations by which those who met it do.
    """

    require: str
    status: Literal["pass", "fail"]
    code: str | None
    at_least: int
    met: tuple[Met, ...]
    matched: tuple[int, ...]
    candidates: tuple[Candidate, ...]

    @property
    def why(self) -> tuple[str, ...]:
        """Why it failed, in lines that can be copied; none if it passed."""
        if self.status == "pass":
            return ()
        lines = [f"filled by: {item.principal} (as {item.signer})" for item in self.met]
        for item in self.candidates:
            lines += item.who
            lines += item.differs or item.mismatch.lines
        return tuple(lines) or ("nothing was verified",)


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What the policy says; `code` is the deciding one where it says no.

    `file` and `sha256` (32 raw bytes) are the policy file's, if there is one. `counted` are the
    positions of attestations by signers whom some line names, `others` of those that qualify for
    no signer at all.
    """

    result: Literal["pass", "fail"]
    code: str | None
    requirements: tuple[RequirementResult, ...]
    file: str | None
    sha256: bytes | None
    counted: tuple[int, ...]
    others: tuple[int, ...]
