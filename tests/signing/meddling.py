"""A real signer that something happens to while it signs."""

from __future__ import annotations

from collections.abc import Callable

from attest.api.earlier import Identity
from attest.api.signers import Signers
from attest.errors import AttestError
from attest.signing import StagedSigner
from attest.signing.work import Content, DigestContent, EnvelopeContent, SignedWork


class Meddling:
    """A real signer, and something that happens while it signs."""

    def __init__(self, real: Signers, meddle: Callable[[], object]) -> None:
        self.real, self.meddle = real, meddle
        self.lost: AttestError | None = None

    def expected(self) -> Identity:
        return self.real.expected()

    def current(self) -> StagedSigner:
        return self

    def sign_statement(self, payload: bytes) -> bytes:
        return self.complete(self.prepare(EnvelopeContent(payload=payload)))

    def sign_digest(self, sha256: bytes) -> bytes:
        return self.complete(self.prepare(DigestContent(digest=sha256)))

    def prepare(
        self, content: Content, *, message: Callable[[], bytes] | None = None
    ) -> SignedWork:
        self.meddle()
        return self.real.current().prepare(content, message=message)

    def complete(self, work: SignedWork) -> bytes:
        return self.real.current().complete(work)
