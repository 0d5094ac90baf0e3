"""Open and read regular files, without ever waiting for a pipe or a device."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from attest.errors import UsageError


@contextmanager
def open_file(path: Path | str) -> Iterator[BinaryIO]:
    """Open a regular file for reading.

    Raises:
        UsageError: `file_not_found`, `unreadable_file`.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags | getattr(os, "O_CLOEXEC", 0))
    except FileNotFoundError:
        raise UsageError(
            "file_not_found", "the file does not exist", where=str(path), hint="check the path"
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise _unreadable(error, path) from None
    # Judged before Python wraps it, which refuses a folder with an error of its own.
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UsageError(
            "unreadable_file", "is not a regular file", where=str(path), hint="name a file"
        )
    with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123 - a descriptor has no path
        yield file


@contextmanager
def reading(path: Path | str) -> Iterator[BinaryIO]:
    """As `open_file`, for a block that does nothing but read: its failures are the file's too.

    Raises:
        UsageError: `file_not_found`, `unreadable_file`.
    """
    try:
        with open_file(path) as file:
            yield file
    except OSError as error:
        raise _unreadable(error, path) from None


def read_file(path: Path | str, *, limit: int) -> bytes:
    """The bytes of a regular file, at most `limit` and one more, so that a caller sees excess.

    Raises:
        UsageError: `file_not_found`, `unreadable_file`.
    """
    pieces: list[bytes] = []
    left = limit + 1
    with reading(path) as file:
        while left > 0 and (piece := file.read(left)):
            pieces.append(piece)
            left -= len(piece)
    return b"".join(pieces)


def _unreadable(error: Exception, path: Path | str) -> UsageError:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return UsageError(
        "unreadable_file",
        f"cannot be read: {reason}",
        where=str(path),
        hint="check the path, and who may read it",
    )
