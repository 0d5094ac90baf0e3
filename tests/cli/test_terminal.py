"""Untrusted text can neither command a terminal nor hide anything, and can be read back."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest.terminal import When, escape, paint, shell_command, wants_color

ANY = st.text(alphabet=st.characters(exclude_categories=()))
NASTY = st.text(alphabet="\\nx01au{}\n\r\t\x1b\x07\x9b\u202e\u2066\u200b\ufeff\ud800…'\"é漢 ")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def unescape(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode("unicode_escape")


@given(ANY | NASTY)
def test_what_comes_out_has_only_characters_that_are_seen(text: str) -> None:
    shown = escape(text)
    assert {unicodedata.category(char)[0] for char in shown} <= set("LMNPSZ")
    assert all(char == " " for char in shown if unicodedata.category(char)[0] == "Z")


@given(ANY | NASTY)
def test_it_can_be_read_back(text: str) -> None:
    assert unescape(escape(text, limit=10 * len(text) + 1)) == text


@given(st.lists(ANY | NASTY, max_size=3))
def test_a_command_has_only_characters_that_are_seen(words: list[str]) -> None:
    words = [word.encode(errors="surrogatepass").decode(errors="surrogateescape") for word in words]
    shown = shell_command(words)
    assert escape(shown.replace("\\", ""), limit=10_000) == shown.replace("\\", "")


@pytest.mark.skipif(sys.platform == "win32", reason="the shell is that of POSIX")
def test_a_shell_reads_every_byte_of_a_command_back() -> None:
    words = [os.fsdecode(b"a%c'b" % byte) for byte in range(1, 256)]
    command = shell_command(["printf", "%s\\0", *words])
    done = subprocess.run(["sh", "-c", command], capture_output=True, check=True)
    assert done.stdout.split(b"\0")[:-1] == [os.fsencode(word) for word in words]


@given(ANY | NASTY, st.integers(min_value=1, max_value=60))
def test_it_is_never_longer_than_the_limit(text: str, limit: int) -> None:
    shown = escape(text, limit=limit)
    assert len(shown) <= limit
    assert shown == escape(text, limit=10_000) or shown.endswith("…")


@given(st.lists(NASTY, min_size=2, max_size=2, unique=True))
def test_two_texts_never_look_the_same(texts: list[str]) -> None:
    assert escape(texts[0], limit=10_000) != escape(texts[1], limit=10_000)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ünïcode 漢字", "plain ünïcode 漢字"),
        ("two\nlines", r"two\nlines"),
        ("\x1b[2J", r"\x1b[2J"),
        ("\x9b2J", r"\x9b2J"),
        ("cod\u202etxt.exe", r"cod\u202etxt.exe"),
        ("a\u2066b\u2069", r"a\u2066b\u2069"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("line\u2028separator", r"line\u2028separator"),
        ("no\u00a0break", r"no\xa0break"),
        ("filler\u3164", r"filler\u3164"),
        ("selector\ufe0f", r"selector\ufe0f"),
        ("tag\U000e0041", r"tag\U000e0041"),
        ("\ud800", r"\ud800"),
        ("C:\\new", r"C:\\new"),
    ],
)
def test_examples(text: str, shown: str) -> None:
    assert escape(text) == shown


def test_an_escape_is_not_cut_in_two() -> None:
    assert escape("ab\x1b\x1b", limit=7) == r"ab\x1b…"
    assert escape("ab\x1b\x1b", limit=6) == "ab…"


@pytest.mark.parametrize(
    ("when", "environ", "expected"),
    [
        ("always", {"NO_COLOR": "1", "TERM": "dumb"}, [True, True]),
        ("never", {}, [False, False]),
        ("auto", {}, [False, True]),
        ("auto", {"NO_COLOR": ""}, [False, True]),
        ("auto", {"NO_COLOR": "1"}, [False, False]),
        ("auto", {"TERM": "dumb"}, [False, False]),
    ],
)
def test_colour_is_for_terminals_that_may(
    when: When, environ: dict[str, str], expected: list[bool]
) -> None:
    streams = (io.StringIO(), Terminal())
    assert [wants_color(when, stream, environ) for stream in streams] == expected


def test_paint_adds_nothing_unless_on() -> None:
    assert paint("text", "red", on=False) == "text"
    assert paint("text", "red", on=True) == "\x1b[31mtext\x1b[0m"
