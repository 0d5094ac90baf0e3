"""Many targets signed at once: threads wait for services, answers come in the targets' order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from threading import Event

from attest.api.sign import Options, Session
from attest.api.signed import Signed
from attest.errors import SigningError

#: Services answer side by side, and public ones count requests: more is not faster there.
THREADS = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of one target: signed, or the error that it ended in."""

    target: str
    signed: Signed | None = None
    error: Exception | None = None


def sign_each(
    session: Session,
    targets: Sequence[str | os.PathLike[str]],
    *,
    options: Options,
    threads: int = THREADS,
    stop: Event | None = None,
) -> Generator[Outcome, None, None]:
    """Sign targets at the same time; that some fail costs no other its signature.

    Certificates are renewed as the session can. Where it cannot, what was begun is finished, and
    every target after that ends in the same error: nothing of it is begun.

    Args:
        session: signs.
        targets: packs and files; each is signed alone.
        options: how.
        threads: how many are signed at the same time.
        stop: once it is set nothing else is begun; what was not ends in `interrupted`.

    Returns:
        What became of each, in order, each as soon as it is known.
    """
    from concurrent.futures import Future, ThreadPoolExecutor

    def one(target: str | os.PathLike[str]) -> Outcome:
        name = os.fspath(target)
        if stop is not None and stop.is_set():
            return Outcome(target=name, error=_interrupted())
        try:
            return Outcome(target=name, signed=session.sign(target, options=options))
        except Exception as error:  # noqa: BLE001 - whoever asked for many judges each
            return Outcome(target=name, error=error)

    with ThreadPoolExecutor(max_workers=threads) as pool:
        waiting: deque[Future[Outcome]] = deque()
        try:
            for target in targets:
                waiting.append(pool.submit(one, target))
                if len(waiting) >= 4 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _interrupted() -> SigningError:
    return SigningError(
        "interrupted",
        "the run was told to end, and what it had not begun is not signed",
        hint="the same command with --resume signs the rest",
    )
