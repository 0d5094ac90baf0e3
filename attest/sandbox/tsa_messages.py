"""RFC 3161 and CMS as declarative ASN.1: exactly the parts a timestamp authority reads and writes.

One thing the declarative API cannot do: a field of any type (ANY) that is encoded. Where CMS has
one, the class below lists the alternatives that occur.
"""

# No `from __future__ import annotations`: the decorators read real types at run time.

from typing import Annotated, Final

from cryptography import x509
from cryptography.hazmat import asn1

OID_SIGNED_DATA: Final = x509.ObjectIdentifier("1.2.840.113549.1.7.2")
OID_TST_INFO: Final = x509.ObjectIdentifier("1.2.840.113549.1.9.16.1.4")
OID_CONTENT_TYPE: Final = x509.ObjectIdentifier("1.2.840.113549.1.9.3")
OID_MESSAGE_DIGEST: Final = x509.ObjectIdentifier("1.2.840.113549.1.9.4")
OID_SIGNING_TIME: Final = x509.ObjectIdentifier("1.2.840.113549.1.9.5")
OID_SIGNING_CERTIFICATE_V2: Final = x509.ObjectIdentifier("1.2.840.113549.1.9.16.2.47")
OID_SHA256: Final = x509.ObjectIdentifier("2.16.840.1.101.3.4.2.1")
OID_ECDSA_SHA256: Final = x509.ObjectIdentifier("1.2.840.10045.4.3.2")

HASH_OIDS: Final = {
    "sha256": OID_SHA256,
    "sha384": x509.ObjectIdentifier("2.16.840.1.101.3.4.2.2"),
    "sha512": x509.ObjectIdentifier("2.16.840.1.101.3.4.2.3"),
}


@asn1.sequence
class AlgorithmIdentifier:
    """RFC 5280, 4.1.1.2; hashes come with NULL or without parameters."""

    algorithm: x509.ObjectIdentifier
    parameters: asn1.Null | None


@asn1.sequence
class MessageImprint:
    """RFC 3161, 2.4.1."""

    hash_algorithm: AlgorithmIdentifier
    hashed_message: bytes


@asn1.sequence
class RequestExtension:
    """RFC 5280, 4.1."""

    extension_id: x509.ObjectIdentifier
    critical: Annotated[bool, asn1.Default(False)]
    value: bytes


@asn1.sequence
class TimeStampReq:
    """RFC 3161, 2.4.1."""

    version: int
    message_imprint: MessageImprint
    policy: x509.ObjectIdentifier | None
    nonce: int | None
    certificate_requested: Annotated[bool, asn1.Default(False)]
    extensions: Annotated[list[RequestExtension] | None, asn1.Implicit(0)]


@asn1.sequence
class Accuracy:
    """RFC 3161, 2.4.2; only whole seconds are claimed."""

    seconds: int | None


@asn1.sequence
class TSTInfo:
    """RFC 3161, 2.4.2, without the optional name of the authority."""

    version: int
    policy: x509.ObjectIdentifier
    message_imprint: MessageImprint
    serial_number: int
    generated_at: asn1.GeneralizedTime
    accuracy: Accuracy | None
    ordering: Annotated[bool, asn1.Default(False)]
    nonce: int | None


@asn1.sequence
class EssCertIdV2:
    """RFC 5035, section 4; the hash algorithm is the default, SHA-256, and so left out."""

    certificate_hash: bytes


@asn1.sequence
class SigningCertificateV2:
    """RFC 5035, section 3: binds the signature to one certificate."""

    certificates: list[EssCertIdV2]


@asn1.sequence
class Attribute:
    """RFC 5652, 5.3; the values are those of the four attributes written here."""

    kind: x509.ObjectIdentifier
    values: asn1.SetOf[x509.ObjectIdentifier | bytes | asn1.UTCTime | SigningCertificateV2]


@asn1.sequence
class NameAttribute:
    """RFC 5280, 4.1.2.4."""

    kind: x509.ObjectIdentifier
    value: str


@asn1.sequence
class IssuerAndSerialNumber:
    """RFC 5652, 10.2.4."""

    issuer: list[asn1.SetOf[NameAttribute]]
    serial_number: int


@asn1.sequence
class SignerInfo:
    """RFC 5652, 5.3."""

    version: int
    signer: IssuerAndSerialNumber
    digest_algorithm: AlgorithmIdentifier
    signed_attributes: Annotated[asn1.SetOf[Attribute], asn1.Implicit(0)]
    signature_algorithm: AlgorithmIdentifier
    signature: bytes


@asn1.sequence
class EncapsulatedContent:
    """RFC 5652, 5.2."""

    content_type: x509.ObjectIdentifier
    content: Annotated[bytes, asn1.Explicit(0)]


@asn1.sequence
class SignedData:
    """RFC 5652, 5.1."""

    version: int
    digest_algorithms: asn1.SetOf[AlgorithmIdentifier]
    content: EncapsulatedContent
    certificates: Annotated[asn1.SetOf[x509.Certificate] | None, asn1.Implicit(0)]
    signers: asn1.SetOf[SignerInfo]


@asn1.sequence
class ContentInfo:
    """RFC 5652, section 3, of signed data."""

    content_type: x509.ObjectIdentifier
    content: Annotated[SignedData, asn1.Explicit(0)]


@asn1.sequence
class StatusInfo:
    """RFC 3161, 2.4.2; refusals go out as HTTP errors, as Sigstore's authority does."""

    status: int


@asn1.sequence
class TimeStampResp:
    """RFC 3161, 2.4.2."""

    status: StatusInfo
    token: ContentInfo | None
