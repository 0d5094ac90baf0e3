"""Keyless signing through `sigstore`: a certificate for a token, then signatures in the log.

`sigstore` signs, timestamps and logs in one call, so what failed is told by where it failed and
by the HTTP answer behind its exception; its own classes for this are not public.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from attest.bundle import parse_bundle
from attest.digest import SIZES
from attest.errors import AttestError, MalformedEvidence, SigningError, UsageError
from attest.oidc import IdentityToken
from attest.signing import Signer
from attest.signing.failures import described, redact, response_of, unreachable
from attest.signing.instance import SigningInstance

if TYPE_CHECKING:
    from sigstore.models import Bundle
    from sigstore.sign import Signer as SigstoreSigner


@contextmanager
def open_keyless_signer(token: IdentityToken, config: SigningInstance) -> Iterator[Signer]:
    """Get one certificate for the token's identity and sign with it until it expires.

    Args:
        token: whose identity the certificate will name.
        config: the instance to get the certificate from and to log to.

    Raises:
        SigningError: `certificate_refused`, `certificate_untrusted`.
        TrustError: the codes of `SigningInstance.client_config`.
        NetworkError: `network_unreachable`.

    Source: Evidence Pack R-073 to R-075.
    """
    client = config.client_config()

    from sigstore.oidc import IdentityToken as ServiceToken
    from sigstore.sign import SigningContext

    with ExitStack() as stack:
        try:
            context = SigningContext.from_trust_config(client)
            # Without its cache `sigstore` makes a new key for every use.
            signer = stack.enter_context(context.signer(ServiceToken(token.reveal()), cache=True))
        # No common base: its own errors, HTTP errors, KeyError and ValueError of bad answers.
        except Exception as error:  # noqa: BLE001
            raise _no_certificate(error, token) from None
        timestamps = len(client.signing_config.get_tsas())
        yield _KeylessSigner(signer, token=token, timestamps=timestamps)


def _no_certificate(error: Exception, token: IdentityToken) -> AttestError:
    from sigstore.errors import VerificationError

    if (offline := unreachable(error, "the certificate authority")) is not None:
        return offline
    if isinstance(error, VerificationError):
        return SigningError(
            "certificate_untrusted",
            f"the certificate is not logged as the instance promises: {redact(str(error))}",
            hint="check that the trust config belongs to the instance it names",
        )
    response = response_of(error)
    later = response is not None and response.status_code >= 500
    return SigningError(
        "certificate_refused",
        "the certificate authority gave no certificate: " + described(error, [token.reveal()]),
        hint="try again later"
        if later
        else f"see whether the instance accepts identities of {redact(token.issuer)}",
    )


class _KeylessSigner:
    """One certificate's signer; what it returns has the timestamps that the instance asks for."""

    def __init__(self, signer: SigstoreSigner, *, token: IdentityToken, timestamps: int) -> None:
        self._signer = signer
        self._token = token
        self._timestamps = timestamps

    def sign_statement(self, payload: bytes) -> bytes:
        """See `Signer.sign_statement`."""
        from sigstore.dsse import Statement
        from sigstore.errors import Error

        try:
            statement = Statement(payload)
        except Error as error:
            raise UsageError("invalid_statement", redact(str(error))) from None
        return self._bundle(lambda: self._signer.sign_dsse(statement))

    def sign_digest(self, sha256: bytes) -> bytes:
        """See `Signer.sign_digest`."""
        from sigstore.hashes import Hashed
        from sigstore_models.common.v1 import HashAlgorithm

        if len(sha256) != SIZES["sha256"]:
            raise ValueError("a SHA-256 digest has 32 bytes")
        hashed = Hashed(algorithm=HashAlgorithm.SHA2_256, digest=sha256)
        return self._bundle(lambda: self._signer.sign_artifact(hashed))

    def _bundle(self, sign: Callable[[], Bundle]) -> bytes:
        try:
            bundle = sign()
        # As above; the log's errors have a private class without a public base.
        except Exception as error:  # noqa: BLE001
            raise self._not_signed(error) from None
        data = bundle.to_json().encode("utf-8")
        try:
            timestamps = len(parse_bundle(data, where="the new bundle").timestamps)
        except MalformedEvidence as error:
            raise SigningError(
                "signed_bundle_invalid",
                f"the services' answers make no valid bundle: {error.message}",
                where=error.where,
            ) from None
        if timestamps < self._timestamps:
            raise SigningError(
                "timestamp_missing",
                "a timestamp authority of this instance gave no timestamp",
                hint="sign again when it answers; nothing was written",
            )
        return data

    def _not_signed(self, error: Exception) -> AttestError:
        if type(error).__name__ == "ExpiredCertificate":
            return SigningError(
                "certificate_expired",
                "the certificate expired before everything was signed",
                hint="sign the remaining targets again with a new token",
            )
        if (offline := unreachable(error, "the transparency log")) is not None:
            return offline
        return SigningError(
            "log_refused",
            f"the transparency log took no entry: {described(error, [self._token.reveal()])}",
            hint="sign again; nothing was written",
        )
