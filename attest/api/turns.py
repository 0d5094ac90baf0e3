"""Threads that mean the same file go one after another."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """Lets threads that mean the same file go one after another."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}

    @contextmanager
    def of(self, place: str) -> Iterator[None]:
        """Hold a place."""
        with self._lock:
            lock = self._locks.setdefault(os.path.realpath(place), threading.Lock())
        with lock:
            yield
