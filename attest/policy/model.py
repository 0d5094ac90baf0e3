"""The policy value: signers, and requirements that each must be met."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from attest.errors import UsageError
from attest.policy.rules import (
    AnySigner,
    CertificateSigner,
    EvidenceRules,
    FieldRule,
    KeySigner,
    Pattern,
    PolicyFile,
    Requirement,
    SignerRule,
    Window,
)

if TYPE_CHECKING:  # who gives a key has loaded what reads keys
    from attest.keys import PublicKey


@dataclass(frozen=True, kw_only=True, slots=True)
class Signer:
    """One acceptable signer: a certificate's subject and OIDC issuer, matched exactly, or a key.

    Args:
        identity: subject of the certificate; goes with `issuer`.
        issuer: URL of the OIDC issuer.
        key: the public key, instead of both; see `attest.load_public_key`.
        not_before: when it began to count (aware). What a key signed counts only with the
            signed time of making of a pack, because a verified time only says "not later than".
        not_after: when it ceased to count (aware), judged at the earliest verified time.

    Raises:
        UsageError: `empty_signer`, `ambiguous_signer`, `naive_time`.
    """

    identity: str | None = None
    issuer: str | None = None
    key: PublicKey | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse a signer that would say nothing, or two things at once."""
        named = self.identity is not None or self.issuer is not None
        if self.key is not None and named:
            raise UsageError("ambiguous_signer", "a signer is an identity or a key, not both")
        if self.key is None and not (self.identity and self.issuer):
            raise UsageError("empty_signer", "a signer needs an identity and an issuer, or a key")
        for time in (self.not_before, self.not_after):
            if time is not None and time.tzinfo is None:
                raise UsageError("naive_time", "a signer's times need a time zone")

    def describe(self) -> str:
        """The rule in words."""
        words = f"{self.identity} (issuer {self.issuer})"
        if self.key is not None:
            words = f"key {self.key.key_id.hex()}"
        if self.not_before is not None:
            words += f", from {self.not_before.isoformat()}"
        if self.not_after is not None:
            words += f", until {self.not_after.isoformat()}"
        return words

    def rule(self) -> SignerRule:
        """The same as a rule of a policy file."""
        window = Window(not_before=self.not_before, not_after=self.not_after)
        if self.key is not None:
            return KeySigner(name=self.describe(), key=self.key, window=window)
        subject = Pattern(kind="exact", text=self.identity or "")
        return CertificateSigner(
            name=self.describe(),
            issuer=self.issuer or "",
            fields=(FieldRule(name="subject", any_of=(subject,)),),
            window=window,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What must hold, by rules of a file or of a program; one without any is refused (R-089)."""

    rules: PolicyFile

    def __post_init__(self) -> None:
        """Refuse a policy that could be met by nothing.

        Raises:
            UsageError: `empty_policy`.
        """
        lines = self.rules.require
        if not lines or not all(line.of for line in lines):
            raise UsageError(
                "empty_policy",
                "says of nobody that they must have signed",
                hint="name a signer: --identity and --issuer, or --key",
            )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Policy:
        """Load a policy file, in YAML or JSON.

        Raises:
            PolicyFileError: a code of `attest.policy.load`; `where` is file, line and column.
            UsageError: `file_not_found`, `unreadable_file`.
        """
        from attest.policy.load import load_policy

        return cls(rules=load_policy(Path(path)))

    @classmethod
    def any_of(cls, *signers: Signer, predicate_type: str | None = None) -> Policy:
        """A policy met by one verified attestation of any of the signers.

        Args:
            signers: at least one.
            predicate_type: URI that the statement's predicate type must equal, if given.

        Raises:
            UsageError: `empty_policy`.
        """
        # Whoever is given twice is one signer.
        return cls._one_line(
            {signer.describe(): signer.rule() for signer in signers}, predicate_type
        )

    @classmethod
    def unsafe_any_identity(cls, *, predicate_type: str | None = None) -> Policy:
        """A policy met by whoever signed: reports say so in their first line."""
        name = "anybody at all (unsafe)"
        return cls._one_line({name: AnySigner(name=name)}, predicate_type)

    @classmethod
    def _one_line(cls, rules: Mapping[str, SignerRule], predicate_type: str | None) -> Policy:
        types = None if predicate_type is None else (predicate_type,)
        return cls(
            rules=PolicyFile(
                file=None,
                sha256=None,
                signers=tuple(rules.values()),
                require=(Requirement(at_least=1, of=tuple(rules)),),
                evidence=EvidenceRules(predicate_types=types),
            )
        )

    @property
    def keys(self) -> tuple[PublicKey, ...]:
        """The keys among its signers: whoever else signs by key is a stranger."""
        return self.rules.keys

    @property
    def any_identity(self) -> bool:
        """Whether some requirement is met by whoever signed."""
        return self.rules.any_identity
