"""What the words of a command line name: targets, lists of them, folders and patterns."""

from __future__ import annotations

import codecs
import glob
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from attest.api.target import BUNDLE_SUFFIX, PACK_SUFFIX
from attest.errors import AttestError, UsageError
from attest.files import open_file

_MADE_BY_SIGNING = (BUNDLE_SUFFIX, ".pending.json")
_SEPARATOR = os.sep
#: No system takes a longer path.
_LONGEST = 32_768


@dataclass(frozen=True, kw_only=True, slots=True)
class Named:
    """A target by its name, or what stands in its place and why it names none."""

    name: str
    error: AttestError | None = None


@dataclass(kw_only=True, slots=True)
class Targets:
    """The targets that words name, one by one and in order: nothing holds them all.

    `-` is a list on stdin and `@FILE` a list in a file, one target a line; a folder stands for
    every pack below it and every file with a bundle beside it, by name; a pattern that names no
    file itself stands for what matches it. Lines of a list are no lists or patterns. To be
    signed, a folder stands for every file below it that is not hidden, and no bundle; nor does a
    pattern stand for bundles unless it asks for them.

    Args:
        words: as given.
        stdin: read for `-`; None if it is closed.
        to_sign: whether they are to be signed.
    """

    words: Sequence[str]
    stdin: BinaryIO | None
    to_sign: bool = False
    #: Files in the folders that were looked through, of which nothing says that they are signed.
    unsigned: int = field(default=0, init=False)

    def alone(self) -> Named | None:
        """The one target that was given as itself, if there is no other."""
        if len(self.words) == 1:
            word = self.words[0]
            if not (_is_list(word) or _is_folder(word) or _is_pattern(word)):
                return Named(name=word)
        return None

    def __iter__(self) -> Iterator[Named]:
        """Every target, each looked for when it is asked for."""
        for word in self.words:
            if _is_list(word):
                yield from self._listed(word)
            elif _is_pattern(word):
                yield from self._matching(word)
            else:
                yield from self._literally(word)

    def _literally(self, name: str) -> Iterator[Named]:
        if _is_folder(name):
            why = "holds no file" if self.to_sign else "holds no pack and no signed file"
            yield from self._unless_empty(name, self._below(name), why)
        else:
            yield Named(name=name)

    def _matching(self, pattern: str) -> Iterator[Named]:
        matches = sorted(set(_matches(pattern)))
        if self.to_sign and not pattern.endswith(_MADE_BY_SIGNING):
            matches = [name for name in matches if not name.endswith(_MADE_BY_SIGNING)]
        found = (item for name in matches for item in self._literally(name))
        yield from self._unless_empty(pattern, found, "nothing matches it")

    def _listed(self, word: str) -> Iterator[Named]:
        try:
            with self._opened(word) as stream:
                lines = (item for line in _lines(stream, word) for item in self._literally(line))
                yield from self._unless_empty(word, lines, "the list is empty")
        except AttestError as error:
            yield Named(name=word, error=error)
        except OSError as error:
            yield Named(name=word, error=_unreadable(word, error))

    @contextmanager
    def _opened(self, word: str) -> Iterator[BinaryIO]:
        if word != "-":
            with open_file(word[1:]) as file, open(file.fileno(), "rb", closefd=False) as stream:
                yield stream
        elif self.stdin is not None:
            yield self.stdin
        else:
            raise UsageError("unreadable_file", "standard input is closed", where=word)

    def _below(self, top: str) -> Iterator[Named]:
        """The packs and signed files below a folder, by name; links to folders are not entered."""
        pending = [(top, True)]
        while pending:
            path, is_folder = pending.pop()
            if not is_folder:
                yield Named(name=path)
                continue
            try:
                pending += reversed(self._inside(path))
            except OSError as error:
                yield Named(name=path, error=_unreadable(path, error))

    def _inside(self, folder: str) -> list[tuple[str, bool]]:
        """What to look at directly inside a folder, by name, and whether it is a folder."""
        with os.scandir(folder) as found:
            folders = {entry.name: entry.is_dir(follow_symlinks=False) for entry in found}
        if self.to_sign:
            names = sorted(name for name in folders if _is_signable(name, folder=folders[name]))
            return [(str(Path(folder, name)), folders[name]) for name in names]
        inside: dict[str, bool] = {}
        for name, is_folder in folders.items():
            artifact = name.removesuffix(BUNDLE_SUFFIX)
            if is_folder or name.lower().endswith(PACK_SUFFIX) or name + BUNDLE_SUFFIX in folders:
                inside[name] = is_folder
            elif artifact not in ("", name):
                inside.setdefault(artifact, False)  # even if it is missing: somebody signed it
            else:
                self.unsigned += 1
        return [(str(Path(folder, name)), inside[name]) for name in sorted(inside)]

    def _unless_empty(self, word: str, found: Iterator[Named], why: str) -> Iterator[Named]:
        """What was found; where that is nothing, an error in its place: nothing is no success."""
        first = next(found, None)
        if first is None:
            error = UsageError(
                "nothing_to_sign" if self.to_sign else "nothing_to_verify",
                why,
                where=word,
                hint="name packs, other files, or folders of such"
                if self.to_sign
                else "name packs, files with bundles beside them, or folders of such",
            )
            first = Named(name=word, error=error)
        yield first
        yield from found


def signed_from(name: str) -> str | None:
    """The target of which signing makes a file of this name; None if it is no such name."""
    for suffix in _MADE_BY_SIGNING:
        if name.endswith(suffix):
            return name.removesuffix(suffix) or None
    return None


def _is_signable(name: str, *, folder: bool) -> bool:
    """Whether signing a folder means this name in it: what is hidden, or made by signing, not."""
    return not name.startswith(".") and (folder or not name.endswith(_MADE_BY_SIGNING))


def _is_list(word: str) -> bool:
    return word == "-" or word.startswith("@")


def _is_folder(word: str) -> bool:
    return os.path.isdir(word)  # noqa: PTH112 - `Path.is_dir` raises for folders closed to us


def _is_pattern(word: str) -> bool:
    return glob.has_magic(word) and not os.path.lexists(word)


def _matches(pattern: str) -> Iterator[str]:
    """What matches a pattern, in no order; below `**` no folder, unless it cannot be read.

    The standard `**` follows links, and two that lead back keep it busy for ever.
    """
    parts = pattern.replace(os.altsep or _SEPARATOR, _SEPARATOR).split(_SEPARATOR)
    if "**" not in parts:
        yield from glob.iglob(pattern)  # noqa: PTH207 - `Path` would tidy up names
        return
    at = parts.index("**")
    top, rest = _SEPARATOR.join((*parts[:at], "")), parts[at + 1 :]
    for start in glob.iglob(top) if at else ("",):  # noqa: PTH207
        for folder, files in _walk(start):
            if files is None:
                yield folder
            elif not rest:
                yield from files
            elif "**" in rest:
                yield from _matches(glob.escape(folder) + _SEPARATOR.join(rest))
            else:
                found = glob.iglob(glob.escape(folder) + _SEPARATOR.join(rest))  # noqa: PTH207
                yield from (name for name in found if not _is_folder(name))


def _walk(top: str) -> Iterator[tuple[str, list[str] | None]]:
    """A folder and those below it, by names that end with a separator, and the files in each.

    None stands for files that cannot be listed. Hidden names are left out, as patterns do.
    """
    pending = [top]
    while pending:
        folder = pending.pop()
        try:
            with os.scandir(folder or os.curdir) as found:
                entries = [entry for entry in found if not entry.name.startswith(".")]
        except OSError:
            yield folder, None
            continue
        yield folder, [folder + entry.name for entry in entries if not entry.is_dir()]
        pending += [
            folder + entry.name + _SEPARATOR
            for entry in entries
            if entry.is_dir(follow_symlinks=False)
        ]


def _lines(stream: BinaryIO, where: str) -> Iterator[str]:
    """The lines of a list; empty ones count for nothing."""
    number = 0
    while line := stream.readline(_LONGEST + 1):
        number += 1
        text = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
        if len(line) > _LONGEST or b"\0" in line:
            raise _no_list(f"{where}: line {number}")
        try:
            name = os.fsdecode(text).rstrip("\r\n")
        except UnicodeDecodeError:  # on Windows; elsewhere every name has a spelling
            raise _no_list(f"{where}: line {number}") from None
        if name:
            yield name


def _unreadable(where: str, error: OSError) -> UsageError:
    return UsageError("unreadable_file", f"cannot be read: {error.strerror}", where=where)


def _no_list(where: str) -> UsageError:
    return UsageError(
        "invalid_list",
        "this is not a list of targets",
        where=where,
        hint="a list is text with one target a line",
    )
