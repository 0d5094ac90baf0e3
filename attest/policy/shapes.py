"""The kinds of values of which the grammar of policy files is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

#: Longest text where the table says nothing else, in characters.
MAX_TEXT = 2_048
#: No text of one line holds these; source: `_HIDDEN` of attest.policy.nodes, and line breaks.
LINE = r"[^\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]*"
#: As `LINE`, with tabs and line breaks.
LINES = r"[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]*"


@dataclass(frozen=True, kw_only=True, slots=True)
class Text:
    """A text: one of `words`, or one that `pattern` matches as a whole; `form` is that in words.

    `digits`: a whole number without quotes is taken as its digits. `instead`: what to write in
    place of a text that looks right and is not.
    """

    words: tuple[str, ...] = ()
    pattern: str | None = LINE
    form: str = "one line of text"
    max_length: int = MAX_TEXT
    digits: bool = False
    instead: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Whole:
    """A whole number in plain decimal digits."""

    minimum: int
    maximum: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """A list; `single`: one item may stand for a list of one."""

    item: Text | Either
    single: bool = False
    empty: bool = False
    repeats: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One key of an object; `needs` is another, without which it would say less than it seems."""

    name: str
    shape: Shape
    about: str
    required: bool = False
    needs: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Object:
    """Known keys, at least one; `one_of`: at least one of these must be there."""

    what: str
    fields: tuple[Field, ...]
    one_of: tuple[str, ...] = ()
    by_name: Mapping[str, Field] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the fields once: each object of a file is looked up in them."""
        by_name = {item.name: item for item in self.fields}
        object.__setattr__(self, "by_name", by_name)


@dataclass(frozen=True, kw_only=True, slots=True)
class Named:
    """An object whose keys are names that the file's author chooses, at least one."""

    name: Text
    value: Choice | Object


@dataclass(frozen=True, kw_only=True, slots=True)
class Either:
    """A text, or an object that says more."""

    text: Text
    object: Object


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """The object `present` if the key `key` is there, else `absent`."""

    key: str
    present: Object
    absent: Object


Shape: TypeAlias = Text | Whole | Listed | Object | Named | Either | Choice
