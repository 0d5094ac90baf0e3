"""Token claims to certificate: which SAN and which Fulcio extensions an identity gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cryptography import x509

from attest.sandbox.names import GITHUB_ISSUER
from attest.sandbox.refusal import bad_request, unauthenticated

GITHUB: Final = "https://github.com"

# Fulcio's oid-info.md: last arc of the extension -> claim of a GitHub Actions token.
_COPIED: Final[Mapping[int, str]] = {
    2: "event_name",
    3: "sha",
    4: "workflow",
    5: "repository",
    6: "ref",
    10: "job_workflow_sha",
    11: "runner_environment",
    13: "sha",
    14: "ref",
    15: "repository_id",
    17: "repository_owner_id",
    19: "workflow_sha",
    20: "event_name",
    22: "repository_visibility",
    23: "environment",
    24: "sub",
}
_LOCATED: Final[Mapping[int, str]] = {
    9: "job_workflow_ref",
    12: "repository",
    16: "repository_owner",
    18: "workflow_ref",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class CertifiedIdentity:
    """What a certificate will say about its holder, and what the holder signed to prove the key."""

    san: x509.GeneralName
    issuer: str
    extensions: Mapping[int, str]
    challenge: str


def identity_of(claims: Mapping[str, object]) -> CertifiedIdentity:
    """The identity in a token whose signature and times are already checked."""
    if claims.get("iss") == GITHUB_ISSUER:
        return _workflow(claims)
    return _person(claims)


def _person(claims: Mapping[str, object]) -> CertifiedIdentity:
    email = _text(claims, "email")
    # Fulcio refuses anything but the boolean: "true" as text is what a sloppy issuer sends.
    if claims.get("email_verified") is not True:
        raise unauthenticated("token: email_verified is not true")
    try:
        san = x509.RFC822Name(email)
    except ValueError as error:
        raise bad_request("token: email is not an address") from error
    return CertifiedIdentity(
        san=san,
        issuer=_federated_issuer(claims),
        extensions={24: _text(claims, "sub")},
        challenge=email,
    )


def _federated_issuer(claims: Mapping[str, object]) -> str:
    """The identity provider behind a Dex-style issuer; the issuer itself if none is named."""
    federated = claims.get("federated_claims")
    if federated is None:
        return _text(claims, "iss")
    if not isinstance(federated, dict):
        raise bad_request("token: federated_claims is not an object")
    return _text(federated, "connector_id")


def _workflow(claims: Mapping[str, object]) -> CertifiedIdentity:
    extensions = {arc: value for arc, name in _COPIED.items() if (value := _optional(claims, name))}
    extensions |= {
        arc: f"{GITHUB}/{value}"
        for arc, name in _LOCATED.items()
        if (value := _optional(claims, name))
    }
    repository, run = _optional(claims, "repository"), _optional(claims, "run_id")
    if repository and run:
        attempt = _optional(claims, "run_attempt") or "1"
        extensions[21] = f"{GITHUB}/{repository}/actions/runs/{run}/attempts/{attempt}"
    return CertifiedIdentity(
        san=_uri(f"{GITHUB}/{_text(claims, 'job_workflow_ref')}"),
        issuer=GITHUB_ISSUER,
        extensions=extensions,
        challenge=_text(claims, "sub"),
    )


def _uri(value: str) -> x509.UniformResourceIdentifier:
    try:
        return x509.UniformResourceIdentifier(value)
    except ValueError as error:
        raise bad_request("token: identity is not a URI an X.509 certificate can hold") from error


def _text(claims: Mapping[str, object], name: str) -> str:
    value = _optional(claims, name)
    if not value:
        raise bad_request(f"token: {name} is missing")
    return value


def _optional(claims: Mapping[str, object], name: str) -> str:
    value = claims.get(name, "")
    if not isinstance(value, str):
        raise bad_request(f"token: {name} is not a string")
    return value
