"""The keys that a user registered: a policy file in the user's own configuration folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from attest.cli.context import Context
from attest.errors import UsageError

if TYPE_CHECKING:
    from attest.policy.model import Policy

FILE = "sei-policy.yaml"


def registered_policy(repository: Path, context: Context) -> Policy | None:
    """The policy in `sei-policy.yaml` of the user's configuration folder; None without one.

    What lies inside the repository that is verified is refused: whoever may change the evidence
    could then say who signs it.

    Args:
        repository: what is verified.
        context: knows the folder.

    Raises:
        UsageError: `key_source_in_repository`, `unreadable_file`.
        PolicyFileError: the codes of `attest.policy.load`.
    """
    folder = context.settings.config_folder
    if folder is None or not os.path.lexists(folder / FILE):
        return None
    file = folder / FILE
    if is_inside(file.parent, repository) or is_inside(file, repository):
        raise UsageError(
            "key_source_in_repository",
            "the registered keys lie inside the repository that they are to verify",
            where=str(file),
            hint="keep them elsewhere, or name the file with --policy if that is what you want",
        )
    from attest.policy.model import Policy

    return Policy.load(file)


def is_inside(path: Path, repository: Path) -> bool:
    """Whether a path, links followed, lies in a repository or the git work tree around it."""
    # Not `resolve`, which ends in an error of its own where links lead to themselves.
    top = Path(os.path.realpath(repository))
    whole = next((one for one in (top, *top.parents) if os.path.lexists(one / ".git")), top)
    real = Path(os.path.realpath(path))
    # The same folder may have several spellings: by case on some systems, or mounted twice.
    return any(_is_same(one, whole) for one in (real, *real.parents))


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # one of them is not there
        return one == other
