"""Hold the nodes of a policy file against the grammar: all that one value alone can break."""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import lru_cache
from typing import Never

from attest.policy.nodes import Mapping, Node, Scalar, Sequence, policy_error, shown
from attest.policy.rules import Position
from attest.policy.shapes import (
    Choice,
    Either,
    Listed,
    Named,
    Object,
    Shape,
    Text,
    Whole,
)

_KINDS = {
    "text": "a text",
    "integer": "a number",
    "float": "a number",
    "boolean": "true or false",
    "null": "empty",
}
#: The table's patterns are few, and each is looked up often: faster than by the library itself.
_compiled = lru_cache(maxsize=256)(re.compile)
#: Longest spelling for which a similar one is looked for.
_SIMILAR = 64


class Structure:
    """Checks nodes of one file against shapes.

    Args:
        file: name of the file for errors.
    """

    __slots__ = ("_file",)

    def __init__(self, file: str) -> None:
        self._file = file

    def check(self, node: Node, shape: Shape, path: str = "") -> None:
        """Refuse a node that is not of the shape.

        Args:
            node: the node.
            shape: what it must be.
            path: where it stands, for errors.

        Raises:
            PolicyFileError: `policy_wrong_type`, `policy_empty`, `policy_unknown_key`,
                `policy_missing_key`, `policy_invalid_value`, `policy_too_large`.
        """
        if isinstance(node, Scalar):
            if node.kind == "null":
                self.refuse(
                    "policy_empty", "has no value", node.position, path, "give one, or leave it out"
                )
            if isinstance(shape, Listed) and shape.single:
                shape = shape.item
            if isinstance(shape, Either):
                shape = shape.text
        if isinstance(shape, Text):
            self._text(node, shape, path)
        else:
            self._other(node, shape, path)

    def _other(
        self, node: Node, shape: Whole | Listed | Either | Choice | Object | Named, path: str
    ) -> None:
        if isinstance(shape, Whole):
            self._whole(node, shape, path)
        elif isinstance(shape, Listed):
            self._listed(node, shape, path)
        elif isinstance(shape, Either):
            self.check(node, shape.object if isinstance(node, Mapping) else shape.text, path)
        elif isinstance(shape, Choice):
            there = isinstance(node, Mapping) and shape.key in node.members
            self._object(node, shape.present if there else shape.absent, path, (shape.key,))
        elif isinstance(shape, Object):
            self._object(node, shape, path)
        else:
            self._named(node, shape, path)

    def refuse(
        self, code: str, message: str, at: Position, path: str, hint: str | None = None
    ) -> Never:
        """Raise the error for something at a place.

        Raises:
            PolicyFileError: the given code.
        """
        raise policy_error(code, message, file=self._file, at=at, path=path, hint=hint)

    def _wrong_type(self, node: Node, wanted: str, path: str) -> Never:
        found, hint = "an object" if isinstance(node, Mapping) else "a list", None
        if isinstance(node, Scalar):
            found = _KINDS[node.kind]
            if "text" in wanted and len(node.value) <= _SIMILAR:
                hint = f'for the text put it in quotes: "{node.value}"'
        message = f"must be {wanted}, is {found}"
        self.refuse("policy_wrong_type", message, node.position, path, hint)

    def _text(self, node: Node, shape: Text, path: str) -> None:
        number = isinstance(node, Scalar) and shape.digits and node.kind == "integer"
        if not isinstance(node, Scalar) or not (node.kind == "text" or number):
            self._wrong_type(node, "a text", path)
        value = node.value
        if not value:
            self.refuse("policy_empty", "is an empty text", node.position, path, shape.form)
        if len(value) > shape.max_length:
            message = f"has more than {shape.max_length} characters"
            self.refuse("policy_too_large", message, node.position, path)
        if number and not re.fullmatch("[0-9]+", value):
            self.refuse(
                "policy_invalid_value",
                f"{shown(value)} is not plain decimal digits",
                node.position,
                path,
                f'write "{value}" in quotes, if that is the value',
            )
        if value in shape.words or (shape.pattern and _compiled(shape.pattern).fullmatch(value)):
            return
        self._not_allowed(node, shape, path)

    def _not_allowed(self, node: Scalar, shape: Text, path: str) -> Never:
        value = node.value
        instead = dict(shape.instead).get(value)
        hint = _meant(value, shape.words) if instead is None else f"write {instead}; "
        allowed = ", ".join(shape.words)
        if shape.pattern is not None:
            allowed = f"{shape.form}; aliases: {allowed}" if allowed else shape.form
        self.refuse(
            "policy_invalid_value",
            f"{shown(value)} is not allowed here",
            node.position,
            path,
            f"{hint}allowed: {allowed}",
        )

    def _whole(self, node: Node, shape: Whole, path: str) -> None:
        if not isinstance(node, Scalar) or node.kind != "integer":
            self._wrong_type(node, "a whole number", path)
        value = node.value
        plain = re.fullmatch("0|[1-9][0-9]{0,15}", value)
        if not plain or not shape.minimum <= int(value) <= shape.maximum:
            allowed = f"{shape.minimum} to {shape.maximum}"
            self.refuse(
                "policy_invalid_value",
                f"{shown(value)} is not allowed here",
                node.position,
                path,
                "allowed: " + (str(shape.minimum) if shape.minimum == shape.maximum else allowed),
            )

    def _listed(self, node: Node, shape: Listed, path: str) -> None:
        if not isinstance(node, Sequence):
            if not shape.single:
                self._wrong_type(node, "a list", path)
            self.check(node, shape.item, path)
            return
        if not node.items and not shape.empty:
            self.refuse("policy_empty", "is an empty list", node.position, path)
        seen: set[str] = set()
        for index, item in enumerate(node.items):
            below = f"{path}[{index}]"
            self.check(item, shape.item, below)
            if shape.repeats or len(node.items) == 1:
                continue
            if (same := _same(item)) in seen:
                message = "stands in this list twice"
                self.refuse("policy_invalid_value", message, item.position, below, "keep one")
            seen.add(same)

    def _object(self, node: Node, shape: Object, path: str, also: tuple[str, ...] = ()) -> None:
        if not isinstance(node, Mapping):
            self._wrong_type(node, f"an object with keys ({shape.what})", path)
        fields = shape.by_name
        for name, member in node.members.items():
            if name not in fields:
                allowed = f"allowed: {', '.join(fields)}"
                self.refuse(
                    "policy_unknown_key",
                    f"{shown(name)} is unknown in {shape.what}",
                    member.key.position,
                    _below(path, name),
                    _meant(name, (*fields, *also)) + allowed,
                )
        if not node.members:
            allowed = f"allowed: {', '.join(fields)}"
            self.refuse("policy_empty", "is an empty object", node.position, path, allowed)
        for field in shape.fields:
            name = field.name
            if field.required and name not in node.members:
                message = f"{shape.what} needs {name!r}"
                self.refuse("policy_missing_key", message, node.position, path, field.about)
        if shape.one_of and not any(name in node.members for name in shape.one_of):
            self.refuse(
                "policy_empty",
                f"{shape.what} says nothing of who signs",
                node.position,
                path,
                f"give one of: {', '.join(shape.one_of)}",
            )
        for name, member in node.members.items():
            field = fields[name]
            below = f"{path}.{name}" if path else name
            if field.needs is not None and field.needs not in node.members:
                self.refuse(
                    "policy_missing_key",
                    f"{name!r} needs {field.needs!r}, or it is met by anybody's",
                    member.key.position,
                    below,
                    f"write {field.needs!r} beside it",
                )
            self.check(member.value, field.shape, below)

    def _named(self, node: Node, shape: Named, path: str) -> None:
        if not isinstance(node, Mapping):
            self._wrong_type(node, "an object of names", path)
        if not node.members:
            self.refuse("policy_empty", "is an empty object", node.position, path)
        for name, member in node.members.items():
            below = _below(path, name)
            self._text(member.key, shape.name, below)
            self.check(member.value, shape.value, below)


def _below(path: str, name: str) -> str:
    return f"{path}.{name[:60]}" if path else name[:60]


def _meant(text: str, words: tuple[str, ...]) -> str:
    close = get_close_matches(text, words, n=1) if len(text) <= _SIMILAR else []
    return f"did you mean {close[0]!r}? " if close else ""


def _same(node: Node) -> str:
    """A text that is equal for equal items of a list: texts, and objects of texts."""
    if isinstance(node, Scalar):
        return f"s{node.value}"
    assert isinstance(node, Mapping)
    return "o" + "\n".join(
        f"{name}={_same(member.value)}" for name, member in sorted(node.members.items())
    )
