"""Identity tokens: minted for people and workflows, checked by the certificate authority."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Final, cast

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from attest.sandbox.clock import Clock, utc_now
from attest.sandbox.names import AUDIENCE, GITHUB_ISSUER, GOOGLE_ISSUER
from attest.sandbox.refusal import unauthenticated

ALGORITHM: Final = "ES256"
LEEWAY_SECONDS: Final = 5
MAX_TOKEN_CHARACTERS: Final = 16_384


class TokenIssuer:
    """Signs and checks the sandbox's tokens; one key stands for every issuer it plays.

    Args:
        key: ECDSA P-256.
        clock: tells the time.
    """

    def __init__(self, *, key: ec.EllipticCurvePrivateKey, clock: Clock = utc_now) -> None:
        self.key = key
        self._clock = clock
        der = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.key_id = hashlib.sha256(der).hexdigest()[:16]

    def mint(self, claims: Mapping[str, object], *, lifetime_seconds: float = 600) -> str:
        """A signed token with exactly these claims and default `aud`, `iat` and `exp`.

        Args:
            claims: as they appear in the token; a `None` leaves the claim out.
            lifetime_seconds: until `exp`; negative makes a token that has already expired.
        """
        now = self._clock()
        expiry = now + timedelta(seconds=lifetime_seconds)
        defaults: dict[str, object] = {
            "aud": AUDIENCE,
            "iat": int(min(now, expiry - timedelta(minutes=1)).timestamp()),
            "exp": int(expiry.timestamp()),
        }
        if lifetime_seconds > 0:
            defaults["iat"] = int(now.timestamp())
        merged = {
            name: value for name, value in {**defaults, **claims}.items() if value is not None
        }
        return jwt.encode(merged, self.key, algorithm=ALGORITHM, headers={"kid": self.key_id})

    def check(self, token: str, *, issuers: Collection[str]) -> Mapping[str, object]:
        """The claims of a valid token; 401 for any other.

        Args:
            token: the JWT.
            issuers: whom to believe.
        """
        if len(token) > MAX_TOKEN_CHARACTERS:
            raise unauthenticated("token: too long")
        try:
            claims = jwt.decode(
                token,
                self.key.public_key(),
                # The one algorithm: `none` and HMAC over the public key are never considered.
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                leeway=LEEWAY_SECONDS,
                options={"require": ["iss", "sub", "aud", "iat", "exp"]},
            )
        except jwt.InvalidTokenError as error:
            raise unauthenticated(f"token: {type(error).__name__}") from error
        if claims.get("iss") not in issuers:
            raise unauthenticated("token: unknown issuer")
        return cast("Mapping[str, object]", claims)

    def jwks(self) -> Mapping[str, object]:
        """The key set that checks these tokens (RFC 7517)."""
        numbers = self.key.public_key().public_numbers()
        return {
            "keys": [
                {
                    "kty": "EC",
                    "crv": "P-256",
                    "use": "sig",
                    "alg": ALGORITHM,
                    "kid": self.key_id,
                    "x": _coordinate(numbers.x),
                    "y": _coordinate(numbers.y),
                }
            ]
        }


def _coordinate(value: int) -> str:
    return base64.urlsafe_b64encode(value.to_bytes(32, "big")).rstrip(b"=").decode("ascii")


def person_claims(
    *,
    issuer: str,
    email: str,
    connector: str | None = GOOGLE_ISSUER,
    verified: bool = True,
    nonce: str | None = None,
) -> dict[str, object]:
    """The claims of a person's token, as Sigstore's public issuer (Dex) writes them.

    Args:
        issuer: `iss`.
        email: the person.
        connector: identity provider behind the issuer, which the certificate names; or None.
        verified: `email_verified`.
        nonce: echoed if the client sent one.
    """
    subject = hashlib.sha256(json.dumps([connector, email]).encode()).hexdigest()[:40]
    return {
        "iss": issuer,
        "sub": subject,
        "email": email,
        "email_verified": verified,
        "federated_claims": connector and {"connector_id": connector, "user_id": subject},
        "nonce": nonce,
    }


def workflow_claims(
    *,
    repository: str = "acme/evidence",
    workflow: str = ".github/workflows/pack.yml",
    ref: str = "refs/heads/main",
    overrides: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """The claims GitHub puts in a workflow's token.

    Args:
        repository: `owner/name`.
        workflow: path of the workflow file in it.
        ref: full git ref the run is on.
        overrides: replace or add claims; a `None` leaves one out.
    """
    owner = repository.partition("/")[0]
    commit = hashlib.sha1(f"{repository}@{ref}".encode(), usedforsecurity=False).hexdigest()
    workflow_ref = f"{repository}/{workflow}@{ref}"
    claims: dict[str, object] = {
        "iss": GITHUB_ISSUER,
        "jti": hashlib.sha256(workflow_ref.encode()).hexdigest()[:32],
        "sub": f"repo:{repository}:ref:{ref}",
        "actor": "ana",
        "actor_id": "4242",
        "base_ref": "",
        "event_name": "push",
        "head_ref": "",
        "job_workflow_ref": workflow_ref,
        "job_workflow_sha": commit,
        "ref": ref,
        "ref_protected": "true",
        "ref_type": "tag" if ref.startswith("refs/tags/") else "branch",
        "repository": repository,
        "repository_id": _stable_number(repository),
        "repository_owner": owner,
        "repository_owner_id": _stable_number(owner),
        "repository_visibility": "private",
        "run_attempt": "1",
        "run_id": "1700000001",
        "run_number": "7",
        "runner_environment": "github-hosted",
        "sha": commit,
        "workflow": "pack",
        "workflow_ref": workflow_ref,
        "workflow_sha": commit,
    }
    claims |= overrides or {}
    if "environment" in claims and "sub" not in (overrides or {}):
        # GitHub's default subject names the environment instead of the ref.
        claims["sub"] = f"repo:{repository}:environment:{claims['environment']}"
    return claims


def requested_workflow(query: Mapping[str, str]) -> dict[str, object]:
    """The claims of the workflow that the sandbox's ambient URL describes.

    Args:
        query: `repository`, `workflow_path` and `ref` as in `workflow_claims`; other names are
            claims; `audience` and `api-version` belong to GitHub's protocol.
    """
    chosen = {name: query[name] for name in ("repository", "ref") if name in query}
    if "workflow_path" in query:
        chosen["workflow"] = query["workflow_path"]
    reserved = {"repository", "ref", "workflow_path", "audience", "api-version"}
    overrides = {name: value for name, value in query.items() if name not in reserved}
    return workflow_claims(**chosen, overrides=overrides)


def _stable_number(name: str) -> str:
    return str(int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big"))
