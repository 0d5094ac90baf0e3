"""What may reach a terminal: untrusted text made harmless, colours, and how far work has come."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Mapping, Sequence
from typing import Literal, Self, TextIO, TypeAlias

When: TypeAlias = Literal["auto", "always", "never"]
Color: TypeAlias = Literal["red", "green", "yellow", "bold", "dim"]

_CODES: dict[Color, str] = {"red": "31", "green": "32", "yellow": "33", "bold": "1", "dim": "2"}

#: Unicode counts these as printable although nothing is seen of them (Default_Ignorable).
_INVISIBLE = (  # compiled when first needed: it costs more than showing a whole report
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
#: Seconds before work is called long, and between two looks at it; columns of the bar.
_BEFORE_FIRST, _BETWEEN, _BAR = 1.0, 0.1, 30
_SHORT = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def escape(text: str, *, limit: int = 500) -> str:
    r"""Show untrusted text so that it can neither command a terminal nor hide anything.

    Control, formatting (bidirectional, zero width) and unassigned characters, surrogates, blanks
    other than the space, and the backslash are written as Python writes them (`\n`, `\x1b`,
    `\u202e`), so that the original can be read back from what is not cut.

    Args:
        text: any text.
        limit: most characters of the result; a longer one is cut and ends in `…`.
    """
    if len(text) <= limit and _harmless(text):
        return text
    pieces: list[str] = []
    size = 0
    for index, char in enumerate(text):
        piece = char if _harmless(char) else _SHORT.get(char) or _numeric(char)
        last = index == len(text) - 1
        if size + len(piece) > limit - (not last):
            pieces.append("…")
            break
        pieces.append(piece)
        size += len(piece)
    return "".join(pieces)


def shell_command(words: Sequence[str]) -> str:
    r"""A command on one line that is as harmless to show as escaped text, and can be run.

    A word with characters that are not shown as they are is made by `printf`, which every POSIX
    shell has. None can be given a word that ends in a line break so.

    Args:
        words: the command and its arguments.
    """
    import shlex

    return " ".join(shlex.quote(word) if _harmless(word) else _printf(word) for word in words)


def _printf(word: str) -> str:
    plain = frozenset(range(0x20, 0x7F)) - frozenset(b"%'\\")
    made = (chr(byte) if byte in plain else f"\\{byte:03o}" for byte in os.fsencode(word))
    # `--`, since the word may look like an option.
    return f"\"$(printf -- '{''.join(made)}')\""


def _harmless(text: str) -> bool:
    if not text.isprintable() or "\\" in text:
        return False
    return text.isascii() or not re.search(_INVISIBLE, text)


def _numeric(char: str) -> str:
    point = ord(char)
    if point < 0x100:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def wants_color(when: When, stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether to colour a stream: as told, else only on a terminal that can and may.

    Source: no-color.org.
    """
    if when != "auto":
        return when == "always"
    if environ.get("NO_COLOR") or environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def paint(text: str, color: Color, *, on: bool) -> str:
    """Text in a colour, or as it is; the text must have been escaped before."""
    return f"\x1b[{_CODES[color]}m{text}\x1b[0m" if on else text


class ProgressBar:
    """How far long work has come, in one line that is erased when the work ends.

    Nothing is written in the first second. Called with what is done and what there is in all;
    without a stream it is never shown.
    """

    def __init__(self, stream: TextIO | None, label: str) -> None:
        self._stream = stream
        self._label = label
        self._next = time.monotonic() + _BEFORE_FIRST
        self._width = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.hide()

    def __call__(self, done: int, total: int) -> None:
        """Show how far it is, at most ten times a second; nothing when all is done."""
        if done >= total:
            self.hide()
            return
        now = time.monotonic()
        if self._stream is None or now < self._next:
            return
        self._next = now + _BETWEEN
        share = done / total
        filled = round(share * _BAR)
        text = f"{self._label} [{'#' * filled}{' ' * (_BAR - filled)}] {share:4.0%}"
        self._width = max(self._width, len(text))
        self._write("\r" + text)

    @property
    def shown(self) -> bool:
        """Whether there is anybody to show it to."""
        return self._stream is not None

    def hide(self) -> None:
        """Erase the line, so that something else can be written; it comes back by itself."""
        if self._width:
            self._write("\r" + " " * self._width + "\r")
            self._width = 0

    def _write(self, text: str) -> None:
        if self._stream is not None:
            # A terminal that has gone must not end the work.
            with contextlib.suppress(OSError):
                self._stream.write(text)
                self._stream.flush()


def wants_progress(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether a line that erases itself may be shown: on a terminal that can, never in CI."""
    return not environ.get("CI") and environ.get("TERM") != "dumb" and stream.isatty()
