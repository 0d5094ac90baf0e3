"""Fulcio's v2 API: an identity token and a key in, a certificate that was checked out."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from attest.connections import Reply, Request
from attest.engine.chain import attribute, load_leaf, verify_chain
from attest.engine.sct import verify_scts
from attest.errors import AttestError, MalformedEvidence, SigningError
from attest.oidc import IdentityToken
from attest.signing.config import Service
from attest.signing.failures import redact
from attest.signing.transport import Transport, refusal
from attest.strictjson import Members, encode_base64, loads
from attest.trust.root import TrustRoot

_PATH = "/api/v2/signingCert"
_SERVICE = "the certificate authority"
_CODE = "certificate_refused"


def request_certificate(
    key: ec.EllipticCurvePrivateKey,
    token: IdentityToken,
    *,
    service: Service,
    root: TrustRoot,
    transport: Transport,
) -> x509.Certificate:
    """Get a certificate for a key and the identity of a token, and check it before it is used.

    It is asked for once: a request that may have arrived is not repeated.

    Args:
        key: the key to certify; it signs the request and stays here.
        token: whose identity is certified.
        service: the authority.
        root: what the instance trusts, under which the certificate must verify.
        transport: asks.

    Raises:
        SigningError: `certificate_refused`, `certificate_untrusted`, `certificate_expired`.
        NetworkError: `network_unreachable`, `server_not_trusted`, `unexpected_answer`.

    Source: sigstore/fulcio, fulcio.proto (CreateSigningCertificate); Evidence Pack R-073.
    """
    request = Request(
        url=service.url + _PATH,
        body=json.dumps({"certificateSigningRequest": encode_base64(_csr(key))}).encode(),
        headers={
            "Authorization": f"Bearer {token.reveal()}",
            "Content-Type": "application/json",
            "Accept": "application/json",
        },
    )
    reply = transport.ask(request, service=_SERVICE, repeatable=False)
    if reply.status not in (200, 201):
        raise _refused(reply, token)
    leaf = _leaf(reply)
    _check(leaf, key, root)
    return leaf


def _csr(key: ec.EllipticCurvePrivateKey) -> bytes:
    # The subject is empty: the authority takes the identity from the token, and refuses
    # requests whose subject it cannot read (sigstore/fulcio#863).
    builder = x509.CertificateSigningRequestBuilder(subject_name=x509.Name([])).add_extension(
        x509.BasicConstraints(ca=False, path_length=None), critical=True
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def _refused(reply: Reply, token: IdentityToken) -> SigningError:
    if reply.status >= 500 or reply.status == 429:
        hint = "try again later; nothing was written"
    else:
        hint = (
            f"see whether the instance accepts identities of {redact(token.issuer)}, "
            "and get a new token"
        )
    return SigningError(
        _CODE, f"{_SERVICE} gave no certificate: {refusal(reply, [token.reveal()])}", hint=hint
    )


def _leaf(reply: Reply) -> x509.Certificate:
    try:
        answer = Members(loads(reply.body, where="answer"), where="answer", code=_CODE)
        chain = answer.members("signedCertificateEmbeddedSct").members("chain")
        first = next(iter(chain.array("certificates")), None)
        if not isinstance(first, str):
            raise chain.fail("certificates", "holds no certificate")
    except MalformedEvidence as error:
        raise SigningError(
            _CODE, f"{_SERVICE}'s answer cannot be read: {error.where}: {error.message}"
        ) from None
    try:
        return load_leaf(x509.load_pem_x509_certificate(first.encode()).public_bytes(Encoding.DER))
    # Parsers of certificates have no common error, and warn where a filter raises.
    except (AttestError, ValueError, x509.InvalidVersion, UserWarning) as error:
        raise SigningError(
            _CODE, f"{_SERVICE}'s certificate cannot be read: {redact(str(error))}"
        ) from None


def _check(leaf: x509.Certificate, key: ec.EllipticCurvePrivateKey, root: TrustRoot) -> None:
    """Require that the certificate is for this key, still valid, and as the instance promises."""
    if datetime.now(UTC) > leaf.not_valid_after_utc:
        raise SigningError(
            "certificate_expired",
            f"{_SERVICE} gave a certificate that ended at "
            f"{leaf.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}",
            hint="check this machine's clock; nothing was written",
        )
    try:
        same = _spki(leaf.public_key()) == _spki(key.public_key())
    except (ValueError, UnsupportedAlgorithm):
        same = False
    if not same:
        raise _untrusted("it is for another key")
    try:
        # At its own start: this machine's clock may be slow, and the evidence has times of its own.
        issuer = verify_chain(leaf, attribute(leaf, root.authorities), [leaf.not_valid_before_utc])
        verify_scts(leaf, issuer, root.ct_logs, minimum=root.profile.min_scts)
    except AttestError as error:
        raise _untrusted(f"{error.code}: {error.message}") from None


def _spki(key: object) -> bytes:
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return b""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _untrusted(why: str) -> SigningError:
    return SigningError(
        "certificate_untrusted",
        f"the certificate is not what the instance promises: {why}",
        hint="check that the trust config belongs to the instance it names",
    )
