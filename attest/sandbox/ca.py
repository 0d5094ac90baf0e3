"""The certificate authority: ten-minute certificates with Fulcio's extensions and an SCT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from attest.sandbox.certificates import (
    Signer,
    Validity,
    authority_key_identifier,
    key_usage,
    make_ca,
    sandbox_name,
)
from attest.sandbox.clock import Clock, utc_now, whole_seconds
from attest.sandbox.ctlog import CTLog, sct_list_extension
from attest.sandbox.signatures import SigningKey

FULCIO_ARC: Final = "1.3.6.1.4.1.57264.1"
LEAF_LIFETIME: Final = timedelta(minutes=10)

_LAST_RAW_EXTENSION: Final = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class LeafProfile:
    """Everything about a leaf that Fulcio never varies; tests vary it to forge bad ones.

    `sans` replaces the single SAN, `None` for a usage leaves that extension out, `extra` adds
    extensions, `omit` drops Fulcio's by OID, `issuer` signs with another CA, `sct_time` dates
    the promise (the start of the leaf's validity by default) and `sct_copies` repeats it.
    """

    subject: x509.Name = field(default_factory=lambda: x509.Name([]))
    sans: Sequence[x509.GeneralName] | None = None
    san_critical: bool = True
    key_usage: x509.KeyUsage | None = field(
        default_factory=lambda: key_usage(digital_signature=True)
    )
    key_usage_critical: bool = True
    extended_key_usage: Sequence[x509.ObjectIdentifier] | None = (ExtendedKeyUsageOID.CODE_SIGNING,)
    extended_key_usage_critical: bool = False
    extra: Sequence[tuple[x509.ExtensionType, bool]] = ()
    omit: frozenset[x509.ObjectIdentifier] = frozenset()
    serial_number: int | None = None
    issuer: Signer | None = None
    sct_time: datetime | None = None
    sct_copies: int = 1


FULCIO_LEAF: Final = LeafProfile()


class CertificateAuthority:
    """Root, intermediate and the leaves below.

    Args:
        intermediate: who signs leaves.
        root: the trust anchor.
        clock: tells the time when a caller gives none.
    """

    def __init__(
        self, *, intermediate: Signer, root: x509.Certificate, clock: Clock = utc_now
    ) -> None:
        self.intermediate = intermediate
        self.root = root
        self._clock = clock

    @classmethod
    def create(
        cls,
        *,
        validity: Validity,
        root_key: ec.EllipticCurvePrivateKey | None = None,
        intermediate_key: ec.EllipticCurvePrivateKey | None = None,
        clock: Clock = utc_now,
    ) -> CertificateAuthority:
        """A new authority, valid in this interval; keys are generated unless given (P-384)."""
        root_key = root_key or ec.generate_private_key(ec.SECP384R1())
        intermediate_key = intermediate_key or ec.generate_private_key(ec.SECP384R1())
        root = make_ca(
            key=root_key, name=sandbox_name("sandbox root"), validity=validity, path_length=1
        )
        certificate = make_ca(
            key=intermediate_key,
            name=sandbox_name("sandbox intermediate"),
            validity=validity,
            issuer=Signer(key=root_key, certificate=root),
            path_length=0,
            extended_key_usage=[ExtendedKeyUsageOID.CODE_SIGNING],
        )
        signer = Signer(key=intermediate_key, certificate=certificate)
        return cls(intermediate=signer, root=root, clock=clock)

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """Intermediate, then root."""
        return (self.intermediate.certificate, self.root)

    def issue(
        self,
        *,
        public_key: SigningKey,
        san: x509.GeneralName,
        issuer: str | None,
        sct_log: CTLog | None,
        extensions: Mapping[int, str] | None = None,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        profile: LeafProfile = FULCIO_LEAF,
    ) -> x509.Certificate:
        """A leaf certificate.

        Args:
            public_key: the signer's.
            san: the identity, the only SAN.
            issuer: OIDC issuer, put into .1 and .8 unless `extensions` has them; None for neither.
            sct_log: the log whose SCT is embedded; None for no SCT.
            extensions: Fulcio claims by their last arc (oid-info.md of Fulcio); 1 to 6 are raw
                bytes, later ones DER UTF8String.
            not_before: start of validity, now by default; cut to seconds.
            not_after: its end, ten minutes later by default.
            profile: the rest.
        """
        start = whole_seconds(not_before or self._clock())
        end = whole_seconds(not_after or start + LEAF_LIFETIME)
        signer = profile.issuer or self.intermediate
        builder = (
            x509.CertificateBuilder()
            .subject_name(profile.subject)
            .issuer_name(signer.certificate.subject)
            .public_key(public_key)
            .serial_number(profile.serial_number or x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(end)
        )
        for extension, critical in _leaf_extensions(public_key, san, signer, profile):
            if extension.oid not in profile.omit:
                builder = builder.add_extension(extension, critical=critical)
        for extension in claim_extensions(issuer, extensions or {}):
            builder = builder.add_extension(extension, critical=False)
        if sct_log is not None:
            builder = builder.add_extension(
                _promise(builder, signer, sct_log, profile, start), critical=False
            )
        return builder.sign(signer.key, hashes.SHA384())


def _leaf_extensions(
    public_key: SigningKey, san: x509.GeneralName, signer: Signer, profile: LeafProfile
) -> list[tuple[x509.ExtensionType, bool]]:
    found: list[tuple[x509.ExtensionType, bool]] = []
    if profile.key_usage is not None:
        found.append((profile.key_usage, profile.key_usage_critical))
    if profile.extended_key_usage is not None:
        usage = x509.ExtendedKeyUsage(profile.extended_key_usage)
        found.append((usage, profile.extended_key_usage_critical))
    found.append((x509.SubjectKeyIdentifier.from_public_key(public_key), False))
    found.append((authority_key_identifier(signer.certificate), False))
    sans = [san] if profile.sans is None else list(profile.sans)
    if sans:
        found.append((x509.SubjectAlternativeName(sans), profile.san_critical))
    return [*found, *profile.extra]


def claim_extensions(
    issuer: str | None, claims: Mapping[int, str]
) -> list[x509.UnrecognizedExtension]:
    """Fulcio's claim extensions in the order of their arcs."""
    values = {1: issuer, 8: issuer} if issuer is not None else {}
    merged: dict[int, str | None] = {**values, **claims}
    return [
        x509.UnrecognizedExtension(
            x509.ObjectIdentifier(f"{FULCIO_ARC}.{arc}"),
            value.encode() if arc <= _LAST_RAW_EXTENSION else asn1.encode_der(value),
        )
        for arc, value in sorted(merged.items())
        if value is not None
    ]


def _promise(
    builder: x509.CertificateBuilder,
    signer: Signer,
    log: CTLog,
    profile: LeafProfile,
    start: datetime,
) -> x509.UnrecognizedExtension:
    # The log signs the TBS bytes without the SCT list; verifiers drop only that extension and
    # re-encode, so it must be the only difference between this certificate and the final one.
    precertificate = builder.sign(signer.key, hashes.SHA384())
    promise = log.sct(
        tbs=precertificate.tbs_certificate_bytes,
        issuer_key=signer.key.public_key(),
        at=profile.sct_time or start,
    )
    return sct_list_extension([promise] * profile.sct_copies)
