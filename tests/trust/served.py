"""A TUF repository that is served on loopback, and an instance registered to trust it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

from attest.sandbox.clock import utc_now
from attest.sandbox.refusal import Refusal
from attest.sandbox.routes import Request, Response, refused
from attest.sandbox.server import LoopbackServer
from attest.sandbox.store import KeyStore
from attest.sandbox.tuf import TufRepository
from attest.trust.instance import InstanceProfile
from attest.trust.known import Known, Places, known_of
from attest.trust.load import AgeLimits, LoadedRoot, load_root
from attest.trust.registry import Registered, Registry
from attest.trust.shipped import embedded_root
from attest.trust.store import Cache

NAME = "acme"
#: Roots that are no sandbox's, so that they may be trusted by name.
FIRST = embedded_root("sigstore") or b""
SECOND = embedded_root("staging") or b""
TRUSTED_ROOT = "trusted_root.json"


def digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


@dataclass(kw_only=True)
class Served:
    """The repository, where it is served, and what was asked of it."""

    repository: TufRepository
    url: str
    folder: Path
    asked: list[str] = field(default_factory=list)

    @property
    def places(self) -> Places:
        return Places(cache=self.folder / "cache", registered=self.folder / "instances")

    @property
    def cache(self) -> Cache:
        return Cache(folder=self.folder / "cache" / NAME)

    @property
    def registered(self) -> Registered:
        profile = InstanceProfile.private(NAME)
        anchor = self.repository.root
        return Registered(profile=profile, added=datetime.now(UTC), url=self.url, anchor=anchor)

    @property
    def known(self) -> Known:
        return known_of(self.registered)

    def register(self) -> None:
        Registry(folder=self.places.registered).add(self.registered)

    def load(
        self,
        *,
        offline: bool = False,
        now: datetime | None = None,
        limits: AgeLimits | None = None,
    ) -> LoadedRoot:
        return load_root(NAME, places=self.places, offline=offline, now=now, limits=limits)

    def path(self, name: str) -> Path:
        """The served document of a name, for those who break it."""
        (path,) = self.repository.directory.rglob(name)
        return path


@contextmanager
def serve(folder: Path) -> Iterator[Served]:
    """Serve a repository whose target is `FIRST`, registered as `acme`."""
    repository = TufRepository(folder / "tuf", KeyStore(folder / "keys"), clock=utc_now)
    repository.publish({TRUSTED_ROOT: FIRST})
    asked: list[str] = []

    def respond(request: Request) -> Response:
        asked.append(request.path)
        try:
            return Response(status=HTTPStatus.OK, body=repository.get(request.path.lstrip("/")))
        except Refusal as refusal:
            return refused(refusal, request.path)

    server = LoopbackServer(respond)
    server.start()
    try:
        served = Served(repository=repository, url=server.url, folder=folder, asked=asked)
        served.register()
        yield served
    finally:
        server.stop()
