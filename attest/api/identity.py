"""Whose identity signs: the token given, found in the environment, or got by logging in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TextIO

from attest.errors import TrustError
from attest.oidc import IdentityToken, find_token, read_argument
from attest.signing.instance import SigningInstance
from attest.trust.known import Places
from attest.trust.registry import Registry

__all__ = ["SigningInstance", "find_identity", "instance_of"]


def find_identity(
    argument: str | None,
    *,
    instance: SigningInstance,
    environ: Mapping[str, str],
    stdin: TextIO,
    announce: Callable[[], None],
) -> IdentityToken:
    """The identity token to sign with.

    Args:
        argument: value of `--identity-token`: a token, `@FILE` or `-`; None if not given.
        instance: says where people log in.
        environ: the environment.
        stdin: read for `-`.
        announce: called before a person is asked to log in.

    Raises:
        UsageError: `token_unreadable`.
        SigningError: the codes of `attest.oidc.find_token` and `attest.signing.login.log_in`.
        NetworkError: `network_unreachable`.
        TrustError: the instance names no place to log in.
    """

    def interactive() -> str:
        from attest.signing.login import log_in

        url = instance.login_url()
        announce()
        return log_in(url)

    explicit = None if argument is None else read_argument(argument, stdin=stdin)
    return find_token(explicit=explicit, environ=environ, interactive=interactive)


def instance_of(
    name: str | None, trust_config: str | None, *, places: Places | None = None
) -> SigningInstance:
    """The instance that options name; the public good instance if they name none.

    Args:
        name: a public or registered instance.
        trust_config: path of a client trust config; wins.
        places: where instances are registered; None knows the public ones alone.

    Raises:
        UsageError: `unknown_instance`.
        TrustError: `trust_config_unreadable`, `trust_config_invalid`, `signing_config_missing`,
            and the codes of `load_root`.
    """
    if trust_config is not None:
        return SigningInstance.from_file(trust_config)
    if places is not None and name in Registry(folder=places.registered).names():
        return _registered(name, places)
    return SigningInstance.public(name or "sigstore")


def _registered(name: str, places: Places) -> SigningInstance:
    """A registered instance, with the services that its repository or its trust config names."""
    from attest.trust.load import load_root
    from attest.trust.replay import SIGNING_CONFIG

    loaded = load_root(name, places=places, offline=False)
    if loaded.replayed is None:
        # A client trust config has both; of a trusted root alone nobody can tell where to sign.
        instance = SigningInstance(name=name, trust_config=loaded.data, is_registered=True)
        if instance.names_services:
            return instance
    elif SIGNING_CONFIG in loaded.replayed.files:
        return SigningInstance.registered(
            name, trusted_root=loaded.data, signing_config=loaded.replayed.files[SIGNING_CONFIG]
        )
    raise TrustError(
        "signing_config_missing",
        f"what {name} trusts is known, and not which services sign for it",
        hint="give its client trust config with --trust-config",
    )
