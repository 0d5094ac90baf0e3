"""DSSE: an envelope as read, and the bytes that its signature covers."""

from __future__ import annotations

from dataclasses import dataclass

#: Payload type of in-toto statements; the only one that attest signs.
IN_TOTO_PAYLOAD_TYPE = "application/vnd.in-toto+json"
#: How every pre-authentication encoding of this version starts.
PAE_START = b"DSSEv1 "


def pae(payload_type: str, payload: bytes) -> bytes:
    """The pre-authentication encoding of a payload: what is signed instead of the payload itself.

    Args:
        payload_type: the envelope's `payloadType`; encoded as UTF-8.
        payload: the payload bytes exactly as in the envelope, after base64.

    Source: DSSE v1.0.0 protocol.md, "Signature Definition"; both lengths count bytes.
    """
    kind = payload_type.encode("utf-8")
    return PAE_START + b"%d %b %d %b" % (len(kind), kind, len(payload), payload)


@dataclass(frozen=True, kw_only=True, slots=True)
class UntrustedEnvelope:
    """An envelope as read from a bundle. Its `keyid` is bound by nothing and not kept."""

    payload_type: str
    payload: bytes
    signature: bytes

    def signed_bytes(self) -> bytes:
        """The bytes that the signature must cover."""
        return pae(self.payload_type, self.payload)
