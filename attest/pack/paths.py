"""Paths inside a pack: what is allowed, and when two of them collide."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from attest.errors import MalformedEvidence

#: Bytes of UTF-8 in a whole path (R-018) and in one segment (R-019).
MAX_PATH_BYTES = 240
MAX_SEGMENT_BYTES = 80

# What nearly all paths are; whatever this does not match is judged rule by rule. A segment of
# these that begins and ends with a letter or digit breaks none of them, unless it is a device.
_PLAIN = re.compile(
    r"(?:(?!(?:[Cc][Oo](?:[Nn]|[Mm][0-9])|[Pp][Rr][Nn]|[Aa][Uu][Xx]|[Nn][Uu][Ll]|[Ll][Pp][Tt][0-9])"
    r"(?:[./]|\Z))"
    r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,78}[A-Za-z0-9])?(?:/(?!\Z)|\Z))+"
)
# What no segment of such a path has, in lower case, with a line break before and after it.
_NOT_PLAIN = (
    re.compile(r"[^a-z0-9._\n-]"),
    re.compile(r"\n[._\n-]"),
    re.compile(r"[._-]\n"),
    re.compile(r"\n(?:con|prn|aux|nul|com[0-9]|lpt[0-9])[.\n]"),
)
_CONTROL = re.compile("[\x00-\x1f\x7f]")
_DRIVE = re.compile("[A-Za-z]:")
# Windows reads the superscript digits as digits, and ignores spaces before the first dot.
_DEVICE = re.compile(r"(?:con|prn|aux|nul|(?:com|lpt)[1-9¹²³]) *(?:\..*)?", re.IGNORECASE)


def check_path(path: str, *, where: str | None = None) -> None:
    """Refuse a file path that does not mean the same on every platform.

    Args:
        path: the path without a trailing slash, relative to the root of the pack.
        where: what the error names; the path itself if not given.

    Raises:
        MalformedEvidence: `invalid_path`, `path_traversal`, `path_not_nfc`, `reserved_name`,
            `apple_double`, `apple_metadata`.

    Source: Evidence Pack R-009, R-010, R-013 to R-020a, R-057.
    """
    if len(path) <= MAX_PATH_BYTES and _PLAIN.fullmatch(path):
        return
    _check_by_rule(path, path if where is None else where)


def are_plain(paths: Sequence[str]) -> bool:
    """Whether `check_path` passes all of these, told at once; False means that it must be asked."""
    text = "\n".join(paths)
    if (
        not text.isascii()
        or text.count("\n") != len(paths) - 1
        or max(map(len, paths)) > MAX_PATH_BYTES
    ):
        return False
    text = text.replace("/", "\n")
    if max(map(len, text.split("\n"))) > MAX_SEGMENT_BYTES:
        return False
    text = f"\n{text.lower()}\n"
    return not any(pattern.search(text) for pattern in _NOT_PLAIN)


def _check_by_rule(path: str, place: str) -> None:
    if not path:
        raise _bad("invalid_path", "the path is empty", place, "R-016")
    try:
        size = len(path.encode("utf-8"))
    except UnicodeEncodeError:
        raise _bad("invalid_path", "the path is not valid Unicode", place, "R-009") from None
    if _CONTROL.search(path) or "\\" in path:
        raise _bad(
            "invalid_path", "the path has a control character or a backslash", place, "R-010"
        )
    if path.startswith("/") or _DRIVE.match(path):
        raise _bad("invalid_path", "the path is absolute or names a drive", place, "R-017")
    if ":" in path:
        raise _bad("invalid_path", "the path has a colon, which Windows reserves", place, "R-017")
    if size > MAX_PATH_BYTES:
        raise _bad(
            "invalid_path", f"the path has {size} bytes, more than {MAX_PATH_BYTES}", place, "R-018"
        )
    for segment in path.split("/"):
        _check_segment(segment, place)
    if not unicodedata.is_normalized("NFC", path):
        raise _bad("path_not_nfc", "the path is not in NFC form", place, "R-014")


def _check_segment(segment: str, place: str) -> None:
    if segment == "..":
        raise _bad("path_traversal", "the path leaves its folder with '..'", place, "R-016")
    if segment in ("", "."):
        raise _bad("invalid_path", "the path has an empty or '.' segment", place, "R-016")
    if len(segment) * 4 > MAX_SEGMENT_BYTES and len(segment.encode("utf-8")) > MAX_SEGMENT_BYTES:
        raise _bad(
            "invalid_path", f"a segment has more than {MAX_SEGMENT_BYTES} bytes", place, "R-019"
        )
    if segment.endswith((".", " ")):
        raise _bad("invalid_path", "a segment ends with a dot or a space", place, "R-020a")
    if _DEVICE.fullmatch(segment):
        raise _bad("reserved_name", f"{segment!r} is a Windows device name", place, "R-020")
    if segment.startswith("._") or segment == "__MACOSX":
        raise _bad("apple_double", f"{segment!r} is macOS metadata", place, "R-057")
    if segment == ".DS_Store":
        raise _bad("apple_metadata", f"{segment!r} is macOS metadata", place, "R-057")


def windows_canonical(path: str) -> str:
    """The form in which two paths that Windows would confuse are equal (R-034a)."""
    if "./" in path or " /" in path or path.endswith((".", " ")):
        path = "/".join(segment.rstrip(". ") for segment in path.split("/"))
    return path.lower()


def check_unique(files: list[str], directories: list[str], *, rule: str) -> None:
    """Refuse paths that would land on the same file, or a file that is also a folder.

    Args:
        files: file paths.
        directories: paths of explicit folders, without the trailing slash.
        rule: the rule that the error names.

    Raises:
        MalformedEvidence: `duplicate_path`.

    Source: Evidence Pack R-034, R-034a, R-049, R-059.
    """
    if _are_plainly_unique(files, directories):
        return
    canonical_files = [windows_canonical(path) for path in files]
    canonicals = canonical_files + [windows_canonical(path) for path in directories]
    seen: dict[str, str] = {}
    for path, canonical in zip((*files, *directories), canonicals, strict=True):
        if canonical in seen:
            other = seen[canonical]
            same = "appears twice" if other == path else f"is the same as {other!r} on Windows"
            raise _bad("duplicate_path", f"the path {same}", path, rule)
        seen[canonical] = path
    folders: set[str] = set()
    for canonical in seen:
        end = canonical.rfind("/")
        while end > 0 and canonical[:end] not in folders:
            folders.add(canonical[:end])
            end = canonical.rfind("/", 0, end)
    for path, canonical in zip(files, canonical_files, strict=True):
        if canonical in folders:
            raise _bad("duplicate_path", "the path is a file and also a folder", path, rule)


def _are_plainly_unique(files: list[str], directories: list[str]) -> bool:
    """Whether nothing can collide, told of all paths at once; False means that it must be seen."""
    text = "\n".join((*files, *directories))
    # In ASCII lower case needs no context, and without these marks Windows drops nothing.
    if not text.isascii() or any(mark in f"{text}\n" for mark in ("./", " /", ".\n", " \n")):
        return False
    names = text.lower().split("\n")
    distinct = set(names)
    if not len(distinct) == len(names) == len(files) + len(directories):
        return False
    folders = distinct
    while folders := {name.rpartition("/")[0] for name in folders} - {""}:
        if not folders.isdisjoint(names[: len(files)]):
            return False
    return True


def _bad(code: str, message: str, where: str, rule: str) -> MalformedEvidence:
    return MalformedEvidence(code, message, where=where, rule=rule)
