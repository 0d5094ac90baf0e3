"""Asking signing services: again where that can do no harm, and not for ever.

What may be asked twice is said by whoever asks. A certificate request is not repeated once it may
have arrived; a timestamp or a log entry is, for a log knows what it has already.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from attest.connections import Connections, Reply, Request, Unreached
from attest.errors import NetworkError
from attest.signing.failures import redact, said

#: Answers after which the same question may be answered otherwise.
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
#: Those among them by which a service says that it did nothing.
_NOT_DONE = frozenset({429, 503})


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """How often a service is asked, how long to pause at first, and when to give up in all."""

    attempts: int = 4
    pause_seconds: float = 0.3
    total_seconds: float = 60.0


class Transport:
    """Asks services over kept connections; any number of threads may use one.

    Args:
        patience: how long to try.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        patience: Patience | None = None,
        *,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.patience = patience or Patience()
        self._sleep = sleep
        self._connections = Connections()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._connections.close()

    def ask(
        self,
        request: Request,
        *,
        service: str,
        repeatable: bool,
        passing: Iterable[int] = (),
    ) -> Reply:
        """Ask until there is an answer that stands, or patience ends.

        Args:
            request: what to ask.
            service: its name in errors.
            repeatable: whether asking twice does no more than asking once.
            passing: further statuses after which to ask again.

        Returns:
            The last answer, whatever its status.

        Raises:
            NetworkError: `network_unreachable`, `server_not_trusted`, `unexpected_answer`.
        """
        deadline = time.monotonic() + self.patience.total_seconds
        again = _PASSING | set(passing) if repeatable else _NOT_DONE
        attempt = 0
        while True:
            attempt += 1
            reply, failure = self._once(request, deadline)
            if reply is not None and reply.status not in again:
                return reply
            pause = self._pause(attempt, reply)
            last = attempt >= self.patience.attempts or time.monotonic() + pause >= deadline
            if failure is not None and (last or not _may_repeat(failure, repeatable=repeatable)):
                raise _told(failure, service, request.url, attempt)
            if reply is not None and last:
                return reply
            self._sleep(pause)

    def _once(self, request: Request, deadline: float) -> tuple[Reply | None, NetworkError | None]:
        try:
            return self._connections.ask(request, deadline=deadline), None
        except NetworkError as error:
            return None, error

    def _pause(self, attempt: int, reply: Reply | None) -> float:
        """Seconds until the next attempt: doubled each time and spread; as a service asks for."""
        longest = self.patience.pause_seconds * 2.0 ** (attempt - 1)
        spread = longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing
        return max(spread, 0.0 if reply is None else retry_after(reply))


def _may_repeat(failure: NetworkError, *, repeatable: bool) -> bool:
    # A server that is not trusted now is not trusted in a second.
    passing = failure.code in ("network_unreachable", "unexpected_answer")
    return passing and (repeatable or isinstance(failure, Unreached))


def retry_after(reply: Reply, *, now: datetime | None = None) -> float:
    """How many seconds a service asks to wait; 0 if it does not say so in a known form.

    Source: RFC 9110, section 10.2.3.
    """
    text = reply.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    try:
        time_given = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # the latter for numbers that no clock shows
        return 0.0
    if time_given.tzinfo is None:
        time_given = time_given.replace(tzinfo=UTC)
    return max(0.0, (time_given - (now or datetime.now(UTC))).total_seconds())


def _told(failure: NetworkError, service: str, url: str, attempts: int) -> NetworkError:
    tries = f" ({attempts} attempts)" if attempts > 1 else ""
    return NetworkError(
        failure.code,
        f"{service}{_place(url)}: {failure.message}{tries}",
        hint=failure.hint
        or "check the network and the instance's addresses, then sign again; nothing was written",
    )


def _place(url: str) -> str:
    try:
        return f" at {urlsplit(url).netloc.rpartition('@')[2]}"
    except ValueError:
        return ""


def refusal(reply: Reply, secrets: Iterable[str] = ()) -> str:
    """What a service said in an answer that is no success: its status and its own words."""
    text = f"HTTP {reply.status}: {redact(said(reply.body), secrets)}"
    wait = retry_after(reply)
    return f"{text} (it asks to wait {wait:.0f} seconds)" if wait else text
