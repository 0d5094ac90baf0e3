"""Signing configs: which services an instance offers, and which of them to use now."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeAlias, get_args

from attest.errors import MalformedEvidence, NetworkError, TrustError
from attest.http import require_https
from attest.strictjson import JSON, Members

MEDIA_TYPE = "application/vnd.dev.sigstore.signingconfig.v0.2+json"
RekorVersion: TypeAlias = Literal[1, 2]
Selector: TypeAlias = Literal["ALL", "ANY", "EXACT"]
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z")
_CODE = "trust_config_invalid"


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """One service: its base URL, the version of its API, who runs it, and when it may be used.

    `start` and `end` (UTC) are inclusive; `end` None is open.
    """

    url: str
    version: int
    operator: str
    start: datetime
    end: datetime | None

    def is_valid(self, now: datetime) -> bool:
        """Whether it may be used at a time (UTC)."""
        return self.start <= now and (self.end is None or now <= self.end)


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """How many services of distinct operators to use: all, any one, or exactly `count`."""

    selector: Selector = "ALL"
    count: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Services:
    """The services that one signature goes through, in this order: timestamps, then logs."""

    timestamp_authorities: tuple[Service, ...]
    logs: tuple[Service, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class SigningConfig:
    """What an instance offers to those who sign, as it says itself; `where` names it in errors."""

    where: str
    authorities: tuple[Service, ...]
    logins: tuple[Service, ...]
    logs: tuple[Service, ...]
    log_selection: Selection
    timestamp_authorities: tuple[Service, ...]
    timestamp_selection: Selection

    @classmethod
    def parse(cls, value: JSON, *, where: str) -> SigningConfig:
        """Read a signing config strictly.

        Args:
            value: the parsed JSON.
            where: its name for errors.

        Raises:
            TrustError: `trust_config_invalid`.

        Source: sigstore_trustroot.proto, SigningConfig v0.2.
        """
        try:
            return _parse(Members(value, where="signingConfig", code=_CODE), where)
        except MalformedEvidence as error:
            raise _unusable(f"{error.where}: {error.message}", where) from None

    def certificate_authority(self, now: datetime) -> Service:
        """The one that certifies identities at a time (UTC).

        Raises:
            TrustError: `trust_config_invalid` if there is none.
        """
        return self._one(self.authorities, now, "certificate authority")

    def login(self, now: datetime) -> Service:
        """The OpenID Connect issuer at which people log in, at a time (UTC).

        Raises:
            TrustError: `trust_config_invalid` if there is none.
        """
        return self._one(self.logins, now, "place to log in")

    def submission(self, now: datetime, *, rekor_version: RekorVersion | None) -> Services:
        """The logs and timestamp authorities for what is signed at a time (UTC).

        Args:
            now: when.
            rekor_version: of the logs; None is v1 where that is offered, which every client in
                use verifies, and v2 otherwise.

        Raises:
            TrustError: `trust_config_invalid` if too few are valid now.
        """
        stamping = self._selected(
            self.timestamp_authorities, (1,), self.timestamp_selection, now, "timestamp authority"
        )
        offered = {item.version for item in self.logs if item.is_valid(now)}
        version = rekor_version or (1 if 1 in offered else 2)
        logs = self._selected(
            self.logs, (version,), self.log_selection, now, f"Rekor v{version} transparency log"
        )
        if not logs:
            raise _unusable(f"it names no Rekor v{version} log that is valid now", self.where)
        if version == get_args(RekorVersion)[-1] and not stamping:
            raise _unusable(
                "a Rekor v2 log proves no time, and it names no timestamp authority", self.where
            )
        return Services(timestamp_authorities=stamping, logs=logs)

    def _one(self, services: Sequence[Service], now: datetime, what: str) -> Service:
        found = self._selected(services, (1,), Selection(selector="ANY"), now, what)
        if not found:
            raise _unusable(f"it names no {what} that is valid now", self.where)
        return found[0]

    def _selected(
        self,
        services: Sequence[Service],
        versions: Sequence[int],
        selection: Selection,
        now: datetime,
        what: str,
    ) -> tuple[Service, ...]:
        usable = [item for item in services if item.version in versions and item.is_valid(now)]
        # The newest of each operator, the first listed of those that are as new.
        usable.sort(key=lambda item: item.start, reverse=True)
        by_operator: dict[str, Service] = {}
        for item in usable:
            by_operator.setdefault(item.operator, item)
        # Between operators the order of the file decides.
        chosen = [item for item in services if item in by_operator.values()]
        if selection.selector == "ALL":
            return tuple(chosen)
        count = selection.count if selection.selector == "EXACT" else 1
        if selection.selector == "EXACT" and len(chosen) < count:
            raise _unusable(
                f"it asks for {count} of distinct operators and names {len(chosen)}: {what}",
                self.where,
            )
        return tuple(chosen[:count])


def _parse(members: Members, where: str) -> SigningConfig:
    if members.raw("mediaType") != MEDIA_TYPE:
        raise members.fail("mediaType", f"is not {MEDIA_TYPE}")
    config = SigningConfig(
        where=where,
        authorities=_services(members, "caUrls"),
        logins=_services(members, "oidcUrls"),
        logs=_services(members, "rekorTlogUrls"),
        log_selection=_selection(members, "rekorTlogConfig"),
        timestamp_authorities=_services(members, "tsaUrls"),
        timestamp_selection=_selection(members, "tsaConfig"),
    )
    members.no_others()
    return config


def _services(members: Members, key: str) -> tuple[Service, ...]:
    found = tuple(_service(item) for item in members.list_of_members(key))
    if len(set(found)) != len(found):
        raise members.fail(key, "names the same service twice")
    return found


def _service(item: Members) -> Service:
    url = item.string("url")
    try:
        require_https(url)
    except NetworkError as error:
        raise item.fail("url", error.message) from None
    version = item.raw("majorApiVersion")
    if not isinstance(version, int) or isinstance(version, bool) or not 0 < version < 2**31:
        raise item.fail("majorApiVersion", "must be a whole number from 1")
    window = item.members("validFor")
    start, end = _time(window, "start"), _time(window, "end")
    window.no_others()
    if start is None:
        raise window.fail("start", "is missing")
    service = Service(
        url=url.rstrip("/"),
        version=version,
        operator=item.string("operator", ""),
        start=start,
        end=end,
    )
    item.no_others()
    return service


def _time(window: Members, key: str) -> datetime | None:
    if not window.has(key):
        return None
    text = window.string(key)
    if not _TIME.fullmatch(text):
        raise window.fail(key, "is not an RFC 3339 time in UTC")
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        raise window.fail(key, "is not a time") from None


def _selection(members: Members, key: str) -> Selection:
    """How many to use; what says nothing of it means all."""
    if not members.has(key):
        return Selection()
    item = members.members(key)
    selector = item.string("selector", "SERVICE_SELECTOR_UNDEFINED")
    count = item.raw("count") or 0
    if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count < 2**31:
        raise item.fail("count", "must be a whole number")
    item.no_others()
    match selector:
        case "ALL" | "SERVICE_SELECTOR_UNDEFINED":
            return Selection()
        case "ANY":
            return Selection(selector="ANY")
        case "EXACT" if count:
            return Selection(selector="EXACT", count=count)
        case "EXACT":
            raise item.fail("count", "must say how many, for EXACT")
    raise item.fail("selector", "is not ALL, ANY or EXACT")


def _unusable(what: str, where: str) -> TrustError:
    return TrustError(
        _CODE,
        f"the instance's configuration cannot be used: {what}",
        where=where,
        hint="get the instance's configuration again from whoever runs it",
    )
