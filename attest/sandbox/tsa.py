"""The RFC 3161 timestamp authority: DER queries, and the JSON ones of sigstore-js."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from attest.sandbox import tsa_messages as m
from attest.sandbox.certificates import (
    Signer,
    Validity,
    make_ca,
    make_timestamp_leaf,
    sandbox_name,
)
from attest.sandbox.clock import Clock, utc_now, whole_seconds
from attest.sandbox.refusal import bad_request
from attest.sandbox.signatures import DIGESTS
from attest.sandbox.wire import get_bytes, get_text, parse_object

POLICY: Final = x509.ObjectIdentifier("1.3.6.1.4.1.57264.2")
"""Policy identifier of Sigstore's timestamp authorities."""

MAX_NONCE_BITS: Final = 160
_GRANTED: Final = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class TimestampQuery:
    """What a client asks for; `hash_name` as in `DIGESTS`."""

    message_digest: bytes
    hash_name: str
    nonce: int | None
    embed_certificate: bool


class TimestampAuthority:
    """Signs timestamps.

    Args:
        key: ECDSA P-256 key of the leaf.
        chain: leaf first, root last.
        clock: tells the time when a caller gives none.
    """

    def __init__(
        self,
        *,
        key: ec.EllipticCurvePrivateKey,
        chain: Sequence[x509.Certificate],
        clock: Clock = utc_now,
    ) -> None:
        self.key = key
        self.chain = tuple(chain)
        self._clock = clock

    @classmethod
    def create(
        cls,
        *,
        validity: Validity,
        root_key: ec.EllipticCurvePrivateKey | None = None,
        key: ec.EllipticCurvePrivateKey | None = None,
        clock: Clock = utc_now,
    ) -> TimestampAuthority:
        """A new authority, valid in this interval; keys are generated unless given."""
        root_key = root_key or ec.generate_private_key(ec.SECP384R1())
        key = key or ec.generate_private_key(ec.SECP256R1())
        root = make_ca(
            key=root_key,
            name=sandbox_name("sandbox timestamp root"),
            validity=validity,
            path_length=0,
        )
        leaf = make_timestamp_leaf(
            key=key,
            name=sandbox_name("sandbox timestamp authority"),
            validity=validity,
            issuer=Signer(key=root_key, certificate=root),
        )
        return cls(key=key, chain=(leaf, root), clock=clock)

    def answer(self, body: bytes, content_type: str) -> bytes:
        """Answer `POST /api/v1/timestamp` in DER.

        Args:
            body: the query.
            content_type: `application/json` for the JSON shape, anything else for DER.
        """
        is_json = content_type.partition(";")[0].strip().lower() == "application/json"
        query = _read_json(body) if is_json else _read_der(body)
        return self.timestamp(
            query.message_digest,
            hash_name=query.hash_name,
            nonce=query.nonce,
            embed_certificate=query.embed_certificate,
        )

    def timestamp(
        self,
        message_digest: bytes,
        *,
        at: datetime | None = None,
        embed_certificate: bool = True,
        hash_name: str = "sha256",
        nonce: int | None = None,
    ) -> bytes:
        """A granted `TimeStampResp` in DER.

        Args:
            message_digest: digest of the bytes whose existence is attested.
            at: genTime, cut to the second; now by default.
            embed_certificate: whether the leaf travels in the token (certReq of the query).
            hash_name: algorithm of the digest.
            nonce: echoed.
        """
        moment = whole_seconds(at or self._clock())
        info = asn1.encode_der(
            m.TSTInfo(
                version=1,
                policy=POLICY,
                message_imprint=m.MessageImprint(
                    hash_algorithm=_algorithm(m.HASH_OIDS[hash_name]),
                    hashed_message=message_digest,
                ),
                serial_number=secrets.randbits(127) + 1,
                generated_at=asn1.GeneralizedTime(moment),
                accuracy=m.Accuracy(seconds=1),
                ordering=False,
                nonce=nonce,
            )
        )
        signed = m.SignedData(
            version=3,  # RFC 5652, 5.1: the content is not plain data
            digest_algorithms=asn1.SetOf([_algorithm(m.OID_SHA256)]),
            content=m.EncapsulatedContent(content_type=m.OID_TST_INFO, content=info),
            certificates=asn1.SetOf([self.chain[0]]) if embed_certificate else None,
            signers=asn1.SetOf([self._signer_info(info, moment)]),
        )
        token = m.ContentInfo(content_type=m.OID_SIGNED_DATA, content=signed)
        return asn1.encode_der(m.TimeStampResp(status=m.StatusInfo(status=_GRANTED), token=token))

    def chain_pem(self) -> bytes:
        """Answer `GET /api/v1/timestamp/certchain`."""
        return b"".join(c.public_bytes(serialization.Encoding.PEM) for c in self.chain)

    def _signer_info(self, info: bytes, moment: datetime) -> m.SignerInfo:
        leaf = self.chain[0]
        attributes = asn1.SetOf(_signed_attributes(info, moment, leaf))
        # RFC 5652, 5.4: what is signed is the SET OF with its own tag, not the [0] it travels in.
        signature = self.key.sign(asn1.encode_der(attributes), ec.ECDSA(hashes.SHA256()))
        return m.SignerInfo(
            version=1,
            signer=m.IssuerAndSerialNumber(
                issuer=_name(leaf.issuer), serial_number=leaf.serial_number
            ),
            digest_algorithm=_algorithm(m.OID_SHA256),
            signed_attributes=attributes,
            signature_algorithm=m.AlgorithmIdentifier(
                algorithm=m.OID_ECDSA_SHA256, parameters=None
            ),
            signature=signature,
        )


def _signed_attributes(info: bytes, moment: datetime, leaf: x509.Certificate) -> list[m.Attribute]:
    certificate_id = m.EssCertIdV2(certificate_hash=leaf.fingerprint(hashes.SHA256()))
    return [
        m.Attribute(kind=m.OID_CONTENT_TYPE, values=asn1.SetOf([m.OID_TST_INFO])),
        m.Attribute(kind=m.OID_SIGNING_TIME, values=asn1.SetOf([asn1.UTCTime(moment)])),
        m.Attribute(kind=m.OID_MESSAGE_DIGEST, values=asn1.SetOf([hashlib.sha256(info).digest()])),
        m.Attribute(
            kind=m.OID_SIGNING_CERTIFICATE_V2,
            values=asn1.SetOf([m.SigningCertificateV2(certificates=[certificate_id])]),
        ),
    ]


def _algorithm(oid: x509.ObjectIdentifier) -> m.AlgorithmIdentifier:
    return m.AlgorithmIdentifier(algorithm=oid, parameters=asn1.Null())


def _name(name: x509.Name) -> list[asn1.SetOf[m.NameAttribute]]:
    """The name as the certificate encodes it: sandbox names are all UTF8String."""
    return [
        asn1.SetOf([m.NameAttribute(kind=item.oid, value=_utf8(item)) for item in relative])
        for relative in name.rdns
    ]


def _utf8(attribute: x509.NameAttribute[str | bytes]) -> str:
    if not isinstance(attribute.value, str):
        raise TypeError("a sandbox name has only text attributes")
    return attribute.value


def _read_der(body: bytes) -> TimestampQuery:
    try:
        request = asn1.decode_der(m.TimeStampReq, body)
    except ValueError as error:
        raise bad_request("not a DER TimeStampReq") from error
    if request.version != 1 or request.extensions is not None:
        raise bad_request("TimeStampReq: version 1 without extensions is supported")
    if request.policy not in {None, POLICY}:
        raise bad_request("TimeStampReq: unknown policy")
    names = {oid: name for name, oid in m.HASH_OIDS.items()}
    imprint = request.message_imprint
    return _checked(
        digest=imprint.hashed_message,
        hash_name=names.get(imprint.hash_algorithm.algorithm, "unknown"),
        nonce=request.nonce,
        embed_certificate=request.certificate_requested,
    )


def _read_json(body: bytes) -> TimestampQuery:
    request = parse_object(body)
    nonce = request.get("nonce")
    if nonce is not None and (not isinstance(nonce, int) or isinstance(nonce, bool)):
        raise bad_request("nonce: expected an integer")
    embed = request.get("certificates", False)
    if not isinstance(embed, bool):
        raise bad_request("certificates: expected true or false")
    return _checked(
        digest=get_bytes(request, "artifactHash"),
        hash_name=get_text(request, "hashAlgorithm").lower(),
        nonce=nonce,
        embed_certificate=embed,
    )


def _checked(
    *, digest: bytes, hash_name: str, nonce: int | None, embed_certificate: bool
) -> TimestampQuery:
    algorithm = DIGESTS.get(hash_name)
    if algorithm is None or len(digest) != algorithm.digest_size:
        raise bad_request("message imprint: use a whole SHA-256, SHA-384 or SHA-512 digest")
    if nonce is not None and (nonce < 0 or nonce.bit_length() > MAX_NONCE_BITS):
        raise bad_request("nonce: negative or too long")
    return TimestampQuery(
        message_digest=digest,
        hash_name=hash_name,
        nonce=nonce,
        embed_certificate=embed_certificate,
    )
