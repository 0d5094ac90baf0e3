"""Who hits a limit is told to raise it, not that the evidence is bad."""

from __future__ import annotations

import pytest

from attest.errors import AttestError, MalformedEvidence, UsageError


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MalformedEvidence("pack_too_large", "x"), "--limit"),
        (MalformedEvidence("too_many_artifacts", "x"), "--limit"),
        (UsageError("too_many_artifacts", "x"), "--limit"),
        (MalformedEvidence("zip_bomb", "x"), "do not use it"),
        (MalformedEvidence("crc_mismatch", "x"), "do not use it"),
    ],
)
def test_what_to_do_fits_the_code(error: AttestError, words: str) -> None:
    assert error.advice is not None
    assert words in error.advice


def test_a_wrong_call_has_no_advice_of_its_own() -> None:
    assert UsageError("invalid_usage", "x").advice is None
