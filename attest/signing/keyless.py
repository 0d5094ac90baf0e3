"""Keyless signing: a key that lives in memory only, a certificate for a token, then signatures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from attest.errors import MalformedEvidence, SigningError, UsageError
from attest.oidc import IdentityToken
from attest.signing.fulcio import request_certificate
from attest.signing.instance import SigningInstance
from attest.signing.submit import Submitter
from attest.signing.transport import Patience, Transport
from attest.signing.work import Content, DigestContent, EnvelopeContent, SignedWork, Verifier
from attest.statement import parse_statement

#: A certificate is not used in its last seconds: the log's time must still lie within.
MARGIN = timedelta(seconds=15)


@contextmanager
def open_keyless_signer(
    token: IdentityToken, instance: SigningInstance, *, patience: Patience | None = None
) -> Iterator[KeylessSigner]:
    """Get one certificate for the token's identity and sign with it until it expires.

    Args:
        token: whose identity the certificate will name.
        instance: the instance to get the certificate from and to log to.
        patience: how long to try services that fail.

    Raises:
        SigningError: `certificate_refused`, `certificate_untrusted`, `certificate_expired`.
        TrustError: `trust_config_invalid` where the instance lacks a service.
        NetworkError: `network_unreachable`, `server_not_trusted`, `unexpected_answer`.

    Source: Evidence Pack R-073 to R-075.
    """
    now = datetime.now(UTC)
    authority = instance.services.certificate_authority(now)
    services = instance.services.submission(now, rekor_version=instance.rekor_version)
    key = ec.generate_private_key(ec.SECP256R1())
    with Transport(patience) as transport:
        certificate = request_certificate(
            key, token, service=authority, root=instance.root, transport=transport
        )
        submitter = Submitter(services=services, root=instance.root, transport=transport)
        yield KeylessSigner(key=key, certificate=certificate, submitter=submitter)


class KeylessSigner:
    """One certificate's signer; any number of threads may use one.

    Args:
        key: the certified key; it is never written anywhere.
        certificate: the leaf.
        submitter: timestamps and logs what is signed.
    """

    def __init__(
        self,
        *,
        key: ec.EllipticCurvePrivateKey,
        certificate: x509.Certificate,
        submitter: Submitter,
    ) -> None:
        self._key = key
        self._verifier = Verifier.of_certificate(certificate)
        self._expires = certificate.not_valid_after_utc
        self._submitter = submitter

    @property
    def expires(self) -> datetime:
        """When (UTC) the certificate does."""
        return self._expires

    def sign_statement(self, payload: bytes) -> bytes:
        """See `Signer.sign_statement`.

        Raises:
            UsageError: `invalid_statement`.
        """
        return self.complete(self.prepare(EnvelopeContent(payload=payload)))

    def sign_digest(self, sha256: bytes) -> bytes:
        """See `Signer.sign_digest`."""
        return self.complete(self.prepare(DigestContent(digest=sha256)))

    def prepare(
        self,
        content: Content,
        *,
        message: Callable[[], bytes] | None = None,  # noqa: ARG002 - its digest is enough here
    ) -> SignedWork:
        """See `StagedSigner.prepare`.

        Raises:
            SigningError: `certificate_expired`, `timestamp_missing`.
            UsageError: `invalid_statement`; a key that certificates name signs nothing else.
        """
        if isinstance(content, EnvelopeContent):
            require_statement(content)
        if datetime.now(UTC) + MARGIN > self._expires:
            raise SigningError(
                "certificate_expired",
                "the certificate expired before everything was signed",
                hint="sign the remaining targets again with a new token",
            )
        work = SignedWork(
            content=content, verifier=self._verifier, signature=self._signature(content)
        )
        return self._submitter.timestamp(work)

    def complete(self, work: SignedWork) -> bytes:
        """See `StagedSigner.complete`."""
        return self._submitter.complete(work)

    def _signature(self, content: Content) -> bytes:
        if isinstance(content, EnvelopeContent):
            return self._key.sign(content.message, ec.ECDSA(hashes.SHA256()))
        if content.algorithm != "sha256":
            raise ValueError("the key of a certificate signs SHA-256 digests")
        return self._key.sign(content.digest, ec.ECDSA(Prehashed(hashes.SHA256())))


def require_statement(content: EnvelopeContent) -> None:
    """Refuse to sign a payload that is no in-toto statement.

    Raises:
        UsageError: `invalid_statement`.
    """
    try:
        parse_statement(content.payload)
    except MalformedEvidence as error:
        raise UsageError(
            "invalid_statement", f"cannot be signed: {error.message}", where=error.where
        ) from None
