"""Step 3: the certificate chains to a CA of the trusted root at every verified time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from attest.errors import MalformedEvidence, Untrusted, VerificationFailed
from attest.trust.root import Authority

#: Certificates, timestamps have a few kB; what is padded to more is not kept in memory.
USUAL_BYTES = 65_536
#: One certificate signs many things in a row. What is kept of one was found by the same function
#: of the same bytes under the same authorities; failures are not kept.
_LEAVES = 4
_RULE = "R-085"
_Extension = TypeVar("_Extension", bound=x509.ExtensionType)
_LEAF_CRITICAL = frozenset(
    {
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.BASIC_CONSTRAINTS,
    }
)
_CA_CRITICAL = frozenset(
    {ExtensionOID.KEY_USAGE, ExtensionOID.EXTENDED_KEY_USAGE, ExtensionOID.BASIC_CONSTRAINTS}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifiedIssuer:
    """The CA certificate that issued a leaf, verified up to its root.

    `spki_sha256` is the hash of its key that SCTs sign; `paths` builds paths that end in it alone,
    and keeps its key loaded from one leaf to the next.
    """

    certificate: x509.Certificate
    spki_sha256: bytes
    paths: PolicyBuilder


def load_leaf(der: bytes) -> x509.Certificate:
    """Load the DER of a leaf certificate.

    Raises:
        MalformedEvidence: `invalid_certificate`.
    """
    return _loaded(der) if len(der) <= USUAL_BYTES else _loaded.__wrapped__(der)


@lru_cache(maxsize=_LEAVES)
def _loaded(der: bytes) -> x509.Certificate:
    try:
        leaf = x509.load_der_x509_certificate(der)
        # All of these are parsed when first asked for: what is broken fails here, not later.
        serial, _, _ = leaf.serial_number, leaf.issuer, leaf.extensions
        _, _ = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    # No common base: ValueError, TypeError, KeyError, InvalidVersion, DuplicateExtension, and
    # warnings where a filter raises them.
    except Exception as error:  # noqa: BLE001
        raise _unreadable(str(error)) from None
    if serial <= 0:
        raise _unreadable("its serial number is not positive")
    return leaf


def _unreadable(message: str) -> MalformedEvidence:
    return MalformedEvidence(
        "invalid_certificate", f"cannot be read: {message}", where="certificate"
    )


def attribute(leaf: x509.Certificate, authorities: Iterable[Authority]) -> tuple[Authority, ...]:
    """The authorities that the leaf names as its issuer, by name and key identifier.

    Raises:
        Untrusted: `untrusted_certificate`, if no authority of the root is named.
    """
    named = tuple(item for item in authorities if _names(leaf, item.certificates[0]))
    if not named:
        raise Untrusted(
            "untrusted_certificate",
            f"issued by {leaf.issuer.rfc4514_string()}, whose key is not in the trusted root",
            where="certificate",
            rule=_RULE,
            hint="choose the instance it comes from: --instance, --trusted-root or --trust-config",
        )
    return named


def _names(leaf: x509.Certificate, issuer: x509.Certificate) -> bool:
    if leaf.issuer != issuer.subject:
        return False
    wanted = _extension(leaf.extensions, x509.AuthorityKeyIdentifier)
    key = _extension(issuer.extensions, x509.SubjectKeyIdentifier)
    if wanted is None or key is None:
        return True  # without both identifiers the name alone attributes
    return wanted.key_identifier is None or wanted.key_identifier == key.digest


def verify_chain(
    leaf: x509.Certificate, authorities: Sequence[Authority], times: Sequence[datetime]
) -> VerifiedIssuer:
    """Check the chain under one of the authorities, at every time, and the leaf's profile.

    Args:
        leaf: the signing certificate.
        authorities: those that it names as issuer (`attribute`); tried one at a time.
        times: the verified times (UTC), at least one.

    Raises:
        VerificationFailed: `invalid_certificate_chain`, `certificate_not_valid_at_time`,
            `invalid_certificate`.

    Source: RFC 5280, section 6; sigstore/fulcio certificate specification; R-076a, R-085.
    """
    _check_leaf(leaf)
    failure: VerificationFailed | None = None
    for authority in authorities:
        try:
            issuer = _verified_issuer(authority)
            _check_windows(leaf, authority, times)
            _build_path(leaf, issuer)
        except VerificationFailed as error:
            failure = failure or error
        else:
            return issuer
    raise failure or VerificationFailed(
        "invalid_certificate_chain", "no authority to chain to", rule=_RULE
    )


def _check_leaf(leaf: x509.Certificate) -> None:
    extensions = leaf.extensions
    usage = _extension(extensions, x509.KeyUsage)
    if usage is None or not usage.digital_signature:
        raise _bad_leaf("its key usage does not allow digital signatures")
    if usage.key_cert_sign:
        raise _bad_leaf("its key usage allows signing certificates")
    purposes = _extension(extensions, x509.ExtendedKeyUsage)
    if purposes is None or ExtendedKeyUsageOID.CODE_SIGNING not in purposes:
        raise _bad_leaf("its extended key usage does not allow code signing")
    constraints = _extension(extensions, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        raise _bad_leaf("it is a CA certificate")
    unknown = _unhandled(extensions, _LEAF_CRITICAL)
    if unknown:
        raise _bad_leaf(f"critical extension {unknown} is not understood")


def _bad_leaf(message: str) -> VerificationFailed:
    return VerificationFailed("invalid_certificate", message, where="certificate", rule=_RULE)


def _bad_chain(message: str) -> VerificationFailed:
    return VerificationFailed("invalid_certificate_chain", message, where="certificate", rule=_RULE)


@lru_cache(maxsize=64)
def _verified_issuer(authority: Authority) -> VerifiedIssuer:
    """Check what cannot change between bundles: the CA's own chain, signatures included.

    Validity windows are left out here; `_check_windows` judges them at every verified time.
    """
    certificates = authority.certificates
    for below, certificate in enumerate(certificates):
        _check_ca(certificate, below)
    if len(certificates) > 1:
        issuing, *middle, root = certificates
        # Any time inside all windows will do: only signatures and extensions are of interest.
        time = max(item.not_valid_before_utc for item in certificates)
        policy = ExtensionPolicy.permit_all()
        builder = PolicyBuilder().store(Store([root])).time(time)
        builder = builder.extension_policies(ca_policy=_ca_policy(), ee_policy=policy)
        try:
            builder.build_client_verifier().verify(issuing, middle)
        except (VerificationError, x509.UnsupportedGeneralNameType) as error:
            raise _bad_chain(f"the CA does not chain to its own root: {error}") from None
    issuing = certificates[0]
    try:
        spki = issuing.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _bad_chain(f"the CA's key: {error}") from None
    return VerifiedIssuer(
        certificate=issuing,
        spki_sha256=hashlib.sha256(spki).digest(),
        paths=PolicyBuilder()
        .store(Store([issuing]))
        .extension_policies(ca_policy=_ca_policy(), ee_policy=_leaf_policy()),
    )


def _check_ca(certificate: x509.Certificate, below: int) -> None:
    extensions = certificate.extensions
    constraints = _extension(extensions, x509.BasicConstraints)
    if constraints is None or not constraints.ca:
        raise _bad_chain("an issuer is not a CA")
    if constraints.path_length is not None and constraints.path_length < below:
        raise _bad_chain(f"path length {constraints.path_length} is exceeded")
    usage = _extension(extensions, x509.KeyUsage)
    if usage is None or not usage.key_cert_sign:
        raise _bad_chain("a CA's key usage does not allow signing certificates")
    purposes = _extension(extensions, x509.ExtendedKeyUsage)
    if purposes is not None and ExtendedKeyUsageOID.CODE_SIGNING not in purposes:
        raise _bad_chain("a CA's extended key usage does not allow code signing")
    if _extension(extensions, x509.NameConstraints) is not None:
        # The CA's own path is checked apart from the leaf's, which they would have to reach.
        raise _bad_chain("name constraints of a CA are not supported")
    unknown = _unhandled(extensions, _CA_CRITICAL)
    if unknown:
        raise _bad_chain(f"critical extension {unknown} of a CA is not understood")


def _check_windows(leaf: x509.Certificate, authority: Authority, times: Sequence[datetime]) -> None:
    for time in times:
        if not leaf.not_valid_before_utc <= time <= leaf.not_valid_after_utc:
            raise VerificationFailed(
                "certificate_not_valid_at_time",
                f"signed at {time:%Y-%m-%dT%H:%M:%SZ}, certificate valid from "
                f"{leaf.not_valid_before_utc:%Y-%m-%dT%H:%M:%SZ} to "
                f"{leaf.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}",
                where="certificate",
                rule=_RULE,
            )
        inside = authority.valid.contains(time) and all(
            item.not_valid_before_utc <= time <= item.not_valid_after_utc
            for item in authority.certificates
        )
        if not inside:
            raise _bad_chain(f"the CA was not valid at {time:%Y-%m-%dT%H:%M:%SZ}")


@lru_cache(maxsize=_LEAVES)
def _build_path(leaf: x509.Certificate, issuer: VerifiedIssuer) -> None:
    # `_check_windows` has found a time inside both windows, so this one is: nothing else in a path
    # depends on the time.
    time = max(item.not_valid_before_utc for item in (leaf, issuer.certificate))
    try:
        issuer.paths.time(time).build_client_verifier().verify(leaf, [])
    except (VerificationError, x509.UnsupportedGeneralNameType) as error:
        raise _bad_chain(f"no valid path to the CA: {error}") from None


@lru_cache(maxsize=1)
def _ca_policy() -> ExtensionPolicy:
    # The library's defaults, except that they want a TLS purpose, which Fulcio does not give.
    # Basic constraints stay required and critical; the purposes are checked in `_check_ca`.
    return ExtensionPolicy.webpki_defaults_ca().may_be_present(
        x509.ExtendedKeyUsage, Criticality.AGNOSTIC, None
    )


@lru_cache(maxsize=1)
def _leaf_policy() -> ExtensionPolicy:
    return ExtensionPolicy.webpki_defaults_ee().may_be_present(
        x509.ExtendedKeyUsage, Criticality.NON_CRITICAL, None
    )


def _extension(extensions: x509.Extensions, kind: type[_Extension]) -> _Extension | None:
    # By OID: finding it by class asks every extension before it for its abstract base classes.
    for extension in extensions:
        if extension.oid == kind.oid:
            value = extension.value
            return value if isinstance(value, kind) else None
    return None


def _unhandled(
    extensions: x509.Extensions, handled: frozenset[x509.ObjectIdentifier]
) -> str | None:
    for extension in extensions:
        if extension.critical and extension.oid not in handled:
            return str(extension.oid.dotted_string)
    return None
