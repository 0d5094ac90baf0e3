"""Policy files: load them, and judge the files themselves."""

from __future__ import annotations

import os

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
