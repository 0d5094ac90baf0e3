"""The report of a verification: only facts that a signature, log proof or certificate binds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Literal, TypeAlias

from attest.errors import AttestError

if TYPE_CHECKING:  # whoever makes such a value has loaded its type
    from attest.policy.decision import Decision
    from attest.verified import Check, Status, VerifiedAttestation

Assurance: TypeAlias = Literal["identity", "any_identity", "integrity"]
TargetKind: TypeAlias = Literal["pack", "file", "digest", "artefact"]
AttestationKind: TypeAlias = Literal["keyless", "key"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """What was verified: its name as given, and its digests as hex by algorithm.

    An `artefact` is one of a repository's `.sei`, named by its path there.
    """

    kind: TargetKind
    name: str
    digest: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class PackFacts:
    """An intact pack: digests as in the published formats, counts, size in bytes.

    `sources` are those of a merged pack, judged only where the pack itself has passed.
    """

    stream: str
    pack_digest: str
    manifest_digest: str
    artifacts: int
    bytes: int
    sources: tuple[SourceResult, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class AttestationResult:
    """One attestation: verified facts if it passed, else only the checks that were made.

    `kind` is None where the bundle could not be read.
    """

    file: str
    kind: AttestationKind | None
    status: Status
    checks: tuple[Check, ...]
    verified: VerifiedAttestation | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceResult:
    """A source of a merged pack, by the word of who signed that pack, and its own attestations.

    `matched` names the attestations that count for the policy, and `why` says why none of them
    does; without any attestation the status is `unsigned`.
    """

    stream: str
    pack_digest: str
    manifest_digest: str
    artifacts: int
    status: Literal["pass", "fail", "unsigned"]
    matched: tuple[str, ...]
    why: tuple[str, ...]
    attestations: tuple[AttestationResult, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class TrustFacts:
    """Which trust root decided: instance name, raw SHA-256, age in seconds, sandbox or not."""

    instance: str
    root_sha256: bytes
    age_seconds: int | None
    sandbox: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Warned:
    """Something that does not change the verdict and should be known."""

    code: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """Everything that one verification found out."""

    result: Literal["pass", "fail", "error"]
    assurance: Assurance
    target: Target
    error: AttestError | None = None
    warnings: tuple[Warned, ...] = ()
    pack: PackFacts | None = None
    checks: tuple[Check, ...] = ()
    attestations: tuple[AttestationResult, ...] = ()
    decision: Decision | None = None
    trust: TrustFacts | None = None
    #: Where a policy trusts several instances: those after the first.
    more_trust: tuple[TrustFacts, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 passed, 1 a verdict against the evidence, 2 no verdict."""
        return 0 if self.error is None else self.error.exit_code

    @property
    def sandbox(self) -> bool:
        """Whether a sandbox's root decided, alone or with others."""
        roots = (self.trust, *self.more_trust)
        return any(root is not None and root.sandbox for root in roots)

    def failed(self, error: AttestError) -> Report:
        """This report, ended by an error."""
        return replace(self, result="fail" if error.exit_code == 1 else "error", error=error)


def utc(time: datetime) -> str:
    """RFC 3339 in UTC with `Z`, whole seconds."""
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"
