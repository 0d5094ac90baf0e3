"""Signing behind one small interface: a statement or a digest in, a Sigstore bundle out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from attest.signing.work import Content, SignedWork


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


class StagedSigner(Signer, Protocol):
    """A signer whose work can be kept between signing and logging: what is in between is public."""

    def prepare(
        self, content: Content, *, message: Callable[[], bytes] | None = None
    ) -> SignedWork:
        """Sign a content and have it timestamped; no log hears of it yet.

        Args:
            content: an envelope's payload, or a digest.
            message: reads what has that digest, for a signer that cannot do with the digest.

        Raises:
            SigningError, NetworkError: as `sign_statement`, before anything is logged.
        """

    def complete(self, work: SignedWork) -> bytes:
        """Log what `prepare` made and put its bundle together.

        Args:
            work: as `prepare` returned it.

        Returns:
            A Sigstore bundle v0.3 as UTF-8 JSON; nothing of it is verified yet.

        Raises:
            SigningError: `log_unavailable` where trying later may help, else as `sign_statement`.
            NetworkError: a log could not be reached.
        """
