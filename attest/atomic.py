"""Files that are written wholly or not at all, and locks between processes."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from attest.errors import UsageError

_FLAGS = (
    os.O_RDWR
    | os.O_CREAT
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_BINARY", 0)
)


def replace_file(path: Path, write: Callable[[BinaryIO], None], *, mode: int = 0o644) -> None:
    """Write a file so that its name always shows the old content or the new, never a mix.

    Args:
        path: what to write; a symbolic link is replaced, not followed. An existing file keeps its
            permissions.
        write: writes the content; the stream can be read and repositioned. If it raises, nothing
            has happened.
        mode: permissions of a new file, less the umask.

    Raises:
        UsageError: `unwritable_file`.
    """
    _publish(path, write, mode=mode, replace=True)


def create_file(path: Path, write: Callable[[BinaryIO], None], *, mode: int = 0o644) -> None:
    """Like `replace_file`, but refuses a name that is taken, even one taken while writing.

    Raises:
        UsageError: `file_exists`, `unwritable_file`.
    """
    _publish(path, write, mode=mode, replace=False)


def write_new(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write bytes to a file that must not exist yet.

    Raises:
        UsageError: `file_exists`, `unwritable_file`.
    """

    def write(file: BinaryIO) -> None:
        file.write(data)

    create_file(path, write, mode=mode)


def remove_file(path: Path) -> None:
    """Remove a file, if there is one, so that it is gone on the disk as well.

    Raises:
        UsageError: `unwritable_file`.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from None
    _sync_folder(path.parent)


def remove_leftovers(path: Path) -> None:
    """Remove the temporary files of writers of a file that ended before they were done.

    Only for who holds the file's lock, and where every writer of it does.

    Raises:
        UsageError: `unwritable_file` if the folder cannot be listed.
    """
    ours = re.compile(rf"\.{re.escape(path.name[:200])}\.[0-9a-f]{{16}}\.tmp")
    try:
        others = list(path.parent.iterdir())
    except OSError as error:
        raise _unwritable(path, error) from None
    for other in others:
        if ours.fullmatch(other.name):
            _remove(other)


def _publish(path: Path, write: Callable[[BinaryIO], None], *, mode: int, replace: bool) -> None:
    temporary = path.with_name(f".{path.name[:200]}.{secrets.token_hex(8)}.tmp")
    try:
        kept = _existing_mode(path, replace=replace)
        descriptor = os.open(temporary, _FLAGS | os.O_EXCL, mode)
    except OSError as error:
        raise _unwritable(path, error) from None
    try:
        with open(descriptor, "w+b") as file:  # noqa: PTH123 - a descriptor has no path
            if kept is not None and hasattr(os, "fchmod"):
                os.fchmod(descriptor, kept)
            write(file)
            file.flush()
            os.fsync(descriptor)
        _move(temporary, path, replace=replace)
    except OSError as error:
        _remove(temporary)
        raise _unwritable(path, error) from None
    except BaseException:
        _remove(temporary)
        raise
    _sync_folder(path.parent)


def _existing_mode(path: Path, *, replace: bool) -> int | None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    if not replace:
        raise _exists(path)
    if stat.S_ISLNK(found.st_mode):
        return None
    if not stat.S_ISREG(found.st_mode):
        raise UsageError("unwritable_file", "is not a regular file", where=str(path))
    return stat.S_IMODE(found.st_mode) & 0o777


def _move(temporary: Path, path: Path, *, replace: bool) -> None:
    if replace:
        temporary.replace(path)
        return
    try:
        if sys.platform == "win32":
            temporary.rename(path)  # refuses a taken name there
            return
        try:
            os.link(temporary, path, follow_symlinks=False)
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links: take the name first, then fill it
            os.close(os.open(path, _FLAGS | os.O_EXCL, 0o600))
            temporary.replace(path)
            return
        temporary.unlink()
    except FileExistsError:
        raise _exists(path) from None


def _remove(temporary: Path) -> None:
    # The failure that led here is what the caller must see.
    with contextlib.suppress(OSError):
        temporary.unlink()


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return
    # The file is complete under its name already; some file systems cannot sync a folder.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a name against every other process and thread that asks for it.

    A hidden lock file stands beside the path meanwhile; one left behind by a crash is harmless.

    Args:
        path: what the lock stands for; need not exist.

    Raises:
        UsageError: `unwritable_file` if the folder takes no lock file.
    """
    lock = path.with_name(f".{path.name[:200]}.lock")
    try:
        descriptor = _acquire(lock)
    except OSError as error:
        raise _unwritable(path, error) from None
    try:
        yield
    finally:
        _release(lock, descriptor)


def _acquire(lock: Path) -> int:
    while True:
        descriptor = os.open(lock, _FLAGS, 0o600)
        try:
            _wait_for(descriptor)
            # The holder before us removed the file: what we hold is no longer the lock.
            if sys.platform == "win32" or _is_same(descriptor, lock):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_same(descriptor: int, lock: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), lock.lstat())
    except FileNotFoundError:
        return False


if sys.platform == "win32":
    import msvcrt
    import time

    def _wait_for(descriptor: int) -> None:
        while True:
            try:
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            except OSError as error:
                if error.errno not in (errno.EACCES, errno.EDEADLK):
                    raise
                time.sleep(0.05)
            else:
                return

    def _release(lock: Path, descriptor: int) -> None:
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
        os.close(descriptor)
        # Fails while another process waits with the file open; the last one removes it.
        with contextlib.suppress(OSError):
            lock.unlink()

else:
    import fcntl

    def _wait_for(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)

    def _release(lock: Path, descriptor: int) -> None:
        # Removed while still held, so that whoever waits on it sees that it is gone.
        with contextlib.suppress(OSError):
            lock.unlink()
        os.close(descriptor)


def _exists(path: Path) -> UsageError:
    return UsageError(
        "file_exists",
        "the file exists already",
        where=str(path),
        hint="choose another name, or move it away",
    )


def _unwritable(path: Path, error: OSError) -> UsageError:
    return UsageError("unwritable_file", error.strerror or str(error), where=str(path))
