"""The values in a policy file that need judging one by one: patterns, times, keys, paths."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from attest.errors import PolicyFileError, UsageError
from attest.keys import PublicKey
from attest.policy.match import check_pattern
from attest.policy.nodes import Mapping, Node, Scalar, Sequence, shown
from attest.policy.rules import Pattern, Window
from attest.policy.structure import Structure
from attest.publickey import (
    is_sec1_hex,
    load_public_key,
    parse_public_key,
    parse_sec1_hex,
)

#: Each takes up to 5 ms and 0.2 MB to compile; globs are compiled when they are used.
MAX_REGEXES = 100


class Values:
    """Reads values of nodes whose structure holds.

    Args:
        structure: raises the errors of the file.
        folder: where paths lead from; None allows none.
    """

    __slots__ = ("_folder", "_patterns", "_regexes", "_structure", "files")

    def __init__(self, structure: Structure, folder: Path | None) -> None:
        self._structure = structure
        self._folder = folder
        self._regexes = 0
        #: By text: the signers of a policy have most of their values in common.
        self._patterns: dict[str, Pattern] = {}
        #: Those that paths led to so far, links not followed.
        self.files: list[Path] = []

    def patterns(self, node: Node, path: str) -> tuple[Pattern, ...]:
        """Acceptable values: a text with a star is a glob, one without stands for itself."""
        if isinstance(node, Scalar):
            return (self._plain(node.value),)
        return tuple(self._pattern(item, below) for item, below in items(node, path))

    def _plain(self, text: str) -> Pattern:
        pattern = self._patterns.get(text)
        if pattern is None:
            pattern = Pattern(kind="glob" if "*" in text else "exact", text=text)
            self._patterns[text] = pattern
        return pattern

    def _pattern(self, node: Node, path: str) -> Pattern:
        if isinstance(node, Scalar):
            return self._plain(node.value)
        assert isinstance(node, Mapping)
        self._regexes += 1
        if self._regexes > MAX_REGEXES:
            self._structure.refuse(
                "policy_too_large",
                f"is one of more than {MAX_REGEXES} regular expressions",
                node.position,
                path,
                "write lists and globs where they can say it",
            )
        value = node.members["regex"].value
        pattern = Pattern(kind="regex", text=text_of(value))
        try:
            check_pattern(pattern)
        except PolicyFileError as error:
            below = f"{path}.regex"
            self._structure.refuse(error.code, error.message, value.position, below, error.hint)
        return pattern

    def window(self, node: Mapping, path: str) -> Window:
        """`not-before` and `not-after` of a signer."""
        window = Window(
            not_before=self.time(node, "not-before", path),
            not_after=self.time(node, "not-after", path),
        )
        first, last = window.not_before, window.not_after
        if first is not None and last is not None and last < first:
            self._structure.refuse(
                "policy_impossible",
                "ends before it begins",
                node.members["not-after"].value.position,
                f"{path}.not-after",
                "put not-after behind not-before",
            )
        return window

    def time(self, parent: Mapping, name: str, path: str) -> datetime | None:
        """A time as UTC; None where there is none."""
        text = optional(parent, name)
        if text is None:
            return None
        try:
            return datetime.fromisoformat(text).astimezone(UTC)
        except (ValueError, OverflowError):
            self._structure.refuse(
                "policy_invalid_value",
                f"{text} is no time that there is",
                parent.members[name].value.position,
                f"{path}.{name}" if path else name,
                "a time of RFC 3339, as 2027-06-30T00:00:00Z",
            )

    def key(self, node: Node, path: str) -> PublicKey:
        """A public key: its PEM, the hex of its point, or the path of a file that holds it."""
        text = text_of(node)
        inline = "-----BEGIN" in text or is_sec1_hex(text)
        try:
            if is_sec1_hex(text):
                return parse_sec1_hex(text)
            if inline:
                return parse_public_key(text.encode("utf-8"))
            return load_public_key(self.below(node, path))
        except UsageError as error:
            message = error.message if inline else f"{shown(text)}: {error.message}"
            self._structure.refuse(error.code, message, node.position, path, _of_keys(error))

    def below(self, node: Node, path: str) -> Path:
        """The file that a path leads to, which must lie below the policy's folder."""
        text = text_of(node)
        if self._folder is None:
            self._structure.refuse(
                "policy_path_not_allowed",
                "a signed policy may not lead to other files",
                node.position,
                path,
                "write the key itself, as PEM" if path.endswith("key") else "name an instance",
            )
        found = _resolved(self._folder, text)
        if found is None:
            self._structure.refuse(
                "policy_path_not_allowed",
                f"{shown(text)} does not stay in the folder of this file",
                node.position,
                path,
                "put the file below this one's folder, and write its path without '.' and '..'",
            )
        self.files.append(self._folder / text)
        return found


def _resolved(folder: Path, path: str) -> Path | None:
    """The file at a path below a folder, links followed; None if it is elsewhere."""
    if {"", ".", ".."}.isdisjoint(path.split("/")):
        with suppress(OSError, RuntimeError):  # a loop of links, which leads nowhere
            found = (folder / path).resolve()
            if found.is_relative_to(folder.resolve()):
                return found
    return None


def _of_keys(error: UsageError) -> str | None:
    """What to do about a key in a policy file, where the error speaks of options."""
    if error.code == "certificate_given":
        return "name its signer by `issuer` and `email` or `repository`"
    return error.hint


def items(node: Node, path: str) -> Iterator[tuple[Node, str]]:
    """The items of a list with their paths; what stands for a list of one is its own item."""
    if isinstance(node, Sequence):
        for index, item in enumerate(node.items):
            yield item, f"{path}[{index}]"
    else:
        yield node, path


def text_of(node: Node) -> str:
    """The text of a node that is one."""
    assert isinstance(node, Scalar)
    return node.value


def optional(parent: Mapping, name: str) -> str | None:
    """The text of a member; None where it is absent."""
    return text_of(parent.members[name].value) if name in parent.members else None
