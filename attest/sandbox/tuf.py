"""A TUF repository as plain files: it publishes targets, rotates its root, and can do both wrongly.

Documents lie under the names by which they are served, so what a test wants broken further it can
change there. Made by hand, so that it shares no code with the client that reads it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from attest.sandbox.clock import Clock
from attest.sandbox.refusal import SandboxError, not_found
from attest.sandbox.store import KeyStore, write_atomically

Role = Literal["root", "timestamp", "snapshot", "targets"]
Document = Mapping[str, object]

LIFETIME: Final = timedelta(days=30)
_ONLINE: Final = "tuf-online"
_ROLES: Final[tuple[Role, ...]] = ("root", "timestamp", "snapshot", "targets")
_SERVED: Final = re.compile(r"(targets/)?[A-Za-z0-9._-]+")


@dataclass(kw_only=True, slots=True)
class _State:
    """What the next documents build on: versions, the number of the root's key, the targets."""

    versions: dict[str, int] = field(default_factory=dict)
    root_key: int = 1
    targets: dict[str, dict[str, object]] = field(default_factory=dict)


class TufRepository:
    """A TUF repository in a folder, with consistent snapshots and one key for each rank.

    Args:
        directory: of the documents, created if missing; a repository in it is continued.
        keys: where the signing keys lie.
        clock: tells the time.
    """

    def __init__(self, directory: Path, keys: KeyStore, *, clock: Clock) -> None:
        self.directory = directory
        self._keys = keys
        self._clock = clock
        (directory / "targets").mkdir(parents=True, exist_ok=True)
        self._state = self._load()
        if not self._state.versions:
            self.publish_root()

    @property
    def root(self) -> bytes:
        """The first root: what a client is given to begin with."""
        return (self.directory / "1.root.json").read_bytes()

    def get(self, name: str) -> bytes:
        """A document by its path below the repository's URL; a 404 if there is none."""
        if not _SERVED.fullmatch(name) or ".." in name or name == "state.json":
            raise not_found("no such file in the repository")
        try:
            return (self.directory / name).read_bytes()
        except OSError as error:
            raise not_found("no such file in the repository") from error

    def publish(
        self,
        files: Mapping[str, bytes] | None = None,
        *,
        lifetimes: Mapping[Role, timedelta] | None = None,
        versions: Mapping[Role, int] | None = None,
        forged: Collection[Role] = (),
    ) -> None:
        """Publish targets, and snapshot and timestamp above them.

        Args:
            files: the targets by name; those published before if not given.
            lifetimes: until a role expires, where it is not the usual; negative for expired ones.
            versions: of roles whose version is not one more than before: a rollback.
            forged: roles that are signed by a key that may not.
        """
        state = self._state
        if files is not None:
            state.targets = {name: self._store(name, data) for name, data in files.items()}
        lifetimes, versions = lifetimes or {}, versions or {}
        made: dict[Role, Document] = {}
        bodies: tuple[tuple[Role, Role | None], ...] = (
            ("targets", None),
            ("snapshot", "targets"),
            ("timestamp", "snapshot"),
        )
        for role, below in bodies:
            body: Document = (
                {"targets": state.targets}
                if below is None
                else {"meta": {f"{below}.json": {"version": state.versions[below]}}}
            )
            state.versions[role] = versions.get(role, state.versions.get(role, 0) + 1)
            signers = ["tuf-forger" if role in forged else _ONLINE]
            made[role] = self._signed(role, body, lifetimes.get(role, LIFETIME), signers)
        for role, document in made.items():
            prefix = "" if role == "timestamp" else f"{state.versions[role]}."
            self._write(f"{prefix}{role}.json", document)
        self._save()

    def publish_root(
        self,
        *,
        rotate: bool = False,
        lifetime: timedelta = LIFETIME,
        signers: Sequence[str] | None = None,
    ) -> None:
        """Publish the next root.

        Args:
            rotate: give it a new key, which signs it beside the old one.
            lifetime: until it expires; negative for an expired one.
            signers: names of the keys that sign it, where these are not the right ones.
        """
        state = self._state
        before = f"tuf-root-{state.root_key}"
        if rotate:
            state.root_key += 1
        now = f"tuf-root-{state.root_key}"
        state.versions["root"] = state.versions.get("root", 0) + 1
        described = {name: self._key(name) for name in (now, _ONLINE)}
        body = {
            "consistent_snapshot": True,
            "keys": dict(described.values()),
            "roles": {
                role: {
                    "keyids": [described[now if role == "root" else _ONLINE][0]],
                    "threshold": 1,
                }
                for role in _ROLES
            },
        }
        names = list(dict.fromkeys(signers if signers is not None else (before, now)))
        document = self._signed("root", body, lifetime, names)
        self._write(f"{state.versions['root']}.root.json", document)
        self._save()

    def _store(self, name: str, data: bytes) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        write_atomically(self.directory / "targets" / f"{digest}.{name}", data, mode=0o644)
        return {"length": len(data), "hashes": {"sha256": digest}}

    def _signed(
        self, role: Role, body: Document, lifetime: timedelta, signers: Sequence[str]
    ) -> Document:
        signed = {
            **body,
            "_type": role,
            "spec_version": "1.0.31",
            "version": self._state.versions[role],
            "expires": _time(self._clock() + lifetime),
        }
        message = canonical(signed).encode()
        return {
            "signed": signed,
            "signatures": [
                {"keyid": self._key(name)[0], "sig": self._private(name, message)}
                for name in signers
            ],
        }

    def _private(self, name: str, message: bytes) -> str:
        key = self._keys.ecdsa(name, ec.SECP256R1())
        return key.sign(message, ec.ECDSA(hashes.SHA256())).hex()

    def _key(self, name: str) -> tuple[str, Document]:
        """A key's id, and how a root describes it."""
        public = self._keys.ecdsa(name, ec.SECP256R1()).public_key()
        pem = public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        described = {
            "keytype": "ecdsa",
            "scheme": "ecdsa-sha2-nistp256",
            "keyval": {"public": pem.decode()},
        }
        return hashlib.sha256(canonical(described).encode()).hexdigest(), described

    def _write(self, name: str, document: Document) -> None:
        data = (json.dumps(document, indent=1) + "\n").encode()
        write_atomically(self.directory / name, data, mode=0o644)

    def _save(self) -> None:
        state = self._state
        document = {
            "versions": state.versions,
            "root_key": state.root_key,
            "targets": state.targets,
        }
        self._write("state.json", document)

    def _load(self) -> _State:
        path = self.directory / "state.json"
        if not path.exists():
            return _State()
        try:
            return _State(**json.loads(path.read_bytes()))
        except (ValueError, TypeError) as error:
            raise SandboxError(f"{path}: not the state of a TUF repository") from error


def canonical(value: object) -> str:
    """Canonical JSON as TUF signs it: in strings only the quote and the backslash are escaped."""
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, Mapping):
        members = (f"{canonical(key)}:{canonical(value[key])}" for key in sorted(value))
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    return json.dumps(value)


def _time(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
