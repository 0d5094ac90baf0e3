"""Step 7: the signed statement speaks of this pack, or of this artifact."""

from __future__ import annotations

from dataclasses import dataclass

from attest.bundle import UntrustedMessageSignature
from attest.digest import Algorithm
from attest.dsse import IN_TOTO_PAYLOAD_TYPE, UntrustedEnvelope
from attest.engine.signature import DigestOf, digest_needed
from attest.errors import MalformedEvidence, VerificationFailed
from attest.limits import DEFAULT_LIMITS, Limits
from attest.statement import (
    PACK_PREDICATE_TYPE,
    PACK_SUBJECT_NAME,
    STATEMENT_V1,
    Statement,
    parse_statement,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class PackContent:
    """A pack, by the SHA-256 of its manifest's JCS form (32 raw bytes)."""

    manifest_digest: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class ArtifactContent:
    """Any other artifact, by its digests."""

    digest_of: DigestOf


def check_content(
    signed: UntrustedEnvelope | UntrustedMessageSignature,
    content: PackContent | ArtifactContent,
    *,
    limits: Limits = DEFAULT_LIMITS,
) -> Statement | None:
    """Check that what was signed speaks of the content; its statement, if it is one.

    Args:
        signed: the content of a bundle whose signature is verified.
        content: what is to be verified.
        limits: bounds on the statement.

    Raises:
        MalformedEvidence: `missing_dsse_envelope`, a code of `parse_statement`.
        VerificationFailed: `invalid_payload_type`, `invalid_statement_type`, `invalid_subject`,
            `invalid_predicate_type`, `invalid_predicate`, `manifest_digest_mismatch`,
            `digest_mismatch`.
        UsageError: `digest_algorithm_needed`, if only another digest of the artifact is known.

    Source: Evidence Pack R-064a, R-067 to R-068e, R-077, R-087 to R-088g; in-toto Statement.
    """
    if isinstance(signed, UntrustedMessageSignature):
        if isinstance(content, PackContent):
            raise MalformedEvidence(
                "missing_dsse_envelope", "a pack needs a signed statement", rule="R-064a"
            )
        return None  # the signature itself covered the artifact's digest (step 6)
    if signed.payload_type != IN_TOTO_PAYLOAD_TYPE:
        raise VerificationFailed(
            "invalid_payload_type",
            f"payloadType is {signed.payload_type!r}, not {IN_TOTO_PAYLOAD_TYPE!r}",
            where="dsseEnvelope.payloadType",
            rule="R-088c",
        )
    statement = parse_statement(signed.payload, max_depth=limits.max_json_depth)
    if isinstance(content, PackContent):
        _check_pack(statement, content.manifest_digest)
    else:
        _check_artifact(statement, content.digest_of)
    return statement


def _check_pack(statement: Statement, manifest_digest: bytes) -> None:
    if statement.type != STATEMENT_V1:
        raise _failed("invalid_statement_type", f"_type is not {STATEMENT_V1!r}", "_type", "R-088e")
    if statement.predicate_type != PACK_PREDICATE_TYPE:
        raise _failed(
            "invalid_predicate_type",
            f"predicateType is {statement.predicate_type!r}, not {PACK_PREDICATE_TYPE!r}",
            "predicateType",
            "R-088a",
        )
    if len(statement.subjects) != 1:
        message = f"must name exactly one subject, names {len(statement.subjects)}"
        raise _failed("invalid_subject", message, "subject", "R-068a")
    subject = statement.subjects[0]
    if subject.name != PACK_SUBJECT_NAME:
        message = f"is {subject.name!r}, not {PACK_SUBJECT_NAME!r}"
        raise _failed("invalid_subject", message, "subject[0].name", "R-088f")
    if [name for name, _ in subject.digests] != ["sha256"]:
        raise _failed("invalid_subject", "must be one sha256", "subject[0].digest", "R-068c")
    if statement.predicate != {}:
        raise _failed("invalid_predicate", "must be an empty object", "predicate", "R-088g")
    if subject.checkable()["sha256"] != manifest_digest:
        raise VerificationFailed(
            "manifest_digest_mismatch",
            f"signs manifest digest {subject.digests[0][1]}, this manifest has "
            f"{manifest_digest.hex()}",
            where="statement.subject[0].digest",
            rule="R-087",
            hint="the manifest was changed after signing, or belongs to another pack",
        )


def _check_artifact(statement: Statement, digest_of: DigestOf) -> None:
    undecided: list[Algorithm] = []
    for subject in statement.subjects:
        listed = {name: (value, digest_of(name)) for name, value in subject.checkable().items()}
        known = {name: value == ours for name, (value, ours) in listed.items() if ours is not None}
        if known and all(known.values()):
            return
        if not known:
            undecided.extend(listed)
    if undecided:
        raise digest_needed(undecided[0], "the statement gives")
    raise VerificationFailed(
        "digest_mismatch",
        "no subject of the statement has the digest of this artifact",
        where="statement.subject",
        hint="is this the artifact, and the version of it, that was signed?",
    )


def _failed(code: str, message: str, member: str, rule: str) -> VerificationFailed:
    return VerificationFailed(code, message, where=f"statement.{member}", rule=rule)
