"""What a policy file says, as values: signers, requirements, and what else must hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:  # who gives a key has loaded what reads keys
    from pathlib import Path

    from attest.keys import PublicKey

#: How a pattern is written: itself, with `*` and `**`, or as `{regex: …}`.
PatternKind: TypeAlias = Literal["exact", "glob", "regex"]

#: Fields of a signer that match a certificate, each mapped to claims in `attest.policy.fields`.
FieldName: TypeAlias = Literal[
    "subject",
    "email",
    "repository",
    "repository-id",
    "owner-id",
    "workflow",
    "ref",
    "commit",
    "signer-repository",
    "signer-workflow",
    "signer-ref",
    "runner",
    "trigger",
    "visibility",
    "environment",
]


class Position(NamedTuple):
    """Where something stands in the policy file; both count from 1."""

    line: int
    column: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Pattern:
    """One acceptable value of a field, as written."""

    kind: PatternKind
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldRule:
    """A field that must have one of these values.

    `claim` is the name of a certificate extension where the rule stands below `claims:`; else
    `name` is the field.
    """

    name: FieldName | Literal["claims"]
    any_of: tuple[Pattern, ...]
    claim: str | None = None
    position: Position | None = field(default=None, compare=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """When a signature must have been made (UTC), both ends inclusive; None is open."""

    not_before: datetime | None = None
    not_after: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CertificateSigner:
    """People or workflows by what their certificates say; `issuer` is a URL, matched exactly."""

    name: str
    issuer: str
    fields: tuple[FieldRule, ...]
    window: Window = Window()
    position: Position | None = field(default=None, compare=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class KeySigner:
    """A key, by whatever name."""

    name: str
    key: PublicKey
    window: Window = Window()
    position: Position | None = field(default=None, compare=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class AnySigner:
    """Whoever signed: of `--unsafe-any-identity`, and never of a file."""

    name: str


#: Closed: a later kind of signer is a further member, and the type checker finds every place.
SignerRule: TypeAlias = CertificateSigner | KeySigner | AnySigner


@dataclass(frozen=True, kw_only=True, slots=True)
class Requirement:
    """A line of `require`: so many different principals, each by one of these signers."""

    at_least: int
    of: tuple[str, ...]
    position: Position | None = field(default=None, compare=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamRule:
    """The pack's stream must match one of these."""

    any_of: tuple[Pattern, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class PredicateTypeRule:
    """The statement's predicate type must be one of these."""

    any_of: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class MaxAgeRule:
    """No more time may have passed since it was signed."""

    limit: timedelta


#: Closed, as `SignerRule` is.
EvidenceRule: TypeAlias = StreamRule | PredicateTypeRule | MaxAgeRule


@dataclass(frozen=True, kw_only=True, slots=True)
class EvidenceRules:
    """What must hold of the evidence itself; None asks nothing."""

    stream: tuple[Pattern, ...] | None = None
    predicate_types: tuple[str, ...] | None = None
    max_age: timedelta | None = None

    @property
    def rules(self) -> tuple[EvidenceRule, ...]:
        """What is asked, rule by rule."""
        rules: list[EvidenceRule] = []
        if self.stream is not None:
            rules.append(StreamRule(any_of=self.stream))
        if self.predicate_types is not None:
            rules.append(PredicateTypeRule(any_of=self.predicate_types))
        if self.max_age is not None:
            rules.append(MaxAgeRule(limit=self.max_age))
        return tuple(rules)


@dataclass(frozen=True, kw_only=True, slots=True)
class Revoked:
    """One revoked thing: from `since` (UTC) on, or always."""

    value: str
    since: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Revocations:
    """What fills no slot any more.

    `keys` by hex SHA-256 of the SPKI or of the SEC1 point, `certificates` by hex SHA-256 of the
    TBS or as `ISSUER#SERIAL` (RFC 4514 name, hex serial), `identities` as principals,
    `log_entries` by hex leaf hash.
    """

    keys: tuple[Revoked, ...] = ()
    certificates: tuple[Revoked, ...] = ()
    identities: tuple[Revoked, ...] = ()
    log_entries: tuple[Revoked, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyFile:
    """A policy file, read strictly; `sha256` is of its bytes, 32 raw ones.

    Where options or a program say the same, there is no file, and both are None.

    `trust` names instances, or paths of trusted roots relative to the file. `log` and `timestamp`
    say whether signatures by keys need a log entry and a verified time; certificates always do.
    `files` are those that its paths lead to, links not followed.
    """

    file: str | None
    sha256: bytes | None
    signers: tuple[SignerRule, ...]
    require: tuple[Requirement, ...]
    trust: tuple[str, ...] = ("sigstore",)
    description: str | None = None
    expires: datetime | None = None
    serial: int | None = None
    evidence: EvidenceRules = EvidenceRules()
    log: Literal["required", "optional"] = "required"
    timestamp: Literal["required", "optional"] = "required"
    others: Literal["report", "forbid"] = "report"
    revoked: Revocations = Revocations()
    files: tuple[Path, ...] = ()

    @property
    def keys(self) -> tuple[PublicKey, ...]:
        """The keys among its signers: whoever else signs by key is a stranger."""
        return tuple(signer.key for signer in self.signers if isinstance(signer, KeySigner))

    @property
    def any_identity(self) -> bool:
        """Whether some requirement is met by whoever signed."""
        return any(isinstance(signer, AnySigner) for signer in self.signers)


def is_path(name: str) -> bool:
    """Whether an entry of `trust` is a path, not the name of an instance."""
    return "/" in name or name.endswith(".json")
