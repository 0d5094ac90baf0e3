"""Whose identity signs: the token given, found in the environment, or got by logging in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, TextIO

from attest.errors import SigningError, TrustError
from attest.signing.identity import Login, Person, TokenSource, choose_login, find_source
from attest.signing.instance import (
    PUBLIC_INSTANCES,
    Kind,
    SigningInstance,
    signing_config_in,
)
from attest.trust.known import Places
from attest.trust.registry import Registry

if TYPE_CHECKING:  # who has a token logs in nowhere
    from attest.signing.device import DeviceCode  # noqa: TC004 - exported to who annotates with it

__all__ = [
    "DeviceCode",
    "Login",
    "SigningInstance",
    "TokenSource",
    "current",
    "find_identity",
    "instance_of",
    "login_here",
]


def login_here(environ: Mapping[str, str], *, platform: str, device: bool) -> Login:
    """How a person logs in on this machine; see `choose_login`."""
    return choose_login(environ, platform=platform, device=device)


def find_identity(
    argument: str | None,
    *,
    instance: SigningInstance,
    environ: Mapping[str, str],
    stdin: TextIO | None,
    login: Login | None,
    before_login: Callable[[], None],
    announce: Callable[[], None],
    show: Callable[[DeviceCode], None],
) -> TokenSource:
    """Where the identity token to sign with comes from; `TokenSource.token` gets it.

    Args:
        argument: value of `--identity-token`: a token, `@FILE` or `-`; None if not given.
        instance: says where people log in.
        environ: the environment.
        stdin: read for `-`.
        login: how a person can log in; None where there is nobody.
        before_login: called before a person is asked to log in; may refuse by raising.
        announce: called before a browser is opened.
        show: shows a person the code to log in with on another device.

    Raises:
        UsageError: `token_unreadable`.
        SigningError: `no_identity`.
    """

    def on_another_device() -> str:
        from attest.signing.device import log_in_elsewhere

        return log_in_elsewhere(instance.login_url(), show=show)

    def log_in() -> str:
        from attest.signing.login import log_in

        before_login()
        if login == "device":
            return on_another_device()
        announce()
        try:
            return log_in(instance.login_url())
        except SigningError as error:
            if error.code != "no_browser":
                raise
            return on_another_device()

    return find_source(
        argument=argument,
        environ=environ,
        stdin=stdin,
        person=None if login is None else Person(login=login, log_in=log_in),
    )


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
        return _known(name, places)
    return SigningInstance.public(name or "sigstore")


def current(instance: SigningInstance, *, places: Places) -> SigningInstance:
    """A public instance with what is known of it now, fetched if that is due; others as they are.

    Args:
        instance: as `instance_of` gave it, without asking the network.
        places: where what was fetched is kept.

    Raises:
        TrustError: `trust_config_invalid`, and the codes of `load_root`.
    """
    if not instance.is_public:
        return instance
    return replace(_known(instance.name, places), rekor_version=instance.rekor_version)


def _known(name: str, places: Places) -> SigningInstance:
    """An instance with the services that its repository, its trust config or this version names."""
    from attest.trust.load import load_root
    from attest.trust.replay import SIGNING_CONFIG, SIGNING_CONFIG_V2
    from attest.trust.shipped import embedded_signing_config

    loaded = load_root(name, places=places, offline=False)
    kind: Kind = "public" if name in PUBLIC_INSTANCES else "registered"
    files = {} if loaded.replayed is None else loaded.replayed.files
    data = files.get(SIGNING_CONFIG)
    if data is None and kind == "public":
        data = embedded_signing_config(name)
    if data is not None:
        made = SigningInstance.of(name, kind=kind, root=loaded.root, signing_config=data)
        return made.with_logs_of(files.get(SIGNING_CONFIG_V2))
    # A client trust config has both; of a trusted root alone nobody can tell where to sign.
    services = None if loaded.replayed else signing_config_in(loaded.data, where=name)
    if services is None:
        raise TrustError(
            "signing_config_missing",
            f"what {name} trusts is known, and not which services sign for it",
            hint="give its client trust config with --trust-config",
        )
    return SigningInstance(name=name, kind=kind, root=loaded.root, services=services)
