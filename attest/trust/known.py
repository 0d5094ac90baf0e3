"""The instances that can be named, public and registered, and where their material is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from attest.errors import TrustError
from attest.trust.instance import PUBLIC, REPOSITORIES, InstanceProfile
from attest.trust.registry import Registered, Registry
from attest.trust.shipped import embedded_anchor, embedded_root, embedded_since
from attest.trust.store import Cache


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """Where trust material is kept: a folder of caches and one of registered instances."""

    cache: Path | None
    registered: Path | None

    @classmethod
    def of_settings(cls, *, cache_folder: Path | None, config_folder: Path | None) -> Places:
        """The places below the user's own folders; None where there is none."""
        return cls(
            cache=None if cache_folder is None else cache_folder / "trust",
            registered=None if config_folder is None else config_folder / "instances",
        )

    def cache_of(self, name: str) -> Cache | None:
        """The cache of an instance, if there is a place for one."""
        return None if self.cache is None else Cache(folder=self.cache / name)


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """An instance that can be named: its profile, its file or else its repository and anchor."""

    profile: InstanceProfile
    url: str | None = None
    anchor: bytes | None = None
    file: bytes | None = None
    #: When (UTC) the file, or the root that ships, was current.
    since: datetime | None = None

    @property
    def name(self) -> str:
        """The name of the instance."""
        return self.profile.name


def find_instance(name: str, registry: Registry) -> Known:
    """A public or registered instance.

    Raises:
        TrustError: `unknown_instance`, `invalid_instance`.
    """
    profile = PUBLIC.get(name)
    if profile is not None:
        file = embedded_root(name)
        return Known(
            profile=profile,
            url=REPOSITORIES[name],
            anchor=embedded_anchor(name),
            file=file,
            since=None if file is None else embedded_since(name),
        )
    found = registry.find(name)
    if found is None:
        names = [*PUBLIC, *registry.names()]
        raise TrustError("unknown_instance", f"no instance {name!r}", hint=_known(name, names))
    return known_of(found)


def known_of(found: Registered) -> Known:
    """A registered instance as one that can be named."""
    return Known(
        profile=found.profile,
        url=found.url,
        anchor=found.anchor,
        file=found.trusted_root,
        since=None if found.trusted_root is None else found.added,
    )


def _known(name: str, names: list[str]) -> str:
    import difflib

    meant = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {meant[0]}?" if meant else f"there are: {', '.join(names)}"
