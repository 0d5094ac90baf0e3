"""A Sigstore in memory on the sandbox's parts, and its trusted root: all of it can be varied."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID

from attest.sandbox import (
    CertificateAuthority,
    CTLog,
    TimestampAuthority,
    TransparencyLogV1,
    TransparencyLogV2,
)
from attest.sandbox import Signer as CaSigner
from attest.sandbox import Validity as Lifetime
from attest.sandbox.certificates import key_usage, sandbox_name
from attest.sandbox.config import trusted_root
from attest.trust.instance import InstanceProfile
from attest.trust.root import TrustRoot

#: JSON that cases take apart and put together wrongly; typing its every level would hide them.
Json = dict[str, Any]

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
YEARS = Lifetime(start=NOW - timedelta(days=365), end=NOW + timedelta(days=365))
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def unb64(text: str) -> bytes:
    return base64.b64decode(text)


@cache
def p256(name: str) -> ec.EllipticCurvePrivateKey:
    """One key by name for the whole run: keys are what forging costs."""
    del name
    return ec.generate_private_key(ec.SECP256R1())


def ca_certificate(
    key: ec.EllipticCurvePrivateKey,
    *,
    name: str,
    issuer: CaSigner | None = None,
    signing_key: ec.EllipticCurvePrivateKey | None = None,
    basic: tuple[bool, int | None] | None = (True, None),
    basic_critical: bool = True,
    usage: x509.KeyUsage | None = None,
    purposes: Sequence[x509.ObjectIdentifier] | None = None,
    lifetime: Lifetime = YEARS,
    extra: Sequence[tuple[x509.ExtensionType, bool]] = (),
) -> x509.Certificate:
    """A CA certificate of which everything can be wrong; `signing_key` forges the issuer's."""
    subject = sandbox_name(name)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(lifetime.start)
        .not_valid_after(lifetime.end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(usage or key_usage(certificates=True), critical=True)
    )
    if issuer:
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
        builder = builder.add_extension(identifier, critical=False)
    if basic:
        constraints = x509.BasicConstraints(ca=basic[0], path_length=basic[1])
        builder = builder.add_extension(constraints, critical=basic_critical)
    if purposes is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    for extension, critical in extra:
        builder = builder.add_extension(extension, critical=critical)
    signer = signing_key or (issuer.key if issuer else key)
    return builder.sign(signer, hashes.SHA256())


def make_ca(
    label: str = "ca",
    *,
    root: Mapping[str, Any] | None = None,
    intermediate: Mapping[str, Any] | None = None,
) -> CertificateAuthority:
    """An authority of root and intermediate; the mappings are what differs from a good one."""
    root_key, key = p256(f"{label} root"), p256(f"{label} intermediate")
    anchor = ca_certificate(root_key, **{"name": f"{label} root", **(root or {})})
    defaults = {
        "name": f"{label} intermediate",
        "issuer": CaSigner(key=root_key, certificate=anchor),
        "purposes": [ExtendedKeyUsageOID.CODE_SIGNING],
        "basic": (True, 0),
    }
    certificate = ca_certificate(key, **{**defaults, **(intermediate or {})})
    return CertificateAuthority(
        intermediate=CaSigner(key=key, certificate=certificate), root=anchor, clock=lambda: NOW
    )


def make_tsa(label: str = "tsa", *, lifetime: Lifetime = YEARS) -> TimestampAuthority:
    return TimestampAuthority.create(
        validity=lifetime, root_key=p256(f"{label} root"), key=p256(label), clock=lambda: NOW
    )


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The services of one instance."""

    ca: CertificateAuthority
    ctlog: CTLog
    rekor1: TransparencyLogV1
    rekor2: TransparencyLogV2
    tsa: TimestampAuthority

    @classmethod
    def create(cls, label: str) -> Parts:
        return cls(
            ca=make_ca(f"{label} ca"),
            ctlog=CTLog(key=p256(f"{label} ctlog")),
            rekor1=TransparencyLogV1(key=p256(f"{label} rekor"), clock=lambda: NOW + MINUTE),
            rekor2=TransparencyLogV2(key=ed25519.Ed25519PrivateKey.generate()),
            tsa=make_tsa(f"{label} tsa"),
        )


#: The instance that everything is verified under, and one that nobody here trusts.
HERE = Parts.create("here")
ELSEWHERE = Parts.create("elsewhere")
for _ in range(6):  # entries before and after, so that proofs have hashes on both sides
    HERE.rekor1.add(b'{"apiVersion":"0.0.1","kind":"other","spec":{}}', at=NOW)
    HERE.rekor2.add(b'{"apiVersion":"0.0.2","kind":"other","spec":{}}')

_ROOT: Json = trusted_root(
    ca=HERE.ca, ctlog=HERE.ctlog, rekor1=HERE.rekor1, rekor2=HERE.rekor2, tsa=HERE.tsa
).to_dict()


def root_json(edit: Callable[[Json], object] | None = None) -> Json:
    """The trusted root of `HERE` as JSON, with one thing changed."""
    root = copy.deepcopy(_ROOT)
    if edit:
        edit(root)
    return root


#: The JSON of every root made here, by its SHA-256, for other clients to read.
ROOT_FILES: dict[bytes, bytes] = {}


def parse_root(root: Json) -> TrustRoot:
    data = json.dumps(root).encode()
    profile = InstanceProfile.private("virtual")
    parsed = TrustRoot.from_bytes(data, profile=profile, where="virtual root")
    ROOT_FILES[parsed.sha256] = data
    return parsed


ROOT = parse_root(root_json())


def trusting(
    *, ca: CertificateAuthority | None = None, tsa: TimestampAuthority | None = None
) -> TrustRoot:
    """The trust root of `HERE` with another certificate or timestamp authority in its place."""
    parts = replace(HERE, ca=ca or HERE.ca, tsa=tsa or HERE.tsa)
    return parse_root(
        trusted_root(
            ca=parts.ca, ctlog=parts.ctlog, rekor1=parts.rekor1, rekor2=parts.rekor2, tsa=parts.tsa
        ).to_dict()
    )
