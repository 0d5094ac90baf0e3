"""The attestations that a merged pack carries of its sources, judged one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

from attest.engine.trace import Trace
from attest.errors import AttestError, PolicyViolation, Untrusted
from attest.pack.carried import carried_of, place_of
from attest.pack.manifest import Manifest, SourcePack
from attest.policy.decide import decide
from attest.policy.decision import Decision
from attest.policy.model import Policy
from attest.policy.qualify import Evidence
from attest.report.model import AttestationResult, Report, SourceResult, Warned

if TYPE_CHECKING:  # which calls this
    from attest.api.attestation import Judged

STEP_SOURCES = "9 sources"
#: Where the document says that each embedded attestation must be verified.
_RULE = "Provenance"

#: Judges one attestation: its place, its bytes, the manifest digest it must sign (32 raw bytes).
JudgeAttestation: TypeAlias = "Callable[[str, bytes, bytes], Judged]"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Source:
    """What came of one source: its attestations, and the policy's answer to them alone."""

    place: str
    pack: SourcePack
    judged: tuple[Judged, ...]
    decision: Decision
    #: Whether there are attestations by others, and the policy forbids those.
    forbidden: bool

    @property
    def matched(self) -> tuple[int, ...]:
        """Positions, among what verified, of attestations by somebody whom the policy names."""
        return self.decision.counted


def judge_sources(
    report: Report,
    manifest: Manifest,
    judge: JudgeAttestation,
    *,
    policy: Policy,
    now: datetime,
    trace: Trace,
) -> Report:
    """Judge what a merged pack carries of its sources, once the pack itself has passed.

    Provenance means nothing before the manifest is signed by whom the policy requires, so of a
    report that has failed already nothing more is looked at. Each source is then judged as a pack:
    a broken attestation fails, and one must be by a signer whom some requirement names; under
    `others: forbid` every one must. A source without attestations was never signed; it is
    reported, with a warning.

    Args:
        report: of the merged pack, by its own attestations.
        manifest: of the merged pack.
        judge: judges one attestation against the manifest digest of its source.
        policy: whose signers count.
        now: current time (UTC).
        trace: receives the step.

    Returns:
        The report with its sources; failed with the code of the first broken attestation, else of
        the first source that nobody counts for.

    Source: Evidence Pack "Provenance (Merged Packs)", R-077, R-080, R-084 to R-088g.
    """
    packs = manifest.provenance and manifest.provenance.source_packs
    if report.error is not None or report.pack is None or not packs:
        return report
    # What the policy asks of the evidence, it asks of the merged pack, whose stream this is.
    evidence = Evidence(stream=report.pack.stream)
    sources = [
        _judge_source(at, pack, judge, policy, evidence, now) for at, pack in enumerate(packs)
    ]
    facts = replace(report.pack, sources=tuple(_result(source) for source in sources))
    report = replace(report, pack=facts, warnings=(*report.warnings, *_unsigned(sources)))
    try:
        with trace.step(STEP_SOURCES, rule=_RULE) as step:
            signed = [source for source in sources if source.judged]
            step.detail = f"{len(signed)} of {len(sources)} sources are signed"
            for source in signed:
                _require_sound(source.judged)
            for source in signed:
                _require_counted(source)
    except AttestError as error:
        report = report.failed(error)
    return replace(report, checks=trace.checks)


def _judge_source(
    at: int,
    pack: SourcePack,
    judge: JudgeAttestation,
    policy: Policy,
    evidence: Evidence,
    now: datetime,
) -> _Source:
    judged = tuple(
        judge(item.place, item.data, item.manifest_digest) for item in carried_of(pack, at)
    )
    verified = [item.result.verified for item in judged if item.result.verified is not None]
    skipped = sum(item.result.status == "skip" for item in judged)
    decision = decide(policy.rules, verified, evidence=evidence, skipped=skipped, now=now)
    return _Source(
        place=place_of(at),
        pack=pack,
        judged=judged,
        decision=decision,
        forbidden=policy.rules.others == "forbid" and bool(decision.others or skipped),
    )


def _result(source: _Source) -> SourceResult:
    results = tuple(item.result for item in source.judged)
    verified = [item for item in results if item.verified is not None]
    matched: tuple[AttestationResult, ...] = tuple(verified[at] for at in source.matched)
    failed = source.forbidden or any(item.status == "fail" for item in results)
    return SourceResult(
        stream=source.pack.stream,
        pack_digest=source.pack.pack_digest,
        manifest_digest=source.pack.manifest_digest.hex(),
        artifacts=source.pack.artifacts,
        status="unsigned" if not results else "pass" if matched and not failed else "fail",
        matched=tuple(item.file for item in matched),
        why=_why(source) if results and not matched else (),
        attestations=results,
    )


def _why(source: _Source) -> tuple[str, ...]:
    """Why none of its attestations counts, each reason once: requirements share signers."""
    return tuple(dict.fromkeys(line for item in source.decision.requirements for line in item.why))


def _unsigned(sources: Sequence[_Source]) -> tuple[Warned, ...]:
    count = sum(not source.judged for source in sources)
    if not count:
        return ()
    message = (
        f"{count} of {len(sources)} sources are not signed: for them only the signers of the"
        " merged pack speak"
    )
    return (Warned(code="unsigned_source", message=message),)


def _require_sound(judged: Sequence[Judged]) -> None:
    """Raise for the first broken attestation, whatever else is satisfied (R-084 to R-088g)."""
    for item in judged:
        if item.failure is not None and not isinstance(item.failure, Untrusted):
            raise item.failure


def _require_counted(source: _Source) -> None:
    """Refuse a source that is signed, though by nobody who counts (R-080, R-088b)."""
    if source.matched and not source.forbidden:
        return
    if source.matched:
        raise PolicyViolation(
            "other_attestations",
            f"source {source.pack.stream!r} has attestations by others, which the policy forbids",
            where=source.place,
            rule="step 8",
        )
    failures = [item.failure for item in source.judged if item.failure is not None]
    if len(failures) == len(source.judged):
        raise failures[0]
    stranger = source.decision.code == "certificate_identity_mismatch"
    raise PolicyViolation(
        source.decision.code or "policy_not_met",
        f"source {source.pack.stream!r} is signed, and by nobody who counts for the policy",
        where=source.place,
        rule="R-088b" if stranger else "step 8",
        hint="if you trust who signed it, name that signer too" if stranger else None,
    )
