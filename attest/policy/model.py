"""The policy value: signers, and requirements that each must be met."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from attest.errors import UsageError

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


@dataclass(frozen=True, kw_only=True, slots=True)
class AnyOf:
    """A requirement met by one verified attestation of any of these signers."""

    signers: tuple[Signer, ...]

    def describe(self) -> str:
        """The requirement in words."""
        names = " or ".join(signer.describe() for signer in self.signers)
        return f"signed by {names}"


@dataclass(frozen=True, kw_only=True, slots=True)
class AnyIdentity:
    """A requirement met by any verified attestation: it proves only that somebody signed."""

    def describe(self) -> str:
        """The requirement in words."""
        return "signed by anybody at all (unsafe)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What must hold: every requirement; one without any decides nothing and is refused (R-089).

    `predicate_type` restricts what counts to statements of that type; None judges no type.
    """

    requirements: tuple[AnyOf | AnyIdentity, ...]
    predicate_type: str | None = None

    def __post_init__(self) -> None:
        """Refuse a policy that could be met by nothing.

        Raises:
            UsageError: `empty_policy`.
        """
        if not self.requirements or any(
            isinstance(item, AnyOf) and not item.signers for item in self.requirements
        ):
            raise UsageError(
                "empty_policy",
                "says of nobody that they must have signed",
                hint="name a signer: --identity and --issuer, or --key",
            )

    @classmethod
    def any_of(cls, *signers: Signer, predicate_type: str | None = None) -> Policy:
        """A policy met by one verified attestation of any of the signers.

        Args:
            signers: at least one.
            predicate_type: URI that the statement's predicate type must equal, if given.

        Raises:
            UsageError: `empty_policy`.
        """
        return cls(requirements=(AnyOf(signers=signers),), predicate_type=predicate_type)

    @classmethod
    def unsafe_any_identity(cls, *, predicate_type: str | None = None) -> Policy:
        """A policy met by whoever signed: reports say so in their first line."""
        return cls(requirements=(AnyIdentity(),), predicate_type=predicate_type)

    @property
    def keys(self) -> tuple[PublicKey, ...]:
        """The keys among its signers: whoever else signs by key is a stranger."""
        return tuple(
            signer.key
            for item in self.requirements
            if isinstance(item, AnyOf)
            for signer in item.signers
            if signer.key is not None
        )

    @property
    def any_identity(self) -> bool:
        """Whether some requirement is met by whoever signed."""
        return any(isinstance(item, AnyIdentity) for item in self.requirements)
