"""What verification yields: `VerifiedAttestation` and the bound values it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal, TypeAlias

from attest.statement import Statement

if TYPE_CHECKING:  # it loads the certificate library, which nobody needs who reads no certificate
    from attest.claims import CertificateFacts, CertificateIdentity

Status: TypeAlias = Literal["pass", "fail", "skip"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """A value that a check looked at, and what it had to be where that is one value or a few."""

    what: str
    found: str
    wanted: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One check that was made: its name, verdict, and what was seen.

    `compared` and `seconds` are there only where an explanation was asked for.
    """

    check: str
    status: Status
    code: str | None = None
    rule: str | None = None
    where: str | None = None
    detail: str | None = None
    compared: tuple[Compared, ...] = ()
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifiedTime:
    """A time (UTC) at which the signature existed, and who proved it."""

    time: datetime
    source: Literal["rekor", "tsa"]
    authority: str


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifiedLogEntry:
    """A log entry that binds this signature.

    `index` is the log's global index where a signature binds it, else None; `origin` is the
    checkpoint's, None where the log only promised inclusion; `leaf_hash` is 32 raw bytes.
    """

    log_id: bytes
    origin: str | None
    index: int | None
    proof: Literal["inclusion", "promise"]
    leaf_hash: bytes

    @property
    def log_version(self) -> Literal[1, 2]:
        """The version of Rekor: v1 alone promises, and names its tree in its origin."""
        return 1 if self.origin is None or " - " in self.origin else 2


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyIdentity:
    """A key that was given and that signed; `key_id` is the hex SHA-256 of its SPKI."""

    key_id: str

    @property
    def principal(self) -> str:
        """What is counted: the key, under whatever name (design, section 7 "Principals")."""
        return f"key:{self.key_id}"


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifiedAttestation:
    """A signature that verified, with its signer, times and log entries.

    Only `attest.engine.verify` makes one, and `attest.formats.sei.signature`, whose signatures have
    no times, no log entries and no instance. `certificate` is None where a key signed. `statement`
    is None where an artifact's bytes were signed directly. `instance` names the trust root that
    everything was checked under.
    """

    signer: CertificateIdentity | KeyIdentity
    certificate: CertificateFacts | None
    statement: Statement | None
    times: tuple[VerifiedTime, ...]
    log_entries: tuple[VerifiedLogEntry, ...]
    instance: str

    @property
    def identity(self) -> CertificateIdentity | None:
        """Whom the certificate names; None where a key signed."""
        return None if isinstance(self.signer, KeyIdentity) else self.signer

    @property
    def certificate_sha256(self) -> bytes | None:
        """SHA-256 of the certificate's DER (raw bytes); None where a key signed."""
        return None if self.certificate is None else self.certificate.sha256

    @property
    def earliest_time(self) -> datetime:
        """The earliest verified time (UTC)."""
        return min(item.time for item in self.times)

    @property
    def level2(self) -> bool:
        """Whether a log proof (not only a promise) stands behind it, as Level 2 needs."""
        return any(entry.proof == "inclusion" for entry in self.log_entries)
