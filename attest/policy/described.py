"""A signature that a test case describes, as the value that verifying one like it would give.

Nothing here was verified. Only test cases may use this module, which a test of the imports holds:
what it makes never reaches a verification or a report of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from attest.claims import CertificateIdentity, SubjectKind
from attest.keys import PublicKey
from attest.policy.issuers import ISSUERS
from attest.statement import STATEMENT_V1, Statement
from attest.verified import KeyIdentity, VerifiedAttestation, VerifiedLogEntry, VerifiedTime

_HOSTS = {ISSUERS["github-actions"]: "github.com", ISSUERS["gitlab"]: "gitlab.com"}
#: Fields of a signer that are a claim as it stands.
_CLAIMS = {
    "repository-id": "source-repository-identifier",
    "owner-id": "source-repository-owner-identifier",
    "ref": "source-repository-ref",
    "commit": "source-repository-digest",
    "runner": "runner-environment",
    "trigger": "build-trigger",
    "visibility": "source-repository-visibility",
    "environment": "deployment-environment",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class DescribedSignature:
    """What a test case says of one signature.

    `at` is when it verifiably existed: a time, never (`timed` is false), or when the case decides
    (None). `leaf_hash` is raw; None where it has no log entry. `predicate_type` is None where an
    artifact's bytes were signed.
    """

    signer: CertificateIdentity | PublicKey
    timed: bool
    at: datetime | None
    leaf_hash: bytes | None
    predicate_type: str | None

    def as_verified(self, now: datetime) -> VerifiedAttestation:
        """The value that verifying it would give.

        Args:
            now: when the case decides (UTC).
        """
        time = VerifiedTime(time=self.at or now, source="tsa", authority="described")
        signer = self.signer
        return VerifiedAttestation(
            signer=KeyIdentity(key_id=signer.key_id.hex())
            if isinstance(signer, PublicKey)
            else signer,
            certificate=None,
            statement=None if self.predicate_type is None else _statement(self.predicate_type),
            times=(time,) if self.timed else (),
            log_entries=() if self.leaf_hash is None else (_entry(self.leaf_hash),),
            instance="described",
        )


def describe_identity(
    issuer: str, fields: Mapping[str, str], claims: Mapping[str, str]
) -> CertificateIdentity:
    """The identity of which a signer's fields would say this.

    Args:
        issuer: the issuer's URL.
        fields: by the names that a policy has for them, each one value.
        claims: extensions by name; they win over what the fields make.

    Raises:
        KeyError: names what is missing: a workflow's `repository` and `ref`, or any name at all.

    Source: design, section 7 "Fields and claims".
    """
    said = {"issuer": issuer}
    said |= {claim: fields[name] for name, claim in _CLAIMS.items() if name in fields}
    host = _HOSTS.get(issuer) or urlsplit(issuer).hostname or issuer
    if "repository" in fields:
        said["source-repository-uri"] = f"https://{host}/{fields['repository']}"
    slash = "//" if issuer == ISSUERS["gitlab"] else "/"
    if "workflow" in fields:
        place = f"https://{host}/{fields['repository']}{slash}{fields['workflow']}"
        said["build-config-uri"] = f"{place}@{fields['ref']}"
    if "workflow" in fields or "signer-workflow" in fields:
        repository = fields.get("signer-repository") or fields["repository"]
        path = fields.get("signer-workflow") or fields["workflow"]
        ref = fields.get("signer-ref") or fields["ref"]
        said["build-signer-uri"] = f"https://{host}/{repository}{slash}{path}@{ref}"
    said |= claims
    name = fields.get("email") or fields.get("subject") or said.get("build-signer-uri")
    if name is None:
        raise KeyError("workflow" if "repository" in fields else "email")
    kind: SubjectKind = "username"
    if "@" in name or "://" in name:
        kind = "uri" if "://" in name else "email"
    return CertificateIdentity(subject=name, kind=kind, issuer=issuer, claims=said)


def _entry(leaf_hash: bytes) -> VerifiedLogEntry:
    return VerifiedLogEntry(
        log_id=bytes(32), origin="described", index=0, proof="inclusion", leaf_hash=leaf_hash
    )


def _statement(predicate_type: str) -> Statement:
    return Statement(type=STATEMENT_V1, subjects=(), predicate_type=predicate_type, predicate={})
