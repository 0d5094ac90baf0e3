"""A policy file that is used only if somebody signed exactly its bytes, and nothing newer."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from attest.api.attestation import Accepted
from attest.api.editions import Edition, advance
from attest.api.judge import Judge
from attest.api.target import BUNDLE_SUFFIX, NamedTarget
from attest.digest import Digests
from attest.errors import PolicyFileError, UsageError
from attest.files import read_file
from attest.limits import Limits
from attest.policy.decide import check_expiry
from attest.policy.load import parse_policy
from attest.policy.model import Policy, Signer
from attest.policy.nodes import MAX_BYTES
from attest.policy.rules import PolicyFile
from attest.trust.root import TrustRoot


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicySigner:
    """Who must have signed a policy, under which root, and where runs remember its editions."""

    identity: str
    issuer: str
    root: TrustRoot
    folder: Path | None


def load_signed_policy(
    path: Path, signer: PolicySigner, *, bundle: Path | None, now: datetime, limits: Limits
) -> PolicyFile:
    """Load a policy file if it is signed as it must be.

    The file is read once: what is verified are the bytes that are parsed. A statement about the
    policy does not approve of it; its very bytes must be signed, as `attest sign` does.

    Args:
        path: the policy file.
        signer: who must have signed it.
        bundle: its bundle; `FILE.sigstore.json` if not given.
        now: current time (UTC).
        limits: bounds on the bundle.

    Raises:
        PolicyFileError: `policy_not_verified`, `policy_too_large`, `policy_missing_key`,
            `policy_expired`, `policy_rollback`, and the codes of `parse_policy`.
        UsageError: `file_not_found`, `bundle_not_found`, and the codes of `advance`.

    Source: design, section 7, "Signed policies".
    """
    data = read_file(path, limit=MAX_BYTES)
    if len(data) > MAX_BYTES:
        raise PolicyFileError("policy_too_large", f"larger than {MAX_BYTES} bytes", where=str(path))
    bundle = bundle or Path(f"{path}{BUNDLE_SUFFIX}")
    _require_signed(str(path), data, signer, bundle, now, limits)
    policy = parse_policy(data, file=str(path), folder=None)
    for name, value in (("expires", policy.expires), ("serial", policy.serial)):
        if value is None:
            raise PolicyFileError(
                "policy_missing_key",
                f"a signed policy needs `{name}`, or an old one could be used for ever",
                where=str(path),
                hint=f"write `{name}` into it, and sign it again",
            )
    check_expiry(policy, now)
    edition = Edition(
        identity=signer.identity,
        issuer=signer.issuer,
        file=path,
        description=policy.description,
        sandbox=signer.root.sandbox,
        serial=policy.serial or 0,
        sha256=hashlib.sha256(data).digest(),
    )
    advance(edition, folder=signer.folder)
    return policy


def _require_signed(
    name: str, data: bytes, signer: PolicySigner, bundle: Path, now: datetime, limits: Limits
) -> None:
    accepted: list[Accepted] = []
    judge = Judge(
        roots=(signer.root,),
        policy=Policy.any_of(Signer(identity=signer.identity, issuer=signer.issuer)),
        now=now,
        limits=limits,
        keep=accepted.append,
    )
    digests = Digests(
        sha256=hashlib.sha256(data).digest(),
        sha384=hashlib.sha384(data).digest(),
        sha512=hashlib.sha512(data).digest(),
    )
    try:
        report = judge.artifact(NamedTarget(kind="digest", name=name, digests=digests), bundle)
    except UsageError as error:
        if error.code == "bundle_not_found":
            error.hint = f"sign it: attest sign {name}; or name its bundle with --policy-bundle"
        raise
    if report.error is not None:
        raise PolicyFileError(
            "policy_not_verified",
            f"is not signed as it must be: {report.error}",
            where=name,
            hint=f"it must be signed by {signer.identity} (issuer {signer.issuer})",
        )
    if not any(_signs_bytes(item, signer) for item in accepted):
        raise PolicyFileError(
            "policy_not_verified",
            "somebody signed a statement about it, and not the policy itself",
            where=name,
            hint="sign the file: attest sign FILE",
        )


def _signs_bytes(item: Accepted, signer: PolicySigner) -> bool:
    identity = item.verified.identity
    return (
        item.verified.statement is None
        and identity is not None
        and (identity.subject, identity.issuer) == (signer.identity, signer.issuer)
    )
