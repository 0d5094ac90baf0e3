"""Fulcio's v2 API: a token and a proof of possession in, a certificate chain out."""

from __future__ import annotations

from collections.abc import Callable, Collection
from http import HTTPStatus

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from attest.sandbox.ca import CertificateAuthority
from attest.sandbox.claims import identity_of
from attest.sandbox.ctlog import CTLog
from attest.sandbox.refusal import Refusal, bad_request, unauthenticated
from attest.sandbox.signatures import SigningKey, load_pem_key, signing_key, verify_message
from attest.sandbox.tokens import TokenIssuer
from attest.sandbox.wire import JsonObject, get_bytes, get_object, get_text


class Fulcio:
    """Issues certificates to those who prove an identity and a key.

    Args:
        ca: signs them.
        ctlog: promises to log them.
        tokens: checks identity tokens.
        issuers: answers which issuers are believed (the sandbox's own URL depends on its port).
    """

    def __init__(
        self,
        *,
        ca: CertificateAuthority,
        ctlog: CTLog,
        tokens: TokenIssuer,
        issuers: Callable[[], Collection[str]],
    ) -> None:
        self._ca = ca
        self._ctlog = ctlog
        self._tokens = tokens
        self.issuers = issuers

    def signing_certificate(self, request: JsonObject, bearer: str | None) -> JsonObject:
        """Answer `POST /api/v2/signingCert`.

        Args:
            request: the body, in either of the two shapes clients send.
            bearer: token of the Authorization header, if there was one.
        """
        claims = self._tokens.check(_token(request, bearer), issuers=self.issuers())
        identity = identity_of(claims)
        certificate = self._ca.issue(
            public_key=_proven_key(request, identity.challenge),
            san=identity.san,
            issuer=identity.issuer,
            extensions=identity.extensions,
            sct_log=self._ctlog,
        )
        chain = [_pem(certificate), *map(_pem, self._ca.chain)]
        return {"signedCertificateEmbeddedSct": {"chain": {"certificates": chain}}}

    def trust_bundle(self) -> JsonObject:
        """Answer `GET /api/v2/trustBundle`."""
        return {"chains": [{"certificates": list(map(_pem, self._ca.chain))}]}


def _token(request: JsonObject, bearer: str | None) -> str:
    """The token from the header or the body; two different ones are a confusion to refuse."""
    if "credentials" not in request:
        if bearer is None:
            raise unauthenticated("no identity token")
        return bearer
    token = get_text(get_object(request, "credentials"), "oidcIdentityToken", "credentials.")
    if bearer is not None and bearer != token:
        raise bad_request("the Authorization header and the body carry different tokens")
    return token


def _proven_key(request: JsonObject, challenge: str) -> SigningKey:
    has_csr = "certificateSigningRequest" in request
    if has_csr == ("publicKeyRequest" in request):
        raise bad_request("give exactly one of certificateSigningRequest and publicKeyRequest")
    if has_csr:
        return _key_of_csr(get_bytes(request, "certificateSigningRequest"))
    wrapper = get_object(request, "publicKeyRequest")
    public_key = get_object(wrapper, "publicKey", "publicKeyRequest.")
    pem = get_text(public_key, "content", "publicKeyRequest.publicKey.")
    key = load_pem_key(pem.encode(), "publicKeyRequest.publicKey.content")
    proof = get_bytes(wrapper, "proofOfPossession", "publicKeyRequest.")
    verify_message(key, proof, challenge.encode(), what="proofOfPossession")
    return key


def _key_of_csr(pem: bytes) -> SigningKey:
    """The key of a request that it signed itself; its subject means nothing, as in Fulcio."""
    try:
        request = x509.load_pem_x509_csr(pem)
        key = signing_key(request.public_key())
        valid = request.is_signature_valid
    except (ValueError, UnsupportedAlgorithm) as error:
        raise bad_request("certificateSigningRequest: not a PEM request") from error
    if not valid:
        raise Refusal(HTTPStatus.BAD_REQUEST, "certificateSigningRequest: bad signature")
    return key


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")
