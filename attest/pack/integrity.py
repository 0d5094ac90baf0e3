"""Every artifact of a pack read and judged: large ones on all cores, small ones in turn."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from attest.pack.archive import SMALL
from attest.pack.manifest_model import EmbeddedArtifact

#: Told bytes done and bytes in all, in the caller's thread.
Progress: TypeAlias = Callable[[int, int], None]

#: Given an artifact and its bytes; reads them all before it returns.
Keep: TypeAlias = Callable[[EmbeddedArtifact, Iterator[bytes]], None]

#: Below this the interpreter's lock costs more than a second core gives.
LARGE = SMALL
#: Each holds a few pieces of 256 KiB, so that this bounds the memory.
MOST_WORKERS = 8


def check_artifacts(
    artifacts: Sequence[EmbeddedArtifact],
    pieces: Callable[[EmbeddedArtifact], Iterator[bytes]],
    *,
    progress: Progress | None = None,
    workers: int | None = None,
) -> None:
    """Read all artifacts to their ends; of several bad ones the first in order is reported.

    Args:
        artifacts: in the order of the manifest.
        pieces: reads one and raises if it is bad; called in several threads at once.
        progress: told in the caller's thread how far it has come.
        workers: threads for the large ones, the caller's included; one per core if not given.

    Raises:
        AttestError: what `pieces` raised for the first bad artifact.
    """
    _Run(artifacts, pieces, progress).check(min(workers or _cores(), MOST_WORKERS))


def keep_artifacts(
    artifacts: Sequence[EmbeddedArtifact],
    pieces: Callable[[EmbeddedArtifact], Iterator[bytes]],
    keep: Keep,
    *,
    progress: Progress | None = None,
) -> None:
    """Read all artifacts in order, in the caller's thread, and give their bytes away meanwhile.

    Args:
        artifacts: in the order of the manifest.
        pieces: reads one and raises, at its end, if it is bad.
        keep: gets each artifact and its bytes, which are judged only at their end.
        progress: told how far it has come.

    Raises:
        AttestError: what `pieces` or `keep` raised.
    """
    total, done = sum(item.size for item in artifacts), 0

    def counted(artifact: EmbeddedArtifact) -> Iterator[bytes]:
        nonlocal done
        for piece in pieces(artifact):
            yield piece
            done += len(piece)
            if progress is not None:
                progress(done, total)

    for artifact in artifacts:
        content = counted(artifact)
        keep(artifact, content)
        for _ in content:  # judged only at its end, whatever `keep` left unread
            pass


class _Run:
    """One pass over the artifacts, shared by its threads."""

    def __init__(
        self,
        artifacts: Sequence[EmbeddedArtifact],
        pieces: Callable[[EmbeddedArtifact], Iterator[bytes]],
        progress: Progress | None,
    ) -> None:
        self._artifacts = artifacts
        self._pieces = pieces
        self._progress = progress
        self._total = sum(item.size for item in artifacts)
        self._done = 0
        self._lock = threading.Lock()
        self._errors: dict[int, Exception] = {}
        #: Nothing from here on needs to be read: it cannot be the first bad one.
        self._end = len(artifacts)

    def check(self, workers: int) -> None:
        large = self._check_small()
        todo = iter(large)  # taken in order, so that none before a bad one is left unread
        threads = [
            threading.Thread(target=self._work, args=(todo,), daemon=True)
            for _ in range(min(workers, len(large)) - 1)
        ]
        started: list[threading.Thread] = []
        try:
            for thread in threads:
                thread.start()
                started.append(thread)
            self._work(todo, tell=True)
            for thread in started:
                while thread.is_alive():
                    thread.join(0.1)
                    self._tell()
        except BaseException:
            self._end = 0  # interrupted: the others stop after the piece they have
            raise
        finally:
            for thread in started:
                thread.join()
        if self._errors:
            raise self._errors[min(self._errors)]
        self._tell()

    def _check_small(self) -> list[int]:
        """Read the small ones before any thread is there; gives the places of the others."""
        large: list[int] = []
        for index, artifact in enumerate(self._artifacts):
            if artifact.size > LARGE:
                large.append(index)
                continue
            try:
                for piece in self._pieces(artifact):
                    self._done += len(piece)
            except Exception as error:  # noqa: BLE001 - raised below, unless a large one comes first
                self._errors[index] = error
                self._end = index
                break
            self._tell()
        return large

    def _work(self, todo: Iterator[int], *, tell: bool = False) -> None:
        while True:
            with self._lock:
                index = next(todo, self._end)
            if index >= self._end:
                return
            self._judge(index, tell=tell)

    def _judge(self, index: int, *, tell: bool) -> None:
        try:
            self._read(index, tell=tell)
        except Exception as error:  # noqa: BLE001 - raised in the caller's thread, by order
            with self._lock:
                self._errors[index] = error
                self._end = min(self._end, index)

    def _read(self, index: int, *, tell: bool) -> None:
        for piece in self._pieces(self._artifacts[index]):
            if index >= self._end:
                return
            with self._lock:
                self._done += len(piece)
            if tell:
                self._tell()

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(self._done, self._total)


def _cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
