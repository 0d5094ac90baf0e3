"""One verification under one trust root and one policy: every attestation, then the decision."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from attest.api.attestation import Accepted, Examiner, Judged
from attest.api.intact import assurance_of, intact_pack, with_pack
from attest.api.origin import explain_decision
from attest.api.target import (
    BUNDLE_SUFFIX,
    FileDigests,
    NamedTarget,
)
from attest.digest import Digests
from attest.engine.trace import Trace
from attest.errors import (
    MalformedEvidence,
    PolicyViolation,
    Untrusted,
    UsageError,
    VerificationFailed,
)
from attest.limits import Limits
from attest.policy.decide import decide
from attest.policy.decision import Decision
from attest.policy.model import Policy
from attest.policy.qualify import Evidence
from attest.report.model import (
    AttestationResult,
    Report,
    Target,
    TargetKind,
    TrustFacts,
    Warned,
)

if TYPE_CHECKING:  # what a target or policy does not need is not loaded: it is half of a cold run
    from attest.api.bundles import NamedBundle
    from attest.bundle import UntrustedBundle
    from attest.engine.content import PackContent
    from attest.pack.integrity import Progress
    from attest.strictjson import JSON
    from attest.trust.root import TrustRoot


STEP_POLICY = "8 policy"
#: Of a target that says nothing of itself.
NO_EVIDENCE = Evidence()


@dataclass(frozen=True, kw_only=True, slots=True)
class Judge:
    """One verification: everything that is the same for all attestations of a target."""

    roots: Sequence[TrustRoot]
    policy: Policy
    now: datetime
    limits: Limits
    #: Gets everything that verifies, for a second opinion.
    keep: Callable[[Accepted], None] | None = None
    #: Roots of other instances, asked for only to name the one that a stranger comes from.
    others: Callable[[], Iterable[TrustRoot]] | None = None
    explains: bool = False

    def pack(self, named: NamedTarget, path: Path, progress: Progress | None) -> Report:
        """Judge every attestation inside a pack."""
        from attest.engine.content import PackContent

        trace = Trace(explains=self.explains)
        report = self.begin("pack", named.name)
        try:
            with intact_pack(path, trace, self.limits, progress) as (pack, intact):
                report = replace(with_pack(report, intact), checks=trace.checks)
                content = PackContent(manifest_digest=intact.manifest_digest)
                judged = [
                    self._packed(name, partial(pack.read_attestation, name), content)
                    for name in pack.attestation_names
                ]
        except (MalformedEvidence, VerificationFailed) as error:
            return replace(report.failed(error), checks=trace.checks)
        evidence = Evidence(stream=intact.stream, generated_at=intact.manifest.generated_at)
        report = self.decide(report, judged, trace, evidence=evidence)
        if intact.manifest.provenance is None:
            return report
        from attest.api.sources import judge_sources

        return judge_sources(
            report,
            intact.manifest,
            self._embedded,
            policy=self.policy,
            now=self.now,
            trace=trace,
        )

    def _embedded(self, place: str, data: bytes, manifest_digest: bytes) -> Judged:
        from attest.engine.content import PackContent

        content = PackContent(manifest_digest=manifest_digest)
        return self._packed(place, lambda: data, content)

    def _packed(self, name: str, read: Callable[[], bytes], content: PackContent) -> Judged:
        from attest.bundle import parse_bundle

        def opened() -> tuple[bytes, UntrustedBundle]:
            data = read()
            return data, parse_bundle(data, in_pack=True, where=name, limits=self.limits)

        return self.examine(name, opened, content)

    def artifact(self, named: NamedTarget, bundle: Path | None) -> Report:
        """Judge the bundles of a file or digest, of which one that satisfies the policy will do."""
        from attest.engine.content import ArtifactContent

        file = bundle or _bundle_beside(named)
        known = _digests(named)
        known("sha256")
        content = ArtifactContent(digest_of=known)
        report = self.begin(named.kind, named.name)
        try:
            bundles = _read_bundles(file, self.limits)
        except MalformedEvidence as error:
            report = report.failed(error)
            bundles = ()
        judged = [
            self.examine(item.name, partial(open_bundle, item, self.limits), content)
            for item in bundles
        ]
        report = replace(report, target=replace(report.target, digest=known.hex()))
        return (
            report
            if report.error
            else self.decide(report, judged, Trace(explains=self.explains), any_will_do=True)
        )

    def begin(self, kind: TargetKind, name: str) -> Report:
        """The report of a target that nothing is known of yet."""
        root, *more = map(_facts, self.roots) if self.roots else (None,)
        return Report(
            result="pass",
            assurance=assurance_of(self.policy),
            target=Target(kind=kind, name=name, digest={}),
            warnings=tuple(
                Warned(code=item.code, message=item.message)
                for item in dict.fromkeys(item for root in self.roots for item in root.warnings)
            ),
            trust=root,
            more_trust=tuple(more),
        )

    @property
    def examine(self) -> Examiner:
        """Judges one bundle."""
        return Examiner(
            roots=self.roots,
            rules=self.policy.rules,
            limits=self.limits,
            keep=self.keep,
            others=self.others,
            explains=self.explains,
        )

    def decide(
        self,
        report: Report,
        judged: Sequence[Judged],
        trace: Trace,
        *,
        evidence: Evidence = NO_EVIDENCE,
        any_will_do: bool = False,
    ) -> Report:
        """Every attestation must be sound, one must count, and the policy must be met.

        Where any will do, the unsound ones are only reported once the policy is met.
        """
        results = tuple(item.result for item in judged)
        verified = [item.verified for item in results if item.verified is not None]
        decision = decide(
            self.policy.rules,
            verified,
            evidence=evidence,
            skipped=sum(item.status == "skip" for item in results),
            now=self.now,
        )
        report = replace(report, attestations=results, decision=decision)
        try:
            with trace.step(STEP_POLICY, rule="step 8") as step:
                if step.explains:
                    explain_decision(step, decision, verified)
                strict = not any_will_do or self.policy.rules.others == "forbid"
                if strict or decision.result != "pass":
                    _require_decided(judged)
                    _require_sound(judged, report.target)
                _require_met(decision, results)
        except (MalformedEvidence, VerificationFailed, PolicyViolation) as error:
            report = report.failed(error)
        return replace(report, checks=trace.checks)


def _facts(root: TrustRoot) -> TrustFacts:
    return TrustFacts(
        instance=root.instance,
        root_sha256=root.sha256,
        age_seconds=root.age_seconds,
        sandbox=root.sandbox,
    )


def _require_decided(judged: Sequence[Judged]) -> None:
    """Give no verdict where an attestation could not be judged and no other one serves."""
    for item in judged:
        if isinstance(item.failure, UsageError):
            raise item.failure


def _require_sound(judged: Sequence[Judged], target: Target) -> None:
    failures = [item.failure for item in judged if item.failure is not None]
    for failure in failures:
        if not isinstance(failure, Untrusted):
            raise failure  # broken evidence fails, whatever else is satisfied
    if len(failures) == len(judged):
        raise (
            failures[0]
            if failures
            else VerificationFailed(
                "no_attestations",
                "nothing is signed: there is no attestation",
                where=target.name,
                rule="R-089" if target.kind == "pack" else None,
                hint="it was never signed, or its attestations were stripped",
            )
        )


def _require_met(decision: Decision, results: Sequence[AttestationResult]) -> None:
    if decision.result == "pass":
        return
    message = "it verifies, but not as the policy requires"
    if decision.code == "other_attestations":
        message = (
            f"the policy forbids attestations by others: {', '.join(_others(decision, results))}"
        )
    # What was required and who signed instead stands in the decision, line by line.
    raise PolicyViolation(
        decision.code or "policy_not_met",
        message,
        where=decision.file or "policy",
        rule="R-088b" if decision.code == "certificate_identity_mismatch" else "step 8",
    )


def _others(decision: Decision, results: Sequence[AttestationResult]) -> list[str]:
    """The attestations of whoever counts for no signer, and of strangers."""
    verified = [item.file for item in results if item.verified is not None]
    skipped = [item.file for item in results if item.status == "skip"]
    return [*(verified[at] for at in decision.others), *skipped]


def _read_bundles(path: Path, limits: Limits) -> tuple[NamedBundle, ...]:
    """As `read_bundles`, with what to do where there is no such file."""
    from attest.api.bundles import read_bundles

    try:
        return read_bundles(path, limits)
    except UsageError as error:
        if error.code != "file_not_found":
            raise
        raise UsageError(
            "bundle_not_found",
            "there is no such bundle",
            where=str(path),
            hint="sign it first, or name its bundle with --bundle",
        ) from None


def open_bundle(item: NamedBundle, limits: Limits) -> tuple[bytes | JSON, UntrustedBundle]:
    """One bundle of a file, for whoever judges it."""
    return item.source, item.parse(limits)


def _bundle_beside(named: NamedTarget) -> Path:
    if named.path is None:
        raise UsageError(
            "bundle_needed", "a digest needs a bundle", where=named.name, hint="give --bundle FILE"
        )
    # Not `with_name`: a path such as `.` has no name.
    return Path(f"{named.path}{BUNDLE_SUFFIX}")


def _digests(named: NamedTarget) -> FileDigests | Digests:
    if named.path is not None:
        return FileDigests(path=named.path)
    if named.digests is None:
        raise UsageError("invalid_digest", "neither a file nor a digest", where=named.name)
    return named.digests
