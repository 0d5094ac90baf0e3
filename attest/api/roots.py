"""The trust roots that a policy names: of instances, or in files beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from attest.errors import TrustError
from attest.policy.rules import PolicyFile, is_path

if TYPE_CHECKING:  # who gives a root has loaded it
    from attest.trust.root import TrustRoot


def roots_of(policy: PolicyFile, named: Callable[[str], TrustRoot]) -> tuple[TrustRoot, ...]:
    """The roots under which a policy decides, in its order.

    Args:
        policy: names them; its paths were held to its own folder when it was loaded.
        named: the root of an instance, by its name.

    Raises:
        TrustError: codes of `named` and of `TrustRoot.from_file`; `where` is the policy.
    """
    from attest.trust.root import TrustRoot

    folder = Path() if policy.file is None else Path(policy.file).parent
    roots = []
    for name in policy.trust:
        try:
            roots.append(TrustRoot.from_file(folder / name) if is_path(name) else named(name))
        except TrustError as error:
            error.where = error.where or (policy.file and f"{policy.file}: trust")
            raise
    return tuple(roots)
