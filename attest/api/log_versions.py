"""Which clients can verify what was logged, by the version of the log."""

from __future__ import annotations

from typing import Literal


def who_verifies(version: Literal[1, 2], *, is_statement: bool) -> str:
    """The clients that accept a bundle with an entry of such a log, in a few words.

    Args:
        version: of Rekor.
        is_statement: whether an envelope was signed, of which v2 logs the PAE's digest alone.

    Source: measured with sigstore-python 4.2.0 and 4.5.1, sigstore-js 4.1.1 and 5.0.1.
    """
    if version == 1:
        return "every Sigstore client in use verifies it"
    if is_statement:
        return "sigstore-python from 4.3 and sigstore-js from 5 verify it; older ones refuse it"
    return "only clients that know Rekor v2 verify it"
