"""The policy value: signers, and requirements that each must be met."""

from __future__ import annotations

from dataclasses import dataclass

from attest.errors import UsageError


@dataclass(frozen=True, kw_only=True, slots=True)
class Signer:
    """One acceptable signer: a certificate's subject and OIDC issuer, both matched exactly."""

    identity: str
    issuer: str

    def __post_init__(self) -> None:
        """Refuse a signer that would say nothing.

        Raises:
            UsageError: `empty_signer`.
        """
        if not self.identity or not self.issuer:
            raise UsageError("empty_signer", "a signer needs an identity and an issuer")

    def describe(self) -> str:
        """The rule in words."""
        return f"{self.identity} (issuer {self.issuer})"


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
                hint="name a signer: --identity and --issuer",
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
    def any_identity(self) -> bool:
        """Whether some requirement is met by whoever signed."""
        return any(isinstance(item, AnyIdentity) for item in self.requirements)
