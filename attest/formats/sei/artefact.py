"""A `.sei` artefact: its envelope as read and as written, and the bundle that has none."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeGuard, get_args

from attest.errors import MalformedEvidence, VerificationFailed
from attest.limits import DEFAULT_LIMITS, Limits
from attest.strictjson import JSON, Members, loads

Kind: TypeAlias = Literal["conformance", "reconstruct"]

#: The version of every kind's payload so far.
SCHEMA_VERSION = 1
_LARGEST_VERSION = 2**32 - 1  # the document's type is u32
_MEMBERS = {"schema_version", "kind", "system", "payload"}
_CODE = "invalid_artefact"


@dataclass(frozen=True, kw_only=True, slots=True)
class Artefact:
    """A versioned envelope and what it holds; the members are written in this order."""

    schema_version: int = SCHEMA_VERSION
    kind: Kind
    system: str
    payload: dict[str, JSON]


def parse_artefact(data: bytes, where: str, *, limits: Limits = DEFAULT_LIMITS) -> Artefact:
    """Parse an artefact strictly; its layout (spaces, order of members) is its writer's choice.

    Args:
        data: the file's bytes.
        where: its path, for errors.
        limits: bounds on its size and nesting.

    Raises:
        MalformedEvidence: `artifact_too_large`, a code of `strictjson.loads`, `invalid_artefact`,
            `unsupported_schema_version`.

    Source: "The .sei/* artefacts", the envelope and its table.
    """
    root = Members(_loads(data, where, limits), where=where, code=_CODE)
    version = root.raw("schema_version")
    if not isinstance(version, int) or isinstance(version, bool):
        raise root.fail("schema_version", "must be a whole number")
    if not 1 <= version <= _LARGEST_VERSION:
        raise root.fail("schema_version", f"must be from 1 to {_LARGEST_VERSION}")
    if version != SCHEMA_VERSION:
        raise MalformedEvidence(
            "unsupported_schema_version",
            f"schema_version is {version}; only {SCHEMA_VERSION} is known",
            where=root.path("schema_version"),
            hint="a newer attest may know it",
        )
    kind = root.string("kind")
    if not is_kind(kind):
        raise root.fail("kind", f"must be one of {', '.join(get_args(Kind))}, is {kind!r}")
    system = root.string("system")
    if not system:
        raise root.fail("system", "is empty")
    payload = root.raw("payload")
    if not isinstance(payload, dict):
        raise root.fail("payload", "must be an object")
    root.no_others()
    return Artefact(schema_version=version, kind=kind, system=system, payload=payload)


def is_kind(text: str) -> TypeGuard[Kind]:
    """Whether a text names a kind of artefact."""
    return text in get_args(Kind)


def encode_artefact(artefact: Artefact, *, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """The bytes that are signed and stored: pretty JSON in declaration order.

    Two spaces for each level, no end of line at the end; the members of the payload keep their
    order; UTF-8, nothing escaped that need not be.

    Raises:
        MalformedEvidence: `invalid_artefact`, or another code of `parse_artefact`: what could not
            be read again is not written.

    Source: "The .sei/* artefacts": "pretty JSON, declaration order of fields".
    """
    members: dict[str, JSON] = {
        "schema_version": artefact.schema_version,
        "kind": artefact.kind,
        "system": artefact.system,
        "payload": artefact.payload,
    }
    where = "artefact"
    try:
        text = json.dumps(members, indent=2, ensure_ascii=False, allow_nan=False)
        data = text.encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        raise MalformedEvidence(_CODE, f"has no JSON form: {error}", where=where) from None
    # `json` writes keys that are no strings as if they were, and tuples as arrays.
    if parse_artefact(data, where, limits=limits) != artefact:
        raise MalformedEvidence(_CODE, "holds values that JSON does not have", where=where)
    return data


def check_bundle(data: bytes, where: str, *, limits: Limits = DEFAULT_LIMITS) -> None:
    """Refuse a `bundle.json` that is not one JSON object, or is an artefact put in its place.

    Raises:
        MalformedEvidence: `artifact_too_large`, a code of `strictjson.loads`, `invalid_artefact`.
        VerificationFailed: `kind_mismatch`.

    Source: "The .sei/* artefacts": `bundle.json` does not use the envelope.
    """
    root = Members(_loads(data, where, limits), where=where, code=_CODE)
    if set(root.names()) == _MEMBERS:
        raise VerificationFailed(
            "kind_mismatch",
            "is an artefact in an envelope, in the place of the bundle, which has none",
            where=where,
            hint="an artefact of another kind was put in its place",
        )


def _loads(data: bytes, where: str, limits: Limits) -> JSON:
    if len(data) > limits.max_artifact_bytes:
        raise MalformedEvidence(
            "artifact_too_large",
            f"is larger than {limits.max_artifact_bytes} bytes",
            where=where,
        )
    return loads(data, where=where, max_depth=limits.max_json_depth)
