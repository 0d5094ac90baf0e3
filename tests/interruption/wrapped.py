"""Stops an operation at each of the project's own file-system calls, without a tracer.

`python -m tests.interruption.wrapped NAME FOLDER` makes FOLDER/1, FOLDER/2, …: what a process
that ended at the first, the second, … call left behind. Prints the calls, in order.
"""

# ruff: noqa: T201 - it prints by contract

from __future__ import annotations

import builtins
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path

from tests.interruption.operations import OPERATIONS, prepare, warm_up

#: By name in `os`, which is where the project and `pathlib` look them up.
CALLS = ("open", "write", "fsync", "replace", "rename", "link", "unlink", "mkdir", "rmdir",
         "fchmod", "chmod", "ftruncate")  # fmt: skip
ENDED = 9
_real_open = builtins.open


class _Counter:
    def __init__(self, stop_at: int, report: int) -> None:
        self._left = stop_at
        self._report = report

    def pass_by(self, name: str) -> None:
        self._left -= 1
        if self._left == 0:
            _write(self._report, name.encode())
            os._exit(ENDED)  # no handler runs and no buffer is flushed, as by a kill


_write = os.write


class _Raw(io.FileIO):
    """A raw file whose writes count."""

    counter: _Counter

    def write(self, data: object, /) -> int:
        self.counter.pass_by("write")
        return super().write(data)  # type: ignore[arg-type]  # whatever the buffer hands down


def _wrap(counter: _Counter) -> None:
    for name in CALLS:
        if hasattr(os, name):
            setattr(os, name, _counted(name, getattr(os, name), counter))
    _Raw.counter = counter

    def opened(file: object, mode: str = "r", *more: object, **named: object) -> object:
        if isinstance(file, int) and mode in ("wb", "w+b"):
            raw = _Raw(file, mode)
            if 0 in (*more, *named.values()):  # unbuffered
                return raw
            return io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        return _real_open(file, mode, *more, **named)  # type: ignore[call-overload]  # as given

    builtins.open = opened  # type: ignore[assignment]  # only here, only to count


def _counted(name: str, real: Callable[..., object], counter: _Counter) -> Callable[..., object]:
    def call(*arguments: object, **named: object) -> object:
        counter.pass_by(name)
        return real(*arguments, **named)

    return call


def main(name: str, folder: Path) -> None:
    """Stop at the first call, at the second, … until the operation gets through."""
    warm_up(name, folder / "warm")
    stop_at = 0
    while True:
        stop_at += 1
        place = folder / str(stop_at)
        prepare(name, place)
        readable, report = os.pipe()
        child = os.fork()
        if child == 0:
            _wrap(_Counter(stop_at, report))
            OPERATIONS[name].run(place)
            os._exit(0)
        os.close(report)
        with _real_open(readable, "rb") as pipe:
            call = pipe.read().decode()
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status == 0:
            return
        if status != ENDED:
            raise RuntimeError(f"the operation failed at call {stop_at}")
        print(call)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
