"""The keys that a user registered: a policy file in the user's own configuration folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from attest.cli.context import Context
from attest.errors import UsageError

if TYPE_CHECKING:
    from attest.policy.model import Policy
    from attest.policy.rules import PolicyFile

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
    if is_inside(file, repository):
        raise UsageError(
            "key_source_in_repository",
            "the registered keys lie inside the repository that they are to verify",
            where=str(file),
            hint="keep them elsewhere, or name the file with --policy if that is what you want",
        )
    from attest.policy.model import Policy

    return Policy.load(file)


def refuse_keys_inside(rules: PolicyFile, repository: Path) -> None:
    """Refuse a policy from elsewhere whose keys or roots lie in the repository all the same.

    Raises:
        UsageError: `key_source_in_repository`.
    """
    for file in rules.files:
        if is_inside(file, repository):
            raise UsageError(
                "key_source_in_repository",
                "the policy takes it from inside the repository that it is to verify",
                where=str(file),
                hint="copy it out of the repository, to beside the policy, and look at it there",
            )


def is_inside(path: Path, repository: Path) -> bool:
    """Whether a path lies in a repository or the git work tree around it.

    A link in it counts, wherever it leads: who may change the repository chose that. So does one
    that leads into it.
    """
    wholes = [_work_tree(top) for top in _ways_to(repository)]
    # The same folder may have several spellings: by case on some systems, or mounted twice.
    return any(
        _is_same(one, whole)
        for way in _ways_to(path)
        for one in (way, *way.parents)
        for whole in wholes
    )


def _ways_to(path: Path) -> tuple[Path, ...]:
    """A path with its links followed, and as it was named."""
    # Not `resolve`, which ends in an error of its own where links lead to themselves, and not
    # `absolute`, which keeps `..`.
    return Path(os.path.realpath(path)), Path(os.path.abspath(path))  # noqa: PTH100


def _work_tree(top: Path) -> Path:
    return next((one for one in (top, *top.parents) if os.path.lexists(one / ".git")), top)


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # one of them is not there
        return one == other
