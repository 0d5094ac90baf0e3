"""What became of a target that was to be signed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from attest.verified import KeyIdentity, VerifiedAttestation, VerifiedLogEntry


@dataclass(frozen=True, kw_only=True, slots=True)
class SignedSubject:
    """One thing that a signature speaks of: its name as given, and `sha256:` and hex."""

    name: str
    digest: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Signed:
    """What became of one target, or of several that share a statement.

    `digest` is the target's, `sha256:` and hex: of a pack the manifest digest. `path` is the pack
    or the bundle file, of an `artefact` of `.sei` its signature; `entry` the attestation's name in
    the pack. `subjects` are all targets, the first of which `target` and `digest` tell of.
    `attestation` is what verified, None only on a dry run. `kept` says that an earlier valid
    attestation of this identity stands and nothing was written; `resumed` that a kept signature
    was completed.
    """

    target: str
    kind: Literal["pack", "file", "digest", "artefact"]
    digest: str
    path: Path
    entry: str | None
    attestation: VerifiedAttestation | None
    subjects: tuple[SignedSubject, ...]
    kept: bool = False
    resumed: bool = False

    @property
    def identity(self) -> str | None:
        """The subject that the certificate names."""
        identity = self.attestation and self.attestation.identity
        return identity.subject if identity else None

    @property
    def issuer(self) -> str | None:
        """The OIDC issuer that the certificate names."""
        identity = self.attestation and self.attestation.identity
        return identity.issuer if identity else None

    @property
    def key_id(self) -> str | None:
        """The hex SHA-256 of the SPKI of the key that signed; None where an identity did."""
        signer = self.attestation.signer if self.attestation else None
        return signer.key_id if isinstance(signer, KeyIdentity) else None

    @property
    def log_entries(self) -> tuple[VerifiedLogEntry, ...]:
        """Where the signature is logged, as far as signatures bind it."""
        return self.attestation.log_entries if self.attestation else ()

    @property
    def signed_at(self) -> tuple[datetime, ...]:
        """The verified times (UTC) of the signature."""
        return tuple(item.time for item in self.attestation.times) if self.attestation else ()
