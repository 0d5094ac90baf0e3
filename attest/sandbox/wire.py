"""Request bodies as checked values: every getter names the JSON path it did not like."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import NoReturn, cast

import rfc8785

from attest.sandbox.refusal import bad_request

JsonObject = Mapping[str, object]


def _refuse_constant(name: str) -> NoReturn:
    message = f"{name} is not JSON"
    raise ValueError(message)


def parse_object(raw: bytes | str, *, what: str = "request body") -> JsonObject:
    """The JSON object in `raw`; anything else is a 400."""
    try:
        value = cast("object", json.loads(raw, parse_constant=_refuse_constant))
    except (ValueError, RecursionError) as error:
        raise bad_request(f"{what}: not valid JSON") from error
    return as_object(value, what)


def as_object(value: object, path: str) -> JsonObject:
    """`value` if it is a JSON object."""
    if not isinstance(value, dict):
        raise bad_request(f"{path}: expected an object")
    return cast("JsonObject", value)


def as_text(value: object, path: str) -> str:
    """`value` if it is a non-empty string."""
    if not isinstance(value, str) or not value:
        raise bad_request(f"{path}: expected a non-empty string")
    return value


def get_object(source: JsonObject, name: str, path: str = "") -> JsonObject:
    """The member `name` as an object."""
    return as_object(source.get(name), f"{path}{name}")


def get_text(source: JsonObject, name: str, path: str = "") -> str:
    """The member `name` as a non-empty string."""
    return as_text(source.get(name), f"{path}{name}")


def get_list(source: JsonObject, name: str, path: str = "") -> list[object]:
    """The member `name` as a non-empty list."""
    value = source.get(name)
    if not isinstance(value, list) or not value:
        raise bad_request(f"{path}{name}: expected a non-empty list")
    return cast("list[object]", value)


def get_bytes(source: JsonObject, name: str, path: str = "") -> bytes:
    """The member `name`, standard base64, decoded."""
    return decode_base64(get_text(source, name, path), f"{path}{name}")


def decode_base64(text: str, path: str) -> bytes:
    """Strictly decoded standard base64; empty content is refused too."""
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise bad_request(f"{path}: not standard base64") from error
    if not value:
        raise bad_request(f"{path}: empty")
    return value


def canonical_json(document: JsonObject) -> bytes:
    """JCS (RFC 8785)."""
    # `rfc8785` types its input as a private recursive union that a mapping cannot match.
    return rfc8785.dumps(document)  # type: ignore[arg-type]


def encode_base64(raw: bytes) -> str:
    """Standard base64 with padding."""
    return base64.b64encode(raw).decode("ascii")
