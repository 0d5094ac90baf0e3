"""Whose identity signs: the token given, found in the environment, or got by logging in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TextIO

from attest.oidc import IdentityToken, find_token, read_argument
from attest.signing.instance import SigningInstance

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


def instance_of(name: str | None, trust_config: str | None) -> SigningInstance:
    """The instance that options name; the public good instance if they name none.

    Args:
        name: a public instance.
        trust_config: path of a client trust config; wins.

    Raises:
        UsageError: `unknown_instance`.
        TrustError: `trust_config_unreadable`, `trust_config_invalid`.
    """
    if trust_config is not None:
        return SigningInstance.from_file(trust_config)
    return SigningInstance.public(name or "sigstore")
