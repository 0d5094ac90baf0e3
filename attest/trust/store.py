"""The cache of an instance's signed metadata: kept whole, checked anew every time it is read.

Files have the names of a repository with consistent snapshots, so that all but `timestamp.json`
never change: replacing that one is the moment at which readers see the new state, and none of
them ever needs a lock. `seen.json` holds the highest versions seen and when they were last current.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from attest.atomic import locked, replace_file
from attest.errors import MalformedEvidence, TrustError, UsageError
from attest.files import read_file
from attest.strictjson import Members, loads
from attest.trust.replay import TIMESTAMP, Replayed, Versions, check_anchor, replay

SEEN = "seen.json"
#: As much as `tuf` takes of the largest role; a trusted root has a hundredth of it.
_LARGEST = 5_000_000
_OUTDATED_SECONDS = 86_400
_CORRUPT = "trust_cache_corrupt"


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """The highest versions seen of an instance, and when (UTC) a server last showed them."""

    checked: datetime
    versions: Versions
    online_keys: tuple[str, ...]

    def check(self, replayed: Replayed) -> None:
        """Refuse what is older than what was seen.

        Raises:
            TrustError: `trust_rollback`.

        Source: TUF specification 1.0, sections 5.3.5, 5.3.11, 5.4.3, 5.5.5, 5.6.
        """
        found, highest = replayed.versions, self.versions
        pairs = [("root", found.root, highest.root)]
        if replayed.online_keys == self.online_keys:
            # After a change of the keys that sign these, they may begin again.
            pairs += [
                ("timestamp", found.timestamp, highest.timestamp),
                ("snapshot", found.snapshot, highest.snapshot),
                ("targets", found.targets, highest.targets),
            ]
        for role, version, least in pairs:
            if version < least:
                raise TrustError(
                    "trust_rollback",
                    f"{role} went back to version {version} after {least} had been seen",
                    where=f"{role}.json",
                    hint="somebody serves or keeps old metadata: ask whoever runs the instance",
                )


@dataclass(frozen=True, kw_only=True, slots=True)
class Cached:
    """What the cache holds of an instance, checked from its anchor."""

    replayed: Replayed
    seen: Seen


@dataclass(frozen=True, kw_only=True, slots=True)
class Cache:
    """The cache of one instance, in a folder of its own that need not exist."""

    folder: Path

    def load(self, anchor: bytes) -> Cached | None:
        """What is kept, checked from the anchor; None if nothing is, or only what is outdated.

        Args:
            anchor: the TUF root that is trusted whatever the cache holds; a cache whose newest
                root is below it has been superseded.

        Raises:
            TrustError: `trust_cache_corrupt`, `trust_rollback`.
        """
        seen = self.seen()
        if seen is None or seen.versions.root < check_anchor(anchor, where="TUF root"):
            return None
        try:
            replayed = replay(anchor, self._read)
        except TrustError as error:
            raise self._corrupt(f"{error.message} ({error.where})") from None
        seen.check(replayed)
        return Cached(replayed=replayed, seen=seen)

    def seen(self) -> Seen | None:
        """The highest versions seen; None if nothing was ever kept.

        Raises:
            TrustError: `trust_cache_corrupt`.
        """
        data = self._read(SEEN)
        if data is None:
            return None
        try:
            return _parse_seen(data)
        except (MalformedEvidence, ValueError) as error:
            raise self._corrupt(f"{SEEN}: {error}") from None

    def save(self, replayed: Replayed, seen: Seen) -> None:
        """Keep what was checked; the caller holds the lock.

        Raises:
            UsageError: `unwritable_file`.
        """
        for name, data in replayed.kept.items():
            if name != TIMESTAMP and not self._holds(name, data):
                self._write(name, data)
        self._write(TIMESTAMP, replayed.kept[TIMESTAMP])
        self._write(SEEN, _seen_bytes(seen))
        self._forget_outdated(replayed.kept)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the cache of this instance against other processes that would write it.

        Raises:
            UsageError: `unwritable_file` where nothing can be written.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                "unwritable_file", error.strerror or str(error), where=str(self.folder)
            ) from None
        with locked(self.folder / "cache"):
            yield

    def remove(self) -> None:
        """Forget everything that is kept of the instance."""
        import shutil

        shutil.rmtree(self.folder, ignore_errors=True)

    def _forget_outdated(self, kept: Mapping[str, bytes]) -> None:
        """Remove what nothing points to any more, except roots.

        Not at once: a reader that began before the change may still be on its way to it.
        """
        before = time.time() - _OUTDATED_SECONDS
        for path in self.folder.glob("*.json"):
            if path.name in kept or path.name == SEEN or path.name.endswith(".root.json"):
                continue
            with contextlib.suppress(OSError):  # rubbish that stays harms nobody
                if path.stat().st_mtime < before:
                    path.unlink()

    def _holds(self, name: str, data: bytes) -> bool:
        try:
            return self._read(name) == data
        except TrustError:  # what cannot be read is replaced
            return False

    def _read(self, name: str) -> bytes | None:
        try:
            data = read_file(self.folder / name, limit=_LARGEST)
        except UsageError as error:
            if error.code == "file_not_found":
                return None
            raise self._corrupt(f"{name}: {error.message}") from None
        if len(data) > _LARGEST:
            raise self._corrupt(f"{name} is larger than {_LARGEST} bytes")
        return data

    def _write(self, name: str, data: bytes) -> None:
        def write(file: BinaryIO) -> None:
            file.write(data)

        replace_file(self.folder / name, write)

    def _corrupt(self, what: str) -> TrustError:
        return TrustError(
            _CORRUPT,
            f"the cached trust material cannot be used: {what}",
            where=str(self.folder),
            hint=f"with a network, `attest trust update {self.folder.name}` makes it anew",
        )


def _seen_bytes(seen: Seen) -> bytes:
    versions = seen.versions
    document = {
        "checked": f"{seen.checked.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "versions": {
            "root": versions.root,
            "timestamp": versions.timestamp,
            "snapshot": versions.snapshot,
            "targets": versions.targets,
        },
        "onlineKeys": list(seen.online_keys),
    }
    return (json.dumps(document, indent=2) + "\n").encode()


def _parse_seen(data: bytes) -> Seen:
    members = Members(loads(data, where=SEEN), where=SEEN, code=_CORRUPT)
    versions = members.members("versions")
    keys = members.array("onlineKeys")
    seen = Seen(
        checked=datetime.strptime(members.string("checked"), "%Y-%m-%dT%H:%M:%SZ").replace(
            tzinfo=UTC
        ),
        versions=Versions(
            root=versions.int64("root"),
            timestamp=versions.int64("timestamp"),
            snapshot=versions.int64("snapshot"),
            targets=versions.int64("targets"),
        ),
        online_keys=tuple(str(key) for key in keys),
    )
    versions.no_others()
    members.no_others()
    return seen
