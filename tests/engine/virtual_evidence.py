"""Recipes for bundles: each good as it stands, and forged with one field changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from attest.bundle import parse_bundle
from attest.digest import Digests
from attest.engine.content import ArtifactContent, PackContent
from attest.engine.trace import Trace
from attest.engine.verify import verify_bundle
from attest.keys import PublicKey
from attest.sandbox import (
    CTLog,
    EntryV1,
    EntryV2,
    LeafProfile,
    TimestampAuthority,
)
from attest.sandbox.messages import PublicKeyDetails, X509Certificate
from attest.sandbox.messages import rekor_v2 as v2
from attest.sandbox.rekor1_entries import (
    IntotoSignature,
    dsse_body,
    hashedrekord_body,
    intoto_body,
)
from attest.sandbox.rekor2 import hashedrekord_body as hashedrekord_v2_body
from attest.sandbox.signatures import key_details
from attest.statement import pack_statement
from attest.trust.root import TrustRoot
from attest.verified import VerifiedAttestation
from tests.engine.virtual_instance import HERE, MINUTE, NOW, ROOT, Json, Parts, b64, p256

SigningKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey

ARTIFACT = b"evidence\n"
MANIFEST_DIGEST = hashlib.sha256(b"a manifest").digest()
PACK = PackContent(manifest_digest=MANIFEST_DIGEST)
FILE = ArtifactContent(
    digest_of=Digests(
        sha256=hashlib.sha256(ARTIFACT).digest(),
        sha384=hashlib.sha384(ARTIFACT).digest(),
        sha512=hashlib.sha512(ARTIFACT).digest(),
    )
)

PERSON = x509.RFC822Name("ana@acme.example")
ISSUER = "https://accounts.google.com"
IN_TOTO = "application/vnd.in-toto+json"
DOCUMENT_LEAF = LeafProfile()


def statement(digests: Mapping[str, str] | None = None, **changes: object) -> bytes:
    """A statement about the artifact; `changes` replace its members, None leaves one out."""
    digest = digests or {"sha256": hashlib.sha256(ARTIFACT).hexdigest()}
    members: dict[str, object] = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "evidence", "digest": digest}],
        "predicateType": "https://example.com/predicate/v1",
        "predicate": {},
    }
    members.update(changes)
    return json.dumps(
        {name: value for name, value in members.items() if value is not None}
    ).encode()


def pae(payload_type: str, payload: bytes) -> bytes:
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A recipe for one bundle: as it stands a good one, with one field changed a forged one.

    `payload` None signs the artifact itself; `body`, `bundle` and `checkpoint` are applied to
    what is logged, to the finished bundle and to the checkpoint's text. `by_key` has no certificate
    in the bundle, and a `hint` as cosign writes it; `logs_key` logs the key where that differs.
    """

    payload: bytes | None = field(default_factory=statement)
    payload_type: str = IN_TOTO
    signed_type: str | None = None
    artifact: bytes = ARTIFACT
    parts: Parts = HERE
    key: SigningKey = field(default_factory=lambda: p256("leaf"))
    signing_key: SigningKey | None = None
    san: x509.GeneralName = PERSON
    issuer: str | None = ISSUER
    claims: Mapping[int, str] = field(default_factory=dict)
    leaf: LeafProfile = DOCUMENT_LEAF
    not_before: datetime = NOW
    not_after: datetime = NOW + 10 * MINUTE
    ctlog: CTLog | None = HERE.ctlog
    log: str | None = "v1"
    logged_at: datetime = NOW + MINUTE
    body: Callable[[Json], object] | None = None
    raw_body: Callable[[bytes], bytes] | None = None
    timestamps: Sequence[Callable[[bytes], bytes]] = ()
    chain: bool = False
    by_key: bool = False
    hint: str | None = None
    logs_key: bool | None = None
    bundle: Callable[[Json], object] | None = None

    def certificate(self) -> x509.Certificate:
        return self.parts.ca.issue(
            public_key=self.key.public_key(),
            san=self.san,
            issuer=self.issuer,
            extensions=self.claims,
            sct_log=self.ctlog,
            not_before=self.not_before,
            not_after=self.not_after,
            profile=self.leaf,
        )

    def build(self) -> bytes:
        certificate = self.certificate()
        message = self.artifact
        if self.payload is not None:
            message = pae(self.signed_type or self.payload_type, self.payload)
        signature = sign(self.signing_key or self.key, message)
        raw = {"rawBytes": b64(certificate.public_bytes(Encoding.DER))}
        material: Json = {"certificate": raw, "tlogEntries": []}
        if self.chain:
            del material["certificate"]
            material["x509CertificateChain"] = {"certificates": [raw]}
        if self.by_key:
            del material["certificate"]
            spki_digest = hashlib.sha256(spki(self.key)).digest()
            hint = b64(spki_digest) if self.hint is None else self.hint
            material["publicKey"] = {"hint": hint}
        if self.log:
            entry = self._logged(certificate, message, signature)
            material["tlogEntries"] = [entry.to_message().to_dict()]
        if self.timestamps:
            tokens = [{"signedTimestamp": b64(stamp(signature))} for stamp in self.timestamps]
            material["timestampVerificationData"] = {"rfc3161Timestamps": tokens}
        bundle: Json = {
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": material,
        }
        if self.payload is None:
            digest = hashlib.sha256(self.artifact).digest()
            bundle["messageSignature"] = {
                "messageDigest": {"algorithm": "SHA2_256", "digest": b64(digest)},
                "signature": b64(signature),
            }
        else:
            bundle["dsseEnvelope"] = {
                "payload": b64(self.payload),
                "payloadType": self.payload_type,
                "signatures": [{"sig": b64(signature), "keyid": ""}],
            }
        if self.bundle:
            self.bundle(bundle)
        return json.dumps(bundle).encode()

    def _logged(
        self, certificate: x509.Certificate, message: bytes, signature: bytes
    ) -> EntryV1 | EntryV2:
        algorithm = digest_name(self.key)
        digest = hashlib.new(algorithm, message).digest()
        pem = certificate.public_bytes(Encoding.PEM)
        logs_key = self.by_key if self.logs_key is None else self.logs_key
        if logs_key:
            pem = self.key.public_key().public_bytes(
                Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
            )
        if self.log == "v2":
            der = certificate.public_bytes(Encoding.DER)
            verifier = v2.Verifier(x509_certificate=X509Certificate(raw_bytes=der))
            if logs_key:
                verifier = v2.Verifier(public_key=v2.PublicKey(raw_bytes=spki(self.key)))
            verifier.key_details = details_of(self.key)
            body = hashedrekord_v2_body(
                digest=digest, signature=signature, verifier=verifier, algorithm=algorithm
            )
        elif self.payload is None or self.log == "hashedrekord":
            body = hashedrekord_body(
                digest=digest, signature=signature, verifier_pem=pem, algorithm=algorithm
            )
        elif self.log == "intoto":
            body = intoto_body(
                payload_type=self.payload_type,
                payload=self.payload,
                signatures=[IntotoSignature(signature=signature, verifier_pem=pem)],
                envelope_digest=bytes(32),
            )
        else:
            body = dsse_body(envelope=b"{}", payload=self.payload, signatures=[(signature, pem)])
        if self.body:
            document = json.loads(body)
            self.body(document)
            body = json.dumps(document).encode()
        if self.raw_body:
            body = self.raw_body(body)
        if self.log == "v2":
            return self.parts.rekor2.add(body)
        return self.parts.rekor1.add(body, at=self.logged_at)


def spki(key: SigningKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def details_of(key: SigningKey) -> PublicKeyDetails:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return PublicKeyDetails(PublicKeyDetails.PKIX_ED25519_PH)  # which the sandbox does not take
    return key_details(key.public_key())[0]


def sign(key: SigningKey, message: bytes) -> bytes:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(message, PKCS1v15(), hashes.SHA256())
    algorithm = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
    return key.sign(message, ec.ECDSA(algorithm[digest_name(key)]))


def digest_name(key: SigningKey) -> str:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return {256: "sha256", 384: "sha384", 521: "sha512"}[key.curve.key_size]
    return "sha512" if isinstance(key, ed25519.Ed25519PrivateKey) else "sha256"


def stamp(
    tsa: TimestampAuthority = HERE.tsa,
    *,
    at: datetime = NOW + MINUTE,
    over: bytes | None = None,
    embed: bool = True,
    hash_name: str = "sha256",
) -> Callable[[bytes], bytes]:
    """A timestamp over the signature, or over other bytes."""

    def make(signature: bytes) -> bytes:
        digest = hashlib.new(hash_name, signature if over is None else over).digest()
        return tsa.timestamp(digest, at=at, embed_certificate=embed, hash_name=hash_name)

    return make


def entry_of(bundle: Json) -> Json:
    """The one log entry of a bundle."""
    entry = bundle["verificationMaterial"]["tlogEntries"][0]
    assert isinstance(entry, dict)
    return entry


#: What passed since somebody last emptied the list.
ACCEPTED: list[tuple[bytes, PackContent | ArtifactContent, TrustRoot, VerifiedAttestation]] = []


def verify(
    data: bytes,
    content: PackContent | ArtifactContent = FILE,
    root: TrustRoot = ROOT,
    *,
    trace: Trace | None = None,
    keys: Sequence[PublicKey] = (),
) -> VerifiedAttestation:
    """Step 1 and the engine, as the library runs them; what passes gets a second opinion."""
    in_pack = isinstance(content, PackContent)
    bundle = parse_bundle(data, in_pack=in_pack)
    attestation = verify_bundle(bundle, content, root, trace or Trace(), keys=keys)
    ACCEPTED.append((data, content, root, attestation))
    return attestation


PACK_EVIDENCE = Evidence(payload=pack_statement(MANIFEST_DIGEST))
V1_DSSE = Evidence()
V1_MESSAGE = Evidence(payload=None)
V2_DSSE = Evidence(log="v2", timestamps=[stamp()])
V2_MESSAGE = Evidence(payload=None, log="v2", timestamps=[stamp()])
INTOTO = Evidence(log="intoto")
HASHED_DSSE = Evidence(log="hashedrekord")
