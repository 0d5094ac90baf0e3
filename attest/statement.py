"""The in-toto statement: built for packs, parsed strictly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from attest.digest import SIZES, Algorithm
from attest.errors import MalformedEvidence
from attest.limits import DEFAULT_LIMITS
from attest.strictjson import JSON, Members, canonicalize, decode_hex, loads

STATEMENT_V1 = "https://in-toto.io/Statement/v1"
STATEMENT_V01 = "https://in-toto.io/Statement/v0.1"
#: Predicate type of Evidence Pack attestations (R-068d).
PACK_PREDICATE_TYPE = "https://evidencepack.org/attestation/v1"
#: The one subject of Evidence Pack attestations (R-068b).
PACK_SUBJECT_NAME = "manifest.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """One subject of a statement: a name and its digests as lowercase hex by algorithm."""

    name: str
    digests: tuple[tuple[str, str], ...]

    def checkable(self) -> dict[Algorithm, bytes]:
        """The SHA-2 digests among them, raw."""
        listed = dict(self.digests)
        return {name: bytes.fromhex(listed[name]) for name in SIZES if name in listed}


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """An in-toto statement; what its predicate says is carried, not judged."""

    type: str
    subjects: tuple[Subject, ...]
    predicate_type: str
    predicate: JSON


def parse_statement(payload: bytes, *, max_depth: int = DEFAULT_LIMITS.max_json_depth) -> Statement:
    """Parse a statement strictly.

    Args:
        payload: the payload bytes of the envelope, exactly as signed.
        max_depth: bound on nesting.

    Raises:
        MalformedEvidence: a code of `strictjson.loads`, `invalid_statement_type`,
            `invalid_statement`, `invalid_subject`.

    Source: in-toto attestation Statement v1 and v0.1; Evidence Pack R-088d, R-088e.
    """
    where = "statement"
    members = Members(
        loads(payload, where=where, max_depth=max_depth), where=where, code="invalid_statement"
    )
    kind = members.string("_type")
    if kind not in (STATEMENT_V1, STATEMENT_V01):
        raise MalformedEvidence(
            "invalid_statement_type",
            f"_type is {kind!r}, not an in-toto statement",
            where=members.path("_type"),
            rule="R-088e",
        )
    subjects = tuple(_subject(item) for item in members.list_of_members("subject"))
    if not subjects:
        raise MalformedEvidence(
            "invalid_subject", "a statement without a subject", where=members.path("subject")
        )
    statement = Statement(
        type=kind,
        subjects=subjects,
        predicate_type=members.string("predicateType"),
        predicate=members.raw("predicate"),
    )
    if not statement.predicate_type:
        raise members.fail("predicateType", "is empty")
    members.no_others()
    return statement


def _subject(item: Members) -> Subject:
    digests = item.members("digest")
    listed: list[tuple[str, str]] = []
    for name in digests.names():
        value = digests.string(name)
        if name in SIZES:
            size = SIZES[name]
            decode_hex(value, where=digests.path(name), code="invalid_subject", size=size)
        listed.append((name, value))
    if not listed:
        raise MalformedEvidence("invalid_subject", "has no digest", where=item.where)
    # Statement v1 also allows these beside `name` and `digest`; they are carried, not judged.
    for optional in ("uri", "content", "downloadLocation", "mediaType", "annotations"):
        item.raw(optional)
    subject = Subject(name=item.string("name", ""), digests=tuple(listed))
    item.no_others()
    return subject


def pack_statement(manifest_digest: bytes) -> bytes:
    """The statement that signs an Evidence Pack, as JCS bytes.

    Args:
        manifest_digest: 32 raw bytes, SHA-256 of the manifest's JCS form.

    Source: Evidence Pack "in-toto Statement", R-067 to R-068e.
    """
    if len(manifest_digest) != SIZES["sha256"]:
        raise ValueError("a manifest digest has 32 bytes")
    return canonicalize(
        {
            "_type": STATEMENT_V1,
            "subject": [{"name": PACK_SUBJECT_NAME, "digest": {"sha256": manifest_digest.hex()}}],
            "predicateType": PACK_PREDICATE_TYPE,
            "predicate": {},
        }
    )


def file_statement(
    subjects: Sequence[tuple[str, bytes]], *, predicate_type: str, predicate: JSON
) -> bytes:
    """A statement about files, as JCS bytes.

    Args:
        subjects: the name and raw SHA-256 digest of each.
        predicate_type: a URI.
        predicate: what is said of them.

    Raises:
        MalformedEvidence: a code of `canonicalize`, for numbers that JCS cannot write.

    Source: in-toto attestation Statement v1.
    """
    named: list[JSON] = [
        {"name": name, "digest": {"sha256": digest.hex()}} for name, digest in subjects
    ]
    return canonicalize(
        {
            "_type": STATEMENT_V1,
            "subject": named,
            "predicateType": predicate_type,
            "predicate": predicate,
        }
    )
