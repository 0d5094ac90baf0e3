"""One attestation judged: wholly under each trusted root, and what of that counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from attest.api.origin import explain_bundle, hint_of_origin
from attest.engine.trace import Trace
from attest.errors import (
    AttestError,
    MalformedEvidence,
    Untrusted,
    UsageError,
    VerificationFailed,
)
from attest.limits import Limits
from attest.policy.rules import PolicyFile
from attest.report.model import AttestationKind, AttestationResult
from attest.verified import Check, Status, VerifiedAttestation

if TYPE_CHECKING:  # what a target or policy does not need is not loaded: it is half of a cold run
    from attest.bundle import UntrustedBundle
    from attest.engine.content import ArtifactContent, PackContent
    from attest.strictjson import JSON
    from attest.trust.root import TrustRoot

STEP_PARSE = "1 parse"

#: What says that a root asks for more than there is, and nothing that the evidence is broken.
_SHORTAGES = frozenset(
    {"missing_sct", "not_enough_log_entries", "not_enough_times", "not_enough_timestamps"}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Accepted:
    """An attestation that verified: as it was read, under which root, and what it says."""

    file: str
    source: bytes | JSON
    bundle: UntrustedBundle
    content: PackContent | ArtifactContent
    root: TrustRoot
    verified: VerifiedAttestation


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """An attestation's result, and the error behind it if it did not pass."""

    result: AttestationResult
    failure: AttestError | None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Attempt:
    """What came of an attestation under one root."""

    root: TrustRoot
    checks: tuple[Check, ...]
    verified: VerifiedAttestation | None = None
    failure: AttestError | None = None

    @property
    def rank(self) -> tuple[int, int, int]:
        """The greatest of an attestation's attempts decides.

        What somebody in a root vouches for and is broken fails, whatever another root makes of it;
        then counts where it verified, with the most proof; then that too little was there.
        """
        if self.verified is not None:
            return 2, len(self.verified.log_entries), len(self.verified.times)
        if isinstance(self.failure, Untrusted):
            return 0, len(self.checks), 0
        short = isinstance(self.failure, UsageError) or (
            self.failure is not None and self.failure.code in _SHORTAGES
        )
        return 1 if short else 3, 0, 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Examiner:
    """What every attestation of a target is held to.

    `keep` gets everything that verifies, for a second opinion. `others` gives roots of other
    instances, asked for only to name the one that a stranger comes from.
    """

    roots: Sequence[TrustRoot]
    rules: PolicyFile
    limits: Limits
    keep: Callable[[Accepted], None] | None
    others: Callable[[], Iterable[TrustRoot]] | None
    explains: bool

    def __call__(
        self,
        file: str,
        opened: Callable[[], tuple[bytes | JSON, UntrustedBundle]],
        content: PackContent | ArtifactContent,
    ) -> Judged:
        """Judge one attestation.

        Args:
            file: its name in the report.
            opened: reads and parses it.
            content: what it must speak of.
        """
        trace = Trace(explains=self.explains)
        try:
            with trace.step(STEP_PARSE, rule="R-084") as step:
                source, bundle = opened()
                if step.explains:
                    explain_bundle(step, bundle)
        except (MalformedEvidence, VerificationFailed) as error:
            return judged_as(file, None, trace.checks, None, error)
        kind: AttestationKind = "key" if bundle.certificate is None else "keyless"
        attempts = [self._under(root, bundle, content) for root in self.roots]
        found = max(attempts, key=lambda item: item.rank)  # the first of equals
        if found.verified is not None and self.keep is not None:
            self.keep(
                Accepted(
                    file=file,
                    source=source,
                    bundle=bundle,
                    content=content,
                    root=found.root,
                    verified=found.verified,
                )
            )
        failure = found.failure
        # A key that was not given may be anybody's, of whatever instance.
        if isinstance(failure, Untrusted) and self.others and failure.code != "untrusted_key":
            failure.hint = hint_of_origin(bundle, self.others()) or failure.hint
        return judged_as(file, kind, (*trace.checks, *found.checks), found.verified, failure)

    def _under(
        self, root: TrustRoot, bundle: UntrustedBundle, content: PackContent | ArtifactContent
    ) -> _Attempt:
        from attest.engine.verify import verify_bundle

        trace = Trace(explains=self.explains)
        try:
            verified = verify_bundle(
                bundle,
                content,
                root,
                trace,
                keys=self.rules.keys,
                key_log=self.rules.log == "required",
                key_time=self.rules.timestamp == "required",
                limits=self.limits,
            )
        except UsageError as error:
            if error.code != "digest_algorithm_needed":
                raise
            return _Attempt(root=root, checks=trace.checks, failure=error)
        except (MalformedEvidence, VerificationFailed) as error:
            return _Attempt(root=root, checks=trace.checks, failure=error)
        return _Attempt(root=root, checks=trace.checks, verified=verified)


def judged_as(
    file: str,
    kind: AttestationKind | None,
    checks: tuple[Check, ...],
    verified: VerifiedAttestation | None,
    failure: AttestError | None,
) -> Judged:
    """The result of an attestation by what was made of it.

    Args:
        file: its name in the report.
        kind: None where it could not be read.
        checks: those that were made.
        verified: what it says; None where it failed.
        failure: why it failed.
    """
    status: Status = "pass" if failure is None else "fail"
    # A stranger's counts for nothing; what is undecided another bundle may decide.
    if isinstance(failure, Untrusted | UsageError):
        status = "skip"
    if failure is not None and not (failure.where or "").startswith(file):
        failure.where = f"{file}: {failure.where}" if failure.where else file
    result = AttestationResult(
        file=file, kind=kind, status=status, checks=checks, verified=verified
    )
    return Judged(result=result, failure=failure)
