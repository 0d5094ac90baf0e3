"""Strict, typed reading of one JSON object of a manifest."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import TypeVar

from attest.errors import MalformedEvidence
from attest.limits import MAX_SAFE_INTEGER
from attest.strictjson import JSON, kind

T = TypeVar("T")

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


class Fields:
    """Strict reading of one object of the manifest; unlike protobuf JSON, null is a value.

    Args:
        value: the parsed value, which must be an object.
        where: its JSON path, for errors.
        known: every field that the document defines for it (R-027a).

    Raises:
        MalformedEvidence: `invalid_type`, `unknown_field`.
    """

    __slots__ = ("_members", "where")

    def __init__(self, value: JSON, *, where: str, known: frozenset[str]) -> None:
        if not isinstance(value, dict):
            raise MalformedEvidence(
                "invalid_type", f"must be an object, is {kind(value)}", where=where
            )
        self._members = value
        self.where = where
        if not value.keys() <= known:
            unknown = min(value.keys() - known)
            raise MalformedEvidence(
                "unknown_field",
                f"the field {unknown!r} is not defined by the specification",
                where=where,
                rule="R-027a",
            )

    def fail(self, code: str, key: str, message: str, rule: str | None = None) -> MalformedEvidence:
        """The error for a bad field; the caller raises it."""
        return MalformedEvidence(code, message, where=f"{self.where}.{key}", rule=rule)

    def required(self, key: str, rule: str | None = None) -> JSON:
        """A field that must be there, else `missing_KEY`."""
        try:
            return self._members[key]
        except KeyError:
            raise self.fail(f"missing_{key}", key, f"the field {key!r} is missing", rule) from None

    def optional(self, key: str, read: Callable[[str], T]) -> T | None:
        """A field that may be absent, read by one of the other methods if it is there."""
        return read(key) if key in self._members else None

    def string(self, key: str, rule: str | None = None) -> str:
        """A required string."""
        value = self._members.get(key)
        if isinstance(value, str):
            return value
        value = self.required(key, rule)
        raise self.fail("invalid_type", key, f"must be a string, is {_name(value)}", rule)

    def text(self, key: str, rule: str | None = None) -> str:
        """A required string that is not empty, else `invalid_KEY`."""
        value = self.string(key, rule)
        if not value:
            raise self.fail(f"invalid_{key}", key, "must not be empty", rule)
        return value

    def array(self, key: str, rule: str | None = None) -> list[JSON]:
        """A required array."""
        value = self.required(key, rule)
        if not isinstance(value, list):
            raise self.fail("invalid_type", key, f"must be an array, is {_name(value)}", rule)
        return value

    def texts(self, key: str, rule: str | None = None) -> tuple[str, ...]:
        """An array of strings that are not empty."""
        found: list[str] = []
        for index, item in enumerate(self.array(key, rule)):
            if not isinstance(item, str) or not item:
                raise self.fail(
                    "invalid_type", f"{key}[{index}]", "must be a non-empty string", rule
                )
            found.append(item)
        return tuple(found)

    def mapping(self, key: str) -> Mapping[str, JSON]:
        """A required object whose members the document leaves open."""
        value = self.required(key)
        if not isinstance(value, dict):
            raise self.fail("invalid_type", key, f"must be an object, is {_name(value)}")
        return value

    def integer(self, key: str, rule: str = "R-027") -> int:
        """A whole number from 0 to 2^53-1 in any JSON notation."""
        value = self._members.get(key)
        if value is None:
            value = self.required(key, rule)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if (
            not isinstance(value, int)
            or value is True
            or value is False
            or not 0 <= value <= MAX_SAFE_INTEGER
        ):
            raise self.fail("invalid_number", key, "must be a whole number from 0 to 2^53-1", rule)
        return value

    def digest(self, key: str, rule: str | None = None) -> str:
        """`sha256:` and 64 lowercase hex digits."""
        value = self.string(key, rule)
        if not _DIGEST.fullmatch(value):
            raise self.fail(
                "invalid_digest_format",
                key,
                "must be 'sha256:' and 64 lowercase hex digits",
                rule or "R-031",
            )
        return value

    def time(self, key: str, rule: str = "R-030") -> datetime:
        """A time in the one format that the document allows, and that the calendar knows."""
        time = read_time(self.string(key, rule))
        if time is None:
            raise self.fail(
                "invalid_timestamp", key, "must be an existing time as YYYY-MM-DDTHH:MM:SSZ", rule
            )
        return time


def read_time(text: str) -> datetime | None:
    """A time in the one format that the document allows; None for any other text (R-030)."""
    if _TIME.fullmatch(text):
        with suppress(ValueError):  # no such date
            return datetime.fromisoformat(text[:-1]).replace(tzinfo=UTC)
    return None


def _name(value: JSON) -> str:
    return "null" if value is None else kind(value)
