"""Registering private instances, fetching what instances trust, and taking a root elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from attest.atomic import create_file, replace_file
from attest.errors import NetworkError, TrustError, UsageError
from attest.files import read_file
from attest.trust.instance import InstanceProfile, sandbox_root
from attest.trust.known import Known, Places, known_of
from attest.trust.load import LoadedRoot
from attest.trust.refresh import Refreshed, refresh_within
from attest.trust.registry import Registered, Registry, check_name
from attest.trust.replay import TRUSTED_ROOT, check_anchor
from attest.trust.root import TrustRoot

#: What may be spent on fetching where that is all that was asked for.
UPDATE_SECONDS = 60.0
_LARGEST = 4 * 1_048_576


@dataclass(frozen=True, kw_only=True, slots=True)
class Updated:
    """What an instance trusts by its newest metadata, which expires at a time in UTC."""

    root: TrustRoot
    root_version: int
    expires: datetime


def update(known: Known, *, places: Places) -> Updated:
    """Fetch what an instance trusts, check it, and keep it in the cache.

    Args:
        known: an instance with a TUF repository.
        places: where it is cached.

    Raises:
        NetworkError: `network_unreachable`, `server_not_trusted`, `unexpected_answer`.
        TrustError: `trust_metadata_expired`, `trust_metadata_invalid`, `trust_rollback`,
            `invalid_trusted_root`.
        UsageError: `nothing_to_update`, `unwritable_file`.
    """
    found = refresh_within(known, places, seconds=UPDATE_SECONDS)
    if found.unwritten is not None:
        raise UsageError("unwritable_file", f"what was fetched cannot be kept: {found.unwritten}")
    replayed = found.cached.replayed
    return Updated(
        root=_root_of(found, known.profile),
        root_version=replayed.versions.root,
        expires=replayed.expires,
    )


def export(loaded: LoadedRoot, out: Path, *, replace: bool = False) -> None:
    """Write a trusted root to a file, as it was made, for a machine without a network.

    Raises:
        UsageError: `file_exists`, `unwritable_file`.
    """

    def write(file: BinaryIO) -> None:
        file.write(loaded.data)

    (replace_file if replace else create_file)(out, write)


def add_file(profile: InstanceProfile, file: Path, *, places: Places) -> TrustRoot:
    """Register a private instance by its trusted root, or its client trust config.

    Args:
        profile: its name and what it must prove.
        file: what it trusts; copied, so the file may go.
        places: where instances are registered.

    Returns:
        The root.

    Raises:
        UsageError: `invalid_instance_name`, `instance_exists`, `unwritable_file`,
            `no_config_folder`.
        TrustError: `trust_file_unreadable`, `invalid_trusted_root`, `sandbox_root`.
    """
    check_name(profile.name)
    data = _read(file, "name a trusted_root.json or a client trust config")
    root = _accepted(TrustRoot.from_bytes(data, profile=profile, where=str(file)), str(file))
    instance = Registered(profile=profile, added=_now(), trusted_root=data)
    Registry(folder=places.registered).add(instance)
    return root


def add_repository(
    profile: InstanceProfile, url: str, anchor_file: Path, *, places: Places
) -> TrustRoot:
    """Register a private instance by its TUF repository, once that has shown what it trusts.

    Args:
        profile: its name and what it must prove.
        url: https, or http to a loopback address.
        anchor_file: a TUF root of the repository, obtained where it can be trusted.
        places: where instances are registered and cached.

    Returns:
        The root that it trusts now.

    Raises:
        UsageError: as for `add_file`.
        TrustError: `trust_file_unreadable`, `trust_metadata_invalid`, `sandbox_root`, and the codes
            of `update`.
        NetworkError: `insecure_scheme` and the codes of `update`.
    """
    check_name(profile.name)
    registry = Registry(folder=places.registered)
    if profile.name in registry.names():
        raise registry.exists(profile.name)
    anchor = _read(anchor_file, "name the root.json of the TUF repository")
    check_anchor(anchor, where=str(anchor_file))
    instance = Registered(profile=profile, added=_now(), url=url, anchor=anchor)
    _forget(profile.name, places)
    try:
        found = refresh_within(known_of(instance), places, seconds=UPDATE_SECONDS)
        root = _accepted(_root_of(found, profile), url)
        registry.add(instance)
    except (UsageError, TrustError, NetworkError):
        _forget(profile.name, places)
        raise
    return root


def remove(name: str, *, places: Places) -> None:
    """Forget a registered instance and what is cached of it.

    Raises:
        UsageError: `invalid_instance_name` for a public one, `unwritable_file`.
        TrustError: `unknown_instance`.
    """
    check_name(name)
    Registry(folder=places.registered).remove(name)
    _forget(name, places)


def _forget(name: str, places: Places) -> None:
    cache = places.cache_of(name)
    if cache is not None:
        cache.remove()


def _root_of(found: Refreshed, profile: InstanceProfile) -> TrustRoot:
    data = found.cached.replayed.files[TRUSTED_ROOT]
    return TrustRoot.from_bytes(data, profile=profile, where=f"trusted root of {profile.name}")


def _accepted(root: TrustRoot, where: str) -> TrustRoot:
    if root.sandbox:
        raise sandbox_root(where)
    return root


def _read(file: Path, hint: str) -> bytes:
    try:
        data = read_file(file, limit=_LARGEST)
    except UsageError as error:
        raise TrustError(
            "trust_file_unreadable", error.message, where=str(file), hint=hint
        ) from None
    if len(data) > _LARGEST:
        raise TrustError(
            "trust_file_unreadable", f"larger than {_LARGEST} bytes", where=str(file), hint=hint
        )
    return data


def _now() -> datetime:
    return datetime.now(UTC)
