"""A statement that somebody wrote, read to be signed: strictly, and only for what it speaks of."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from attest.dsse import IN_TOTO_PAYLOAD_TYPE, UntrustedEnvelope
from attest.engine.content import ArtifactContent, check_content
from attest.errors import MalformedEvidence, UsageError, VerificationFailed
from attest.files import read_file
from attest.limits import Limits
from attest.statement import Statement, parse_statement


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadyStatement:
    """A statement to sign: `payload` is the file's bytes, signed as they are."""

    payload: bytes
    statement: Statement


def read_statement(
    path: str | os.PathLike[str], content: ArtifactContent, limits: Limits
) -> ReadyStatement:
    """Read a statement and require that the content is one of its subjects.

    Args:
        path: the file.
        content: what it must speak of, as whoever verifies it will ask.
        limits: bounds on its size and nesting.

    Raises:
        UsageError: `invalid_statement`; `digest_algorithm_needed`; it cannot be read.
    """
    where = os.fspath(path)
    payload = read_file(Path(path), limit=limits.max_bundle_bytes)
    if len(payload) > limits.max_bundle_bytes:
        raise _invalid(f"is larger than {limits.max_bundle_bytes} bytes", where)
    envelope = UntrustedEnvelope(payload=payload, payload_type=IN_TOTO_PAYLOAD_TYPE, signature=b"")
    try:
        statement = parse_statement(payload, max_depth=limits.max_json_depth)
        check_content(envelope, content, limits=limits)
    except MalformedEvidence as error:
        raise _invalid(f"{error.where}: {error.message}", where) from None
    except VerificationFailed as error:
        raise _invalid(f"does not speak of the target: {error.message}", where) from None
    return ReadyStatement(payload=payload, statement=statement)


def _invalid(why: str, where: str) -> UsageError:
    return UsageError(
        "invalid_statement",
        f"the statement {why}",
        where=where,
        hint="give an in-toto statement that names the target among its subjects",
    )
