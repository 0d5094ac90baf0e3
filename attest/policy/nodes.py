"""YAML or JSON text to nodes that know their line and column: strict, and bounded all the way.

YAML 1.2 with the core schema: `no`, `on` and dates are text, and only `true` is a boolean. What
makes one text mean several things is refused: anchors, aliases, tags, merge keys, further
documents, keys that appear twice.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, TypeAlias

import yaml

from attest.errors import PolicyFileError
from attest.policy.rules import Position

#: A policy of 1,000 rules of seven lines takes 215 KB and 17,000 nodes.
MAX_BYTES = 262_144
MAX_NODES = 20_000
#: The grammar needs six.
MAX_DEPTH = 16

ScalarKind: TypeAlias = Literal["text", "integer", "float", "boolean", "null"]

#: What an unquoted scalar is; anything else is text. Source: YAML 1.2.2, section 10.3.2.
_CORE: tuple[tuple[ScalarKind, re.Pattern[str]], ...] = (
    ("null", re.compile(r"null|Null|NULL|~|")),
    ("boolean", re.compile(r"true|True|TRUE|false|False|FALSE")),
    ("integer", re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")),
    ("float", re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")),
    ("float", re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")),
)
#: With what everything begins that is not text; most scalars need no further look.
_NOT_ONLY_TEXT = frozenset("~nNtTfF+-.0123456789")
#: Controls, line breaks that only old YAML knows, and marks that make text read otherwise than it
#: is: nobody could review it.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]"
)
_BREAK = re.compile(r"\r\n|\r|\n")
#: A directive stands before the document, after nothing but comments.
_DIRECTIVE = re.compile(r"(?:[ ]*+(?:#[^\r\n]*+)?[\r\n])*+[ ]*%")
_SURROGATE = re.compile("[\ud800-\udfff]")
_QUOTE = "put it in quotes: a pattern that begins with *, as every text with a special sign first"


class Mark(Protocol):
    """Where something begins, as the YAML library marks it: both count from 0."""

    @property
    def line(self) -> int:
        """The line."""

    @property
    def column(self) -> int:
        """The column."""


class Scalar(NamedTuple):
    """A single value as written; `kind` is what the core schema takes it for.

    Files have thousands of these, and of members: as tuples they take half the time to make.
    """

    value: str
    kind: ScalarKind
    mark: Mark

    @property
    def position(self) -> Position:
        """Where it stands; made when it is asked for, because seldom anybody does."""
        return _at(self.mark)


class Member(NamedTuple):
    """A key, and what stands under it."""

    key: Scalar
    value: Node


@dataclass(frozen=True, kw_only=True, slots=True)
class _Collection:
    mark: Mark

    @property
    def position(self) -> Position:
        """Where it begins."""
        return _at(self.mark)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sequence(_Collection):
    """A list."""

    items: tuple[Node, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Mapping(_Collection):
    """Members by key, in their order."""

    members: dict[str, Member]


Node: TypeAlias = Scalar | Sequence | Mapping


def policy_error(
    code: str, message: str, *, file: str, at: Position, path: str = "", hint: str | None = None
) -> PolicyFileError:
    """The error for something in a policy file; the caller raises it.

    Args:
        code: stable code.
        message: what was wrong.
        file: name of the file.
        at: where in the file.
        path: names of the members around it, as `signers.ci.ref[1]`.
        hint: what is allowed instead.
    """
    place = f"{file}:{at.line}:{at.column}"
    return PolicyFileError(
        code, message, where=f"{place}: {path}" if path else place, hint=hint, rule=None
    )


def shown(text: str) -> str:
    """A text in quotes for a message, cut where it is long."""
    return repr(text if len(text) <= 60 else text[:60] + "…")


def parse_nodes(data: bytes, *, file: str) -> Node:
    """Parse one YAML or JSON document.

    Args:
        data: the raw bytes, UTF-8.
        file: name of the file for errors.

    Raises:
        PolicyFileError: `policy_syntax`, `policy_duplicate_key`, `policy_too_large`.

    Source: YAML 1.2.2; RFC 8259, every text of which it is meant to read.
    """
    start = Position(line=1, column=1)
    if len(data) > MAX_BYTES:
        raise policy_error(
            "policy_too_large", f"has more than {MAX_BYTES} bytes", file=file, at=start
        )
    text = _blanks_for_tabs(_decode(data, file))
    if hidden := _HIDDEN.search(text):
        raise policy_error(
            "policy_syntax",
            f"has the invisible character U+{ord(hidden[0]):04X}",
            file=file,
            at=_position(text[: hidden.start()]),
            hint="save the file as UTF-8 without a byte order mark and without control characters",
        )
    if directive := _DIRECTIVE.match(text):
        at = _position(directive[0][:-1])
        raise policy_error(
            "policy_syntax", "has a YAML directive", file=file, at=at, hint="leave the line out"
        )
    loader = yaml.SafeLoader(text)
    builder = _Builder(loader, file)
    try:
        return builder.document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = str(error.problem or error.context or "is not YAML")
        raise policy_error(
            "policy_syntax",
            f"is not YAML: {problem[:200]}",
            file=file,
            at=_at(mark) if mark else builder.last,
            hint=_hint(problem, str(error.context)),
        ) from None
    # Escapes beyond Unicode and version numbers of thousands of digits end in Python's own errors.
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise policy_error(
            "policy_syntax", f"is not YAML: {str(error)[:200]}", file=file, at=builder.last
        ) from None
    finally:
        loader.dispose()


def _decode(data: bytes, file: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        at = _position(data[: error.start].decode("utf-8"))
        raise policy_error(
            "policy_syntax", "is not UTF-8", file=file, at=at, hint="save the file as UTF-8"
        ) from None


def _at(mark: Mark) -> Position:
    return Position(mark.line + 1, mark.column + 1)


def _position(before: str) -> Position:
    breaks = list(_BREAK.finditer(before))
    start = breaks[-1].end() if breaks else 0
    return Position(line=len(breaks) + 1, column=len(before) - start + 1)


def _blanks_for_tabs(text: str) -> str:
    """JSON with blanks for its tabs, which only stand between tokens; other text as it is.

    The YAML library takes no tab for a blank, which YAML 1.2 does in JSON.
    """
    if "\t" in text and text.lstrip().startswith("{"):
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            return text
        return text.replace("\t", " ")
    return text


def _hint(problem: str, context: str) -> str | None:
    if "'\\t'" in problem:
        return "indent with spaces: YAML takes no tabs"
    if "alias" in context or "cannot start any token" in problem:
        return _QUOTE
    if "mapping values are not allowed" in problem:
        return "quote the value if it contains ': ', and look at the indentation"
    return None


def _kind(plain: str) -> ScalarKind:
    if plain and plain[0] not in _NOT_ONLY_TEXT:
        return "text"
    return next((kind for kind, form in _CORE if form.fullmatch(plain)), "text")


class _Builder:
    """Turns events into nodes; stops at the first one too many."""

    __slots__ = ("_count", "_event", "_file", "_loader", "_path")

    def __init__(self, loader: yaml.SafeLoader, file: str) -> None:
        self._loader = loader
        self._file = file
        self._count = 0
        #: The last one that says where it is.
        self._event: yaml.Event | None = None
        #: Keys and indexes around what is read.
        self._path: list[str | int] = []

    @property
    def last(self) -> Position:
        """Where the last event began."""
        mark = None if self._event is None else self._event.start_mark
        return Position(line=1, column=1) if mark is None else _at(mark)

    def document(self) -> Node:
        """The one document of the stream."""
        self._next()
        event = self._next()
        if not isinstance(event, yaml.DocumentStartEvent):
            raise self._fail("policy_syntax", "is empty", hint="a policy begins with `version: 1`")
        node = self._node(self._next(), 0)
        self._next()
        if not isinstance(self._next(), yaml.StreamEndEvent):
            raise self._fail(
                "policy_syntax", "holds several documents", hint="give each a file of its own"
            )
        return node

    def _next(self) -> yaml.Event:
        # `yaml.parse` would look at each event twice.
        event: yaml.Event = self._loader.get_event()  # type: ignore[no-untyped-call]  # no types
        if event.start_mark is not None:
            self._event = event
        return event

    def _fail(self, code: str, message: str, *, hint: str | None = None) -> PolicyFileError:
        steps = (f"[{step}]" if isinstance(step, int) else f".{step[:60]}" for step in self._path)
        path = "".join(steps).removeprefix(".")
        return policy_error(code, message, file=self._file, at=self.last, path=path, hint=hint)

    def _node(self, event: yaml.Event, depth: int) -> Node:
        self._count += 1
        if self._count > MAX_NODES:
            raise self._fail("policy_too_large", f"has more than {MAX_NODES} values")
        if depth > MAX_DEPTH:
            raise self._fail("policy_too_large", f"is nested more than {MAX_DEPTH} deep")
        if isinstance(event, yaml.AliasEvent):
            raise self._fail("policy_syntax", "is an alias of YAML", hint=_QUOTE)
        assert isinstance(event, (yaml.ScalarEvent, yaml.CollectionStartEvent))
        if event.anchor is not None:
            raise self._fail(
                "policy_syntax",
                f"has the anchor {shown('&' + event.anchor)}",
                hint="write every value where it stands, and quote a text that begins with &",
            )
        if event.tag is not None:
            raise self._fail(
                "policy_syntax",
                f"has the tag {shown(event.tag)}",
                hint="leave the tag out, and quote a text that begins with !",
            )
        mark = event.start_mark
        assert mark is not None, "only what ends a collection may have none"
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, mark)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(mark, depth)
        return self._mapping(mark, depth)

    def _scalar(self, event: yaml.ScalarEvent, mark: Mark) -> Scalar:
        value = event.value
        if event.style is not None:  # quoted, or a block: always text
            if _SURROGATE.search(value):
                value = self._joined(value)
            return Scalar(value, "text", mark)
        return Scalar(value, _kind(value), mark)

    def _joined(self, value: str) -> str:
        r"""The text with each `\ud83d\ude00` as the one character that JSON means by it."""
        try:
            return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        except UnicodeDecodeError:
            raise self._fail("policy_syntax", "has half a surrogate pair") from None

    def _sequence(self, mark: Mark, depth: int) -> Sequence:
        items: list[Node] = []
        self._path.append(0)
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            self._path[-1] = len(items)
            items.append(self._node(event, depth + 1))
        self._path.pop()
        return Sequence(items=tuple(items), mark=mark)

    def _mapping(self, mark: Mark, depth: int) -> Mapping:
        members: dict[str, Member] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._key(event, depth)
            name = key.value
            self._path.append(name)
            if name in members:
                first = members[name].key.position.line
                raise self._fail(
                    "policy_duplicate_key",
                    f"the key {shown(name)} appears twice, first in line {first}",
                    hint="keep one of them",
                )
            members[name] = Member(key, self._node(self._next(), depth + 1))
            self._path.pop()
        return Mapping(members=members, mark=mark)

    def _key(self, event: yaml.Event, depth: int) -> Scalar:
        node = self._node(event, depth + 1)
        if not isinstance(node, Scalar) or node.kind != "text":
            raise self._fail("policy_syntax", "has a key that is no text", hint=_QUOTE)
        if node.value == "<<" and isinstance(event, yaml.ScalarEvent) and event.style is None:
            raise self._fail(
                "policy_syntax", "has a merge key", hint="write the members themselves"
            )
        return node
