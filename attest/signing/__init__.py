"""Signing behind one small interface: a statement or a digest in, a Sigstore bundle out."""

from __future__ import annotations

from typing import Protocol


class Signer(Protocol):
    """One identity that signs any number of contents while its certificate lasts."""

    def sign_statement(self, payload: bytes) -> bytes:
        """Sign an in-toto statement in a DSSE envelope.

        Args:
            payload: the statement's exact bytes (JCS); they become the DSSE payload unchanged.

        Returns:
            A Sigstore bundle v0.3 as UTF-8 JSON.

        Raises:
            SigningError: a service refused, or did not give what was asked of it.
            NetworkError: a service could not be reached.
        """

    def sign_digest(self, sha256: bytes) -> bytes:
        """Sign a content by its digest (a message signature).

        Args:
            sha256: the raw SHA-256 digest of the content, 32 bytes.

        Returns:
            A Sigstore bundle v0.3 as UTF-8 JSON.

        Raises:
            SigningError: a service refused, or did not give what was asked of it.
            NetworkError: a service could not be reached.
        """
