"""The valid bundles that mutants are made of: the sandbox's kinds, and kinds derived from them."""

from __future__ import annotations

import json
from base64 import b64encode
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from attest.trust.root import TrustRoot
from tests.evidence import KINDS, sandbox_evidence

#: Kinds in which some members are bound by nothing, made from the kind after the colon.
DERIVED = (
    "unpromised:v1-tsa-message",
    "chain:v1-tsa-statement",
    "promise:v1-message",
    "witnessed:v2-tsa-pack",
)

EVERY_KIND = (*KINDS, *DERIVED)

#: A cosignature by a witness that nobody here knows.
WITNESS = "witness.example"
WITNESS_LINE = f"\u2014 {WITNESS} {b64encode(bytes(range(76))).decode()}\n"


@cache
def root() -> TrustRoot:
    return sandbox_evidence().root()


@cache
def bundle_of(kind: str) -> bytes:
    """A valid bundle of a kind, or one made from it by leaving out or adding."""
    derivation, _, base = kind.rpartition(":")
    document = json.loads(sandbox_evidence().bundles[base])
    material = document["verificationMaterial"]
    if derivation == "unpromised":
        del material["tlogEntries"][0]["inclusionPromise"]
    if derivation in {"chain", "promise"}:
        leaf = material.pop("certificate")
        issuers = root().authorities[0].certificates
        others = [{"rawBytes": x509_base64(item)} for item in issuers if derivation == "chain"]
        material["x509CertificateChain"] = {"certificates": [leaf, *others]}
        version = "0.2" if derivation == "chain" else "0.1"
        document["mediaType"] = f"application/vnd.dev.sigstore.bundle+json;version={version}"
    if derivation == "chain":
        document["dsseEnvelope"]["signatures"][0]["keyid"] = "made up"
    if derivation == "witnessed":
        material["tlogEntries"][0]["inclusionProof"]["checkpoint"]["envelope"] += WITNESS_LINE
    if derivation == "promise":
        del material["tlogEntries"][0]["inclusionProof"]
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def x509_base64(certificate: x509.Certificate) -> str:
    return b64encode(certificate.public_bytes(Encoding.DER)).decode()
