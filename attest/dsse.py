"""The DSSE envelope: what is signed, and the bytes that the signature covers."""

from __future__ import annotations

from dataclasses import dataclass

#: Payload type of in-toto statements (Evidence Pack R-064a).
IN_TOTO_PAYLOAD_TYPE = "application/vnd.in-toto+json"


def pae(payload_type: str, payload: bytes) -> bytes:
    """Pre-Authentication Encoding: the bytes that a DSSE signature covers.

    Args:
        payload_type: the envelope's payload type; its length counts in UTF-8 bytes.
        payload: the raw payload.

    Source: DSSE protocol v1.0.2, "Signature Definition".
    """
    name = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(name), name, len(payload), payload)


@dataclass(frozen=True, kw_only=True, slots=True)
class UntrustedEnvelope:
    """An envelope as read from a bundle. Its `keyid` is bound by nothing and not kept."""

    payload_type: str
    payload: bytes
    signature: bytes

    def signed_bytes(self) -> bytes:
        """The bytes that the signature must cover."""
        return pae(self.payload_type, self.payload)
