"""The decision: who fills which slot of the policy; pure, with `now` as an argument (step 8)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from attest.errors import PolicyFileError
from attest.policy.decision import Candidate, Decision, Met, Mismatch, RequirementResult
from attest.policy.occurrences import Positions
from attest.policy.qualify import Condition, Evidence, Qualification
from attest.policy.rules import CertificateSigner, PolicyFile, Requirement, SignerRule
from attest.policy.slots import fill
from attest.verified import KeyIdentity, VerifiedAttestation


def decide(
    policy: PolicyFile,
    attestations: Sequence[VerifiedAttestation],
    *,
    evidence: Evidence,
    skipped: int,
    now: datetime,
) -> Decision:
    """Decide whether verified attestations meet a policy.

    Principals are counted, not signatures, each in one slot over all lines. The order of
    attestations decides nothing. One more never turns a yes into a no unless `others: forbid`,
    but for one that proves two workflows to be one (`_principals`).

    Args:
        policy: what must hold.
        attestations: everything that verified; none is a failure.
        evidence: what the pack itself says.
        skipped: how many more there were, of instances or by keys that are not trusted.
        now: current time (UTC).

    Raises:
        PolicyFileError: `policy_expired`, `invalid_revocation`: nothing is decided.

    Source: design, section 7; Evidence Pack R-080, R-088b, R-090.
    """
    check_expiry(policy, now)
    court = _Court(
        policy=policy,
        attestations=attestations,
        qualification=Qualification(policy, attestations, evidence=evidence, now=now),
    )
    return court.decision(skipped)


def check_expiry(policy: PolicyFile, now: datetime) -> None:
    """Refuse a policy that has expired: it decides nothing any more.

    Raises:
        PolicyFileError: `policy_expired`.
    """
    if policy.expires is not None and now > policy.expires:
        raise PolicyFileError(
            "policy_expired",
            f"expired at {policy.expires.isoformat()}, and decides nothing since",
            where=policy.file,
            hint="review who may sign, and set a later `expires`",
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Line:
    """A line of `require`: which attestations qualify for it, and whose fill it."""

    index: int
    require: Requirement
    rules: tuple[SignerRule, ...]
    qualified: Positions
    filled: tuple[str, ...]

    @property
    def met(self) -> bool:
        return len(self.filled) >= max(1, self.require.at_least)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Failure:
    """The first condition that an attestation fails.

    `named`: it is whom the rule names, and `passed` counts what it met beyond that; else `passed`
    counts what it met of that.
    """

    condition: Condition
    named: bool
    passed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Court:
    """One decision's facts."""

    policy: PolicyFile
    attestations: Sequence[VerifiedAttestation]
    qualification: Qualification

    def decision(self, skipped: int) -> Decision:
        """Fill the slots, and say of each line what came of it."""
        asked = {name for item in self.policy.require for name in item.of}
        qualified = {
            rule.name: self.qualification.qualified(rule)
            for rule in self.policy.signers
            if rule.name in asked
        }
        principals = _principals(self.attestations)
        lines = self._lines(qualified, principals)
        fills = {name: line.index for line in lines for name in line.filled}
        results = tuple(self._result(line, qualified, principals, fills) for line in lines)
        counted = _union(qualified.values())
        others = (1 << len(self.attestations)) - 1 & ~counted
        for rule in self.policy.signers:
            if others and rule.name not in asked:  # seldom is anybody left to ask about
                others &= ~self.qualification.qualified(rule)
        code = next((item.code for item in results if item.code is not None), None)
        if not results:
            code = "policy_not_met"
        elif code is None and self.policy.others == "forbid" and (others or skipped):
            code = "other_attestations"
        return Decision(
            result="pass" if code is None else "fail",
            code=code,
            requirements=results,
            file=self.policy.file,
            sha256=self.policy.sha256,
            counted=tuple(_positions(counted)),
            others=tuple(_positions(others)),
        )

    def _lines(self, qualified: Mapping[str, Positions], principals: Sequence[str]) -> list[_Line]:
        """Match principals to slots over all lines; in the order of their names."""
        names = sorted(set(principals))
        numbers = {name: number for number, name in enumerate(names)}
        bits = [1 << numbers[name] for name in principals]
        rules = {rule.name: rule for rule in self.policy.signers}
        masks = [_union(qualified[name] for name in item.of) for item in self.policy.require]
        filled = fill(
            [max(1, item.at_least) for item in self.policy.require],
            [_union(bits[at] for at in _positions(mask)) for mask in masks],
        )
        return [
            _Line(
                index=index,
                require=item,
                rules=tuple(rules[name] for name in item.of),
                qualified=masks[index],
                filled=tuple(names[n] for n in _positions(filled[index])),
            )
            for index, item in enumerate(self.policy.require)
        ]

    def _result(
        self,
        line: _Line,
        qualified: Mapping[str, Positions],
        principals: Sequence[str],
        fills: Mapping[str, int],
    ) -> RequirementResult:
        candidates: tuple[Candidate, ...] = ()
        code: str | None = None
        if not line.met:
            refused = self._refused(line, principals)
            spent = self._spent(line, principals, fills)
            candidates = (*(candidate for _, candidate in refused), *spent)
            code = self._code(line, [failure for failure, _ in refused])
        return RequirementResult(
            require=_words(line.require),
            status="pass" if line.met else "fail",
            code=code,
            at_least=max(1, line.require.at_least),
            met=tuple(_met(line, name, qualified, principals) for name in line.filled),
            matched=tuple(at for at in _positions(line.qualified) if principals[at] in line.filled),
            candidates=candidates,
        )

    def _code(self, line: _Line, failures: Sequence[_Failure]) -> str:
        """The code of a line that is not met.

        Somebody who is named there, and yet does not count, tells more than that too few do.
        """
        if not self.attestations:
            return "no_verified_attestation"
        named = [item for item in failures if item.named]
        if named:
            return max(named, key=lambda item: (item.passed, item.condition.code)).condition.code
        return "not_enough_signers" if line.qualified else "certificate_identity_mismatch"

    def _refused(self, line: _Line, principals: Sequence[str]) -> list[tuple[_Failure, Candidate]]:
        """Every attestation that does not qualify, with the rule of the line it is closest to."""
        everybody = (1 << len(self.attestations)) - 1
        rules = [
            (rule.name, _failures(self.qualification.conditions(rule), everybody))
            for rule in line.rules
        ]
        subjects = _subjects(line.rules)
        found = []
        for at in _positions(everybody & ~line.qualified):
            # The first rule of those that it comes equally close to.
            name, failure = max(
                ((name, failures[at]) for name, failures in rules),
                key=lambda item: (item[1].named, item[1].passed),
            )
            candidate = Candidate(
                principal=principals[at],
                signer=name,
                attestation=at,
                who=_who(self.attestations[at]),
                mismatch=failure.condition.mismatch(self.qualification, at),
                differs=() if failure.named else _differs(self.attestations[at], subjects),
            )
            found.append((failure, candidate))
        return found

    def _spent(
        self, line: _Line, principals: Sequence[str], fills: Mapping[str, int]
    ) -> Iterator[Candidate]:
        """Every attestation that qualifies, of somebody who fills a slot of another line."""
        for at in _positions(line.qualified):
            elsewhere = fills[principals[at]]
            if elsewhere != line.index:
                yield Candidate(
                    principal=principals[at],
                    signer=" or ".join(line.require.of),
                    attestation=at,
                    who=_who(self.attestations[at]),
                    mismatch=Mismatch(
                        code="not_enough_signers",
                        field="principal",
                        expected=("somebody who fills no other line",),
                        actual=f"fills {_words(self.policy.require[elsewhere])}",
                    ),
                )


def _failures(conditions: Sequence[Condition], everybody: Positions) -> dict[int, _Failure]:
    """The first condition that each attestation fails, by position."""
    failures: dict[int, _Failure] = {}
    left, who, passed = everybody, True, 0
    for condition in conditions:
        if condition.who != who:
            who, passed = condition.who, 0
        failure = _Failure(condition=condition, named=not who, passed=passed)
        failures.update(dict.fromkeys(_positions(left & ~condition.passes), failure))
        left &= condition.passes
        passed += 1
    return failures


def _met(
    line: _Line, name: str, qualified: Mapping[str, Positions], principals: Sequence[str]
) -> Met:
    """By which attestation, and as which signer of the line, a principal meets it."""
    signer, at = next(
        (signer, at)
        for signer in line.require.of
        for at in _positions(qualified[signer])
        if principals[at] == name
    )
    return Met(principal=name, signer=signer, attestation=at)


def _principals(attestations: Sequence[VerifiedAttestation]) -> list[str]:
    """Who is counted for each attestation.

    A workflow goes by its repository's id. Where one certificate has that id and another only the
    name, the two are one, or a workflow could fill two slots. (Where a name has had several ids,
    the least: each of those is counted anyway.)
    """
    ids: dict[str, str] = {}
    principals = [item.signer.principal for item in attestations]
    for item, principal in zip(attestations, principals, strict=True):
        name = principal if item.identity is None else item.identity.named_principal
        if name != principal:
            ids[name] = min(ids.get(name, principal), principal)
    return [ids.get(principal, principal) for principal in principals]


def _who(attestation: VerifiedAttestation) -> tuple[str, ...]:
    signer = attestation.signer
    if isinstance(signer, KeyIdentity):
        return (f"signed by key: {signer.key_id}",)
    return (f"signed by: {signer.subject}", f"issuer: {signer.issuer}")


def _subjects(rules: Sequence[SignerRule]) -> list[tuple[str, str]]:
    """Subject and issuer that each rule writes out; none where some rule asks for more or else."""
    subjects = []
    for rule in rules:
        if isinstance(rule, CertificateSigner):
            values = [(item.name, value) for item in rule.fields for value in item.any_of]
            if [(name, value.kind) for name, value in values] != [("subject", "exact")]:
                return []
            subjects.append((values[0][1].text, rule.issuer))
    return subjects


def _differs(
    attestation: VerifiedAttestation, subjects: Sequence[tuple[str, str]]
) -> tuple[str, ...]:
    """How a certificate's identity differs from the nearest one that is written out."""
    identity = attestation.identity
    if identity is None or not subjects:
        return ()
    from attest.policy.explain import differences

    return differences(subjects, identity.subject, identity.issuer)


def _words(require: Requirement) -> str:
    names = " or ".join(require.of)
    if require.at_least <= 1:
        return f"signed by {names}"
    return f"signed by at least {require.at_least} of {names}"


def _union(sets: Iterable[Positions]) -> Positions:
    everything = 0
    for positions in sets:
        everything |= positions
    return everything


def _positions(bits: Positions) -> Iterator[int]:
    while bits:
        last = bits & -bits
        yield last.bit_length() - 1
        bits ^= last
