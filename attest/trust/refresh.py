"""Bringing the cache of an instance up to date: within a time, under a lock, never backwards."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from attest.errors import NetworkError, TrustError, UsageError
from attest.trust.known import Known, Places
from attest.trust.replay import Replayed
from attest.trust.store import Cache, Cached, Seen


@dataclass(frozen=True, kw_only=True, slots=True)
class Refreshed:
    """What a refresh brought; `unwritten` says why it could not be kept, if it could not."""

    cached: Cached
    unwritten: str | None = None


def refresh_within(known: Known, places: Places, *, seconds: float) -> Refreshed:
    """Refresh an instance, and give up after a time whatever holds it up.

    Args:
        known: an instance with a repository.
        places: where it is cached.
        seconds: how long it may take in all.

    Raises:
        NetworkError: `network_unreachable` and the other codes of `trust.update.fetch`.
        TrustError: the codes of `trust.update.fetch`, `trust_rollback`.
    """
    deadline = time.monotonic() + seconds
    outcome: list[Refreshed | BaseException] = []

    def run() -> None:
        try:
            outcome.append(refresh(known, places, deadline=deadline))
        except BaseException as error:  # noqa: BLE001 - raised again where somebody waits for it
            outcome.append(error)

    # On a thread of its own: neither looking up a name nor waiting for a lock has a time limit.
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    result = outcome[0] if outcome else None
    if result is None:
        raise NetworkError(
            "network_unreachable", f"takes longer than {seconds:g} s", where=known.url
        )
    if isinstance(result, BaseException):
        raise result
    return result


def refresh(known: Known, places: Places, *, deadline: float) -> Refreshed:
    """Fetch the current state of an instance, check it, and keep it.

    Args:
        known: an instance with a repository.
        places: where it is cached; where that cannot be written, nothing is kept.
        deadline: when to give up, on the clock of `time.monotonic`.

    Raises:
        NetworkError, TrustError: the codes of `trust.update.fetch`; `trust_rollback`.
        UsageError: `nothing_to_update`.
    """
    _repository(known)
    cache = places.cache_of(known.name)
    if cache is None:
        return _fetched(known, None, None, deadline, "no cache folder is known; set HOME")
    was = _seen(cache)
    try:
        with cache.lock():
            return _refresh_locked(known, cache, was, deadline)
    except UsageError as error:
        if error.code != "unwritable_file":
            raise
        seen, before = _kept(known, cache)
        return _fetched(known, before, seen, deadline, error.message)


def _repository(known: Known) -> tuple[str, bytes]:
    """Where an instance serves its metadata, and the TUF root to check it from."""
    if known.url is None or known.anchor is None:
        raise UsageError(
            "nothing_to_update",
            f"{known.name} was added as a file, which is not fetched",
            hint=f"remove it and add it again: attest trust remove {known.name}",
        )
    return known.url, known.anchor


def _refresh_locked(known: Known, cache: Cache, was: Seen | None, deadline: float) -> Refreshed:
    seen, before = _kept(known, cache)
    if before is not None and seen is not None and seen != was:
        return Refreshed(cached=Cached(replayed=before, seen=seen))  # by whom we waited for
    found = _fetched(known, before, seen, deadline, None)
    cache.save(found.cached.replayed, found.cached.seen)
    return found


def _kept(known: Known, cache: Cache) -> tuple[Seen | None, Replayed | None]:
    """The versions that may not be gone back on, and the cached state if it is sound."""
    seen = _seen(cache)
    try:
        cached = cache.load(_repository(known)[1])
    except TrustError:
        return seen, None
    return seen, None if cached is None else cached.replayed


def _seen(cache: Cache) -> Seen | None:
    try:
        return cache.seen()
    except TrustError:  # what cannot be read is made anew
        return None


def _fetched(
    known: Known,
    before: Replayed | None,
    seen: Seen | None,
    deadline: float,
    unwritten: str | None,
) -> Refreshed:
    from attest.trust.update import fetch

    url, anchor = _repository(known)
    replayed = fetch(url, anchor, before, deadline=deadline)
    if seen is not None:
        seen.check(replayed)
    checked = datetime.now(UTC).replace(microsecond=0)
    now = Seen(checked=checked, versions=replayed.versions, online_keys=replayed.online_keys)
    return Refreshed(cached=Cached(replayed=replayed, seen=now), unwritten=unwritten)
