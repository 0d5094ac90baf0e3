"""Which attestations qualify for which signer: every condition as the positions it lets through."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TypeAlias, assert_never

from attest.policy.decision import Mismatch
from attest.policy.fields import fold_of, has_own_workflow, needs_own_workflow, value_of
from attest.policy.match import Fold, folded, matches, select
from attest.policy.revoked import denied_positions, revoked_positions
from attest.policy.rules import (
    AnySigner,
    CertificateSigner,
    EvidenceRule,
    FieldRule,
    KeySigner,
    MaxAgeRule,
    Pattern,
    PolicyFile,
    PredicateTypeRule,
    SignerRule,
    StreamRule,
    Window,
)
from attest.policy.times import MAX_FUTURE, earliest, latest, made, utc
from attest.verified import KeyIdentity, VerifiedAttestation

#: Positions of attestations, as the bits of an integer: a rule costs a few operations on these.
Positions: TypeAlias = int


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """What the pack itself says, which every attestation of it signs; None for other targets.

    `timeless` marks a format whose signatures by keys have no place for a time: a key's window is
    then judged by the clock of whoever verifies. Outside of it nothing by that key counts.
    """

    stream: str | None = None
    generated_at: datetime | None = None
    timeless: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """One thing that a rule asks: whom it lets through, and what it tells the others.

    `passes` says so of those whom all conditions before it let through, and nothing of the others.
    `actual` is given the qualification that keeps the condition: holding it would be a cycle, and
    whoever verifies many would keep what is done with until somebody looks for rubbish.
    `who` marks the conditions that say whose signature it is.
    """

    code: str
    field: str
    passes: Positions
    expected: tuple[str, ...]
    actual: Callable[[Qualification, int], str | None]
    who: bool = False

    def mismatch(self, judged: Qualification, position: int) -> Mismatch:
        """What it tells the attestation at a position of those that are judged."""
        return Mismatch(
            code=self.code,
            field=self.field,
            expected=self.expected,
            actual=self.actual(judged, position),
        )


class Qualification:
    """Judges signer rules over a set of attestations.

    Args:
        policy: what must hold.
        attestations: everything that verified.
        evidence: what the pack says.
        now: current time (UTC).
    """

    def __init__(
        self,
        policy: PolicyFile,
        attestations: Sequence[VerifiedAttestation],
        *,
        evidence: Evidence,
        now: datetime,
    ) -> None:
        self._policy = policy
        self._all = attestations
        self._evidence = evidence
        self._now = now
        self._values: dict[tuple[str, str | None, Fold], dict[str, Positions]] = {}
        self._windows: dict[Window, list[Condition]] = {}
        self._asked: dict[str, list[Condition]] = {}
        self._by_key = self._where(lambda item: isinstance(item.signer, KeyIdentity))
        self._issuers: dict[str, Positions] = {}
        self._keys: dict[str, Positions] = {}
        for at, item in enumerate(attestations):
            if isinstance(item.signer, KeyIdentity):
                name, index = item.signer.key_id, self._keys
            else:
                name, index = item.signer.issuer, self._issuers
            index[name] = index.get(name, 0) | 1 << at
        self._common = self._of_all()

    def conditions(self, rule: SignerRule) -> list[Condition]:
        """Everything that a rule asks, in the order in which it is asked: first who, then the rest.

        What is asked first is told first, and whoever passes more is closer. The list ends where
        nobody is left whom the rest could be asked of.
        """
        asked = self._asked.get(rule.name)
        if asked is None:
            asked = self._asked[rule.name] = []
            left = (1 << len(self._all)) - 1
            for condition in self._conditions(rule):
                asked.append(condition)
                left &= condition.passes
                if not left:
                    break
        return asked

    def _conditions(self, rule: SignerRule) -> Iterator[Condition]:
        match rule:
            case AnySigner():
                window = Window()
            case KeySigner(key=key, window=window):
                yield self._is_key(key.key_id.hex())
            case CertificateSigner(window=window):
                yield from self._is_certificate(rule)
            case _:
                assert_never(rule)
        yield from self._common
        if window not in self._windows:  # most have the same
            self._windows[window] = self._window(window)
        yield from self._windows[window]

    def qualified(self, rule: SignerRule) -> Positions:
        """The positions of attestations that meet every condition of a rule."""
        passes = (1 << len(self._all)) - 1
        for condition in self.conditions(rule):
            passes &= condition.passes
        return passes

    def _where(self, holds: Callable[[VerifiedAttestation], bool]) -> Positions:
        return sum(1 << at for at, item in enumerate(self._all) if holds(item))

    def _is_key(self, key_id: str) -> Condition:
        return Condition(
            code="certificate_identity_mismatch",
            field="key",
            passes=self._keys.get(key_id, 0),
            expected=(key_id,),
            actual=Qualification._key_of,
            who=True,
        )

    def _key_of(self, position: int) -> str | None:
        signer = self._all[position].signer
        return signer.key_id if isinstance(signer, KeyIdentity) else None

    def _is_certificate(self, rule: CertificateSigner) -> Iterator[Condition]:
        left = self._issuers.get(rule.issuer, 0)
        yield Condition(
            code="certificate_identity_mismatch",
            field="issuer",
            passes=left,
            expected=(rule.issuer,),
            actual=Qualification._issuer_of,
            who=True,
        )
        for field in rule.fields:
            condition = self._field(field, rule.issuer, left)
            left &= condition.passes
            yield condition
        if needs_own_workflow(rule):
            yield self._own_workflow

    def _issuer_of(self, position: int) -> str | None:
        identity = self._all[position].identity
        return None if identity is None else identity.issuer

    def _field(self, rule: FieldRule, issuer: str, left: Positions) -> Condition:
        fold = fold_of(rule, issuer)
        values = self._values_of(rule, fold)
        passes = 0
        for pattern in rule.any_of:
            if pattern.kind == "exact":  # a look-up, where `select` would compare each
                passes |= values.get(folded(pattern.text, fold), 0)
            else:
                some = [value for value, at in values.items() if at & left]
                for value in select(pattern, some, fold=fold):
                    passes |= values[value]
        return Condition(
            code="certificate_identity_mismatch",
            field=rule.claim or rule.name,
            passes=passes,
            expected=tuple(map(shown, rule.any_of)),
            actual=lambda self, at: self._value(at, rule),
            who=True,
        )

    def _value(self, position: int, rule: FieldRule) -> str | None:
        identity = self._all[position].identity
        return None if identity is None else value_of(identity, rule)

    def _values_of(self, rule: FieldRule, fold: Fold) -> dict[str, Positions]:
        """Every value of a field, with the positions where it is; absent ones are nowhere."""
        known = self._values.get((rule.name, rule.claim, fold))
        if known is None:
            known = self._values[rule.name, rule.claim, fold] = {}
            for at in range(len(self._all)):
                value = self._value(at, rule)
                if value is not None:
                    value = folded(value, fold)
                    known[value] = known.get(value, 0) | 1 << at
        return known

    @cached_property
    def _own_workflow(self) -> Condition:
        return Condition(
            code="certificate_identity_mismatch",
            field="signer-workflow",
            passes=self._where(
                lambda item: item.identity is not None and has_own_workflow(item.identity)
            ),
            expected=("a workflow of the repository itself, or to be named in the policy",),
            actual=Qualification._signer_uri,
            who=True,
        )

    def _signer_uri(self, position: int) -> str | None:
        identity = self._all[position].identity
        return None if identity is None else identity.claims.get("build-signer-uri")

    def _of_all(self) -> tuple[Condition, ...]:
        """What is asked whoever signed."""
        conditions = [self._not_denied(), self._not_revoked()]
        conditions += [self._of_evidence(rule) for rule in self._policy.evidence.rules]
        if self._policy.log == "required":
            conditions.append(
                Condition(
                    code="log_required",
                    field="log",
                    passes=~self._by_key | self._where(lambda item: bool(item.log_entries)),
                    expected=("a log entry",),
                    actual=lambda _, __: None,
                )
            )
        if self._policy.timestamp == "required":
            conditions.append(
                Condition(
                    code="timestamp_required",
                    field="timestamp",
                    passes=~self._by_key | self._where(lambda item: bool(item.times)),
                    expected=("a verified time",),
                    actual=lambda _, __: None,
                )
            )
        conditions.append(
            Condition(
                code="time_in_future",
                field="signed at",
                passes=self._where(self._is_past),
                expected=(f"not after {utc(self._now)}",),
                actual=lambda self, at: utc(latest(self._all[at])),
            )
        )
        return tuple(conditions)

    def _is_past(self, attestation: VerifiedAttestation) -> bool:
        time = latest(attestation)
        # So, because `now` may be the last date there is.
        return time is None or time - MAX_FUTURE <= self._now

    def _not_denied(self) -> Condition:
        return Condition(
            code="development_key",
            field="key",
            passes=~denied_positions(self._all),
            expected=("a key that not everybody has",),
            actual=lambda self, at: self._all[at].signer.principal,
        )

    def _not_revoked(self) -> Condition:
        return Condition(
            code="signer_revoked",
            field="revoked",
            passes=~revoked_positions(self._policy, self._all),
            expected=("a signer that is not revoked",),
            actual=lambda self, at: self._all[at].signer.principal,
        )

    def _of_evidence(self, rule: EvidenceRule) -> Condition:
        match rule:
            case StreamRule(any_of=patterns):
                stream = self._evidence.stream
                fits = stream is not None and any(matches(item, stream) for item in patterns)
                return Condition(
                    code="stream_mismatch",
                    field="stream",
                    passes=-1 if fits else 0,
                    expected=tuple(map(shown, patterns)),
                    actual=lambda _, __: stream,
                )
            case PredicateTypeRule(any_of=types):
                return Condition(
                    code="predicate_type_mismatch",
                    field="predicate type",
                    passes=self._where(lambda item: _predicate_type(item) in types),
                    expected=types,
                    actual=lambda self, at: _predicate_type(self._all[at]),
                )
            case MaxAgeRule(limit=limit):
                return Condition(
                    code="evidence_too_old",
                    field="signed at" if self._evidence.generated_at is None else "made at",
                    passes=self._where(lambda item: self._is_fresh(item, limit)),
                    expected=(f"at most {limit} before {utc(self._now)}",),
                    actual=lambda self, at: utc(self._made(self._all[at])),
                )
            case _:
                assert_never(rule)

    def _is_fresh(self, attestation: VerifiedAttestation, limit: timedelta) -> bool:
        time = self._made(attestation)
        return time is not None and self._now - time <= limit

    def _window(self, window: Window) -> list[Condition]:
        conditions = []
        last, first = window.not_after, window.not_before
        if last is not None:
            conditions.append(
                Condition(
                    code="signed_too_late",
                    field="signed at",
                    passes=self._where(lambda item: self._is_until(item, last)),
                    expected=(f"not after {utc(last)}",),
                    actual=lambda self, at: utc(self._clock(self._all[at], earliest)),
                )
            )
        if first is not None:
            conditions.append(
                Condition(
                    code="signed_too_early",
                    field="signed at",
                    passes=self._where(lambda item: self._is_from(item, first)),
                    expected=(f"not before {utc(first)}",),
                    actual=lambda self, at: utc(self._clock(self._all[at], self._made)),
                )
            )
        return conditions

    def _is_until(self, attestation: VerifiedAttestation, last: datetime) -> bool:
        time = self._clock(attestation, earliest)
        return time is not None and time <= last

    def _is_from(self, attestation: VerifiedAttestation, first: datetime) -> bool:
        time = self._clock(attestation, self._made)
        return time is not None and time >= first

    def _clock(
        self,
        attestation: VerifiedAttestation,
        proven: Callable[[VerifiedAttestation], datetime | None],
    ) -> datetime | None:
        """The time by which a window is judged: what is proven, or now where nothing can be."""
        by_key = isinstance(attestation.signer, KeyIdentity)
        if self._evidence.timeless and by_key and not attestation.times:
            return self._now
        return proven(attestation)

    def _made(self, attestation: VerifiedAttestation) -> datetime | None:
        return made(attestation, self._evidence.generated_at)


def shown(pattern: Pattern) -> str:
    """A pattern as it is written."""
    return f"{{regex: {pattern.text}}}" if pattern.kind == "regex" else pattern.text


def _predicate_type(attestation: VerifiedAttestation) -> str | None:
    return None if attestation.statement is None else attestation.statement.predicate_type
