"""The names a sandbox goes by: stable across ports, so that evidence outlives a restart."""

from __future__ import annotations

from typing import Final

SANDBOX_ORGANIZATION: Final = "attest sandbox (not for production)"
"""The `O` of every CA, TSA and root certificate a sandbox makes; verifiers recognise it.

Written here a second time because server and client share no module; a test compares them.
"""

DOMAIN: Final = "sandbox.attest.invalid"
"""RFC 6761 reserves `.invalid`: these hosts can never resolve to somebody else's machine."""

FULCIO_HOST: Final = f"fulcio.{DOMAIN}"
CTLOG_HOST: Final = f"ctlog.{DOMAIN}"
REKOR1_HOST: Final = f"rekor.{DOMAIN}"
REKOR2_HOST: Final = f"rekor2.{DOMAIN}"
TSA_HOST: Final = f"tsa.{DOMAIN}"

OPERATOR: Final = DOMAIN
"""Operator of every service in a signing config."""

AUDIENCE: Final = "sigstore"
"""`aud` of every token a Sigstore CA accepts, and the OAuth client id."""

GITHUB_ISSUER: Final = "https://token.actions.githubusercontent.com"
GOOGLE_ISSUER: Final = "https://accounts.google.com"
DEFAULT_PERSON: Final = "ana@acme.example"

GLOBAL_INDEX_OFFSET: Final = 40_000_000
"""Where Rekor v1's global index starts: it must never equal the shard index by accident."""
