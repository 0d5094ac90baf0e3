"""Tasks on several processes: order, bounds, and that nothing is lost or left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from attest.api.many import MOST_JOBS, Method, cores, in_order

METHODS: list[Method] = ["spawn"] if sys.platform == "win32" else ["fork", "spawn"]

# Tests run beside threads of their runner, which newer versions of Python warn of; none of them
# is needed in the copies.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


def square(number: int) -> int:
    time.sleep(0.02 * (number % 3 == 0))
    return number * number


def process_id(_: object) -> int:
    return os.getpid()


def fail_on_some(number: int) -> str:
    if number == 3:
        os._exit(7)
    if number == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return str(number)


def wait_for(path: Path) -> str:
    deadline = time.monotonic() + 30
    while path.name == "first" and not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return path.name


def sleep(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def many_bytes(size: int) -> bytes:
    return bytes(size)


def lost(task: object, how: str) -> str:
    return f"{task} {how}"


def refuse(task: object, how: str) -> int:
    raise AssertionError(f"{task} {how}")


@pytest.mark.parametrize("method", METHODS)
def test_results_come_in_the_order_of_the_tasks(method: Method) -> None:
    results = in_order(square, range(30), jobs=3, lost=refuse, method=method)
    assert list(results) == [number * number for number in range(30)]
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("method", METHODS)
def test_other_processes_do_the_work(method: Method) -> None:
    seen = set(in_order(process_id, range(20), jobs=2, lost=refuse, method=method))
    assert os.getpid() not in seen
    assert len(seen) <= 2


def test_one_job_needs_no_other_process() -> None:
    assert set(in_order(process_id, range(3), jobs=1, lost=refuse)) == {os.getpid()}


def test_no_task_needs_no_process() -> None:
    empty: list[int] = []
    assert list(in_order(square, empty, jobs=4, lost=refuse)) == []


@pytest.mark.parametrize("method", METHODS)
def test_a_process_that_dies_is_told_of_and_the_others_go_on(method: Method) -> None:
    results = in_order(fail_on_some, range(8), jobs=2, lost=lost, method=method)
    ended = ["3 ended with exit code 7", "4 ended by signal 9"]
    assert list(results) == ["0", "1", "2", *ended, "5", "6", "7"]


def test_results_larger_than_a_pipe_holds() -> None:
    results = in_order(many_bytes, [1_000_000] * 8, jobs=2, lost=lambda *_: b"")
    assert [len(item) for item in results] == [1_000_000] * 8


@pytest.mark.parametrize("jobs", [2, 3])
def test_a_slow_task_lets_the_others_run_ahead_only_so_far(tmp_path: Path, jobs: int) -> None:
    taken = 0

    def tasks() -> Iterator[Path]:
        nonlocal taken
        for number in range(200):
            taken += 1
            if taken == 8 * jobs:  # as far ahead as they may be: the first may end
                (tmp_path / "first").touch()
            yield tmp_path / (str(number) if number else "first")

    results = in_order(wait_for, tasks(), jobs=jobs, lost=lost)
    with closing(results):
        assert next(results) == "first"
        assert taken == 8 * jobs
        assert next(results) == "1"


def test_a_task_is_asked_for_when_a_process_is_free() -> None:
    taken: list[float] = []

    def tasks() -> Iterator[float]:
        for number in range(50):
            taken.append(number)
            yield 60 if number else 0

    with closing(in_order(sleep, tasks(), jobs=2, lost=refuse)) as results:
        assert taken == []
        next(results)
    assert len(taken) <= 3


@pytest.mark.parametrize("method", METHODS)
def test_closing_ends_what_is_running(method: Method) -> None:
    results = in_order(sleep, [0, 60, 60, 60], jobs=3, lost=refuse, method=method)
    begin = time.monotonic()
    with closing(results):
        next(results)
        assert multiprocessing.active_children() != []
    assert multiprocessing.active_children() == []
    assert time.monotonic() - begin < 30


_PARENT = """
import os, sys, time
from attest.api.many import in_order

def work(task):
    os.write(1, b"%d\\n" % os.getpid())  # in one piece
    time.sleep(task)

for _ in in_order(work, [0.5] * 1000, jobs=3, lost=print, method="fork"):
    pass
"""


@pytest.mark.skipif(sys.platform == "win32", reason="nothing is forked on Windows")
@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM"])
def test_no_process_outlives_the_one_that_began_it(name: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        workers = {int(parent.stdout.readline()) for _ in range(3)}
        parent.send_signal(getattr(signal, name))
        # Each of them has the pipes open: they end when the last of them has gone.
        parent.communicate(timeout=30)
    assert parent.returncode == -getattr(signal, name)
    assert len(workers) == 3


def test_the_cores_that_may_be_used() -> None:
    assert 1 <= cores() <= MOST_JOBS
