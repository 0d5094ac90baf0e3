"""Signing with a key of one's own: the same work as with a certificate, without the certificate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from cryptography.exceptions import InvalidSignature

from attest.errors import SigningError, UsageError
from attest.keys import PublicKey
from attest.signing.config import Services
from attest.signing.instance import SigningInstance
from attest.signing.keyless import require_statement
from attest.signing.submit import Submitter
from attest.signing.transport import Patience, Transport
from attest.signing.work import Content, DigestContent, EnvelopeContent, SignedWork, Verifier


class SigningKey(Protocol):
    """A key that signs, wherever its secret half is kept."""

    @property
    def public(self) -> PublicKey:
        """Its public half."""

    @property
    def takes_digests(self) -> bool:
        """Whether `sign_digest` is to be had; otherwise it signs whole messages alone."""

    def sign(self, message: bytes) -> bytes:
        """Sign a message: DER for ECDSA, raw for Ed25519.

        Raises:
            UsageError, SigningError: it cannot.
        """

    def sign_digest(self, digest: bytes) -> bytes:
        """Sign a message by its raw digest of `public.digest`.

        Raises:
            ValueError: it signs messages themselves.
            UsageError, SigningError: it cannot.
        """


@contextmanager
def open_keyed_signer(
    key: SigningKey,
    instance: SigningInstance,
    *,
    log: bool = True,
    timestamp: bool = True,
    patience: Patience | None = None,
) -> Iterator[KeyedSigner]:
    """Sign any number of contents with a key.

    Args:
        key: signs.
        instance: whose authorities and logs are used.
        log: whether signatures are logged.
        timestamp: whether they are timestamped.
        patience: how long to try services that fail.

    Raises:
        UsageError: `time_needed` where a log proves no time and timestamps are left out.
        TrustError: `trust_config_invalid` where the instance lacks a service.
    """
    services = Services(timestamp_authorities=(), logs=())
    if log or timestamp:
        services = instance.services.submission(
            datetime.now(UTC), rekor_version=instance.rekor_version
        )
        services = replace(
            services,
            logs=services.logs if log else (),
            timestamp_authorities=services.timestamp_authorities if timestamp else (),
        )
    if not timestamp and any(service.version != 1 for service in services.logs):
        raise UsageError(
            "time_needed",
            "a Rekor v2 log proves no time, so that its entry needs a timestamp",
            hint="leave out --no-timestamp, or log to Rekor v1",
        )
    with Transport(patience) as transport:
        yield KeyedSigner(
            key=key,
            submitter=Submitter(services=services, root=instance.root, transport=transport),
        )


class KeyedSigner:
    """Signs with one key; any number of threads may use one where the key allows it.

    Args:
        key: signs.
        submitter: timestamps and logs what is signed.
    """

    def __init__(self, *, key: SigningKey, submitter: Submitter) -> None:
        self._key = key
        self._submitter = submitter
        self._verifier = Verifier(spki=key.public.spki)

    def sign_statement(self, payload: bytes) -> bytes:
        """See `Signer.sign_statement`.

        Raises:
            UsageError: `invalid_statement`, `unsupported_key`.
        """
        return self.complete(self.prepare(EnvelopeContent(payload=payload)))

    def sign_digest(self, sha256: bytes) -> bytes:
        """See `Signer.sign_digest`.

        Raises:
            UsageError: `unsupported_key`, `file_needed`.
        """
        return self.complete(self.prepare(DigestContent(digest=sha256)))

    def prepare(
        self, content: Content, *, message: Callable[[], bytes] | None = None
    ) -> SignedWork:
        """See `StagedSigner.prepare`.

        Raises:
            UsageError: `invalid_statement`, `unsupported_key`, `file_needed`; nothing is signed
                then.
            SigningError: `key_signature_invalid`, `timestamp_missing`, and those of the key.
        """
        if isinstance(content, EnvelopeContent):
            require_statement(content)
        self._require_loggable(content)
        work = SignedWork(
            content=content, verifier=self._verifier, signature=self._signature(content, message)
        )
        return self._submitter.timestamp(work)

    def complete(self, work: SignedWork) -> bytes:
        """See `StagedSigner.complete`."""
        try:
            return self._submitter.complete(work)
        except SigningError as error:
            if error.code == "log_has_entry":
                error.hint = (
                    "a key from a file signs the same each time: use the bundle of the first time,"
                    " or another log"
                )
            raise

    def _signature(self, content: Content, message: Callable[[], bytes] | None) -> bytes:
        public = self._key.public
        try:
            if isinstance(content, EnvelopeContent):
                signature = self._key.sign(content.message)
                public.verify(signature, content.message)
                return signature
            if content.algorithm != public.digest:
                raise _wrong_digest(public)
            signature = (
                self._key.sign_digest(content.digest)
                if self._key.takes_digests
                else self._key.sign(_read(message))
            )
            public.verify_digest(signature, content.digest)
        except InvalidSignature:
            raise SigningError(
                "key_signature_invalid",
                "what the key returned is no signature by it",
                hint="check that the key named is the one whose public half is given there",
            ) from None
        return signature

    def _require_loggable(self, content: Content) -> None:
        """Refuse before signing what needs Ed25519ph, which cannot be had here."""
        if self._key.public.digest is not None:
            return
        versions = {service.version for service in self._submitter.services.logs}
        if isinstance(content, DigestContent) or versions - {1}:
            what = (
                "a digest" if isinstance(content, DigestContent) else "an entry of a Rekor v2 log"
            )
            raise UsageError(
                "unsupported_key",
                f"{what} can be signed with Ed25519 only as Ed25519ph, which is not to be had here",
                hint="use an ECDSA key; Ed25519 signs packs and statements, logged by Rekor v1",
            )


def _read(message: Callable[[], bytes] | None) -> bytes:
    if message is None:
        raise UsageError(
            "file_needed",
            "this key signs messages, and a digest does not tell what the message is",
            hint="name the file itself",
        )
    return message()


def _wrong_digest(public: PublicKey) -> UsageError:
    return UsageError(
        "unsupported_digest",
        f"this key signs {public.digest} digests alone",
        hint="name the file itself, or use a key of the curve that goes with the digest",
    )
