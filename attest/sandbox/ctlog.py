"""The certificate-transparency log: it only signs promises (SCTs), which clients embed."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from attest.sandbox.clock import require_utc
from attest.sandbox.signatures import log_id

SCT_LIST_OID: Final = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")

_VERSION_1: Final = 0
_CERTIFICATE_TIMESTAMP: Final = 0
_PRECERT_ENTRY: Final = 1
_SHA256_ECDSA: Final = bytes([4, 3])  # RFC 5246, section 7.4.1.4.1


class CTLog:
    """Signs certificate timestamps.

    Args:
        key: ECDSA P-256 key of the log.
    """

    def __init__(self, *, key: ec.EllipticCurvePrivateKey) -> None:
        self.key = key

    @property
    def public_key(self) -> ec.EllipticCurvePublicKey:
        """The log's public key."""
        return self.key.public_key()

    @property
    def log_id(self) -> bytes:
        """SHA-256 of the log's SPKI."""
        return log_id(self.public_key)

    def sct(
        self,
        *,
        tbs: bytes,
        issuer_key: ec.EllipticCurvePublicKey,
        at: datetime,
        extensions: bytes = b"",
    ) -> bytes:
        """One serialized SCT (RFC 6962, section 3.2).

        Args:
            tbs: TBS bytes of the certificate without the SCT list.
            issuer_key: key of the issuing CA, whose SPKI hash the promise binds.
            at: the time promised; kept to the millisecond.
            extensions: CtExtensions, opaque.
        """
        moment = require_utc(at)
        # Integer arithmetic: a float second loses the millisecond for some times.
        milliseconds = int(moment.replace(microsecond=0).timestamp()) * 1000
        milliseconds += moment.microsecond // 1000
        issuer_spki = issuer_key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        suffix = struct.pack("!H", len(extensions)) + extensions
        signed = (
            struct.pack("!BBQH", _VERSION_1, _CERTIFICATE_TIMESTAMP, milliseconds, _PRECERT_ENTRY)
            + hashlib.sha256(issuer_spki).digest()
            + len(tbs).to_bytes(3, "big")
            + tbs
            + suffix
        )
        signature = self.key.sign(signed, ec.ECDSA(hashes.SHA256()))
        return (
            struct.pack("!B32sQ", _VERSION_1, self.log_id, milliseconds)
            + suffix
            + _SHA256_ECDSA
            + struct.pack("!H", len(signature))
            + signature
        )


def sct_list_extension(scts: Sequence[bytes]) -> x509.UnrecognizedExtension:
    """The extension that embeds these SCTs: OCTET STRING(u16 list, u16 sct)."""
    # `cryptography` reads SCT lists but has no constructor for an SCT.
    body = b"".join(struct.pack("!H", len(sct)) + sct for sct in scts)
    return x509.UnrecognizedExtension(
        SCT_LIST_OID, asn1.encode_der(struct.pack("!H", len(body)) + body)
    )
