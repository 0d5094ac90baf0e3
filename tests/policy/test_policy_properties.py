"""Decisions against a plain reference that tries every assignment, and what never changes them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from attest.policy.rules import (
    CertificateSigner,
    EvidenceRules,
    KeySigner,
    Pattern,
    PolicyFile,
    Requirement,
    Revocations,
    Revoked,
    SignerRule,
    Window,
)
from attest.verified import KeyIdentity, VerifiedAttestation
from tests.policy.test_policy_match import reference
from tests.policy.verified_makers import (
    GITHUB,
    GOOGLE,
    KEYS,
    NOW,
    PACK,
    SIGNED,
    attestation,
    ci,
    decided,
    field,
    key,
    people,
    person,
    policy,
    workflow,
)

PEOPLE = [person(name, issuer) for name in ("a@x.example", "b@x.example", "A@X.example")
          for issuer in (GOOGLE, GITHUB)]  # fmt: skip
WORKFLOWS = [
    workflow(repository, ref=ref, number=number)
    for repository, number in (("acme/x", "1"), ("acme/y", "2"), ("acme/x", None))
    for ref in ("refs/heads/main", "refs/tags/v1")
]
#: Mostly what counts, so that many decisions hang on one thing.
TIMES = [*[SIGNED] * 8, SIGNED - timedelta(days=9), NOW + timedelta(hours=1)]

ATTESTATIONS = st.builds(
    attestation,
    st.sampled_from([*PEOPLE, *WORKFLOWS, *KEYS[:2]]),
    st.sampled_from(TIMES),
    predicate_type=st.sampled_from([*[PACK] * 8, "https://other.example"]),
    leaf=st.sampled_from([*[b"\1" * 32] * 8, b"\3" * 32]),
)
WINDOWS = st.sampled_from([*[Window()] * 4, Window(not_after=SIGNED), Window(not_before=SIGNED)])
EMAILS = ["a@x.example", "b@x.example", *["*@x.example"] * 3, "**"]
SIGNERS: st.SearchStrategy[SignerRule] = st.one_of(
    st.builds(
        people, st.just("?"), st.sampled_from(EMAILS),
        issuer=st.sampled_from([GOOGLE, GITHUB]), window=WINDOWS,
    ),
    st.builds(
        lambda name, ref: ci("?", field("repository", name), field("ref", ref)),
        st.sampled_from(["acme/x", "acme/*", "ACME/*", "ACME/Y"]),
        st.sampled_from(["**", "**", "refs/heads/*"]),
    ),
    st.builds(key, st.just("?"), st.sampled_from([0, 1]), window=WINDOWS),
)  # fmt: skip
REVOKED = st.builds(
    Revoked,
    value=st.sampled_from(
        ["email:a@x.example", *(f"key:{item.key_id.hex()}" for item in KEYS[:2])]
    ),
    since=st.sampled_from([None, SIGNED]),
)
LEAVES = st.builds(Revoked, value=st.just("03" * 32), since=st.sampled_from([None, SIGNED]))


@st.composite
def policies(draw: st.DrawFn) -> PolicyFile:
    """A policy whose signers and lines may have more or less to do with each other."""
    signers = [
        replace(rule, name=str(at))
        for at, rule in enumerate(draw(st.lists(SIGNERS, min_size=1, max_size=4)))
    ]
    names = st.sampled_from([rule.name for rule in signers])
    lines = st.builds(
        Requirement,
        at_least=st.sampled_from([1, 1, 2]),
        of=st.lists(names, min_size=1, max_size=4, unique=True).map(tuple),
    )
    return policy(
        signers,
        draw(st.lists(lines, min_size=1, max_size=3)),
        evidence=draw(
            st.sampled_from(
                [
                    *[EvidenceRules()] * 3,
                    EvidenceRules(predicate_types=(PACK,)),
                    EvidenceRules(max_age=timedelta(days=5)),
                ]
            )
        ),
        revoked=Revocations(
            identities=draw(st.sampled_from([(), (), draw(REVOKED.map(lambda one: (one,)))])),
            log_entries=draw(st.sampled_from([(), (), draw(LEAVES.map(lambda one: (one,)))])),
        ),
    )


MANY = st.lists(ATTESTATIONS, min_size=1, max_size=6)


def _same(patterns: tuple[Pattern, ...], value: str | None) -> bool:
    return value is not None and any(reference(item.text, value) for item in patterns)


def _names(rule: SignerRule, item: VerifiedAttestation) -> bool:
    """Whether a rule names whoever signed, by the words of the design."""
    if isinstance(rule, KeySigner):
        return isinstance(item.signer, KeyIdentity) and item.signer.key_id == rule.key.key_id.hex()
    assert isinstance(rule, CertificateSigner)
    identity = item.identity
    if identity is None or identity.issuer != rule.issuer:
        return False
    repository = identity.claims.get("source-repository-uri", "").removeprefix(
        "https://github.com/"
    )
    local, _, domain = identity.subject.rpartition("@")
    actual = {
        "email": f"{local}@{domain.lower()}" if identity.kind == "email" else None,
        "repository": repository.lower() or None,
        "ref": identity.claims.get("source-repository-ref"),
    }
    for asked in rule.fields:
        patterns = asked.any_of
        if asked.name == "repository":
            patterns = tuple(replace(item, text=item.text.lower()) for item in patterns)
        if not _same(patterns, actual[asked.name]):
            return False
    return True


def _counts(rules: PolicyFile, rule: SignerRule, item: VerifiedAttestation) -> bool:
    time = item.times[0].time
    made = time
    if isinstance(item.signer, KeyIdentity):
        made = SIGNED if time >= SIGNED else NOW - timedelta(days=9999)  # so none will do
    revoked = [
        one
        for one in rules.revoked.identities
        if one.value == item.signer.principal and (one.since is None or time >= one.since)
    ]
    revoked += [
        one
        for one in rules.revoked.log_entries
        if one.value == item.log_entries[0].leaf_hash.hex()
        and (one.since is None or time >= one.since)
    ]
    types, age = rules.evidence.predicate_types, rules.evidence.max_age
    assert item.statement is not None
    assert isinstance(rule, CertificateSigner | KeySigner)
    first, last = rule.window.not_before, rule.window.not_after
    return (
        _names(rule, item)
        and not revoked
        and time <= NOW + timedelta(minutes=5)
        and (types is None or item.statement.predicate_type in types)
        and (age is None or NOW - made <= age)
        and (last is None or time <= last)
        and (first is None or made >= first)
    )


def _one(item: VerifiedAttestation, among: list[VerifiedAttestation]) -> str:
    """Whoever is counted: the repository's id, also where only another certificate has it."""
    if item.identity is None or item.identity.kind == "email":
        return item.signer.principal
    same = {other.identity.claims.get("source-repository-identifier", "")
            for other in among if other.identity is not None
            and other.identity.claims.get("source-repository-uri")
            == item.identity.claims["source-repository-uri"]}  # fmt: skip
    return max(same)  # here every name has one id


def allowed(rules: PolicyFile, items: list[VerifiedAttestation]) -> bool:
    """Whether some way to give every attestation a line, or none, meets the policy."""
    signers = {rule.name: rule for rule in rules.signers}
    may = [
        [
            line
            for line, asked in enumerate(rules.require)
            if any(_counts(rules, signers[name], item) for name in asked.of)
        ]
        for item in items
    ]
    for chosen in product(*([None, *lines] for lines in may)):
        filled = [
            (_one(items[at], items), line) for at, line in enumerate(chosen) if line is not None
        ]
        if len({who for who, _ in filled}) == len(filled) and all(
            sum(line == at for _, line in filled) >= asked.at_least
            for at, asked in enumerate(rules.require)
        ):
            return True
    return False


def says_yes(rules: PolicyFile, items: list[VerifiedAttestation], skipped: int = 0) -> bool:
    return decided(rules, *items, skipped=skipped).result == "pass"


@settings(deadline=None, max_examples=300)
@given(policies(), MANY)
def test_a_policy_says_yes_where_some_assignment_meets_it(
    rules: PolicyFile, items: list[VerifiedAttestation]
) -> None:
    assert says_yes(rules, items) == allowed(rules, items)


@settings(deadline=None)
@given(policies(), MANY, st.integers(0, 1))
def test_with_others_forbidden_it_says_yes_where_there_are_none_too(
    rules: PolicyFile, items: list[VerifiedAttestation], skipped: int
) -> None:
    others = [
        item for item in items if not any(_counts(rules, rule, item) for rule in rules.signers)
    ]
    forbidding = replace(rules, others="forbid")
    expected = allowed(rules, items) and not others and not skipped
    assert says_yes(forbidding, items, skipped) == expected


@settings(deadline=None)
@given(policies(), st.data())
def test_the_order_of_attestations_decides_nothing(rules: PolicyFile, data: st.DataObject) -> None:
    items = data.draw(MANY)
    order = data.draw(st.permutations(range(len(items))))
    one, other = decided(rules, *items), decided(rules, *(items[at] for at in order))
    assert (one.result, one.code) == (other.result, other.code)
    for first, second in zip(one.requirements, other.requirements, strict=True):
        assert (first.status, first.code) == (second.status, second.code)
        assert [item.principal for item in first.met] == [item.principal for item in second.met]
        assert first.matched == tuple(sorted(order[at] for at in second.matched))


@settings(deadline=None)
@given(policies(), MANY, ATTESTATIONS)
def test_one_more_attestation_never_turns_yes_into_no(
    rules: PolicyFile, items: list[VerifiedAttestation], more: VerifiedAttestation
) -> None:
    assert says_yes(rules, [*items, more]) or not says_yes(rules, items)


@settings(deadline=None)
@given(policies(), MANY, REVOKED, LEAVES)
def test_one_more_revocation_never_turns_no_into_yes(
    rules: PolicyFile, items: list[VerifiedAttestation], identity: Revoked, leaf: Revoked
) -> None:
    for others in ("report", "forbid"):
        before = replace(rules, others=others)
        for revoked in (
            replace(rules.revoked, identities=(*rules.revoked.identities, identity)),
            replace(rules.revoked, log_entries=(*rules.revoked.log_entries, leaf)),
        ):
            assert says_yes(before, items) or not says_yes(replace(before, revoked=revoked), items)


@settings(deadline=None)
@given(policies(), MANY)
def test_every_slot_and_every_candidate_is_accounted_for(
    rules: PolicyFile, items: list[VerifiedAttestation]
) -> None:
    decision = decided(rules, *items)
    met = [item.principal for line in decision.requirements for item in line.met]
    assert len(met) == len(set(met))
    for line in decision.requirements:
        assert (line.status == "pass") == (len(line.met) == line.at_least)
        told = sorted([*line.matched, *(item.attestation for item in line.candidates)])
        assert line.status == "pass" or told == list(range(len(items)))
