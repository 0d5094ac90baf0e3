"""Statements to sign: one that somebody wrote, or a predicate about the targets; read strictly."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from attest.dsse import IN_TOTO_PAYLOAD_TYPE, UntrustedEnvelope
from attest.engine.content import ArtifactContent, check_content
from attest.errors import MalformedEvidence, UsageError, VerificationFailed
from attest.files import read_file
from attest.limits import Limits
from attest.statement import Statement, file_statement, parse_statement
from attest.strictjson import JSON, loads

#: RFC 3986, as far as it is needed to tell a URI from a name or a path.
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadyStatement:
    """A statement to sign: `payload` is signed byte for byte."""

    payload: bytes
    statement: Statement


@dataclass(frozen=True, kw_only=True, slots=True)
class Predicate:
    """What somebody wants to say of targets, and the URI that says what kind of thing that is."""

    type: str
    value: JSON

    @classmethod
    def read(cls, path: str | os.PathLike[str], predicate_type: str, limits: Limits) -> Predicate:
        """Read a predicate; what it says is carried, not judged.

        Args:
            path: the file, a JSON object.
            predicate_type: the URI.
            limits: bounds on its size and nesting.

        Raises:
            UsageError: `invalid_predicate_type`, `invalid_statement`; it cannot be read.

        Source: in-toto attestation Statement v1.
        """
        if not _URI.fullmatch(predicate_type):
            raise UsageError(
                "invalid_predicate_type",
                f"a predicate type is a URI, not {predicate_type!r}",
                hint="write it out, as in https://slsa.dev/provenance/v1",
            )
        where = os.fspath(path)
        data = _bounded(where, limits, "the predicate")
        try:
            value = loads(data, where=where, max_depth=limits.max_json_depth)
        except MalformedEvidence as error:
            raise _invalid(f"the predicate cannot be read: {error.message}", where) from None
        if not isinstance(value, dict):
            raise _invalid("the predicate is no JSON object", where)
        return cls(type=predicate_type, value=value)


def read_statement(
    path: str | os.PathLike[str], contents: Sequence[ArtifactContent], limits: Limits
) -> ReadyStatement:
    """Read a statement and require that all contents are among its subjects.

    Args:
        path: the file.
        contents: what it must speak of, as whoever verifies it will ask.
        limits: bounds on its size and nesting.

    Raises:
        UsageError: `invalid_statement`; `digest_algorithm_needed`; it cannot be read.
    """
    where = os.fspath(path)
    return _ready(_bounded(where, limits, "the statement"), contents, where, limits)


def state(
    predicate: Predicate,
    subjects: Sequence[tuple[str, bytes]],
    contents: Sequence[ArtifactContent],
    limits: Limits,
) -> ReadyStatement:
    """Make the statement that says a predicate of targets.

    Args:
        predicate: what to say.
        subjects: names and raw SHA-256 digests.
        contents: the same, as whoever verifies it will ask.
        limits: bounds on its size and nesting.

    Raises:
        UsageError: `invalid_statement`; two of the names are the same.
    """
    seen: set[str] = set()
    for name, _ in subjects:
        if name in seen:
            raise UsageError(
                "invalid_statement",
                "two of the targets have this name, and a statement names files without folders:"
                " nobody could tell them apart",
                where=name,
                hint="leave --bundle out, so that each has a statement of its own; or name them as"
                " you want in a statement that you give with --statement",
            )
        seen.add(name)
    try:
        payload = file_statement(subjects, predicate_type=predicate.type, predicate=predicate.value)
    except MalformedEvidence as error:
        raise _invalid(f"the predicate {error.message}", "predicate") from None
    return _ready(payload, contents, "statement", limits)


def _ready(
    payload: bytes, contents: Sequence[ArtifactContent], where: str, limits: Limits
) -> ReadyStatement:
    envelope = UntrustedEnvelope(payload=payload, payload_type=IN_TOTO_PAYLOAD_TYPE, signature=b"")
    try:
        statement = parse_statement(payload, max_depth=limits.max_json_depth)
        for content in contents:
            check_content(envelope, content, limits=limits)
    except MalformedEvidence as error:
        raise _invalid(f"the statement {error.where}: {error.message}", where) from None
    except VerificationFailed as error:
        raise _invalid(
            f"the statement does not speak of the target: {error.message}", where
        ) from None
    return ReadyStatement(payload=payload, statement=statement)


def _bounded(where: str, limits: Limits, what: str) -> bytes:
    data = read_file(Path(where), limit=limits.max_bundle_bytes)
    if len(data) > limits.max_bundle_bytes:
        raise _invalid(f"{what} is larger than {limits.max_bundle_bytes} bytes", where)
    return data


def _invalid(why: str, where: str) -> UsageError:
    return UsageError(
        "invalid_statement",
        why,
        where=where,
        hint="give an in-toto statement that names the target among its subjects, or with"
        " --predicate what is to be said of it",
    )
