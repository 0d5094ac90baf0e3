"""Who signs a run's targets: one certificate while it lasts, then another of the same identity."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Protocol

from attest.api.earlier import Identity
from attest.errors import AttestError
from attest.signing import StagedSigner
from attest.signing.identity import TokenSource
from attest.signing.instance import SigningInstance

#: A certificate that ends sooner is replaced where that can be: services that are slow, and asked
#: again, take so long.
_RENEW = timedelta(seconds=60)
#: Seconds for which the token must still be valid when a certificate is requested with it.
_TOKEN_SECONDS = 5.0


class Signers(Protocol):
    """Gives the signer to use now; any number of threads may ask."""

    @property
    def lost(self) -> AttestError | None:
        """Why there is no signer any more, and will be none in this run."""

    def expected(self) -> Identity:
        """Who will have signed, as far as that is known before."""

    def current(self) -> StagedSigner:
        """The signer for the next target."""


class KeylessSigners:
    """The signers of one identity, each with a certificate of its own; see `open_keyless`."""

    def __init__(self, source: TokenSource, instance: SigningInstance, stack: ExitStack) -> None:
        self._source = source
        self._instance = instance
        self._stack = stack
        self._lock = threading.Lock()
        self._signer: StagedSigner | None = None
        self._expires = datetime.min.replace(tzinfo=UTC)
        self._who: Identity | None = None
        self._lost: AttestError | None = None

    @property
    def lost(self) -> AttestError | None:
        """See `Signers.lost`: nobody is asked to log in twice for one refusal."""
        return None if self._lost is None else copy.copy(self._lost)

    def expected(self) -> Identity:
        """What the token says of itself, which decides only whether to sign again.

        Raises:
            SigningError, NetworkError, UsageError: the codes of `TokenSource.token`.
        """
        with self._lock:
            self._require_not_lost()
            # Asked once: tokens of people last a minute, certificates that they got ten.
            if self._who is None:
                try:
                    token = self._source.token()
                except AttestError as error:
                    self._lost = copy.copy(error)
                    raise
                self._who = Identity(subject=token.identity, issuer=token.issuer)
            return self._who

    def current(self) -> StagedSigner:
        """See `Signers.current`.

        Raises:
            SigningError, NetworkError, TrustError: the codes of `open_keyless_signer` and of
                `TokenSource.token`; the same for every target after the first.
        """
        with self._lock:
            self._require_not_lost()
            now = datetime.now(UTC)
            if self._signer is not None and now + _RENEW < self._expires:
                return self._signer
            try:
                self._open()
            except AttestError as error:
                from attest.signing.keyless import MARGIN

                if self._signer is None or now + MARGIN >= self._expires:
                    self._lost = copy.copy(error)
                    raise
            assert self._signer is not None
            return self._signer

    def _require_not_lost(self) -> None:
        if self._lost is not None:
            raise copy.copy(self._lost)

    def _open(self) -> None:
        from attest.signing.keyless import open_keyless_signer

        token = self._source.token(_TOKEN_SECONDS)
        signer = self._stack.enter_context(open_keyless_signer(token, self._instance))
        self._signer, self._expires = signer, signer.expires


@contextmanager
def open_keyless(source: TokenSource, instance: SigningInstance) -> Iterator[KeylessSigners]:
    """Sign as whoever the tokens name; a certificate is requested when one is needed.

    Args:
        source: gives the tokens.
        instance: which certifies and logs.
    """
    with ExitStack() as stack:
        yield KeylessSigners(source, instance, stack)
