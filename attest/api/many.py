"""Many tasks on several processes: results in the order of the tasks, in bounded memory."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Generic, Literal, Self, TypeAlias, TypeVar

from attest.errors import UsageError

if TYPE_CHECKING:  # not every platform has both
    from multiprocessing.context import ForkContext, SpawnContext

Task = TypeVar("Task")
Result = TypeVar("Result")

#: How a process begins: as a copy of ours, or anew.
Method: TypeAlias = Literal["fork", "spawn"]

#: Windows waits for 63 things at once at the most.
MOST_JOBS = 60
#: Results that may wait for a slower one before them, for each process: more would take memory,
#: fewer would let processes idle.
_AHEAD = 8
#: What a terminal, or whoever ends the program, also sends to the processes it started.
_ENDING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


def cores() -> int:
    """How many processes can run at once, as far as this one may use the machine."""
    usable: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)
    return min(len(usable(0)) if usable else os.cpu_count() or 1, MOST_JOBS)


def in_order(
    work: Callable[[Task], Result],
    tasks: Iterable[Task],
    *,
    jobs: int,
    lost: Callable[[Task, str], Result],
    method: Method | None = None,
) -> Generator[Result, None, None]:
    """Do every task, and yield the results in the order of the tasks, each as soon as it can be.

    A task is asked for only when a process is free for it. Closing the generator ends all
    processes at once, whatever they are doing.

    Args:
        work: what is done; it, tasks and results reach other processes by pickling.
        tasks: taken one by one.
        jobs: processes to use, 1 to `MOST_JOBS`; with 1 the work is done in this one.
        lost: makes the result of a task whose process ended under it, and is told how it ended.
        method: how processes begin; what suits this platform, if not given.

    Raises:
        UsageError: `no_process`.
        Exception: whatever `work` raises with one job; in another process it ends that process.
    """
    if jobs == 1:
        yield from map(work, tasks)
        return
    numbered = enumerate(tasks)
    results: dict[int, Result] = {}
    given, shown, more = 0, 0, True
    with _Team(work, jobs, method or _usual_method()) as team:
        while True:
            while more and given < shown + _AHEAD * jobs and (worker := team.free()):
                numbered_task = next(numbered, None)
                if numbered_task is None:
                    more = False
                else:
                    given += 1
                    worker.give(numbered_task)
            if shown in results:
                yield results.pop(shown)
                shown += 1
            elif shown == given:
                return
            else:
                for worker in team.heard():
                    number, task, answer = worker.take()
                    results[number] = answer[0] if answer else lost(task, team.dismiss(worker))


class _Worker(Generic[Task, Result]):
    """One process, and the task that it was given last."""

    def __init__(
        self, work: Callable[[Task], Result], method: Method, foreign: Iterable[Connection]
    ) -> None:
        context: ForkContext | SpawnContext
        if method == "fork":
            context = multiprocessing.get_context("fork")
        else:
            context = multiprocessing.get_context("spawn")
        # Pipes of one direction: those of two are sockets on some platforms.
        theirs, self._tasks = context.Pipe(duplex=False)
        self.answers, answers = context.Pipe(duplex=False)
        # A copy of this process has open what is open here, and while it has, nobody sees that
        # such a pipe has ended. One that begins anew has only what it is given.
        ours = (*foreign, *self.ends) if method == "fork" else ()
        self._process = context.Process(
            target=_serve, args=(work, theirs, answers, ours), daemon=True
        )
        self._task: tuple[int, Task] | None = None
        try:
            with _held_signals():
                self._process.start()
        finally:
            theirs.close()
            answers.close()

    @property
    def ends(self) -> tuple[Connection, Connection]:
        """Our ends of its pipes."""
        return self._tasks, self.answers

    @property
    def idle(self) -> bool:
        """Whether it waits for a task."""
        return self._task is None

    def give(self, task: tuple[int, Task]) -> None:
        """Have it do a numbered task."""
        self._task = task
        with suppress(OSError):  # it has ended, which `take` will find
            self._tasks.send(task[1])

    def take(self) -> tuple[int, Task, tuple[Result] | None]:
        """The number and task that it was given, and the result; None if it ended without one."""
        if self._task is None:
            raise RuntimeError("no task was given")
        (number, task), self._task = self._task, None
        try:
            result: Result = self.answers.recv()
        except (EOFError, OSError):
            return number, task, None
        return number, task, (result,)

    def end(self, patience: float = 0) -> str:
        """End it; says how it ended, be it by itself within so many seconds or now."""
        self._process.join(patience)
        self._process.kill()  # it only reads: nothing is left half-done
        self._process.join()
        code = self._process.exitcode or 0
        for connection in self.ends:
            connection.close()
        self._process.close()
        return f"ended by signal {-code}" if code < 0 else f"ended with exit code {code}"


class _Team(Generic[Task, Result]):
    """The processes: begun when there is work for them, ended when the block ends."""

    def __init__(self, work: Callable[[Task], Result], jobs: int, method: Method) -> None:
        self._work = work
        self._jobs = jobs
        self._method = method
        self._workers: list[_Worker[Task, Result]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.end()

    def free(self) -> _Worker[Task, Result] | None:
        """A process that waits for a task, a new one if there may be more; None if all work."""
        for worker in self._workers:
            if worker.idle:
                return worker
        if len(self._workers) == self._jobs:
            return None
        foreign = [end for worker in self._workers for end in worker.ends]
        try:
            worker = _Worker(self._work, self._method, foreign)
        except OSError as error:
            raise UsageError(
                "no_process", f"no process can be started: {error.strerror}", hint="use --jobs 1"
            ) from None
        self._workers.append(worker)
        return worker

    def heard(self) -> list[_Worker[Task, Result]]:
        """Wait until some processes have answered or ended; those."""
        busy = [worker for worker in self._workers if not worker.idle]
        ready = wait([worker.answers for worker in busy])
        return [worker for worker in busy if worker.answers in ready]

    def dismiss(self, worker: _Worker[Task, Result]) -> str:
        """Do without a process that ended; says how it ended."""
        self._workers.remove(worker)
        return worker.end(patience=5)


def _serve(
    work: Callable[[Task], Result],
    tasks: Connection,
    answers: Connection,
    foreign: Iterable[Connection],
) -> None:
    """What a process does until it is ended, or whoever gives it tasks has gone."""
    # Whoever began this process hears the same signals and ends it; by itself it would tell the
    # terminal so once more.
    for number in _ENDING:
        signal.signal(number, signal.SIG_DFL if number == signal.SIGTERM else signal.SIG_IGN)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
    for connection in foreign:
        connection.close()
    # As the program does, which one that begins anew has not run: libraries warn of odd
    # certificates, and looking for rubbish costs more than there is of it.
    warnings.simplefilter("ignore")
    gc.set_threshold(100_000)
    while True:
        try:
            task: Task = tasks.recv()
        except (EOFError, OSError):
            return
        result = work(task)
        try:
            answers.send(result)
        except OSError:
            return


@contextmanager
def _held_signals() -> Iterator[None]:
    """Hold back what would end a process that has just begun, until it says what it does then."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _usual_method() -> Method:
    # A copy is made in milliseconds, where the system's own libraries allow it; threads are not
    # copied, and what they hold would stay locked.
    if sys.platform == "linux" and threading.active_count() == 1:
        return "fork"
    return "spawn"
