"""Policy files: load them, and judge the files themselves."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from attest.errors import AttestError, UsageError
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
        findings = lint(_load(file), now=now or datetime.now(UTC))
    except AttestError as error:
        return Linted(file=file, error=error)
    return Linted(file=file, findings=findings)
