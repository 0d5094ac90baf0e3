"""The lines in which two versions of a text artifact differ, within bounds of size and time."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from attest.pack.diff import ArtifactPair
from attest.pack.reader import Pack

#: Above this a person looks at the files themselves; it also bounds the memory.
MAX_TEXT_BYTES = 1_048_576
#: Lines between the first and the last difference: comparing takes their square in time.
MAX_LINES = 2_000
#: The same for all artifacts of one comparison together.
MAX_LINES_IN_ALL = 20_000
#: Characters told of all artifacts together: a line may be as long as its artifact, and all that
#: is told is held in memory.
MAX_SHOWN_IN_ALL = 4 * MAX_TEXT_BYTES
#: Lines told of one artifact.
MAX_SHOWN = 500

_CONTEXT = 3
_NO_NEWLINE = "\\ No newline at end of file"


@dataclass(frozen=True, kw_only=True, slots=True)
class TextDiff:
    """The differing lines of one artifact, raw, in the form of `diff -u` without its header.

    `left_out` says why there are none, or not all.
    """

    path: str
    lines: tuple[str, ...] = ()
    left_out: Literal["binary", "too_large", "too_many_lines"] | None = None


def compare_texts(first: Pack, second: Pack, pairs: Iterable[ArtifactPair]) -> Iterator[TextDiff]:
    """Compare artifacts line by line.

    Args:
        first: the pack of each pair's `before`.
        second: the pack of each pair's `after`.
        pairs: artifacts whose content changed.

    Raises:
        MalformedEvidence: the codes of `Pack.artifact_chunks`.
    """
    room, space = MAX_LINES_IN_ALL, MAX_SHOWN_IN_ALL
    for pair in pairs:
        path = pair.after.path
        if max(pair.before.size, pair.after.size) > MAX_TEXT_BYTES:
            yield TextDiff(path=path, left_out="too_large")
            continue
        old = _lines(b"".join(first.artifact_chunks(pair.before)))
        new = _lines(b"".join(second.artifact_chunks(pair.after)))
        if old is None or new is None:
            yield TextDiff(path=path, left_out="binary")
            continue
        start, end = _equal_ends(old, new)
        size = max(len(old), len(new)) - start - end
        if size > min(MAX_LINES, room):
            yield TextDiff(path=path, left_out="too_many_lines")
            continue
        room -= size
        lines = tuple(_unified(old, new, start, end))
        shown, more = lines[:MAX_SHOWN], len(lines) > MAX_SHOWN
        if sum(map(len, shown)) > space:
            yield TextDiff(path=path, left_out="too_large")
            continue
        space -= sum(map(len, shown))
        yield TextDiff(path=path, lines=shown, left_out="too_many_lines" if more else None)


def _lines(data: bytes) -> list[str] | None:
    """The lines of a text with their ends; None if it is no text."""
    if b"\0" in data:
        return None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    lines = [f"{line}\n" for line in text.split("\n")]
    # The last piece has no line end; it is empty if the text ends with one.
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


def _equal_ends(old: list[str], new: list[str]) -> tuple[int, int]:
    """How many lines at the start and at the end are equal: a common case made cheap."""
    most = min(len(old), len(new))
    start = next((at for at in range(most) if old[at] != new[at]), most)
    rest = most - start
    end = next((at for at in range(rest) if old[-1 - at] != new[-1 - at]), rest)
    return start, end


def _unified(old: list[str], new: list[str], start: int, end: int) -> Iterator[str]:
    # A window with a little of what is equal; its line numbers are moved to the whole text.
    first = max(0, start - _CONTEXT)
    after = max(0, end - _CONTEXT)
    left, right = old[first : len(old) - after], new[first : len(new) - after]
    for group in difflib.SequenceMatcher(None, left, right).get_grouped_opcodes(_CONTEXT):
        (_, a, _, b, _), (_, _, c, _, d) = group[0], group[-1]
        yield f"@@ -{_range(first + a, c - a)} +{_range(first + b, d - b)} @@"
        for tag, a, c, b, d in group:
            if tag == "equal":
                yield from _marked(" ", left[a:c])
                continue
            yield from _marked("-", left[a:c])
            yield from _marked("+", right[b:d])


def _range(start: int, length: int) -> str:
    """A range of lines as `diff -u` writes it: counted from 1, an empty one names the line before.

    Source: POSIX.1-2017, diff, "Diff -u Output Format".
    """
    if length == 1:
        return str(start + 1)
    return f"{start + 1 if length else start},{length}"


def _marked(mark: str, lines: list[str]) -> Iterator[str]:
    for line in lines:
        yield mark + line.removesuffix("\n")
        if not line.endswith("\n"):
            yield _NO_NEWLINE
