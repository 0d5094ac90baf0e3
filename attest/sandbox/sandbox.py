"""A running sandbox: the parts behind one loopback port, and the files that clients read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlencode

from attest.sandbox import config
from attest.sandbox.clock import Clock, utc_now
from attest.sandbox.faults import Faults
from attest.sandbox.instance import Instance
from attest.sandbox.lock import DirectoryLock
from attest.sandbox.names import DEFAULT_PERSON, GOOGLE_ISSUER
from attest.sandbox.server import LoopbackServer
from attest.sandbox.store import write_atomically
from attest.sandbox.tokens import person_claims, requested_workflow, workflow_claims

TRUSTED_ROOT: Final = "trusted_root.json"
SIGNING_CONFIG: Final = "signing_config.json"
TRUST_CONFIG: Final = "trust_config.json"
TRUST_CONFIG_V1_ONLY: Final = "trust_config.v1-only.json"
TRUST_CONFIG_V2: Final = "trust_config.v2.json"


class Sandbox:
    """A private Sigstore on loopback; make one with `start`."""

    def __init__(
        self, directory: Path, instance: Instance, lock: DirectoryLock, faults: Faults
    ) -> None:
        self.directory = directory
        self.faults = faults
        self.instance = instance
        self._lock = lock
        self._server: LoopbackServer | None = None

    @classmethod
    def init(cls, directory: Path, *, clock: Clock = utc_now) -> Path:
        """Make keys, certificates and trusted root without listening; what exists is kept.

        Args:
            directory: of the sandbox, created if missing.
            clock: tells the time.

        Returns:
            Path of the trusted root.
        """
        with DirectoryLock(directory):
            return _write_trusted_root(directory, Instance.open(directory, clock=clock))

    @classmethod
    def start(
        cls,
        directory: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        person: str = DEFAULT_PERSON,
        clock: Clock = utc_now,
        faults: Iterable[str] = (),
    ) -> Sandbox:
        """Run a sandbox on the keys and log entries in `directory`.

        Args:
            directory: created if missing.
            host: a loopback IP address.
            port: 0 for a free one.
            person: e-mail of whoever logs in without a `login_hint`.
            clock: tells the time.
            faults: how services are to fail from the start, as `NAME` or `NAME:N`; while it runs
                `faults` takes and forgets more.
        """
        failing = Faults(faults)
        lock = DirectoryLock(directory)
        try:
            sandbox = cls(directory, Instance.open(directory, clock=clock), lock, failing)
            sandbox.instance.oidc.default_person = person
            sandbox._listen(host, port)
        except BaseException:
            lock.release()
            raise
        return sandbox

    def stop(self) -> None:
        """Stop listening; the directory stays."""
        if self._server is not None:
            self._server.stop()
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def trusted_root(self) -> Path:
        """The trusted root: both logs, the CA, the CT log, the timestamp authority."""
        return self.directory / TRUSTED_ROOT

    @property
    def signing_config(self) -> Path:
        """The signing config: Rekor v1 and a timestamp."""
        return self.directory / SIGNING_CONFIG

    @property
    def trust_config(self) -> Path:
        """Client trust config: Rekor v1 and a timestamp."""
        return self.directory / TRUST_CONFIG

    @property
    def trust_config_v1_only(self) -> Path:
        """Client trust config: Rekor v1, no timestamp."""
        return self.directory / TRUST_CONFIG_V1_ONLY

    @property
    def trust_config_v2(self) -> Path:
        """Client trust config: Rekor v2 and a timestamp."""
        return self.directory / TRUST_CONFIG_V2

    @property
    def url(self) -> str:
        """Base URL of every service."""
        return self.instance.oidc.url

    @property
    def tuf_url(self) -> str:
        """Base URL of the TUF repository, which has the trusted root and the signing config."""
        return f"{self.url}/tuf"

    @property
    def issuer_url(self) -> str:
        """Base URL of the OIDC issuer for people."""
        return self.instance.oidc.url

    def ambient_environment(self, **claims: str) -> dict[str, str]:
        """The environment of a step in a GitHub Actions workflow.

        Args:
            claims: override the token's claims; `workflow_path` names the workflow's file.
        """
        query = urlencode({"api-version": "2.0", **claims})
        expected = requested_workflow(claims)
        return {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.url}/github/token?{query}",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": self.instance.oidc.ambient_secret,
            "GITHUB_SERVER_URL": "https://github.com",
            **{f"GITHUB_{name.upper()}": str(expected[name]) for name in _GITHUB_VARIABLES},
        }

    def github_token(
        self,
        repository: str = "acme/evidence",
        workflow: str = ".github/workflows/pack.yml",
        ref: str = "refs/heads/main",
        **claims: object,
    ) -> str:
        """A workflow's token.

        Args:
            repository: `owner/name`.
            workflow: path of the workflow file.
            ref: full git ref.
            claims: replace or add claims; a `None` leaves one out.
        """
        return self.mint_token(
            workflow_claims(repository=repository, workflow=workflow, ref=ref, overrides=claims)
        )

    def person_token(
        self,
        email: str = DEFAULT_PERSON,
        connector: str | None = GOOGLE_ISSUER,
        lifetime_seconds: float = 600,
    ) -> str:
        """A person's token.

        Args:
            email: who.
            connector: identity provider the certificate will name; None for the sandbox itself.
            lifetime_seconds: until it expires; negative for an expired one.
        """
        claims = person_claims(issuer=self.url, email=email, connector=connector)
        return self.mint_token(claims, lifetime_seconds=lifetime_seconds)

    def mint_token(self, claims: Mapping[str, object], *, lifetime_seconds: float = 600) -> str:
        """A token with any claims, signed by the sandbox's issuer.

        Args:
            claims: exactly as in the token; `iat`, `exp` and `aud` have defaults.
            lifetime_seconds: until it expires; negative for an expired one.
        """
        return self.instance.oidc.tokens.mint(claims, lifetime_seconds=lifetime_seconds)

    def _listen(self, host: str, port: int) -> None:
        instance = self.instance
        server = LoopbackServer(
            lambda request: self.faults.respond(instance, request), host=host, port=port
        )
        self._server = server
        instance.oidc.url = server.url
        _write_trusted_root(self.directory, instance)
        self._write_signing_configs(server.url)
        instance.tuf.publish(
            {
                TRUSTED_ROOT: self.trusted_root.read_bytes(),
                "signing_config.v0.2.json": self.signing_config.read_bytes(),
            }
        )
        server.start()

    def _write_signing_configs(self, url: str) -> None:
        root = self.instance.trusted_root()
        start = self.instance.ca.root.not_valid_before_utc
        for path, version, with_tsa in (
            (self.trust_config, 1, True),
            (self.trust_config_v1_only, 1, False),
            (self.trust_config_v2, 2, True),
        ):
            signing = config.signing_config(
                url=url, rekor_version=version, with_tsa=with_tsa, valid_from=start
            )
            if path == self.trust_config:
                _write_json(self.signing_config, signing.to_dict())
            _write_json(path, config.client_trust_config(root, signing).to_dict())


_GITHUB_VARIABLES: Final = (
    "actor",
    "event_name",
    "ref",
    "repository",
    "repository_id",
    "repository_owner",
    "run_attempt",
    "run_id",
    "sha",
    "workflow_ref",
    "workflow_sha",
)


def _write_trusted_root(directory: Path, instance: Instance) -> Path:
    path = directory / TRUSTED_ROOT
    _write_json(path, instance.trusted_root().to_dict())
    return path


def _write_json(path: Path, document: Mapping[str, object]) -> None:
    text = json.dumps(document, indent=2) + "\n"
    write_atomically(path, text.encode(), mode=0o644)
