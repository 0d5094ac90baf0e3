"""The trust root that decides, by the name of its instance: as new as may be had, and judged."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias

from attest.errors import AttestError, TrustError
from attest.trust.instance import sandbox_root, unavailable
from attest.trust.known import Known, Places, find_instance
from attest.trust.registry import Registry
from attest.trust.replay import TRUSTED_ROOT, Replayed, is_expired
from attest.trust.root import TrustRoot, TrustWarning
from attest.trust.store import Cached

Source: TypeAlias = Literal["embedded", "cache", "registered"]

_DAY = timedelta(days=1)
#: What a command that does something else may spend on a refresh.
REFRESH_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class AgeLimits:
    """Days after which a root that nobody has shown to be current is warned of, and refused."""

    warn_days: int = 60
    refuse_days: int = 730


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadedRoot:
    """A trust root with its age and warnings, where it comes from, and its file as it was made.

    `replayed` is the signed metadata behind it, where there is any.
    """

    root: TrustRoot
    source: Source
    data: bytes
    replayed: Replayed | None = None


def load_root(
    instance: str,
    *,
    places: Places,
    offline: bool,
    limits: AgeLimits | None = None,
    now: datetime | None = None,
) -> LoadedRoot:
    """The root of an instance, refreshed if that is due and allowed.

    Args:
        instance: `sigstore`, `staging`, `github`, or the name of a registered instance.
        places: where cached material and registered instances lie.
        offline: never touch the network.
        limits: ages at which to warn and to refuse.
        now: current time (UTC); the clock's if not given.

    Raises:
        TrustError: `unknown_instance`, `trust_unavailable`, `trust_cache_corrupt`,
            `trust_rollback`, `trust_too_old`, `invalid_trusted_root`, `invalid_instance`.
    """
    now = now or datetime.now(UTC)
    known = find_instance(instance, Registry(folder=places.registered))
    loading = _Loading(known=known, places=places, now=now)
    loaded = loading.load(offline=offline)
    return _judged(loaded, limits or AgeLimits())


def _judged(loaded: LoadedRoot, limits: AgeLimits) -> LoadedRoot:
    """Warn of a root that is old, and of a profile that asks for little; refuse what is too old."""
    root, warnings = loaded.root, list(loaded.root.warnings)
    days = (root.age_seconds or 0) // 86_400
    name = root.instance
    if days > limits.refuse_days:
        raise TrustError(
            "trust_too_old",
            f"nobody has shown the trusted root of {name} to be current for {days} days",
            hint=f"run `attest trust update {name}`, or allow it with --trust-max-days",
        )
    if days > limits.warn_days:
        warnings.append(
            TrustWarning(
                code="trust_old",
                message=f"the trusted root of {name} was last known to be current {days} days ago;"
                f" run `attest trust update {name}`",
            )
        )
    if root.profile.relaxed:
        needs = ", ".join(root.profile.relaxed)
        warnings.append(
            TrustWarning(code="relaxed_profile", message=f"{name} was added to require {needs}")
        )
    return replace(loaded, root=replace(root, warnings=tuple(warnings)))


@dataclass(kw_only=True, slots=True)
class _Loading:
    """One loading: what is known of the instance, and what happened so far."""

    known: Known
    places: Places
    now: datetime
    warnings: list[TrustWarning] = field(default_factory=list)

    def load(self, *, offline: bool) -> LoadedRoot:
        known = self.known
        if known.url is None or known.anchor is None:
            return self._from_file("registered")
        cached, problem = self._cached(known.anchor)
        if not offline and self._is_due(cached):
            try:
                cached, problem = self._refreshed(), None
            except AttestError as error:
                self._warn("trust_refresh_failed", f"{known.name} not refreshed: {error}")
        if problem is not None:
            raise problem
        if cached is None or (known.since is not None and cached.seen.checked < known.since):
            if known.file is None:
                raise unavailable(known.name)
            return self._from_file("embedded")
        return self._from_cache(cached)

    def _cached(self, anchor: bytes) -> tuple[Cached | None, TrustError | None]:
        cache = self.places.cache_of(self.known.name)
        try:
            if cache is None or cache.seen() is None:
                return None, None
            return cache.load(anchor), None
        except TrustError as error:
            return None, error

    def _is_due(self, cached: Cached | None) -> bool:
        if cached is None:
            return True
        # A time to come is of a clock that went wrong: it must not put refreshing off.
        return not self.now - _DAY < cached.seen.checked <= self.now + timedelta(minutes=5)

    def _refreshed(self) -> Cached:
        from attest.trust.refresh import refresh_within

        found = refresh_within(self.known, self.places, seconds=REFRESH_SECONDS)
        if found.unwritten is not None:
            self._warn("trust_not_cached", f"what was fetched cannot be kept: {found.unwritten}")
        return found.cached

    def _from_cache(self, cached: Cached) -> LoadedRoot:
        if is_expired(cached.replayed, self.now):
            expires = f"{cached.replayed.expires:%Y-%m-%d}"
            self._warn(
                "trust_expired",
                f"the cached metadata of {self.known.name} expired on {expires}",
            )
        data = cached.replayed.files[TRUSTED_ROOT]
        # Expired metadata was never fetched as current, whatever date somebody wrote beside it.
        since = min(cached.seen.checked, cached.replayed.expires)
        return replace(self._loaded(data, "cache", since), replayed=cached.replayed)

    def _from_file(self, source: Source) -> LoadedRoot:
        if self.known.file is None:
            raise unavailable(self.known.name)
        return self._loaded(self.known.file, source, self.known.since)

    def _loaded(self, data: bytes, source: Source, since: datetime | None) -> LoadedRoot:
        name = self.known.name
        root = TrustRoot.from_bytes(
            data, profile=self.known.profile, where=f"{source} trusted root of {name}"
        )
        if root.sandbox:
            raise sandbox_root(name)
        age = None if since is None else max(0, int((self.now - since).total_seconds()))
        root = replace(root, age_seconds=age, warnings=tuple(self.warnings))
        return LoadedRoot(root=root, source=source, data=data)

    def _warn(self, code: str, message: str) -> None:
        self.warnings.append(TrustWarning(code=code, message=message))
