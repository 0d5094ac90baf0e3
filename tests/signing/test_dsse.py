"""The PAE counts bytes, whatever the text."""

from __future__ import annotations

import pytest

from attest.dsse import pae


def test_the_published_example() -> None:
    # DSSE v1.0.0 protocol.md, "Test Vectors".
    assert (
        pae("http://example.com/HelloWorld", b"hello world")
        == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


@pytest.mark.parametrize(
    ("kind", "payload", "expected"),
    [
        ("é", b"", b"DSSEv1 2 \xc3\xa9 0 "),
        ("", "é".encode(), b"DSSEv1 0  2 \xc3\xa9"),
        ("a 1 b", b"%d %b", b"DSSEv1 5 a 1 b 5 %d %b"),
    ],
)
def test_lengths_are_in_bytes_and_nothing_is_interpreted(
    kind: str, payload: bytes, expected: bytes
) -> None:
    assert pae(kind, payload) == expected


def test_moving_a_boundary_changes_the_encoding() -> None:
    assert pae("ab", b"c") != pae("a", b"bc")
    assert pae("a 1", b"b") != pae("a", b"1 b")
