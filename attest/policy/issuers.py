"""Short names for the OIDC issuers that the public instance knows."""

from __future__ import annotations

from difflib import get_close_matches

from attest.errors import UsageError

#: Issuers that everybody shares. Source: sigstore/fulcio, config/identity/config.yaml.
ISSUERS: dict[str, str] = {
    "buildkite": "https://agent.buildkite.com",
    "codefresh": "https://oidc.codefresh.io",
    "github": "https://github.com/login/oauth",
    "github-actions": "https://token.actions.githubusercontent.com",
    "gitlab": "https://gitlab.com",
    "google": "https://accounts.google.com",
    "microsoft": "https://login.microsoftonline.com",
}

#: CI systems with an issuer for each organization, which no alias could name exactly.
PER_ORGANIZATION: dict[str, str] = {"circleci": "https://oidc.circleci.com/org/ORG_ID"}


def resolve_issuer(text: str) -> str:
    """The issuer's URL; an alias is looked up, a URL is taken as it is.

    Raises:
        UsageError: `unknown_issuer`, for what is neither.
    """
    if "://" in text:
        return text
    url = ISSUERS.get(text)
    if url is None:
        raise UsageError(
            "unknown_issuer",
            f"{text!r} is neither a URL nor a known alias",
            where="--issuer",
            hint=_hint(text),
        )
    return url


def _hint(text: str) -> str:
    if text in PER_ORGANIZATION:
        return f"each organization has its own: {PER_ORGANIZATION[text]}"
    close = get_close_matches(text, ISSUERS, n=1)
    return f"did you mean {close[0]!r}?" if close else f"aliases: {', '.join(ISSUERS)}"
