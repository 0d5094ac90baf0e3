"""Which Sigstore instance signs: a public one by name, or one that files describe."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from attest.errors import MalformedEvidence, TrustError, UsageError
from attest.files import read_file
from attest.signing.failures import redact, unreachable
from attest.strictjson import JSON, loads

if TYPE_CHECKING:
    from sigstore.models import ClientTrustConfig

PublicInstance: TypeAlias = Literal["sigstore", "staging"]
RekorVersion: TypeAlias = Literal[1, 2]
PUBLIC_INSTANCES: tuple[str, ...] = get_args(PublicInstance)
_MEDIA_TYPE = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json"
#: The public good instance's trust config has 8 KB; rotations over years do not reach this.
_LARGEST = 4 * 1_048_576


@dataclass(frozen=True, kw_only=True, slots=True)
class SigningInstance:
    """An instance to sign with.

    `name` is that of a public instance, or the path as given of the file that `trust_config`
    (UTF-8 JSON) was read from; of the trusted root where `from_parts` put it together; the name
    of a registered instance where `registered` did. Of several logs `rekor_version` chooses one;
    None is v1 where that is offered.
    """

    name: str
    trust_config: bytes | None = None
    in_parts: bool = False
    is_registered: bool = False
    rekor_version: RekorVersion | None = None

    @classmethod
    def public(cls, name: str) -> SigningInstance:
        """A public instance: `sigstore` or `staging`.

        Raises:
            UsageError: `unknown_instance`.
        """
        if name not in PUBLIC_INSTANCES:
            raise UsageError(
                "unknown_instance",
                f"there is no public instance {name!r}",
                hint=f"name one of {', '.join(PUBLIC_INSTANCES)}, or give --trust-config",
            )
        return cls(name=name)

    @classmethod
    def from_file(cls, path: str | Path) -> SigningInstance:
        """An instance described by a client trust config (trusted root and signing config).

        Raises:
            TrustError: `trust_config_unreadable`, `trust_config_invalid`.
        """
        instance = cls(name=str(path), trust_config=_read(path, "client trust config"))
        instance.trusted_root()
        return instance

    @classmethod
    def from_parts(cls, *, trusted_root: str | Path, signing_config: str | Path) -> SigningInstance:
        """An instance described by two files: what to trust, and which services to use.

        Raises:
            TrustError: `trust_config_unreadable`, `trust_config_invalid`.
        """
        files = {"trustedRoot": trusted_root, "signingConfig": signing_config}
        config: dict[str, JSON] = {"mediaType": _MEDIA_TYPE}
        for member, path in files.items():
            data = _read(path, "trusted root" if member == "trustedRoot" else "signing config")
            config[member] = _object(data, str(path))
        text = json.dumps(config).encode("utf-8")
        return cls(name=str(trusted_root), trust_config=text, in_parts=True)

    @classmethod
    def registered(
        cls, name: str, *, trusted_root: bytes, signing_config: bytes
    ) -> SigningInstance:
        """An instance that the user registered, by what it trusts and which services it has.

        Args:
            name: under which it is registered.
            trusted_root: UTF-8 JSON.
            signing_config: UTF-8 JSON.

        Raises:
            TrustError: `trust_config_invalid`.
        """
        config: dict[str, JSON] = {
            "mediaType": _MEDIA_TYPE,
            "trustedRoot": _object(trusted_root, name),
            "signingConfig": _object(signing_config, name),
        }
        text = json.dumps(config).encode("utf-8")
        return cls(name=name, trust_config=text, is_registered=True)

    @property
    def is_public(self) -> bool:
        """Whether signatures go to a log that everybody can read."""
        return self.trust_config is None

    @property
    def names_services(self) -> bool:
        """Whether the trust config says where to sign.

        Raises:
            TrustError: `trust_config_invalid`.
        """
        return self.trust_config is not None and "signingConfig" in _object(
            self.trust_config, self.name
        )

    def trusted_root(self) -> JSON:
        """The trusted root inside the trust config; None for a public instance.

        Raises:
            TrustError: `trust_config_invalid`.
        """
        if self.trust_config is None:
            return None
        root = _object(self.trust_config, self.name).get("trustedRoot")
        if not isinstance(root, dict):
            raise self._invalid("has no trustedRoot")
        return root

    def client_config(self) -> ClientTrustConfig:
        """The services and keys of the instance; a public one's are fetched through TUF.

        Where the instance offers Rekor v1 and no version is asked for, it is chosen: every client
        in use verifies it.

        Raises:
            TrustError: `trust_config_invalid`, `trust_config_unavailable`.
            NetworkError: `network_unreachable`.
        """
        from sigstore.errors import Error

        config = self._load()
        wanted = (self.rekor_version,) if self.rekor_version else (1, None)
        for version in wanted:
            config.force_tlog_version = version
            try:
                _ = config.signing_config
            except (Error, ValueError) as error:
                if version == wanted[-1]:
                    raise self._invalid(redact(str(error))) from None
            else:
                return config
        return config

    def _load(self) -> ClientTrustConfig:
        from sigstore.models import ClientTrustConfig

        if self.trust_config is not None:
            self.trusted_root()
            try:
                return ClientTrustConfig.from_json(self.trust_config.decode("utf-8"))
            except ValueError as error:  # of which its model's errors are
                raise self._invalid(redact(str(error))) from None
        try:
            if self.name == "staging":
                return ClientTrustConfig.staging()
            return ClientTrustConfig.production()
        # Errors of TUF, of the cache's files and of the network, wrapped or not.
        except Exception as error:  # noqa: BLE001
            raise unreachable(error, f"the trust repository of {self.name}") or TrustError(
                "trust_config_unavailable",
                f"what {self.name} trusts cannot be fetched: {redact(str(error))}",
                hint="check the network, this machine's clock and the cache directory",
            ) from None

    def login_url(self) -> str:
        """Base address of the OpenID Connect issuer at which people log in.

        Raises:
            TrustError: `trust_config_invalid` where the instance names none, and the codes of
                `client_config`.
        """
        from sigstore.errors import Error

        config = self.client_config()
        try:
            return config.signing_config.get_oidc_url()
        except Error as error:
            raise self._invalid(redact(str(error))) from None

    def _invalid(self, what: str) -> TrustError:
        return _unusable(what, self.name)


def _object(data: bytes, where: str) -> dict[str, JSON]:
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
