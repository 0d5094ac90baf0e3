"""A second implementation of `.sei` signatures, from the document alone: no code of the product."""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
STATEMENT = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"


def scalar_of(name: str) -> int:
    """The scalar of a test key, from its name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest(), "big") % (ORDER - 1) + 1


def private_key(name: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(scalar_of(name), ec.SECP256R1())


def point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )


def keyid(key: ec.EllipticCurvePublicKey) -> str:
    return hashlib.sha256(point(key)).hexdigest()


def pae(payload_type: str, payload: bytes) -> bytes:
    parts = [b"DSSEv1", *length_and_text(payload_type.encode()), *length_and_text(payload)]
    return b" ".join(parts)


def length_and_text(text: bytes) -> list[bytes]:
    return [str(len(text)).encode(), text]


def statement_of(data: bytes, *, name: str = "artefact") -> dict[str, Any]:
    return {
        "_type": STATEMENT,
        "predicate": {},
        "predicateType": "https://example.com/evidence/v7",
        "subject": [{"digest": {"sha256": hashlib.sha256(data).hexdigest()}, "name": name}],
    }


def canonical(value: Any) -> bytes:  # noqa: ANN401  # any JSON without numbers
    """JCS, of values whose keys are ASCII and that hold no numbers."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


@dataclass(kw_only=True)
class Parts:
    """Everything that a `.sig` is made of; a test changes one and makes the rest to fit."""

    payload: bytes
    payload_type: str = PAYLOAD_TYPE
    r: int = 0
    s: int = 0
    keyid: str = ""
    envelope: dict[str, Any] = field(default_factory=dict)

    def sign(self, key: ec.EllipticCurvePrivateKey) -> Parts:
        message = pae(self.payload_type, self.payload)
        scheme = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
        self.r, self.s = decode_dss_signature(key.sign(message, scheme))
        self.keyid = keyid(key.public_key())
        return self

    @property
    def raw(self) -> bytes:
        return b"".join(number.to_bytes(32, "big") for number in (self.r, self.s))

    def document(self, raw: bytes | None = None) -> dict[str, Any]:
        signature = self.raw if raw is None else raw
        return {
            "payload": b64encode(self.payload).decode(),
            "payloadType": self.payload_type,
            "signatures": [{"sig": b64encode(signature).decode(), "keyid": self.keyid}],
            **self.envelope,
        }

    def file(self, raw: bytes | None = None) -> bytes:
        return json.dumps(self.document(raw), indent=4).encode()


def sign(data: bytes, key: ec.EllipticCurvePrivateKey) -> Parts:
    """Sign an artefact's bytes."""
    return Parts(payload=canonical(statement_of(data))).sign(key)


def verify(sig: bytes, data: bytes, public: bytes) -> None:
    """The five steps of the document; an assertion or InvalidSignature where one fails."""
    envelope = json.loads(sig)
    payload = b64decode(envelope["payload"], validate=True)
    (signature,) = envelope["signatures"]
    raw = b64decode(signature["sig"], validate=True)
    assert len(raw) == 64
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public)
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    key.verify(der, pae(envelope["payloadType"], payload), ec.ECDSA(hashes.SHA256()))
    assert signature["keyid"] == hashlib.sha256(public).hexdigest()
    statement = json.loads(payload)
    assert statement["_type"] == STATEMENT
    assert canonical(statement) == payload
    (subject,) = statement["subject"]
    assert subject["digest"]["sha256"] == hashlib.sha256(data).hexdigest()
