"""Bytes to checked JSON values: strict parsing, typed members, base64, hex, JCS."""

from __future__ import annotations

import binascii
import json
import math
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from contextlib import suppress
from itertools import compress
from typing import Never, TypeAlias

from attest.errors import MalformedEvidence
from attest.limits import DEFAULT_LIMITS, MAX_SAFE_INTEGER

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"

_HEX = re.compile(r"(?:[0-9a-f]{2})*")
_CONTAINERS = frozenset({dict, list})
_BOM = b"\xef\xbb\xbf"


class _Rejected(Exception):
    """Carries a code out of the `json` callbacks."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def loads(data: bytes, *, where: str, max_depth: int = DEFAULT_LIMITS.max_json_depth) -> JSON:
    """Parse one JSON document strictly.

    Refuses what RFC 8259 and I-JSON leave to readers: other encodings than UTF-8, a byte order
    mark, duplicate keys at any depth, NaN and infinities (also by overflow), fractions too small
    for a double beside a whole number (`0.99999999999999999999`, `1e-400`), lone surrogates,
    trailing data, nesting beyond `max_depth`.

    Args:
        data: the raw bytes.
        where: name of the document for errors.
        max_depth: how many arrays and objects may be open at once.

    Raises:
        MalformedEvidence: `invalid_json`, `duplicate_keys`, `non_finite_number`, `invalid_number`,
            `json_too_deep`.

    Source: Evidence Pack R-011, R-024 to R-026, R-071, R-072; RFC 7493.
    """
    if data.startswith(_BOM):
        raise MalformedEvidence("invalid_json", "starts with a byte order mark", where=where)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedEvidence(
            "invalid_json", f"not UTF-8 at byte {error.start}", where=where
        ) from None
    try:
        value: JSON = _DECODER.decode(text)
    except _Rejected as rejected:
        raise MalformedEvidence(rejected.code, rejected.message, where=where) from None
    except json.JSONDecodeError as error:
        raise MalformedEvidence(
            "invalid_json",
            f"{error.msg.removesuffix(' at')} (line {error.lineno}, column {error.colno})",
            where=where,
        ) from None
    except RecursionError:
        raise MalformedEvidence("json_too_deep", "nested too deeply", where=where) from None
    # Each walk is only needed where a breach is possible at all; most documents skip both.
    if text.count("[") + text.count("{") > max_depth:
        check_depth(value, max_depth=max_depth, where=where)
    if "\\ud" in text or "\\uD" in text:
        _check_strings(value, where=where)
    return value


def _object(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _Rejected("duplicate_keys", f"key {key!r} appears twice in one object")
            seen.add(key)
    return members


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _Rejected("non_finite_number", f"{text[:40]} is not a finite number")
    # Rounding must not make a number whole: a reader with more digits would see another one.
    if value.is_integer() and _has_fraction(text):
        raise _Rejected("invalid_number", f"{text[:40]} loses its fraction when it is read")
    return value


def _has_fraction(text: str) -> bool:
    """Whether a JSON number with a finite value is not whole, judged by its digits."""
    mantissa, _, power = text.lower().partition("e")
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    digits = (whole + fraction).rstrip("0")
    if not digits:
        return False
    exponent = power.lstrip("+-").lstrip("0")
    if len(exponent) > 18:  # finite and not zero, so the power is negative
        return True
    places = len(fraction) - (int(exponent or "0") * (-1 if power.startswith("-") else 1))
    return len(digits) > len(whole + fraction) - places


def _int(text: str) -> int:
    try:
        return int(text)
    except ValueError:  # Python refuses integers of thousands of digits
        raise _Rejected("invalid_number", f"integer of {len(text)} digits") from None


def _constant(text: str) -> Never:
    raise _Rejected("non_finite_number", f"{text} is not JSON")


# `strict=True` refuses raw control characters inside strings.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_float=_float,
    parse_int=_int,
    parse_constant=_constant,
    strict=True,
)


def check_depth(value: JSON, *, max_depth: int, where: str) -> None:
    """Refuse a value in which more than so many arrays and objects are open at once.

    Raises:
        MalformedEvidence: `json_too_deep`.
    """
    level: list[JSON] = [value] if isinstance(value, dict | list) else []
    depth = 0
    while level:
        depth += 1
        if depth > max_depth:
            raise MalformedEvidence(
                "json_too_deep", f"nested more than {max_depth} deep", where=where
            )
        children: list[JSON] = []
        for item in level:
            if isinstance(item, dict):
                children += item.values()
            elif isinstance(item, list):
                children += item
        # A manifest may have a hundred thousand: they are sorted out without a step for each.
        level = list(compress(children, map(_CONTAINERS.__contains__, map(type, children))))


def _check_strings(value: JSON, *, where: str) -> None:
    stack: list[JSON] = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            _check_text(item, where)
        elif isinstance(item, dict):
            for key in item:
                _check_text(key, where)
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)


def _check_text(text: str, where: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise MalformedEvidence("invalid_json", "lone surrogate in a string", where=where) from None


class Members:
    """Typed reading of one JSON object; every member must be asked for, or is unknown.

    Args:
        value: the parsed value, which must be an object.
        where: JSON path of the object for errors.
        code: error code for members that are missing or of the wrong type.
    """

    __slots__ = ("_asked", "_code", "_members", "where")

    def __init__(self, value: JSON, *, where: str, code: str) -> None:
        if not isinstance(value, dict):
            raise MalformedEvidence(code, f"must be an object, is {kind(value)}", where=where)
        self._members: Mapping[str, JSON] = value
        self._asked: set[str] = set()
        self._code = code
        self.where = where

    def path(self, key: str) -> str:
        """JSON path of a member, for errors."""
        return f"{self.where}.{key}"

    def fail(self, key: str, message: str) -> MalformedEvidence:
        """The error for a bad member; the caller raises it."""
        return MalformedEvidence(self._code, message, where=self.path(key))

    def names(self) -> list[str]:
        """The member names, in document order."""
        return list(self._members)

    def has(self, key: str) -> bool:
        """Whether the member is there and not null (protobuf JSON: null is absent)."""
        self._asked.add(key)
        return self._members.get(key) is not None

    def raw(self, key: str) -> JSON:
        """The member as parsed, or None."""
        self._asked.add(key)
        return self._members.get(key)

    def string(self, key: str, default: str | None = None) -> str:
        """A string member; missing is an error unless a default is given."""
        value = self.raw(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise self.fail(key, f"must be a string, is {kind(value)}")
        return value

    def array(self, key: str) -> list[JSON]:
        """An array member; missing means empty (protobuf JSON)."""
        value = self.raw(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.fail(key, f"must be an array, is {kind(value)}")
        return value

    def members(self, key: str) -> Members:
        """An object member, to be read in turn."""
        return Members(self.raw(key), where=self.path(key), code=self._code)

    def list_of_members(self, key: str) -> list[Members]:
        """An array of objects, each to be read in turn."""
        return [
            Members(item, where=f"{self.path(key)}[{index}]", code=self._code)
            for index, item in enumerate(self.array(key))
        ]

    def base64(self, key: str, *, empty: bool = False) -> bytes:
        """A base64 member as bytes; empty only where allowed."""
        value = decode_base64(self.string(key, ""), where=self.path(key), code=self._code)
        if not value and not empty:
            raise self.fail(key, "is missing or empty")
        return value

    def int64(self, key: str) -> int:
        """A protobuf JSON 64-bit integer: decimal string or number, absent means 0, never < 0."""
        value = self.raw(key)
        if value is None:
            return 0
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 19:
            value = int(value) if value == "0" or value[0] != "0" else None
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
            raise self.fail(key, "must be a whole number from 0 to 2^63-1")
        return value

    def no_others(self, code: str | None = None) -> None:
        """Refuse every member that was not asked for.

        Raises:
            MalformedEvidence: the given code, else the object's.
        """
        for key in self._members:
            if key not in self._asked:
                raise MalformedEvidence(
                    code or self._code, f"unknown member {key!r}", where=self.where
                )


def kind(value: JSON) -> str:
    """The JSON name of a value's type, for messages."""
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "a boolean"
    names = {int: "a number", float: "a number", str: "a string", list: "an array"}
    return names.get(type(value), "an object")


def decode_base64(text: str, *, where: str, code: str) -> bytes:
    """Decode RFC 4648 base64: standard alphabet, padded or not, zero trailing bits.

    Args:
        text: the encoded text; no whitespace, never `-` or `_`.
        where: JSON path for errors.
        code: error code to raise `MalformedEvidence` with.

    Source: Evidence Pack R-065a to R-065c.
    """
    try:
        data = binascii.a2b_base64(text + "=" * (-len(text) % 4))
    except (ValueError, binascii.Error):
        data = None
    # Encoding again and comparing proves alphabet, padding and trailing bits in one step.
    if data is not None:
        canonical = b64encode(data).decode("ascii")
        if text in (canonical, canonical.rstrip("=")):
            return data
    raise MalformedEvidence(code, "is not standard base64", where=where, rule="R-065a")


def encode_base64(data: bytes) -> str:
    """Encode canonical RFC 4648 base64 with padding (R-065d)."""
    return b64encode(data).decode("ascii")


def decode_hex(text: str, *, where: str, code: str, size: int | None = None) -> bytes:
    """Decode lowercase hex of `size` bytes; anything else is `MalformedEvidence(code)`."""
    if not _HEX.fullmatch(text) or (size is not None and len(text) != 2 * size):
        expected = f"{2 * size} " if size is not None else ""
        raise MalformedEvidence(code, f"must be {expected}lowercase hex digits", where=where)
    return bytes.fromhex(text)


def canonicalize(value: JSON, *, where: str = "document") -> bytes:
    """The JCS form of a JSON value.

    Raises:
        MalformedEvidence: `jcs_invalid` for an integer beyond 2^53-1 or a lone surrogate.

    Source: RFC 8785; Evidence Pack R-068 to R-072.
    """
    if _json_is_jcs(value):
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        # A lone surrogate cannot be encoded; what to say of it is known below.
        with suppress(UnicodeEncodeError):
            return text.encode("utf-8")
    import rfc8785

    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise MalformedEvidence("jcs_invalid", f"has no JCS form: {error}", where=where) from None


def _json_is_jcs(value: JSON) -> bool:
    """Whether `json.dumps` writes the JCS form: no floats, safe integers, keys below U+D800.

    Above it code point order can differ from UTF-16 order; floats are spelled differently.
    """
    stack: list[list[JSON] | dict[str, JSON]] = [[value]]
    while stack:
        item = stack.pop()
        children: Iterable[JSON] = item
        if isinstance(item, dict):
            if not "".join(item).isascii() and max(map(max, filter(None, item))) >= "\ud800":
                return False
            children = item.values()
        for child in children:
            if isinstance(child, str):
                continue  # most are: nothing else is asked of them
            if isinstance(child, (dict, list)):  # a union is slower
                stack.append(child)
            elif isinstance(child, float) or (
                isinstance(child, int) and not -MAX_SAFE_INTEGER <= child <= MAX_SAFE_INTEGER
            ):
                return False
    return True
