"""Verify the `.sei` artefacts of a repository: each by itself, and none hides another."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from attest.api.intact import assurance_of
from attest.api.judge import Judge
from attest.api.sei_judge import ArtefactJudge
from attest.errors import AttestError, MalformedEvidence, UsageError, VerificationFailed
from attest.formats.sei.layout import FOLDER
from attest.formats.sei.signature import key_id_of
from attest.formats.sei.walk import walk
from attest.limits import DEFAULT_LIMITS, Limits
from attest.policy.model import Policy
from attest.policy.rules import KeySigner, PolicyFile, Requirement
from attest.report.model import Assurance, Report, Target, Warned

if TYPE_CHECKING:  # whoever gives a key or a root has loaded it
    from attest.keys import PublicKey
    from attest.trust.root import TrustRoot

#: Gives the roots under which bundles are judged; asked only where a bundle lies.
Roots = Callable[[], "Sequence[TrustRoot]"]
#: What to report of an artefact on which the program itself fails.
Unforeseen = Callable[[Exception], AttestError]


def verify_artefacts(
    repository: str | os.PathLike[str],
    *,
    keys: Sequence[PublicKey] = (),
    policy: Policy | None = None,
    trust: TrustRoot | Sequence[TrustRoot] | None = None,
    system: str | None = None,
    now: datetime | None = None,
    limits: Limits | None = None,
) -> tuple[Report, ...]:
    """Verify every `.sei` artefact of a repository, offline.

    Args:
        repository: the folder that holds `.sei`.
        keys: the registered keys, of which any one must have signed; or else
        policy: who must have signed, by key or, with a Sigstore bundle, by identity.
        trust: the trust root for bundles, or several; if not given, those of the policy.
        system: the system that every artefact must belong to, if given.
        now: current time (UTC); the clock's if not given.
        limits: bounds on what is read.

    Returns:
        The reports of all artefacts, which passed.

    Raises:
        MalformedEvidence, VerificationFailed, PolicyViolation: a verdict against one or several;
            the error is that of the first, with its `report`, and `reports` has those of all.
        UsageError: `no_registered_key`, `invalid_usage`, `no_sei_folder`, `naive_time`, …: no
            verdict.
    """
    if policy is not None and keys:
        raise UsageError("invalid_usage", "a policy says itself which keys count; give one of them")
    reports = tuple(
        examine_artefacts(
            repository,
            policy=policy_of_keys(keys) if policy is None else policy,
            reads_bundles=policy is not None,
            roots=None if trust is None else lambda: _as_roots(trust),
            system=system,
            now=now,
            limits=limits,
        )
    )
    failed = [item for item in reports if item.error is not None]
    if failed:
        worst = max(failed, key=lambda item: item.exit_code)  # the first of equals
        assert worst.error is not None
        worst.error.report, worst.error.reports = worst, reports
        raise worst.error
    return reports


def policy_of_keys(keys: Sequence[PublicKey]) -> Policy:
    """A policy met by a signature of any of the keys, logged or not: `.sei` knows no log.

    Raises:
        UsageError: `no_registered_key`, `unsupported_key`.
    """
    if not keys:
        raise no_registered_key()
    signers = tuple(
        KeySigner(name=f"the key with keyid {key_id_of(key)}", key=key)
        for key in dict.fromkeys(keys)
    )
    return Policy(
        rules=PolicyFile(
            file=None,
            sha256=None,
            signers=signers,
            require=(Requirement(at_least=1, of=tuple(item.name for item in signers)),),
            trust=(),
            log="optional",
            timestamp="optional",
        )
    )


def no_registered_key() -> UsageError:
    """The error where nothing says whose signatures count: then nothing is verified."""
    return UsageError(
        "no_registered_key",
        "nobody said whose signatures count: no key is registered",
        hint="give --pubkey HEX or --policy FILE, or register keys in sei-policy.yaml in your"
        " configuration folder; `attest sei pubkey` prints a signer's",
    )


def examine_artefacts(
    repository: str | os.PathLike[str],
    *,
    policy: Policy | None,
    reads_bundles: bool = True,
    roots: Roots | None = None,
    system: str | None = None,
    now: datetime | None = None,
    limits: Limits | None = None,
    explain: bool = False,
    warnings: Sequence[Warned] = (),
    unforeseen: Unforeseen | None = None,
) -> Iterator[Report]:
    """As `verify_artefacts`, but verdicts are only in the reports; without a policy, integrity.

    Args:
        repository: as for `verify_artefacts`.
        policy: as for `verify_artefacts`; None checks whether artefacts are as they were signed,
            and nobody's identity.
        reads_bundles: whether Sigstore bundles are judged too.
        roots: gives the roots for bundles; if not given, those of the policy that ship.
        system: as for `verify_artefacts`.
        now: as for `verify_artefacts`.
        limits: as for `verify_artefacts`.
        explain: keep in the report what every step compared, and the time it took.
        warnings: what every report is to say.
        unforeseen: makes an error of what nobody foresaw, so that the next artefact has its turn;
            if not given, that is raised.

    Raises:
        UsageError: `no_sei_folder`, `naive_time`, …: no verdict.
    """
    if now is not None and now.tzinfo is None:
        raise UsageError("naive_time", "`now` needs a time zone", hint="use datetime.now(UTC)")
    limits = limits or DEFAULT_LIMITS
    folder = Path(repository)
    try:
        walked = walk(folder, limits=limits)
    except MalformedEvidence as error:
        report = report_of_folder(assurance_of(policy), error)
        yield replace(report, warnings=tuple(warnings))
        return
    judge: Judge | None = None
    reads_bundles = reads_bundles and policy is not None
    if policy is not None:
        bundles = reads_bundles and any(item.keyless for item in walked.found)
        judge = Judge(
            roots=tuple((roots or _shipped(policy))()) if bundles else (),
            policy=policy,
            now=now or datetime.now(UTC),
            limits=limits,
            explains=explain,
        )
    examine = ArtefactJudge(
        repository=folder,
        judge=judge,
        reads_bundles=reads_bundles,
        system=system,
        limits=limits,
        explains=explain,
    )
    beside = (*warnings, *map(_leftover, walked.leftovers))
    if not walked.found:
        report = report_of_folder(assurance_of(policy), _no_artefacts())
        yield replace(report, warnings=beside)
    for item in walked.found:
        try:
            report = examine(item)
        except AttestError:  # no verdict on any
            raise
        except Exception as error:
            if unforeseen is None:
                raise
            report = examine.begin(item).failed(unforeseen(error))
        yield replace(report, warnings=(*report.warnings, *beside))
        beside = tuple(warnings)  # what is left over is told of once


def _shipped(policy: Policy) -> Roots:
    from attest.api.roots import roots_of
    from attest.trust.root import TrustRoot

    return lambda: roots_of(policy.rules, TrustRoot.embedded)


def _as_roots(trust: TrustRoot | Sequence[TrustRoot]) -> Sequence[TrustRoot]:
    return trust if isinstance(trust, Sequence) else (trust,)


def report_of_folder(assurance: Assurance, error: AttestError) -> Report:
    """The one report of a run that comes to no artefact.

    Args:
        assurance: what was asked for.
        error: what ended it.
    """
    return Report(
        result="error",
        assurance=assurance,
        target=Target(kind="artefact", name=str(FOLDER), digest={}),
    ).failed(error)


def _no_artefacts() -> VerificationFailed:
    return VerificationFailed(
        "no_artefacts",
        "holds no artefact",
        where=str(FOLDER),
        hint="nothing verified is no success: were the artefacts removed, or never committed?",
    )


def _leftover(path: PurePosixPath) -> Warned:
    return Warned(
        code="leftover_file",
        message=f"{path} was left by a write that was cut off; it counts for nothing",
    )
