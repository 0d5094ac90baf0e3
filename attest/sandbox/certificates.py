"""CA and timestamp-authority certificates, every one of them marked as a sandbox's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from attest.sandbox.clock import whole_seconds
from attest.sandbox.names import SANDBOX_ORGANIZATION


@dataclass(frozen=True, kw_only=True, slots=True)
class Validity:
    """A closed interval of time, UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Signer:
    """A certificate that issues others, with its key."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


def sandbox_name(common_name: str, *, organization: str = SANDBOX_ORGANIZATION) -> x509.Name:
    """A subject with the sandbox marker as its organization."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def key_usage(*, digital_signature: bool = False, certificates: bool = False) -> x509.KeyUsage:
    """A key usage with only these bits; `certificates` is keyCertSign and cRLSign."""
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=certificates,
        encipher_only=False,
        decipher_only=False,
    )


def make_ca(
    *,
    key: ec.EllipticCurvePrivateKey,
    name: x509.Name,
    validity: Validity,
    issuer: Signer | None = None,
    path_length: int | None = None,
    extended_key_usage: Sequence[x509.ObjectIdentifier] = (),
) -> x509.Certificate:
    """A CA certificate.

    Args:
        key: the subject's key.
        name: the subject.
        validity: when it is valid, cut to seconds.
        issuer: who signs it; itself if absent.
        path_length: how many CAs may follow (RFC 5280, section 4.2.1.9).
        extended_key_usage: Fulcio's intermediate has codeSigning, its root nothing.
    """
    builder = _builder(key.public_key(), name, validity, issuer).add_extension(
        x509.BasicConstraints(ca=True, path_length=path_length), critical=True
    )
    builder = builder.add_extension(key_usage(certificates=True), critical=True)
    if extended_key_usage:
        builder = builder.add_extension(x509.ExtendedKeyUsage(extended_key_usage), critical=False)
    return _identified(builder, key, issuer).sign(_signing_key(key, issuer), hashes.SHA384())


def make_timestamp_leaf(
    *,
    key: ec.EllipticCurvePrivateKey,
    name: x509.Name,
    validity: Validity,
    issuer: Signer,
    extended_key_usage: Sequence[x509.ObjectIdentifier] = (ExtendedKeyUsageOID.TIME_STAMPING,),
    critical: bool = True,
) -> x509.Certificate:
    """A timestamp authority's certificate: critical EKU, only timeStamping (RFC 3161, 2.3).

    Args:
        key: the authority's key.
        name: the subject.
        validity: when it is valid, cut to seconds.
        issuer: who signs it.
        extended_key_usage: other purposes make a certificate that verifiers must refuse.
        critical: likewise, if false.
    """
    builder = _builder(key.public_key(), name, validity, issuer).add_extension(
        key_usage(digital_signature=True), critical=True
    )
    builder = builder.add_extension(x509.ExtendedKeyUsage(extended_key_usage), critical=critical)
    return _identified(builder, key, issuer).sign(issuer.key, hashes.SHA384())


def _builder(
    public_key: ec.EllipticCurvePublicKey,
    name: x509.Name,
    validity: Validity,
    issuer: Signer | None,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.certificate.subject if issuer else name)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(whole_seconds(validity.start))
        .not_valid_after(whole_seconds(validity.end))
    )


def _identified(
    builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey, issuer: Signer | None
) -> x509.CertificateBuilder:
    builder = builder.add_extension(
        x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
    )
    if issuer is None:
        return builder
    return builder.add_extension(authority_key_identifier(issuer.certificate), critical=False)


def _signing_key(
    key: ec.EllipticCurvePrivateKey, issuer: Signer | None
) -> ec.EllipticCurvePrivateKey:
    return issuer.key if issuer else key


def authority_key_identifier(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """AKI that equals the issuer's SKI."""
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
