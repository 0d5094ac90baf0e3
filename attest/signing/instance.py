"""Which Sigstore instance signs: what it trusts, and the services that it offers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from attest.errors import MalformedEvidence, TrustError, UsageError
from attest.files import read_file
from attest.signing.config import RekorVersion, SigningConfig
from attest.strictjson import JSON, Members, loads
from attest.trust.instance import InstanceProfile
from attest.trust.root import TrustRoot
from attest.trust.shipped import embedded_signing_config

__all__ = ["PUBLIC_INSTANCES", "PublicInstance", "RekorVersion", "SigningInstance"]

PublicInstance: TypeAlias = Literal["sigstore", "staging"]
Kind: TypeAlias = Literal["public", "trust_config", "parts", "registered"]
PUBLIC_INSTANCES: tuple[str, ...] = get_args(PublicInstance)
_MEDIA_TYPE = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json"
#: The public good instance's trust config has 8 KB; rotations over years do not reach this.
_LARGEST = 4 * 1_048_576


@dataclass(frozen=True, kw_only=True, slots=True)
class SigningInstance:
    """An instance to sign with.

    `name` is that of a public or registered instance, or the path as given of the file that says
    what to trust. `kind` says which. Of several logs `rekor_version` chooses one; None is v1
    where that is offered.
    """

    name: str
    kind: Kind
    root: TrustRoot = field(repr=False)
    services: SigningConfig = field(repr=False)
    rekor_version: RekorVersion | None = None

    @classmethod
    def public(cls, name: str) -> SigningInstance:
        """A public instance, `sigstore` or `staging`, as it was when this version was made.

        Raises:
            UsageError: `unknown_instance`.
        """
        data = embedded_signing_config(name) if name in PUBLIC_INSTANCES else None
        if data is None:
            raise UsageError(
                "unknown_instance",
                f"there is no public instance {name!r} to sign with",
                hint=f"name one of {', '.join(PUBLIC_INSTANCES)}, or give --trust-config",
            )
        return cls.of(name, kind="public", root=TrustRoot.embedded(name), signing_config=data)

    @classmethod
    def of(
        cls, name: str, *, kind: Kind, root: TrustRoot, signing_config: bytes
    ) -> SigningInstance:
        """An instance by what it trusts and which services it has.

        Args:
            name: under which it is known.
            kind: how it is named.
            root: what it trusts.
            signing_config: UTF-8 JSON.

        Raises:
            TrustError: `trust_config_invalid`.
        """
        services = SigningConfig.parse(_json(signing_config, name), where=name)
        return cls(name=name, kind=kind, root=root, services=services)

    def with_logs_of(self, signing_config: bytes | None) -> SigningInstance:
        """The same instance, with the v2 logs that another signing config of it names.

        Args:
            signing_config: UTF-8 JSON; None adds none.

        Raises:
            TrustError: `trust_config_invalid`.
        """
        if signing_config is None:
            return self
        other = SigningConfig.parse(_json(signing_config, self.name), where=self.name)
        known = self.services.logs
        added = [item for item in other.logs if item.version != 1 and item not in known]
        return replace(self, services=replace(self.services, logs=(*known, *added)))

    @classmethod
    def from_file(cls, path: str | Path) -> SigningInstance:
        """An instance described by a client trust config (trusted root and signing config).

        Raises:
            TrustError: `trust_config_unreadable`, `trust_config_invalid`.
        """
        data = _read(path, "client trust config")
        profile = InstanceProfile.private(Path(path).name)
        services = signing_config_in(data, where=str(path))
        if services is None:
            raise _unusable("has no signingConfig", str(path))
        root = _root(data, profile, str(path))
        return cls(name=str(path), kind="trust_config", root=root, services=services)

    @classmethod
    def from_parts(cls, *, trusted_root: str | Path, signing_config: str | Path) -> SigningInstance:
        """An instance described by two files: what to trust, and which services to use.

        Raises:
            TrustError: `trust_config_unreadable`, `trust_config_invalid`.
        """
        root, config = _read(trusted_root, "trusted root"), _read(signing_config, "signing config")
        services = SigningConfig.parse(
            _json(config, str(signing_config)), where=str(signing_config)
        )
        profile = InstanceProfile.private(Path(trusted_root).name)
        return cls(
            name=str(trusted_root),
            kind="parts",
            root=_root(root, profile, str(trusted_root)),
            services=services,
        )

    @property
    def is_public(self) -> bool:
        """Whether signatures go to a log that everybody can read."""
        return self.kind == "public"

    @property
    def is_registered(self) -> bool:
        """Whether it is known by name to whoever registered it."""
        return self.kind == "registered"

    @property
    def in_parts(self) -> bool:
        """Whether two files describe it."""
        return self.kind == "parts"

    def login_url(self) -> str:
        """Base address of the OpenID Connect issuer at which people log in.

        Raises:
            TrustError: `trust_config_invalid` where the instance names none.
        """
        return self.services.login(datetime.now(UTC)).url


def signing_config_in(trust_config: bytes, *, where: str) -> SigningConfig | None:
    """The signing config in a client trust config; None in a trusted root alone.

    Raises:
        TrustError: `trust_config_invalid`.
    """
    value = _json(trust_config, where)
    try:
        members = Members(value, where=where, code="trust_config_invalid")
        if members.raw("mediaType") != _MEDIA_TYPE:
            if members.has("trustedRoot"):
                raise members.fail("mediaType", f"is not {_MEDIA_TYPE}")
            return None
        if not members.has("signingConfig"):
            return None
    except MalformedEvidence as error:
        raise _unusable(error.message, where) from None
    return SigningConfig.parse(members.raw("signingConfig"), where=where)


def _root(data: bytes, profile: InstanceProfile, where: str) -> TrustRoot:
    _json(data, where)  # what is no JSON at all is told of in the same words everywhere
    try:
        return TrustRoot.from_bytes(data, profile=profile, where=where)
    except TrustError as error:
        raise _unusable(f"{error.where}: {error.message}", where) from None


def _json(data: bytes, where: str) -> JSON:
    if len(data) > _LARGEST:
        raise _unusable(f"is larger than {_LARGEST} bytes", where)
    try:
        parsed = loads(data, where=where)
    except MalformedEvidence as error:
        raise _unusable(error.message, where) from None
    if not isinstance(parsed, dict):
        raise _unusable("is no JSON object", where)
    return parsed


def _unusable(what: str, where: str) -> TrustError:
    return TrustError(
        "trust_config_invalid",
        f"the instance's configuration cannot be used: {what}",
        where=where,
        hint="get the instance's configuration again from whoever runs it",
    )


def _read(path: str | Path, what: str) -> bytes:
    try:
        return read_file(path, limit=_LARGEST)
    except UsageError as error:
        raise TrustError(
            "trust_config_unreadable",
            f"the {what}: {error.message}",
            where=str(path),
            hint=f"name the {what} (JSON) of the instance",
        ) from None
