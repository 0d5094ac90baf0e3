"""Every way in which one thing in a bundle can be changed: JSON leaves, and bytes of blobs."""

from __future__ import annotations

import json
import random
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import TypeAlias

from attest.strictjson import JSON

Step: TypeAlias = str | int

#: Members that hold base64, by name.
_BLOBS = frozenset(
    {
        "rawBytes",
        "signedEntryTimestamp",
        "canonicalizedBody",
        "signature",
        "sig",
        "payload",
        "signedTimestamp",
        "keyId",
        "rootHash",
        "digest",
        "hashes",
    }
)
_NOTE_SIGNATURE = re.compile(r"(?m)^(— (\S+) )(\S+)$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Mutant:
    """A bundle with one thing changed: where, how, and its bytes.

    `place` is the JSON path without positions; what lies inside a blob follows after a `/`.
    """

    place: str
    change: str
    data: bytes


def mutants(bundle: bytes, *, seed: int, every: int) -> Iterator[Mutant]:
    """All single changes of a bundle.

    Args:
        bundle: a valid one.
        seed: decides which bytes change, and into what.
        every: one byte of a blob in how many.
    """
    document: JSON = json.loads(bundle)
    rng = random.Random(seed)
    yield from _structure(document)
    for path, value in _walk(document):
        if not isinstance(value, str):
            continue
        member = next(step for step in reversed(path) if isinstance(step, str))
        if member in _BLOBS:
            yield from _blob(document, path, value, rng, every)
        elif member == "envelope":
            yield from _note(document, path, value, rng, every)


def _structure(document: JSON) -> Iterator[Mutant]:
    """Changes to the JSON itself."""
    for path, value in _walk(document):
        for change, changed in _values(value):
            yield _mutant(document, path, change, changed)
        if path and isinstance(path[-1], str):
            copy = deepcopy(document)
            parent = _at(copy, path[:-1])
            assert isinstance(parent, dict)
            del parent[path[-1]]
            yield Mutant(place=_place(path), change="removed", data=_dump(copy))


def _values(value: JSON) -> Iterator[tuple[str, JSON]]:
    """Other values in the place of one."""
    yield "null", None
    match value:
        case str():
            yield from _texts(value)
        case list():
            yield "other type", {}
            yield "string", "x"
            yield "emptied", []
            yield "element added", [*value, {}]
            yield "null added", [*value, None]
            if value:
                yield "element repeated", [*value, deepcopy(value[-1])]
                yield "element dropped", value[:-1]
            if value[::-1] != value:
                yield "reversed", value[::-1]
        case dict():
            yield "other type", []
            yield "string", "x"
            yield "emptied", {}
            yield "member added", {**value, "extra": "x"}


def _texts(value: str) -> Iterator[tuple[str, JSON]]:
    for change, changed in (
        ("emptied", ""),
        ("longer", value + "A"),
        ("shorter", value[:-1]),
        ("space before", " " + value),
        ("line break after", value + "\n"),
        ("other case", value.swapcase()),
        ("padding stripped", value.rstrip("=")),
        ("padding added", value + "="),
        ("first character changed", chr(ord(value[0]) ^ 1) + value[1:] if value else "x"),
        ("url alphabet", value.replace("+", "-").replace("/", "_")),
    ):
        if changed != value:
            yield change, changed
    yield "number", -7
    yield "true", True
    yield "list", [value]
    yield "object", {"value": value}
    yield "not ASCII", value + "\u0660\u2028\U0001f600"
    if value.isdecimal():
        yield from _numbers(int(value))


def _numbers(value: int) -> Iterator[tuple[str, JSON]]:
    yield "as number", value
    yield "as float", float(value)
    yield "half", value + 0.5
    yield "incremented", str(value + 1)
    yield "decremented", str(value - 1)
    yield "incremented number", value + 1
    yield "negative", -value - 1
    yield "zero", "0"
    yield "leading zero", f"0{value}"
    yield "plus sign", f"+{value}"
    yield "other digits", "".join(chr(0x0660 + int(digit)) for digit in str(value))
    yield "beyond a double", str(2**53 + 1)
    yield "largest", str(2**63 - 1)
    yield "wrapped", str(value + 2**64)
    yield "endless", "9" * 5000
    yield "endless number", 10**400


def _blob(
    document: JSON, path: tuple[Step, ...], text: str, rng: random.Random, every: int
) -> Iterator[Mutant]:
    """Changes to the bytes of a base64 member."""
    data = b64decode(text)

    def mutant(where: str, change: str, changed: bytes) -> Mutant:
        copy = _replace(document, path, b64encode(changed).decode())
        return Mutant(place=_place(path) + where, change=change, data=_dump(copy))

    yield mutant("", "byte added", data + b"\x00")
    yield mutant("", "byte added before", b"\x00" + data)
    yield mutant("", "last byte dropped", data[:-1])
    for at in _positions(len(data), rng, every):
        changed = data[:at] + bytes([data[at] ^ rng.randrange(1, 256)]) + data[at + 1 :]
        yield mutant("", f"byte {at} of {len(data)}", changed)
    if path[-1] == "canonicalizedBody":
        for inner in _structure(json.loads(data)):
            yield mutant(f"/{inner.place}", inner.change, inner.data)


def _note(
    document: JSON, path: tuple[Step, ...], text: str, rng: random.Random, every: int
) -> Iterator[Mutant]:
    """Changes to a checkpoint: characters, whole lines, and bytes of its signatures."""

    def mutant(where: str, change: str, changed: str) -> Mutant:
        copy = _replace(document, path, changed)
        return Mutant(place=_place(path) + where, change=change, data=_dump(copy))

    for at in _positions(len(text), rng, every):
        other = rng.choice([letter for letter in "AZaz09+/=- \n\u2014" if letter != text[at]])
        yield mutant("", f"character {at}", text[:at] + other + text[at + 1 :])
    lines = text.split("\n")
    for number in range(len(lines)):
        yield mutant("", f"line {number} dropped", "\n".join(lines[:number] + lines[number + 1 :]))
        doubled = [*lines[: number + 1], *lines[number:]]
        yield mutant("", f"line {number} doubled", "\n".join(doubled))
    yield mutant("", "carriage returns", text.replace("\n", "\r\n"))
    for match in _NOTE_SIGNATURE.finditer(text):
        blob = b64decode(match[3])
        for at in _positions(len(blob), rng, every):
            changed = blob[:at] + bytes([blob[at] ^ rng.randrange(1, 256)]) + blob[at + 1 :]
            line = match[1] + b64encode(changed).decode()
            note = text[: match.start()] + line + text[match.end() :]
            yield mutant("/signature", f"byte {at} by {match[2]}", note)


def _positions(length: int, rng: random.Random, every: int) -> range:
    return range(rng.randrange(min(every, length)) if length else 0, length, every)


def _walk(value: JSON, path: tuple[Step, ...] = ()) -> Iterator[tuple[tuple[Step, ...], JSON]]:
    yield path, value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _walk(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk(item, (*path, index))


def _at(value: JSON, path: tuple[Step, ...]) -> JSON:
    for step in path:
        match value, step:
            case (dict(), str()):
                value = value[step]
            case (list(), int()):
                value = value[step]
    return value


def _replace(document: JSON, path: tuple[Step, ...], value: JSON) -> JSON:
    if not path:
        return value
    copy = deepcopy(document)
    parent = _at(copy, path[:-1])
    step = path[-1]
    match parent, step:
        case (dict(), str()):
            parent[step] = value
        case (list(), int()):
            parent[step] = value
    return copy


def _mutant(document: JSON, path: tuple[Step, ...], change: str, value: JSON) -> Mutant:
    changed = _replace(document, path, value)
    return Mutant(place=_place(path), change=change, data=_dump(changed))


def _place(path: tuple[Step, ...]) -> str:
    return ".".join(step for step in path if isinstance(step, str))


def _dump(document: JSON) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
