"""What happens to a signature once it is made, by whatever key: timestamps, log, bundle.

A signer of any kind makes a `SignedWork` without timestamps and hands it over, in two steps that
may lie apart:

    work = submitter.timestamp(SignedWork(content=…, verifier=…, signature=…))
    bundle = submitter.complete(work)        # logs it and puts the bundle together

Between the two, `work.to_json()` is all that need be kept to do the second later, in another
process: there is no secret in it. `SignedWork.from_json` reads it again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from attest.bundle import UntrustedLogEntry
from attest.errors import SigningError, UsageError
from attest.signing.assemble import assemble_bundle
from attest.signing.config import Service, Services
from attest.signing.rekor1 import log_v1
from attest.signing.rekor2 import log_v2
from attest.signing.timestamp import request_timestamp
from attest.signing.transport import Transport
from attest.signing.work import DigestContent, SignedWork
from attest.trust.root import TrustRoot


@dataclass(frozen=True, kw_only=True, slots=True)
class Submitter:
    """Timestamps and logs signatures; any number of threads may use one.

    `services` are those chosen by `SigningConfig.submission`; without logs or without timestamp
    authorities (`dataclasses.replace`) that step is left out. `root` is what the instance trusts.
    """

    services: Services
    root: TrustRoot
    transport: Transport

    def timestamp(self, work: SignedWork) -> SignedWork:
        """Have every chosen authority timestamp a signature, before any log hears of it.

        Args:
            work: a signature without timestamps.

        Raises:
            SigningError: `timestamp_missing`.
            UsageError: `unsupported_key` where a chosen log could not take the signature.
        """
        self._require_loggable(work)
        stamps = tuple(
            request_timestamp(
                work.signature, service=service, root=self.root, transport=self.transport
            )
            for service in self.services.timestamp_authorities
        )
        return replace(work, timestamps=stamps)

    def log(self, work: SignedWork) -> tuple[UntrustedLogEntry, ...]:
        """Write a signature into every chosen log.

        A v1 log writes its own time, so that it is of no use once the certificate has expired; a
        v2 log is, with a timestamp that was taken before.

        Args:
            work: a signature with its timestamps.

        Returns:
            The entries as the logs give them; the engine says what they prove.

        Raises:
            SigningError: `certificate_expired`, and the codes of `log_v1` and `log_v2`:
                `log_unavailable` where trying later may help.
            NetworkError: `network_unreachable`, `server_not_trusted`, `unexpected_answer`.
        """
        return tuple(self._logged(work, service) for service in self.services.logs)

    def complete(self, work: SignedWork) -> bytes:
        """Log a timestamped signature and put its bundle together; nothing is verified here.

        Args:
            work: as `timestamp` returned it.

        Returns:
            A Sigstore bundle v0.3 as UTF-8 JSON.

        Raises:
            SigningError, NetworkError: as `log`.
        """
        return assemble_bundle(work, self.log(work))

    def _logged(self, work: SignedWork, service: Service) -> UntrustedLogEntry:
        window = work.verifier.window
        expired = window is not None and datetime.now(UTC) > window[1]
        if expired and (service.version == 1 or not work.timestamps):
            raise SigningError(
                "certificate_expired",
                "the certificate expired before the signature was logged, and this log "
                "would give it a later time",
                hint="sign again with a new token",
            )
        if service.version == 1:
            return log_v1(work, service=service, transport=self.transport)
        return log_v2(work, service=service, transport=self.transport, root=self.root)

    def _require_loggable(self, work: SignedWork) -> None:
        """Refuse before anything is sent what no chosen log could take."""
        plain = work.verifier.key.digest is None  # Ed25519, which signs messages alone
        needs_digest = isinstance(work.content, DigestContent)
        if plain and any(item.version != 1 or needs_digest for item in self.services.logs):
            raise UsageError(
                "unsupported_key",
                "the log takes this only by Ed25519ph, which cannot be signed here",
                hint="use an ECDSA key",
            )
