"""Policy files: load them, and judge the files themselves."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from attest.atomic import write_new
from attest.errors import EXIT_VERDICT, AttestError, PolicyFileError, UsageError
from attest.limits import Limits
from attest.policy.cases import CaseResult, PackToVerify, PolicyCase, decide_case, is_cases_file
from attest.policy.cases import PolicyCases as _Cases
from attest.policy.cases import load_cases as _load_cases
from attest.policy.draft import DraftedSigner, Origin, signer_of
from attest.policy.lint import Linted, lint
from attest.policy.load import load_policy as _load
from attest.policy.rules import PolicyFile


def load_policy(path: str | os.PathLike[str]) -> PolicyFile:
    """Load a policy file.

    Args:
        path: the file, YAML or JSON; paths in it lead below its folder.

    Raises:
        UsageError: `file_not_found`, `unreadable_file`.
        PolicyFileError: what `attest.policy.load.parse_policy` raises.
    """
    return _load(os.fspath(path))


def lint_policy(path: str | os.PathLike[str], *, now: datetime | None = None) -> Linted:
    """Look for what is seldom meant in a policy file; a file that is no policy is a finding too.

    A file of test cases is only read.

    Args:
        path: the file.
        now: current time (aware); the clock's if not given.

    Raises:
        UsageError: `naive_time`.
    """
    if now is not None and now.tzinfo is None:
        raise UsageError("naive_time", "`now` needs a time zone", hint="use datetime.now(UTC)")
    file = os.fspath(path)
    try:
        if is_cases_file(Path(file)):
            _load_cases(file)
            return Linted(file=file)
        findings = lint(_load(file), now=now or datetime.now(UTC))
    except AttestError as error:
        return Linted(file=file, error=error)
    return Linted(file=file, findings=findings)


def load_cases(path: str | os.PathLike[str]) -> _Cases:
    """Load a file of test cases, and its policy.

    Args:
        path: the file, YAML or JSON; paths in it lead below its folder.

    Raises:
        UsageError: `file_not_found`, `unreadable_file`.
        PolicyFileError: what `attest.policy.load.parse_policy` raises, for either file.
    """
    return _load_cases(os.fspath(path))


def run_cases(cases: _Cases) -> tuple[CaseResult, ...]:
    """Decide every case, offline; packs are verified.

    Args:
        cases: as loaded.

    Raises:
        UsageError, TrustError: a pack or its trusted root cannot be read.
    """
    return tuple(
        decide_case(cases.policy, case)
        if case.pack is None
        else _verify_case(cases.policy, case, case.pack)
        for case in cases.cases
    )


def find_cases(paths: Iterable[str]) -> list[str]:
    """The files of test cases among paths, and below those that are folders.

    Args:
        paths: files, taken as they are, and folders.

    Raises:
        UsageError: `no_policy_tests`, where a folder has none.
    """
    found: list[str] = []
    for name in paths:
        path = Path(name)
        if not path.is_dir():
            found.append(name)
            continue
        below = sorted(str(file) for file in path.rglob("*") if is_cases_file(file))
        if not below:
            raise UsageError(
                "no_policy_tests",
                "has no test cases of policies",
                where=name,
                hint="they are in files named *.policy-test.yaml",
            )
        found += below
    return found


def _verify_case(policy: PolicyFile, case: PolicyCase, pack: PackToVerify) -> CaseResult:
    from attest.api.verify import examine
    from attest.policy.model import Policy
    from attest.trust.root import TrustRoot

    root = None if pack.trusted_root is None else TrustRoot.from_file(pack.trusted_root)
    try:
        report = examine(pack.path, policy=Policy(rules=policy), trust=root, now=case.now)
    except PolicyFileError as error:
        return CaseResult(case=case, found=error.code, why=(error.message,))
    if report.error is None:
        return CaseResult(case=case, found="pass")
    if report.error.exit_code != EXIT_VERDICT:
        raise report.error
    return CaseResult(case=case, found=report.error.code, why=(str(report.error),))


def draft_from_pack(
    path: str | os.PathLike[str],
    *,
    trusted_root: str | os.PathLike[str] | None = None,
    limits: Limits | None = None,
    now: datetime | None = None,
) -> tuple[tuple[DraftedSigner, ...], Origin]:
    """The signers of a pack whose signatures verify, whoever they are: trust on first use.

    Args:
        path: the pack.
        trusted_root: file of the trusted root; the public instance's if not given.
        limits: bounds on what is read.
        now: current time (aware); the clock's if not given.

    Raises:
        MalformedEvidence, VerificationFailed: the pack or a signature is not sound.
        UsageError: `new_needs_pack`, or the pack cannot be read.
    """
    from attest.api.verify import examine
    from attest.policy.model import Policy
    from attest.trust.root import TrustRoot

    root = None if trusted_root is None else TrustRoot.from_file(os.fspath(trusted_root))
    policy = Policy.unsafe_any_identity()
    report = examine(path, policy=policy, trust=root, now=now, limits=limits)
    if report.error is not None:
        raise report.error
    if report.pack is None:
        raise UsageError(
            "new_needs_pack",
            "is no pack, whose signers a policy can be drafted from",
            where=os.fspath(path),
            hint="name a pack, or say who signs with --github, --email or --key",
        )
    verified = [item.verified for item in report.attestations if item.verified is not None]
    types = {item.statement.predicate_type for item in verified if item.statement is not None}
    origin = Origin(
        name=Path(path).name, stream=report.pack.stream, predicate_types=tuple(sorted(types))
    )
    signers = [signer_of(item.identity) for item in verified if item.identity is not None]
    return tuple(signers), origin


def write_draft(path: Path, text: str) -> None:
    """Write a drafted policy to a file that is not there yet.

    Raises:
        UsageError: `file_exists`, `unwritable_file`.
    """
    write_new(path, text.encode())
