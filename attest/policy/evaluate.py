"""The decision: pure, over verified values only; `now` is an argument (step 8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from attest.policy.model import AnyIdentity, AnyOf, Policy
from attest.verified import VerifiedAttestation

#: A verified time further ahead than clocks drift means that one of them is wrong.
MAX_FUTURE = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True, slots=True)
class RequirementResult:
    """One requirement: met by the attestations at these positions, or why by none."""

    require: str
    status: Literal["pass", "fail"]
    matched: tuple[int, ...]
    code: str | None
    why: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What the policy says, requirement by requirement; `code` is the deciding one on failure."""

    result: Literal["pass", "fail"]
    code: str | None
    requirements: tuple[RequirementResult, ...]


def evaluate(
    policy: Policy, attestations: Sequence[VerifiedAttestation], *, now: datetime
) -> Decision:
    """Decide whether verified attestations meet a policy.

    Args:
        policy: what must hold.
        attestations: everything that verified; none is a failure.
        now: current time (UTC).

    Source: design, section 7; Evidence Pack R-080, R-088b, R-090.
    """
    results = tuple(_requirement(item, policy, attestations, now) for item in policy.requirements)
    failed = [item for item in results if item.status == "fail"]
    return Decision(
        result="fail" if failed or not results else "pass",
        code=failed[0].code if failed else None,
        requirements=results,
    )


def _requirement(
    requirement: AnyOf | AnyIdentity,
    policy: Policy,
    attestations: Sequence[VerifiedAttestation],
    now: datetime,
) -> RequirementResult:
    mismatches = [_mismatch(requirement, policy, item, now) for item in attestations]
    matched = tuple(at for at, mismatch in enumerate(mismatches) if mismatch is None)
    failures = [mismatch for mismatch in mismatches if mismatch is not None]
    if matched:
        return RequirementResult(
            require=requirement.describe(), status="pass", matched=matched, code=None, why=()
        )
    return RequirementResult(
        require=requirement.describe(),
        status="fail",
        matched=(),
        code=failures[0][0] if failures else "no_verified_attestation",
        why=tuple(line for _, why in failures for line in why) or ("nothing was verified",),
    )


def _mismatch(
    requirement: AnyOf | AnyIdentity,
    policy: Policy,
    attestation: VerifiedAttestation,
    now: datetime,
) -> tuple[str, tuple[str, ...]] | None:
    """Why an attestation does not meet a requirement: code and lines; None if it does."""
    latest = max(item.time for item in attestation.times)
    if latest - MAX_FUTURE > now:  # so, because `now` may be the last date there is
        return "time_in_future", (f"signed at {latest:%Y-%m-%dT%H:%M:%SZ}, after now",)
    if policy.predicate_type is not None:
        actual = attestation.statement and attestation.statement.predicate_type
        if actual != policy.predicate_type:
            found = actual or "none (no statement: the artifact itself was signed)"
            lines = (f"predicate type expected: {policy.predicate_type}", f"found: {found}")
            return "predicate_type_mismatch", lines
    if isinstance(requirement, AnyIdentity):
        return None
    identity = attestation.identity
    if identity is None:
        return "certificate_identity_mismatch", (f"signed by: {attestation.signer.principal}",)
    for signer in requirement.signers:
        if signer.identity == identity.subject and signer.issuer == identity.issuer:
            return None
    lines = (f"signed by: {identity.subject}", f"issuer: {identity.issuer}")
    return "certificate_identity_mismatch", lines
