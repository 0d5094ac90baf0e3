"""The newest edition that was used of each signed policy, so that none older is used again."""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from attest.atomic import locked, replace_file
from attest.errors import PolicyFileError, UsageError
from attest.files import read_file

_LARGEST = 4_096
_EDITION = re.compile(rb"([1-9][0-9]*|0) ([0-9a-f]{64})\n(?:.*\n)?", re.DOTALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class Edition:
    """One edition of a policy: who signed it, what tells it from others, its serial and digest.

    A policy is the same where its file is, or wherever its description is; without one, wherever
    its file's name is. So neither a copy of an old edition elsewhere nor another policy in its
    place is new, and two policies of one file name need not share their serials.

    What a sandbox's root vouches for is remembered apart: it proves nothing about anything else.
    """

    identity: str
    issuer: str
    file: Path
    description: str | None
    sandbox: bool
    serial: int
    sha256: bytes

    @property
    def names(self) -> tuple[str, str]:
        """What it is remembered by, as JSON."""
        words = ["description", self.description]
        if not self.description:
            words = ["name", self.file.name]
        place = ["path", str(self.file.absolute())]
        signed = [self.sandbox, self.issuer, self.identity]
        return json.dumps([*signed, *words]), json.dumps([*signed, *place])


def advance(edition: Edition, *, folder: Path | None) -> None:
    """Refuse an edition that is older than one that was used; else remember it.

    Args:
        edition: verified to be signed.
        folder: what this user's runs remember; None where there is no place for it.

    Raises:
        PolicyFileError: `policy_rollback`.
        UsageError: `no_state_folder`, `state_corrupt`, `unwritable_file`, `unreadable_file`.
    """
    if folder is None:
        raise UsageError(
            "no_state_folder",
            "there is no place to remember which edition of the policy was used",
            hint="set XDG_STATE_HOME or HOME to an absolute path",
        )
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            "unwritable_file", error.strerror or str(error), where=str(folder)
        ) from None
    paths = {_path(folder, name): name for name in edition.names}
    with ExitStack() as locks:
        for path in sorted(paths):  # all runs in one order, or two could wait for each other
            locks.enter_context(locked(path))
        known = {path: _read(path) for path in paths}
        for serial, digest in known.values():
            _refuse_older(edition, serial, digest)
        for path, name in paths.items():
            if known[path] != (edition.serial, edition.sha256):
                _write(path, edition, name)


def _path(folder: Path, name: str) -> Path:
    return folder / f"{hashlib.sha256(name.encode()).hexdigest()}.edition"


def _refuse_older(edition: Edition, serial: int, digest: bytes) -> None:
    if edition.serial > serial or (edition.serial, edition.sha256) == (serial, digest):
        return
    found = f"is edition {edition.serial}, and edition {serial} has been used"
    if edition.serial == serial:
        found = f"is not the edition {serial} that has been used"
    raise PolicyFileError(
        "policy_rollback",
        found,
        where=edition.file.name,
        hint="somebody serves an old policy, or changed one without raising its `serial`:"
        " ask whoever signs it; if these are two policies, give each a `description` of its own"
        " and another path",
    )


def _write(path: Path, edition: Edition, name: str) -> None:
    def write(file: BinaryIO) -> None:
        # The name is for people who look; descriptions may be long.
        file.write(f"{edition.serial} {edition.sha256.hex()}\n{name[:1_000]}\n".encode())

    replace_file(path, write, mode=0o600)


def _read(path: Path) -> tuple[int, bytes]:
    """Serial and digest of the newest edition; a serial below all others if there was none."""
    try:
        data = read_file(path, limit=_LARGEST)
    except UsageError as error:
        if error.code == "file_not_found":
            return -1, b""
        raise
    found = _EDITION.fullmatch(data)
    if found is None:
        raise UsageError(
            "state_corrupt",
            "does not hold an edition",
            where=str(path),
            hint="if you know which edition is the newest, remove the file",
        )
    return int(found[1]), bytes.fromhex(found[2].decode("ascii"))
