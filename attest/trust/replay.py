"""Signed TUF metadata checked from an anchor down to the files it vouches for; never the network.

The checks of signatures, thresholds, lengths and digests are those of `tuf`. What is here is their
order, and that an expired role is told and not refused: how old is too old, the age limits say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from attest.errors import TrustError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp

    _Role = TypeVar("_Role", Root, Snapshot, Targets, Timestamp)

#: The bytes kept under a name, or None; names are those of a repository with consistent snapshots.
Reader: TypeAlias = Callable[[str], bytes | None]

TRUSTED_ROOT = "trusted_root.json"
SIGNING_CONFIG = "signing_config.v0.2.json"
#: The public instances name their v2 logs apart, for old clients would choose them unasked.
SIGNING_CONFIG_V2 = "signing_config_rekor_v2.v0.2.json"
#: Every target that is used here; all but the first may be missing.
TARGETS = (TRUSTED_ROOT, SIGNING_CONFIG, SIGNING_CONFIG_V2)
TIMESTAMP = "timestamp.json"
_CODE = "trust_metadata_invalid"


@dataclass(frozen=True, kw_only=True, slots=True)
class Versions:
    """The version of each role, none of which may ever go back."""

    root: int
    timestamp: int
    snapshot: int
    targets: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Replayed:
    """What signed metadata vouches for.

    `files` are its targets by name, `kept` all that was read by the name it has in a cache.
    `online_keys` are the key ids that sign timestamp and snapshot; with other keys these two
    may begin again at a lower version. `expires` is the earliest time at which a role expires.
    """

    versions: Versions
    online_keys: tuple[str, ...]
    expires: datetime
    files: Mapping[str, bytes]
    kept: Mapping[str, bytes]


def replay(anchor: bytes, read: Reader) -> Replayed:
    """Check metadata from the anchor down.

    Args:
        anchor: a TUF root that is trusted already.
        read: gives `N.root.json`, `timestamp.json`, `N.snapshot.json`, `N.targets.json` and
            `DIGEST.NAME` of each target.

    Raises:
        TrustError: `trust_metadata_invalid`.

    Source: TUF specification 1.0, sections 5.3 to 5.7, less the checks of expiry.
    """
    kept: dict[str, bytes] = {}

    def take(name: str) -> bytes:
        data = read(name)
        if data is None:
            raise TrustError(_CODE, "is missing", where=name)
        kept[name] = data
        return data

    root = _roots(anchor, read, kept)
    timestamp = _timestamp(take(TIMESTAMP), root)
    meta = timestamp.snapshot_meta
    snapshot = _snapshot(take(f"{meta.version}.snapshot.json"), root, timestamp)
    with _told("snapshot"):
        version = snapshot.meta["targets.json"].version
    targets = _targets(take(f"{version}.targets.json"), root, snapshot)
    roles = root.roles
    return Replayed(
        versions=Versions(
            root=root.version,
            timestamp=timestamp.version,
            snapshot=snapshot.version,
            targets=targets.version,
        ),
        online_keys=(*sorted(roles["timestamp"].keyids), *sorted(roles["snapshot"].keyids)),
        expires=min(item.expires for item in (root, timestamp, snapshot, targets)),
        files=_files(targets, take),
        kept=kept,
    )


def check_anchor(data: bytes, *, where: str) -> int:
    """Check that a TUF root is one and signs itself.

    Args:
        data: the bytes of a `root.json`.
        where: its name for errors.

    Returns:
        Its version.

    Raises:
        TrustError: `trust_metadata_invalid`.
    """
    return _anchor(data, where).version


def _anchor(data: bytes, where: str) -> Root:
    from tuf.api.metadata import Metadata, Root

    with _told(where):
        new = Metadata[Root].from_bytes(data)
        _is(new, "root")
        new.signed.verify_delegate("root", new.signed_bytes, new.signatures)
    return new.signed


def _roots(anchor: bytes, read: Reader, kept: dict[str, bytes]) -> Root:
    """The newest root that a chain of signatures leads to (5.3)."""
    from tuf.api.metadata import Metadata, Root

    root = _anchor(anchor, "the first TUF root")
    while True:
        name = f"{root.version + 1}.root.json"
        data = read(name)
        if data is None:
            return root
        with _told(name):
            new = Metadata[Root].from_bytes(data)
            _is(new, "root")
            for judge in (root, new.signed):  # signed by the keys before it and by its own
                judge.verify_delegate("root", new.signed_bytes, new.signatures)
            _version(new, root.version + 1)
        kept[name] = data
        root = new.signed


def _timestamp(data: bytes, root: Root) -> Timestamp:
    from tuf.api.metadata import Metadata, Timestamp

    with _told(TIMESTAMP):
        new = Metadata[Timestamp].from_bytes(data)
        _is(new, "timestamp")
        root.verify_delegate("timestamp", new.signed_bytes, new.signatures)
    return new.signed


def _snapshot(data: bytes, root: Root, timestamp: Timestamp) -> Snapshot:
    from tuf.api.metadata import Metadata, Snapshot

    with _told("snapshot.json"):
        timestamp.snapshot_meta.verify_length_and_hashes(data)
        new = Metadata[Snapshot].from_bytes(data)
        _is(new, "snapshot")
        root.verify_delegate("snapshot", new.signed_bytes, new.signatures)
        _version(new, timestamp.snapshot_meta.version)
    return new.signed


def _targets(data: bytes, root: Root, snapshot: Snapshot) -> Targets:
    from tuf.api.metadata import Metadata, Targets

    with _told("targets.json"):
        meta = snapshot.meta["targets.json"]
        meta.verify_length_and_hashes(data)
        new = Metadata[Targets].from_bytes(data)
        _is(new, "targets")
        root.verify_delegate("targets", new.signed_bytes, new.signatures)
        _version(new, meta.version)
    return new.signed


def _files(targets: Targets, take: Callable[[str], bytes]) -> dict[str, bytes]:
    """The targets that are used here, each as the metadata describes it (5.7)."""
    files: dict[str, bytes] = {}
    for name in TARGETS:
        described = targets.targets.get(name)
        if described is None:
            continue
        with _told(name):
            # Of several digests the one that every client names the file by.
            data = take(f"{min(described.hashes.items())[1]}.{name}")
            described.verify_length_and_hashes(data)
        files[name] = data
    if TRUSTED_ROOT not in files:
        raise TrustError(_CODE, f"has no target {TRUSTED_ROOT}", where="targets.json")
    return files


def _is(new: Metadata[_Role], role: str) -> None:
    if new.signed.type != role:
        raise TrustError(_CODE, f"is of type {new.signed.type}", where=f"{role}.json")


def _version(new: Metadata[_Role], expected: int) -> None:
    if new.signed.version != expected:
        raise TrustError(
            _CODE,
            f"has version {new.signed.version} where {expected} is expected",
            where=f"{new.signed.type}.json",
        )


@contextmanager
def _told(where: str) -> Iterator[None]:
    """Tell of what `tuf` refuses, in one line."""
    from tuf.api.exceptions import RepositoryError

    try:
        yield
    except RepositoryError as error:
        raise TrustError(_CODE, str(error) or type(error).__name__, where=where) from None
    except KeyError as error:
        raise TrustError(_CODE, f"says nothing of {error}", where=where) from None


def is_expired(replayed: Replayed, now: datetime) -> bool:
    """Whether a role has expired at a time (UTC)."""
    return now >= replayed.expires.astimezone(UTC)
