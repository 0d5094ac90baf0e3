"""What a target carries already: its verified attestations, and the name for a new one."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from attest.api.target import read_bundle
from attest.api.trusted import Trusted
from attest.bundle import parse_bundle
from attest.engine.content import ArtifactContent, PackContent
from attest.errors import AttestError, MalformedEvidence, SigningError, Untrusted
from attest.limits import Limits
from attest.verified import VerifiedAttestation

if TYPE_CHECKING:  # who signs files needs nothing of packs
    from attest.pack.reader import Pack


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """A signer as certificates name one: subject and OIDC issuer; a key by its id, without one."""

    subject: str
    issuer: str

    @classmethod
    def of(cls, attestation: VerifiedAttestation) -> Identity:
        """The identity that a verified attestation proves."""
        if attestation.identity is None:
            return cls(subject=attestation.signer.principal, issuer="")
        return cls(subject=attestation.identity.subject, issuer=attestation.identity.issuer)


def in_pack(pack: Pack, trusted: Trusted, limits: Limits) -> Mapping[str, VerifiedAttestation]:
    """The attestations of a pack that verify for its manifest, by entry name.

    Those of other instances and by other keys count for nothing and are left out. What a merged
    pack carries of its sources is held to the same, though it is not the pack's own.

    Args:
        pack: an open pack.
        trusted: what to verify under.
        limits: bounds on what is read.

    Raises:
        MalformedEvidence, VerificationFailed: one of them would fail the pack, whoever signs it
            now; `where` names it.
    """
    from attest.pack.carried import carried

    verified: dict[str, VerifiedAttestation] = {}
    for name in pack.attestation_names:
        found = _verified(name, pack.read_attestation(name), pack.manifest_digest, trusted, limits)
        if found is not None:
            verified[name] = found
    for item in carried(pack.manifest):
        _verified(item.place, item.data, item.manifest_digest, trusted, limits)
    return verified


def _verified(
    name: str, data: bytes, manifest_digest: bytes, trusted: Trusted, limits: Limits
) -> VerifiedAttestation | None:
    content = PackContent(manifest_digest=manifest_digest)
    try:
        bundle = parse_bundle(data, in_pack=True, where=name, limits=limits)
        return trusted.verify(bundle, content, limits)
    except Untrusted:
        return None
    except AttestError as error:
        if not (error.where or "").startswith(name):
            error.where = name if error.where is None else f"{name}: {error.where}"
        error.hint = error.hint or "build the pack again without this attestation"
        raise


def beside(
    path: Path, content: ArtifactContent, trusted: Trusted, limits: Limits
) -> VerifiedAttestation | None:
    """The attestation in a bundle file; None unless it verifies for this content.

    Args:
        path: a bundle file that exists.
        content: what it must speak of.
        trusted: what to verify under.
        limits: bounds on what is read.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        data = read_bundle(path, limit=limits.max_bundle_bytes)
    except MalformedEvidence:  # too large to be one
        return None
    try:
        bundle = parse_bundle(data, where=str(path), limits=limits)
        return trusted.verify(bundle, content, limits)
    except AttestError:
        # Whatever stands there is not ours to judge; the caller refuses to replace it unasked.
        return None


def confirm(
    data: bytes,
    content: PackContent | ArtifactContent,
    trusted: Trusted,
    limits: Limits,
) -> VerifiedAttestation:
    """Verify what was just signed, as whoever receives it will.

    Args:
        data: the new bundle.
        content: what it must speak of.
        trusted: the root of the instance that signed, and the key where no certificate names it.
        limits: bounds on its size.

    Raises:
        SigningError: `signed_bundle_invalid`.
    """
    where = "the new bundle"
    try:
        bundle = parse_bundle(
            data, in_pack=isinstance(content, PackContent), where=where, limits=limits
        )
        return trusted.verify(bundle, content, limits)
    except AttestError as error:
        raise SigningError(
            "signed_bundle_invalid",
            f"what the services returned does not verify: {error.code}: {error.message}",
            where=error.where or where,
            hint="nothing was written; check that the instance's trusted root is current",
        ) from None


def entry_name(subject: str, taken: Collection[str]) -> str:
    """The entry name for a new attestation of an identity.

    Args:
        subject: the certificate's subject identity.
        taken: entry names that belong to somebody else; more digits avoid them.

    Raises:
        MalformedEvidence: `too_many_attestations` if every length is taken.

    Source: Evidence Pack, "Attestation file naming"; design, section 10.
    """
    from attest.pack.manifest import ATTESTATION_SUFFIX, ATTESTATIONS

    digits = hashlib.sha256(subject.encode("utf-8")).hexdigest()
    for length in range(8, len(digits) + 1, 8):
        name = f"{ATTESTATIONS}{digits[:length]}{ATTESTATION_SUFFIX}"
        if name not in taken:
            return name
    raise MalformedEvidence(
        "too_many_attestations", f"every name for an attestation of {subject!r} is taken"
    )
