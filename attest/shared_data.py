"""Find the data folders that live outside the package in a checkout and inside it in a wheel."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

_PACKAGE = Path(__file__).resolve().parent
_IN_CHECKOUT = {"evidence": "testdata/evidence", "policy": "policy"}


def shared_folder(name: Literal["evidence", "policy"]) -> Path:
    """The folder of demo evidence or of ready-made policies.

    Args:
        name: which folder.

    Raises:
        FileNotFoundError: the installation is incomplete.
    """
    for folder in (_PACKAGE / "_share" / name, _PACKAGE.parent / _IN_CHECKOUT[name]):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"the installed package lacks its folder {name!r}")
