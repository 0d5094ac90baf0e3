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


@dataclass(frozen=True, kw_only=True, slots=True)
class Met:
    """A slot that is filled: by which principal, as which signer, by the attestation where."""

    principal: str
    signer: str
    attestation: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """An attestation that fills no slot of a line, and why not the signer it comes closest to.

    `who` names it in lines that can be copied.
    """

    principal: str
    signer: str
    attestation: int
    who: tuple[str, ...]
    mismatch: Mismatch


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
            expected = " or ".join(item.mismatch.expected)
            found = "nothing" if item.mismatch.actual is None else item.mismatch.actual
            lines += item.who
            lines += (f"{item.mismatch.field} expected: {expected}", f"found: {found}")
        return tuple(lines) or ("nothing was verified",)


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What the policy says; `code` is the deciding one where it says no.

    `counted` are the positions of attestations by signers whom some line names, `others` of those
    that qualify for no signer at all.
    """

    result: Literal["pass", "fail"]
    code: str | None
    requirements: tuple[RequirementResult, ...]
    counted: tuple[int, ...]
    others: tuple[int, ...]
