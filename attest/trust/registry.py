"""Private instances that the user registered: each one file in the user's configuration folder.

They are decisions about trust, so they do not lie in the cache, which may be lost at any time.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from attest.atomic import write_new
from attest.errors import MalformedEvidence, TrustError, UsageError
from attest.files import read_file
from attest.strictjson import Members, loads
from attest.trust.instance import PUBLIC, InstanceProfile

MEDIA_TYPE = "application/vnd.attest.instance.v1+json"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,38}[a-z0-9]")
_LARGEST = 8 * 1_048_576
_CODE = "invalid_instance"


@dataclass(frozen=True, kw_only=True, slots=True)
class Registered:
    """A private instance: its profile, and either a trusted root or a TUF repository.

    `trusted_root` and `anchor`, the TUF root, are file contents; `added` is in UTC.
    """

    profile: InstanceProfile
    added: datetime
    trusted_root: bytes | None = None
    url: str | None = None
    anchor: bytes | None = None

    def __post_init__(self) -> None:
        """Refuse half an instance.

        Raises:
            TrustError: `invalid_instance`.
        """
        has_repository = self.url is not None and self.anchor is not None
        if (self.url is None) != (self.anchor is None):
            raise TrustError(_CODE, "a URL and a TUF root go together", where=self.profile.name)
        if has_repository == (self.trusted_root is not None):
            raise TrustError(
                _CODE, "either a trusted root or a TUF repository", where=self.profile.name
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Registry:
    """The registered instances, in a folder that need not exist; None has none and takes none."""

    folder: Path | None

    def names(self) -> list[str]:
        """The names of all registered instances."""
        if self.folder is None or not self.folder.is_dir():
            return []
        found = (path for path in self.folder.glob("*.json") if _NAME.fullmatch(path.stem))
        return sorted(path.stem for path in found)

    def find(self, name: str) -> Registered | None:
        """The instance of a name; None if there is none.

        Raises:
            TrustError: `invalid_instance`.
        """
        if self.folder is None or not _NAME.fullmatch(name):
            return None
        path = self._path(name)
        try:
            data = read_file(path, limit=_LARGEST)
        except UsageError as error:
            if error.code == "file_not_found":
                return None
            raise TrustError(_CODE, error.message, where=str(path), hint=error.hint) from None
        try:
            return _parse(data[: _LARGEST + 1], name)
        except (MalformedEvidence, ValueError) as error:
            raise TrustError(
                _CODE,
                f"the registered instance cannot be read: {error}",
                where=str(path),
                hint=f"remove it with `attest trust remove {name}` and add it again",
            ) from None

    def add(self, instance: Registered) -> Path:
        """Register an instance.

        Returns:
            Its file.

        Raises:
            UsageError: `instance_exists`, `unwritable_file`, `no_config_folder`.
        """
        name = instance.profile.name
        check_name(name)
        path = self._path(name)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                "unwritable_file", error.strerror or str(error), where=str(path.parent)
            ) from None
        try:
            write_new(path, _bytes(instance), mode=0o600)
        except UsageError as error:
            raise self.exists(name) if error.code == "file_exists" else error from None
        return path

    def exists(self, name: str) -> UsageError:
        """The error for a name that is taken."""
        return UsageError(
            "instance_exists",
            f"an instance {name} is registered already",
            where=str(self._path(name)),
            hint=f"remove it first with `attest trust remove {name}`",
        )

    def remove(self, name: str) -> None:
        """Forget an instance.

        Raises:
            TrustError: `unknown_instance`.
            UsageError: `unwritable_file`, `no_config_folder`.
        """
        path = self._path(name)
        try:
            path.unlink()
        except FileNotFoundError:
            raise TrustError("unknown_instance", f"no instance {name!r} is registered") from None
        except OSError as error:
            raise UsageError(
                "unwritable_file", error.strerror or str(error), where=str(path)
            ) from None

    def _path(self, name: str) -> Path:
        if self.folder is None:
            raise UsageError(
                "no_config_folder",
                "no folder is known for what you decide",
                hint="set HOME (XDG_CONFIG_HOME, APPDATA) to an absolute path",
            )
        return self.folder / f"{name}.json"


def check_name(name: str) -> None:
    """Refuse a name that could be mistaken for something else.

    Raises:
        UsageError: `invalid_instance_name`.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            "invalid_instance_name",
            f"{name!r} is not 2 to 40 lower-case letters, digits and hyphens",
            hint="begin with a letter, as acme-prod",
        )
    if name in PUBLIC:
        raise UsageError(
            "invalid_instance_name", f"{name} is a public instance", hint="choose another name"
        )


def _bytes(instance: Registered) -> bytes:
    # Contents as text, for their digests and signatures are over exact bytes.
    contents = {
        "trustedRoot": instance.trusted_root,
        "tufRoot": instance.anchor,
    }
    document: dict[str, object] = {
        "mediaType": MEDIA_TYPE,
        "added": f"{instance.added.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "scts": bool(instance.profile.min_scts),
        "log": bool(instance.profile.min_log_entries),
        **{key: data.decode() for key, data in contents.items() if data is not None},
    }
    if instance.url is not None:
        document["url"] = instance.url
    return (json.dumps(document, indent=2) + "\n").encode()


def _parse(data: bytes, name: str) -> Registered:
    members = Members(loads(data, where=name), where=name, code=_CODE)
    if members.string("mediaType") != MEDIA_TYPE:
        raise members.fail("mediaType", f"is not {MEDIA_TYPE}")
    profile = InstanceProfile.private(name, scts=_flag(members, "scts"), log=_flag(members, "log"))
    added = datetime.strptime(members.string("added"), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    found = Registered(
        profile=profile,
        added=added,
        trusted_root=_content(members, "trustedRoot"),
        anchor=_content(members, "tufRoot"),
        url=members.string("url") if members.has("url") else None,
    )
    members.no_others()
    return found


def _flag(members: Members, key: str) -> bool:
    value = members.raw(key)
    if not isinstance(value, bool):
        raise members.fail(key, "must be true or false")
    return value


def _content(members: Members, key: str) -> bytes | None:
    return members.string(key).encode() if members.has(key) else None
