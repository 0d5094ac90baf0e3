"""Verify a pack, a file or a digest: stage by stage, into one report."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from attest.api.intact import assurance_of, intact_pack, with_pack
from attest.api.target import NamedTarget, name_target
from attest.engine.trace import Trace
from attest.errors import (
    AttestError,
    MalformedEvidence,
    TrustError,
    UsageError,
    VerificationFailed,
)
from attest.limits import DEFAULT_LIMITS, Limits
from attest.report.model import Report, Target, TargetKind, Warned

if TYPE_CHECKING:  # what a target or policy does not need is not loaded: it is half of a cold run
    from attest.api.attestation import Accepted
    from attest.pack.integrity import Progress
    from attest.policy.model import Policy
    from attest.trust.root import TrustRoot


def verify(
    target: str | os.PathLike[str],
    *,
    policy: Policy,
    trust: TrustRoot | Sequence[TrustRoot] | None = None,
    bundle: str | os.PathLike[str] | None = None,
    now: datetime | None = None,
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> Report:
    """Verify a target against a policy, offline.

    Args:
        target: a pack (`*.epack`), any other file, or `sha256:HEX` / `sha512:HEX` with a bundle.
        policy: who must have signed.
        trust: the trust root, or several, of which each attestation needs one; if not given, those
            that a policy file names, else the embedded one of the public good instance.
        bundle: the bundle file of a file or digest; `FILE.sigstore.json` if not given.
        now: current time (UTC); the clock's if not given.
        limits: bounds on what is read.
        progress: told bytes done and bytes in all while the artifacts of a pack are read.

    Returns:
        The report of a verification that passed.

    Raises:
        MalformedEvidence, VerificationFailed, PolicyViolation: a verdict against the evidence;
            the full report is its `report`.
        UsageError, TrustError: no verdict.
    """
    report = examine(
        target, policy=policy, trust=trust, bundle=bundle, now=now, limits=limits, progress=progress
    )
    if report.error is not None:
        report.error.report = report
        raise report.error
    return report


def examine(
    target: str | os.PathLike[str],
    *,
    policy: Policy | None,
    trust: TrustRoot | Sequence[TrustRoot] | None = None,
    bundle: str | os.PathLike[str] | None = None,
    now: datetime | None = None,
    limits: Limits | None = None,
    progress: Progress | None = None,
    cross_check: bool = False,
    others: Callable[[], Iterable[TrustRoot]] | None = None,
    explain: bool = False,
) -> Report:
    """As `verify`, but a verdict is only in the report; without a policy, integrity alone.

    Args:
        target: as for `verify`.
        policy: as for `verify`; None checks that a pack is intact and nobody's identity.
        trust: as for `verify`.
        bundle: as for `verify`.
        now: as for `verify`.
        limits: as for `verify`.
        progress: as for `verify`.
        cross_check: have `sigstore`'s verifier confirm what is accepted.
        others: gives the roots of other instances, to name the one that a stranger comes from.
        explain: keep in the report what every step compared, and the time it took.

    Raises:
        UsageError: `file_not_found`, `bundle_not_found`, `integrity_needs_pack`, …: no verdict.
        TrustError: no verdict.
    """
    if now is not None and now.tzinfo is None:
        raise UsageError("naive_time", "`now` needs a time zone", hint="use datetime.now(UTC)")
    named = name_target(target)
    limits = limits or DEFAULT_LIMITS
    if policy is None:
        return _integrity(named, bundle, limits, progress, explain=explain)
    from attest.api.judge import Judge
    from attest.api.roots import roots_of
    from attest.trust.root import TrustRoot

    if trust is None:
        trust = roots_of(policy.rules, TrustRoot.embedded)
    roots = (trust,) if isinstance(trust, TrustRoot) else tuple(trust)
    if not roots:
        raise TrustError("trust_unavailable", "no trust root was given", hint="give at least one")
    accepted: list[Accepted] = []
    judge = Judge(
        roots=roots,
        policy=policy,
        now=now or datetime.now(UTC),
        limits=limits,
        keep=accepted.append if cross_check else None,
        others=others or _embedded,
        explains=explain,
    )
    if named.kind == "pack" and named.path is not None:
        _refuse_bundle(bundle)
        report = judge.pack(named, named.path, progress)
    else:
        report = judge.artifact(named, None if bundle is None else Path(bundle))
    if not cross_check:
        return report
    from attest.api.crosscheck import cross_checked

    return cross_checked(report, accepted)


def _embedded() -> Iterator[TrustRoot]:
    """The roots that ship."""
    from attest.trust.instance import PUBLIC
    from attest.trust.root import TrustRoot

    for name in PUBLIC:
        with suppress(TrustError):  # not every public instance's root ships
            yield TrustRoot.embedded(name)


def _refuse_bundle(bundle: str | os.PathLike[str] | None) -> None:
    if bundle is not None:
        raise UsageError(
            "bundle_with_pack",
            "a pack carries its attestations inside",
            where=os.fspath(bundle),
            hint="leave --bundle out",
        )


def no_verdict(target: str, policy: Policy | None, error: AttestError) -> Report:
    """The report of a verification that came to no verdict.

    Args:
        target: as given.
        policy: what was asked for; None for integrity alone.
        error: why there is no verdict.
    """
    # Only a spelling that means a digest and is none has no kind of its own.
    try:
        kind: TargetKind = name_target(target).kind
    except UsageError:
        kind = "digest" if target else "file"
    return Report(
        result="error",
        assurance=assurance_of(policy),
        target=Target(kind=kind, name=target, digest={}),
    ).failed(error)


def _integrity(
    named: NamedTarget,
    bundle: str | os.PathLike[str] | None,
    limits: Limits,
    progress: Progress | None,
    *,
    explain: bool,
) -> Report:
    if named.kind != "pack" or named.path is None:
        raise UsageError(
            "integrity_needs_pack",
            "only a pack has an integrity of its own",
            where=named.name,
            hint="say who must have signed: --identity and --issuer",
        )
    _refuse_bundle(bundle)
    trace = Trace(explains=explain)
    warning = Warned(code="integrity_only", message="nobody's identity was checked")
    report = Report(
        result="pass",
        assurance="integrity",
        target=Target(kind="pack", name=named.name, digest={}),
        warnings=(warning,),
    )
    try:
        with intact_pack(named.path, trace, limits, progress) as (_, intact):
            report = with_pack(report, intact)
    except (MalformedEvidence, VerificationFailed) as error:
        report = report.failed(error)
    return replace(report, checks=trace.checks)
