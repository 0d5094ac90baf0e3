"""Trusted root and signing configs, written with Sigstore's own protobuf messages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from attest.sandbox.ca import CertificateAuthority
from attest.sandbox.ctlog import CTLog
from attest.sandbox.messages import (
    AuthorityMessage,
    ClientTrustConfig,
    DistinguishedName,
    HashAlgorithm,
    LogId,
    PublicKey,
    PublicKeyDetails,
    Service,
    ServiceConfiguration,
    ServiceSelector,
    SigningConfig,
    TimeRange,
    TransparencyLogInstance,
    TrustedRoot,
    X509Certificate,
    X509CertificateChain,
)
from attest.sandbox.names import CTLOG_HOST, FULCIO_HOST, OPERATOR, TSA_HOST
from attest.sandbox.rekor1 import TransparencyLogV1
from attest.sandbox.rekor2 import TransparencyLogV2
from attest.sandbox.tsa import TimestampAuthority

TRUSTED_ROOT_TYPE: Final = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"
SIGNING_CONFIG_TYPE: Final = "application/vnd.dev.sigstore.signingconfig.v0.2+json"
TRUST_CONFIG_TYPE: Final = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json"

_ANY: Final = ServiceConfiguration(selector=ServiceSelector.from_string("ANY"))

LogKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


def trusted_root(
    *,
    ca: CertificateAuthority,
    ctlog: CTLog,
    rekor1: TransparencyLogV1,
    rekor2: TransparencyLogV2,
    tsa: TimestampAuthority,
) -> TrustedRoot:
    """What a client must believe to verify what these parts sign."""
    # The root's own start: nothing these parts sign can be older than their chain.
    valid_from = ca.root.not_valid_before_utc
    return TrustedRoot(
        media_type=TRUSTED_ROOT_TYPE,
        tlogs=[
            log_instance(
                host=rekor1.host,
                key=rekor1.public_key,
                log_id=rekor1.log_id,
                valid_from=valid_from,
            ),
            log_instance(
                host=rekor2.host,
                key=rekor2.public_key,
                log_id=rekor2.log_id,
                valid_from=valid_from,
            ),
        ],
        certificate_authorities=[authority(host=FULCIO_HOST, chain=ca.chain)],
        ctlogs=[
            log_instance(
                host=CTLOG_HOST,
                key=ctlog.public_key,
                log_id=ctlog.log_id,
                valid_from=valid_from,
            )
        ],
        timestamp_authorities=[authority(host=TSA_HOST, chain=tsa.chain, path="/api/v1/timestamp")],
    )


def log_instance(
    *,
    host: str,
    key: LogKey,
    log_id: bytes,
    valid_from: datetime,
    valid_until: datetime | None = None,
) -> TransparencyLogInstance:
    """One log of a trusted root.

    Args:
        host: its stable name.
        key: its public key, ECDSA P-256 or Ed25519.
        log_id: its id.
        valid_from: start of the key's validity.
        valid_until: its end, open by default.
    """
    is_ecdsa = isinstance(key, ec.EllipticCurvePublicKey)
    spki = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return TransparencyLogInstance(
        base_url=f"https://{host}",
        hash_algorithm=HashAlgorithm.from_string("SHA2_256"),
        public_key=PublicKey(
            raw_bytes=spki,
            key_details=(
                PublicKeyDetails.from_string("PKIX_ECDSA_P256_SHA_256")
                if is_ecdsa
                else PublicKeyDetails.from_string("PKIX_ED25519")
            ),
            valid_for=TimeRange(start=valid_from, end=valid_until),
        ),
        log_id=LogId(key_id=log_id),
    )


def authority(
    *,
    host: str,
    chain: Sequence[x509.Certificate],
    path: str = "",
    valid_until: datetime | None = None,
) -> AuthorityMessage:
    """One certificate or timestamp authority of a trusted root.

    Args:
        host: its stable name.
        chain: leaf or intermediate first, root last.
        path: of the service below the host.
        valid_until: end of its validity, open by default.
    """
    return AuthorityMessage(
        subject=DistinguishedName(
            organization=_attribute(chain[-1], NameOID.ORGANIZATION_NAME),
            common_name=_attribute(chain[-1], NameOID.COMMON_NAME),
        ),
        uri=f"https://{host}{path}",
        cert_chain=X509CertificateChain(
            certificates=[
                X509Certificate(raw_bytes=item.public_bytes(serialization.Encoding.DER))
                for item in chain
            ]
        ),
        valid_for=TimeRange(start=chain[0].not_valid_before_utc, end=valid_until),
    )


def signing_config(
    *, url: str, rekor_version: int, with_tsa: bool, valid_from: datetime
) -> SigningConfig:
    """Where a client signs: real loopback URLs, unlike the trusted root's.

    Args:
        url: of the running sandbox.
        rekor_version: 1 or 2; never both, because clients then choose differently.
        with_tsa: whether a timestamp is taken.
        valid_from: start of every service's validity.
    """

    def service(location: str, version: int = 1) -> Service:
        return Service(
            url=location,
            major_api_version=version,
            valid_for=TimeRange(start=valid_from),
            operator=OPERATOR,
        )

    config = SigningConfig(
        media_type=SIGNING_CONFIG_TYPE,
        ca_urls=[service(url)],
        oidc_urls=[service(url)],
        rekor_tlog_urls=[service(url, rekor_version)],
        # Without this member sigstore-js silently leaves the log out.
        rekor_tlog_config=_ANY,
    )
    if with_tsa:
        config.tsa_urls = [service(f"{url}/api/v1/timestamp")]
        config.tsa_config = _ANY
    return config


def client_trust_config(root: TrustedRoot, config: SigningConfig) -> ClientTrustConfig:
    """Trusted root and signing config in one file."""
    return ClientTrustConfig(media_type=TRUST_CONFIG_TYPE, trusted_root=root, signing_config=config)


def _attribute(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> str:
    values = certificate.subject.get_attributes_for_oid(oid)
    return str(values[0].value) if values else ""
