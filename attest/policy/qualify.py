"""Which attestations qualify for which signer: every condition as the positions it lets through."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import assert_never

from attest.policy.decision import Mismatch
from attest.policy.fields import fold_of, has_own_workflow, needs_own_workflow, value_of
from attest.policy.match import matches
from attest.policy.occurrences import Occurrences, Positions
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
from attest.policy.times import MAX_FUTURE, Proven, earliest, is_untimed_key, latest, made, utc
from attest.verified import KeyIdentity, VerifiedAttestation


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """What the pack itself says, which every attestation of it signs; None for other targets.

    `timeless` marks a format whose signatures by keys have no place for a time: a key's window is
    then judged by the clock of whoever verifies. Outside of it nothing by that key counts.
    """

    stream: str | None = None
    generated_at: datetime | None = None
    timeless: bool = False


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One thing that a rule asks: whom it lets through, and what it tells the others.

    `passes` says so of those whom all conditions before it let through, and nothing of the others.
    `actual` is given the qualification that keeps the condition: holding it would be a cycle, and
    whoever verifies many would keep what is done with until somebody looks for rubbish.
    `who` marks the conditions that say whose signature it is. What was `asked` for is put in words
    once, and only where somebody is told.
    """

    code: str
    field: str
    passes: Positions
    asked: tuple[Pattern | str, ...]
    actual: Callable[[Qualification, int], str | None]
    who: bool = False

    @cached_property
    def expected(self) -> tuple[str, ...]:
        """What was asked for, any one of, as it is written."""
        return tuple(item if isinstance(item, str) else shown(item) for item in self.asked)

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
        #: By field, claim and issuer.
        self._values: dict[tuple[str, str | None, str], Occurrences] = {}
        self._vouched: dict[str, Condition] = {}
        self._windows: dict[Window, list[Condition]] = {}
        self._asked: dict[str, tuple[list[Condition], Positions]] = {}
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
        return self._judged(rule)[0]

    def qualified(self, rule: SignerRule) -> Positions:
        """The positions of attestations that meet every condition of a rule."""
        return self._judged(rule)[1]

    def _judged(self, rule: SignerRule) -> tuple[list[Condition], Positions]:
        judged = self._asked.get(rule.name)
        if judged is None:
            asked, left = [], (1 << len(self._all)) - 1
            for condition in self._conditions(rule):
                asked.append(condition)
                left &= condition.passes
                if not left:
                    break
            judged = self._asked[rule.name] = asked, left
        return judged

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
        limits = self._windows.get(window)
        if limits is None:  # most have the same
            limits = self._windows[window] = self._window(window)
        yield from limits

    def _where(self, holds: Callable[[VerifiedAttestation], bool]) -> Positions:
        return sum(1 << at for at, item in enumerate(self._all) if holds(item))

    def _is_key(self, key_id: str) -> Condition:
        return Condition(
            code="certificate_identity_mismatch",
            field="key",
            passes=self._keys.get(key_id, 0),
            asked=(key_id,),
            actual=Qualification._key_of,
            who=True,
        )

    def _key_of(self, position: int) -> str | None:
        signer = self._all[position].signer
        return signer.key_id if isinstance(signer, KeyIdentity) else None

    def _is_certificate(self, rule: CertificateSigner) -> Iterator[Condition]:
        issued = self._vouched.get(rule.issuer)
        if issued is None:  # most have the same
            issued = self._vouched[rule.issuer] = self._issued_by(rule.issuer)
        yield issued
        left = issued.passes
        for field in rule.fields:
            condition = self._field(field, rule.issuer, left)
            left &= condition.passes
            yield condition
        if needs_own_workflow(rule):
            yield self._own_workflow

    def _issued_by(self, issuer: str) -> Condition:
        return Condition(
            code="certificate_identity_mismatch",
            field="issuer",
            passes=self._issuers.get(issuer, 0),
            asked=(issuer,),
            actual=Qualification._issuer_of,
            who=True,
        )

    def _issuer_of(self, position: int) -> str | None:
        identity = self._all[position].identity
        return None if identity is None else identity.issuer

    def _field(self, rule: FieldRule, issuer: str, left: Positions) -> Condition:
        return Condition(
            code="certificate_identity_mismatch",
            field=rule.claim or rule.name,
            passes=self._values_of(rule, issuer).matching(rule.any_of, left),
            asked=rule.any_of,
            actual=lambda self, at: self._value(at, rule),
            who=True,
        )

    def _value(self, position: int, rule: FieldRule) -> str | None:
        identity = self._all[position].identity
        return None if identity is None else value_of(identity, rule)

    def _values_of(self, rule: FieldRule, issuer: str) -> Occurrences:
        known = self._values.get((rule.name, rule.claim, issuer))
        if known is None:
            values = [self._value(at, rule) for at in range(len(self._all))]
            known = Occurrences.of(values, fold_of(rule, issuer))
            self._values[rule.name, rule.claim, issuer] = known
        return known

    @cached_property
    def _own_workflow(self) -> Condition:
        return Condition(
            code="certificate_identity_mismatch",
            field="signer-workflow",
            passes=self._where(
                lambda item: item.identity is not None and has_own_workflow(item.identity)
            ),
            asked=("a workflow of the repository itself, or to be named in the policy",),
            actual=Qualification._signer_uri,
            who=True,
        )

    def _signer_uri(self, position: int) -> str | None:
        identity = self._all[position].identity
        return None if identity is None else identity.claims.get("build-signer-uri")

    def _of_all(self) -> tuple[Condition, ...]:
        """What is asked whoever signed."""
        conditions = [self._not_denied(), self._not_revoked()]
        for rule in self._policy.evidence.rules:
            conditions += self._of_evidence(rule)
        if self._policy.log == "required":
            conditions.append(
                Condition(
                    code="log_required",
                    field="log",
                    passes=~self._by_key | self._where(lambda item: bool(item.log_entries)),
                    asked=("a log entry",),
                    actual=lambda _, __: None,
                )
            )
        if self._policy.timestamp == "required":
            conditions.append(
                Condition(
                    code="timestamp_required",
                    field="timestamp",
                    passes=~self._by_key | self._where(lambda item: bool(item.times)),
                    asked=("a verified time",),
                    actual=lambda _, __: None,
                )
            )
        conditions.append(
            Condition(
                code="time_in_future",
                field="signed at",
                passes=self._where(self._is_past),
                asked=(f"not after {utc(self._now)}",),
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
            asked=("a key that not everybody has",),
            actual=lambda self, at: self._all[at].signer.principal,
        )

    def _not_revoked(self) -> Condition:
        return Condition(
            code="signer_revoked",
            field="revoked",
            passes=~revoked_positions(self._policy, self._all),
            asked=("a signer that is not revoked",),
            actual=lambda self, at: self._all[at].signer.principal,
        )

    def _of_evidence(self, rule: EvidenceRule) -> Iterator[Condition]:
        match rule:
            case StreamRule(any_of=patterns):
                stream = self._evidence.stream
                fits = stream is not None and any(matches(item, stream) for item in patterns)
                yield Condition(
                    code="stream_mismatch",
                    field="stream",
                    passes=-1 if fits else 0,
                    asked=patterns,
                    actual=lambda _, __: stream,
                )
            case PredicateTypeRule(any_of=types):
                yield Condition(
                    code="predicate_type_mismatch",
                    field="predicate type",
                    passes=self._where(lambda item: _predicate_type(item) in types),
                    asked=types,
                    actual=lambda self, at: _predicate_type(self._all[at]),
                )
            case MaxAgeRule(limit=limit):
                fresh = self._where(lambda item: self._is_fresh(item, limit))
                # A key's signature says only with a pack when it was made at the earliest.
                keys = "signed at" if self._evidence.generated_at is None else "made at"
                for field, passes in (
                    ("signed at", fresh | self._by_key),
                    (keys, fresh | ~self._by_key),
                ):
                    yield Condition(
                        code="evidence_too_old",
                        field=field,
                        passes=passes,
                        asked=(f"at most {limit} before {utc(self._now)}",),
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
                    asked=(f"not after {utc(last)}",),
                    actual=lambda self, at: self._told(self._all[at], earliest),
                )
            )
        if first is not None:
            conditions.append(
                Condition(
                    code="signed_too_early",
                    field="signed at",
                    passes=self._where(lambda item: self._is_from(item, first)),
                    asked=(f"not before {utc(first)}",),
                    actual=lambda self, at: self._told(self._all[at], self._made),
                )
            )
        return conditions

    def _is_until(self, attestation: VerifiedAttestation, last: datetime) -> bool:
        time = self._clock(attestation, earliest)
        return time is not None and time <= last

    def _is_from(self, attestation: VerifiedAttestation, first: datetime) -> bool:
        time = self._clock(attestation, self._made)
        return time is not None and time >= first

    def _is_timeless(self, attestation: VerifiedAttestation) -> bool:
        return self._evidence.timeless and is_untimed_key(attestation)

    def _clock(self, attestation: VerifiedAttestation, proven: Proven) -> datetime | None:
        """The time by which a window is judged: what is proven, or now where nothing can be."""
        return self._now if self._is_timeless(attestation) else proven(attestation)

    def _told(self, attestation: VerifiedAttestation, proven: Proven) -> str | None:
        time = utc(self._clock(attestation, proven))
        return f"{time}, which is now: it has no time" if self._is_timeless(attestation) else time

    def _made(self, attestation: VerifiedAttestation) -> datetime | None:
        return made(attestation, self._evidence.generated_at)


def shown(pattern: Pattern) -> str:
    """A pattern as it is written."""
    return f"{{regex: {pattern.text}}}" if pattern.kind == "regex" else pattern.text


def _predicate_type(attestation: VerifiedAttestation) -> str | None:
    return None if attestation.statement is None else attestation.statement.predicate_type
