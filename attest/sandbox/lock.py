"""One process per sandbox directory: two would give the same log index to different entries."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Self

from attest.sandbox.refusal import SandboxError


class DirectoryLock:
    """Holds a directory until released, or until the process ends however it ends.

    Args:
        directory: created if missing.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        self._descriptor: int | None = os.open(directory / ".lock", flags, 0o600)
        try:
            _lock(self._descriptor)
        except OSError as error:
            self.release()
            raise SandboxError(f"{directory}: another sandbox runs on this directory") from error

    def release(self) -> None:
        """Let others in; doing it twice is harmless."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _lock(descriptor: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
