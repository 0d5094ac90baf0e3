"""The decision: pure, over verified values only; `now` is an argument (step 8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from attest.policy.explain import differences
from attest.policy.model import AnyIdentity, AnyOf, Policy, Signer
from attest.verified import KeyIdentity, VerifiedAttestation

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


@dataclass(frozen=True, kw_only=True, slots=True)
class _Facts:
    """What holds for all attestations alike."""

    now: datetime
    generated_at: datetime | None


def evaluate(
    policy: Policy,
    attestations: Sequence[VerifiedAttestation],
    *,
    now: datetime,
    generated_at: datetime | None = None,
) -> Decision:
    """Decide whether verified attestations meet a policy.

    Args:
        policy: what must hold.
        attestations: everything that verified; none is a failure.
        now: current time (UTC).
        generated_at: when the pack says that it was made, which every attestation of it signs.

    Source: design, section 7; Evidence Pack R-080, R-088b, R-090.
    """
    facts = _Facts(now=now, generated_at=generated_at)
    results = tuple(_requirement(item, policy, attestations, facts) for item in policy.requirements)
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
    facts: _Facts,
) -> RequirementResult:
    mismatches = [_mismatch(requirement, policy, item, facts) for item in attestations]
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
    facts: _Facts,
) -> tuple[str, tuple[str, ...]] | None:
    """Why an attestation does not meet a requirement: code and lines; None if it does."""
    latest = max(item.time for item in attestation.times)
    if latest - MAX_FUTURE > facts.now:  # so, because `now` may be the last date there is
        return "time_in_future", (f"signed at {latest:%Y-%m-%dT%H:%M:%SZ}, after now",)
    if policy.predicate_type is not None:
        actual = attestation.statement and attestation.statement.predicate_type
        if actual != policy.predicate_type:
            found = actual or "none (no statement: the artifact itself was signed)"
            lines = (f"predicate type expected: {policy.predicate_type}", f"found: {found}")
            return "predicate_type_mismatch", lines
    if isinstance(requirement, AnyIdentity):
        return None
    late: tuple[str, tuple[str, ...]] | None = None
    for signer in requirement.signers:
        if _is(signer, attestation):
            late = _outside(signer, attestation, facts)
            if late is None:
                return None
    unlike: tuple[str, ...] = ()
    if (identity := attestation.identity) is not None:
        unlike = differences(requirement.signers, identity.subject, identity.issuer)
    return late or ("certificate_identity_mismatch", (*_who(attestation), *unlike))


def _is(signer: Signer, attestation: VerifiedAttestation) -> bool:
    actual = attestation.signer
    if isinstance(actual, KeyIdentity):
        return signer.key is not None and signer.key.key_id.hex() == actual.key_id
    return (signer.identity, signer.issuer) == (actual.subject, actual.issuer)


def _who(attestation: VerifiedAttestation) -> tuple[str, ...]:
    actual = attestation.signer
    if isinstance(actual, KeyIdentity):
        return (f"signed by key: {actual.key_id}",)
    return (f"signed by: {actual.subject}", f"issuer: {actual.issuer}")


def _outside(
    signer: Signer, attestation: VerifiedAttestation, facts: _Facts
) -> tuple[str, tuple[str, ...]] | None:
    """Why the time of signing lies outside a signer's window: code and lines; None if inside."""
    time = attestation.earliest_time
    since: datetime | None = time  # a certificate lives for minutes
    if isinstance(attestation.signer, KeyIdentity):
        # A key may have signed at any earlier time, though not before the pack that it signs.
        made = facts.generated_at
        since = made if made is not None and made <= time else None
    if signer.not_after is not None and time > signer.not_after:
        return "signed_too_late", (
            *_who(attestation),
            f"at: {time.isoformat()}",
            f"counted until: {signer.not_after.isoformat()}",
        )
    if signer.not_before is not None and (since is None or since < signer.not_before):
        found = (
            "nothing says (a pack says when it was made)" if since is None else since.isoformat()
        )
        return "signed_too_early", (
            *_who(attestation),
            f"not before: {found}",
            f"counts from: {signer.not_before.isoformat()}",
        )
    return None
