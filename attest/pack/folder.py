"""A new folder that appears wholly or not at all, filled without following a link."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from attest.errors import UsageError

#: An open folder, or its path where the platform cannot name files relative to one.
_Place: TypeAlias = "int | Path"

_RELATIVE = {os.open, os.mkdir, os.rename, os.rmdir} <= os.supports_dir_fd
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)
_NEW_FILE = (
    os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
)


class NewFolder:
    """A folder that is being filled; made by `new_folder`."""

    __slots__ = ("_made", "_root", "_target")

    def __init__(self, root: _Place, target: Path) -> None:
        self._root = root
        self._target = target
        self._made: set[str] = {""}

    def make(self, path: str) -> None:
        """Make a folder and those above it; one that is there already stays.

        Args:
            path: relative, checked, with forward slashes.

        Raises:
            UsageError: `unwritable_file`.
        """
        try:
            with self._inside(path):
                pass
        except OSError as error:
            raise _unwritable(self._target / path, error) from None

    def write(self, path: str, pieces: Iterable[bytes]) -> None:
        """Write a file that must not exist yet, and the folders above it (R-058, R-061).

        Args:
            path: relative, checked, with forward slashes.
            pieces: its content; if the iterator raises, so does this.

        Raises:
            UsageError: `unwritable_file`.
        """
        parent, _, name = path.rpartition("/")
        try:
            with self._inside(parent) as place:
                at, dir_fd = _within(place, name)
                descriptor = os.open(at, _NEW_FILE, 0o600, dir_fd=dir_fd)
                with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor has no path
                    file.writelines(pieces)
                    file.flush()
                    _set_mode(descriptor, 0o644)
                    os.fsync(descriptor)
        except OSError as error:
            raise _unwritable(self._target / path, error) from None

    def finish(self) -> None:
        """Give every folder its permissions and put it on the disk, the outermost last (R-061)."""
        for path in sorted(self._made, reverse=True):
            with self._inside(path) as place:
                if isinstance(place, int):
                    _set_mode(place, 0o755)
                    os.fsync(place)

    @contextmanager
    def _inside(self, path: str) -> Iterator[_Place]:
        """A folder, entered step by step from the root so that no link is followed."""
        with contextlib.ExitStack() as stack:
            place, at = self._root, ""
            for segment in path.split("/") if path else ():
                at = f"{at}/{segment}" if at else segment
                if at not in self._made:
                    name, dir_fd = _within(place, segment)
                    os.mkdir(name, 0o700, dir_fd=dir_fd)
                    self._made.add(at)
                place = stack.enter_context(_entered(place, segment))
            yield place


@contextmanager
def new_folder(path: Path) -> Iterator[NewFolder]:
    """Fill a folder beside its place; the name appears when the block ends, with all in it.

    After any failure neither the name nor a temporary folder is there. A process that is killed
    leaves at most a hidden temporary folder, which nothing reads.

    Args:
        path: must not exist; its parent must.

    Raises:
        UsageError: `file_exists`, `unwritable_file`.

    Source: Evidence Pack R-058, R-060, R-061.
    """
    temporary = f".attest-{secrets.token_hex(8)}.tmp"
    try:
        if os.path.lexists(path):
            raise _exists(path)
        with _entered(path.parent, "") as parent:
            try:
                name, dir_fd = _within(parent, temporary)
                os.mkdir(name, 0o700, dir_fd=dir_fd)
                with _entered(parent, temporary) as root:
                    folder = NewFolder(root, path)
                    yield folder
                    folder.finish()
                _publish(parent, temporary, path)
            except BaseException:
                _remove(parent, temporary)
                raise
            _sync(parent)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise _unwritable(path, error) from None


def _within(place: _Place, name: str) -> tuple[str | Path, int | None]:
    """A name in a folder, as the calls of `os` take it."""
    return (name, place) if isinstance(place, int) else (place / name, None)


@contextmanager
def _entered(place: _Place, name: str) -> Iterator[_Place]:
    """Open a folder in a folder, no link followed; a path stays one where there is no other way."""
    at, dir_fd = _within(place, name)
    if not _RELATIVE:
        yield Path(at)
        return
    # The parent of the new folder is the caller's own path, in which links are allowed.
    flags = _FOLDER | (os.O_NOFOLLOW if name else 0)
    descriptor = os.open(at, flags, dir_fd=dir_fd)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _publish(parent: _Place, temporary: str, path: Path) -> None:
    if os.path.lexists(path):
        raise _exists(path)
    # Where the name is taken after all: a rename replaces an empty folder and nothing else.
    source, dir_fd = _within(parent, temporary)
    target, _ = _within(parent, path.name)
    os.rename(source, target, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)


def _remove(parent: _Place, temporary: str) -> None:
    name, dir_fd = _within(parent, temporary)
    # The failure that led here is what the caller must see.
    shutil.rmtree(name, ignore_errors=True, dir_fd=dir_fd)


def _set_mode(descriptor: int, mode: int) -> None:
    if hasattr(os, "fchmod"):  # not before Python 3.13 on Windows
        os.fchmod(descriptor, mode)


def _sync(place: _Place) -> None:
    # The folder is complete under its name already; some file systems cannot sync a folder.
    if isinstance(place, int):
        with contextlib.suppress(OSError):
            os.fsync(place)


def _exists(path: Path) -> UsageError:
    return UsageError(
        "file_exists",
        "the folder to write exists already",
        where=str(path),
        hint="name a folder that does not exist yet",
    )


def _unwritable(path: Path, error: OSError | ValueError) -> UsageError:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return UsageError("unwritable_file", f"cannot be written: {reason}", where=str(path))
