"""One pattern against one value: exact, an anchored glob, or a regex, all in linear time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Literal, TypeAlias

from attest.errors import PolicyFileError
from attest.policy.rules import Pattern

#: What is compared without regard to ASCII case: nothing, all of it, or what follows the last `@`.
Fold: TypeAlias = Literal["none", "all", "domain"]

#: Patterns are reviewed by people; nothing they read is longer.
MAX_PATTERN = 1_000
#: Claims are names, paths and URLs; what is longer is a pattern's only to match exactly.
MAX_VALUE = 8_192
#: Bytes for one compiled pattern; RE2 refuses what needs more, and `x{9}{9}{9}` needs much.
_MAX_MEMORY = 1 << 18


def check_pattern(pattern: Pattern) -> None:
    """Refuse a pattern that says nothing or that cannot be matched.

    Args:
        pattern: as written.

    Raises:
        PolicyFileError: `empty_pattern`, `pattern_too_large`, `invalid_regex`.
    """
    if not pattern.text:
        raise PolicyFileError(
            "empty_pattern", "the empty text matches nothing", hint="write what must be there"
        )
    if len(pattern.text) > MAX_PATTERN:
        raise PolicyFileError(
            "pattern_too_large",
            f"a pattern of {len(pattern.text)} characters; {MAX_PATTERN} are allowed",
            hint="list several shorter ones",
        )
    if pattern.kind != "exact":
        _matcher(pattern, ignore_case=False)


def matches(pattern: Pattern, value: str, *, fold: Fold = "none") -> bool:
    """Whether a value is what a pattern says, from its first character to its last.

    A glob's `*` stands for any characters but `/`, its `**` for any at all. A regular expression
    sees an e-mail address with its domain in lower case.

    Args:
        pattern: one that `check_pattern` let through.
        value: what a certificate says.
        fold: which part is compared without regard to case.

    Raises:
        PolicyFileError: as `check_pattern`.

    Source: design, section 7 "Matching"; https://github.com/google/re2/wiki/Syntax.
    """
    return bool(select(pattern, (folded(value, fold),), fold=fold))


def select(pattern: Pattern, values: Iterable[str], *, fold: Fold = "none") -> list[str]:
    """Those of several values that are what a pattern says; as `matches`, and cheaper for many.

    Args:
        pattern: as for `matches`.
        values: as `folded` gives them.
        fold: as for `matches`.
    """
    if pattern.kind == "regex":
        # RE2 folds beyond ASCII (`k` is also the Kelvin sign), which is no letter of these names.
        return [
            value
            for value in values
            if len(value) <= MAX_VALUE
            and _matcher(pattern, ignore_case=fold == "all" and value.isascii())(value)
        ]
    text = folded(pattern.text, fold)
    if pattern.kind == "exact" or "*" not in text:
        return [value for value in values if value == text]
    # What stands before the first star and behind the last one rejects most values, and decides
    # about globs of one star: few need the engine, which takes a while to load and to compile.
    head, tail = text.partition("*")[0], text.rpartition("*")[2]
    found = [
        value
        for value in values
        if value.startswith(head)
        and value.endswith(tail)
        and len(head) + len(tail) <= len(value) <= MAX_VALUE
    ]
    if text.count("*") == 1:
        return [value for value in found if "/" not in value[len(head) : len(value) - len(tail)]]
    if not found:
        return found
    is_match = _matcher(Pattern(kind="glob", text=text), ignore_case=False)
    return [value for value in found if is_match(value)]


def folded(text: str, fold: Fold) -> str:
    """A text as it is compared: ASCII letters in lower case where `fold` says so.

    Text with other characters stays as it is: the names that fold have none.
    """
    if fold == "none" or not text.isascii():
        return text
    if fold == "all":
        return text.lower()
    local, at, domain = text.rpartition("@")
    return f"{local}@{domain.lower()}" if at else text


@lru_cache(maxsize=1024)
def _matcher(pattern: Pattern, *, ignore_case: bool) -> Callable[[str], bool]:
    """What tells whether a whole text matches a glob or regular expression."""
    import re2  # type: ignore[import-untyped]  # it has no types; only a bool leaves this function

    options = re2.Options()
    options.max_mem = _MAX_MEMORY
    options.log_errors = False
    options.never_capture = True
    options.case_sensitive = not ignore_case
    try:
        source = pattern.text if pattern.kind == "regex" else _source(pattern.text, re2.escape)
        compiled = re2.compile(source, options)
    except (re2.error, UnicodeEncodeError) as error:
        raise _refusal(error) from None
    return lambda value: compiled.fullmatch(value) is not None


def _source(glob: str, escape: Callable[[str], str]) -> str:
    """The regular expression that says what a glob says."""
    across = (part.split("*") for part in glob.split("**"))
    return "(?s:.*)".join("[^/]*".join(map(escape, part)) for part in across)


def _refusal(error: Exception) -> PolicyFileError:
    reason = error.args[0] if error.args else "?"
    text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(error)
    if "too large" in text:
        return PolicyFileError(
            "pattern_too_large",
            "the pattern takes too much memory",
            hint="repeat less, or list several smaller ones",
        )
    return PolicyFileError(
        "invalid_regex",
        f"not a regular expression: {text}",
        hint="RE2's syntax is allowed: no backreferences, no look-around, repeats up to 1000",
    )
