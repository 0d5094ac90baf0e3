"""Verified values as the engine would make them, and policies as a file would say them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from attest.claims import CertificateFacts, CertificateIdentity, SubjectKind
from attest.keys import PublicKey
from attest.policy.decide import decide
from attest.policy.decision import Decision
from attest.policy.qualify import Evidence
from attest.policy.rules import (
    CertificateSigner,
    FieldRule,
    KeySigner,
    Pattern,
    PolicyFile,
    Requirement,
    Revocations,
    Revoked,
    SignerRule,
    Window,
)
from attest.statement import Statement
from attest.verified import KeyIdentity, VerifiedAttestation, VerifiedLogEntry, VerifiedTime
from tests.policy.policy_texts import PRIVATE_KEYS

ACTIONS = "https://token.actions.githubusercontent.com"
GITLAB = "https://gitlab.com"
GOOGLE = "https://accounts.google.com"
GITHUB = "https://github.com/login/oauth"
PACK = "https://evidencepack.org/attestation/v1"

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SIGNED = NOW - timedelta(days=1)
ALWAYS = Window()
KEYS = [PublicKey(key.public_key()) for key in PRIVATE_KEYS]


def pattern(text: str) -> Pattern:
    return Pattern(kind="glob" if "*" in text else "exact", text=text)


def field(name: str, *values: str | Pattern) -> FieldRule:
    patterns = tuple(item if isinstance(item, Pattern) else pattern(item) for item in values)
    return FieldRule(name=name, any_of=patterns)  # type: ignore[arg-type]  # a test's own words


def claim(name: str, *values: str) -> FieldRule:
    return FieldRule(name="claims", claim=name, any_of=tuple(map(pattern, values)))


def person(email: str, issuer: str = GOOGLE) -> CertificateIdentity:
    return CertificateIdentity(subject=email, kind="email", issuer=issuer, claims={})


def named(subject: str, kind: SubjectKind = "uri", issuer: str = ACTIONS) -> CertificateIdentity:
    return CertificateIdentity(subject=subject, kind=kind, issuer=issuer, claims={})


def workflow(
    repository: str = "acme/evidence",
    *,
    path: str = ".github/workflows/pack.yml",
    ref: str = "refs/heads/main",
    number: str | None = "123456789",
    signer: str | None = None,
    issuer: str = ACTIONS,
    **claims: str | None,
) -> CertificateIdentity:
    """As GitHub's workflows are certified; `signer` is the URI of a reusable one."""
    uri = f"https://github.com/{repository}"
    config = f"{uri}/{path}@{ref}"
    said: dict[str, str | None] = {
        "issuer": issuer,
        "build-signer-uri": signer or config,
        "build-config-uri": config,
        "source-repository-uri": uri,
        "source-repository-ref": ref,
        "source-repository-identifier": number,
        "source-repository-owner-identifier": "77",
        "source-repository-digest": "c" * 40,
        "source-repository-visibility": "public",
        "runner-environment": "github-hosted",
        "build-trigger": "push",
        "deployment-environment": "production",
        **{name.replace("_", "-"): value for name, value in claims.items()},
    }
    return CertificateIdentity(
        subject=signer or config,
        kind="uri",
        issuer=issuer,
        claims={name: value for name, value in said.items() if value is not None},
    )


def attestation(
    signer: CertificateIdentity | PublicKey,
    *times: datetime,
    timed: bool = True,
    logged: bool = True,
    leaf: bytes = b"\1" * 32,
    predicate_type: str | None = PACK,
    certificate: bytes | None = None,
) -> VerifiedAttestation:
    """What the engine makes of a signature; by default signed a day ago, and logged."""
    moments = (times or (SIGNED,)) if timed else ()
    entry = VerifiedLogEntry(
        log_id=b"\2" * 32, origin="log", index=1, proof="inclusion", leaf_hash=leaf
    )
    return VerifiedAttestation(
        signer=KeyIdentity(key_id=signer.key_id.hex()) if isinstance(signer, PublicKey) else signer,
        certificate=None if certificate is None else CertificateFacts(der=certificate),
        statement=None if predicate_type is None else statement(predicate_type),
        times=tuple(VerifiedTime(time=item, source="tsa", authority="tsa") for item in moments),
        log_entries=(entry,) if logged else (),
        instance="sigstore",
    )


def statement(predicate_type: str) -> Statement:
    return Statement(
        type="https://in-toto.io/Statement/v1",
        subjects=(),
        predicate_type=predicate_type,
        predicate={},
    )


def people(
    name: str, *emails: str, issuer: str = GOOGLE, window: Window = ALWAYS
) -> CertificateSigner:
    return CertificateSigner(
        name=name, issuer=issuer, fields=(field("email", *emails),), window=window
    )


def ci(name: str = "ci", *fields: FieldRule, issuer: str = ACTIONS) -> CertificateSigner:
    asked = fields or (
        field("repository", "acme/evidence"),
        field("workflow", ".github/workflows/pack.yml"),
    )
    return CertificateSigner(name=name, issuer=issuer, fields=asked)


def key(name: str, number: int = 0, *, window: Window = ALWAYS) -> KeySigner:
    return KeySigner(name=name, key=KEYS[number], window=window)


def line(*names: str, at_least: int = 1) -> Requirement:
    return Requirement(at_least=at_least, of=names)


def policy(
    signers: Sequence[SignerRule],
    require: Sequence[Requirement],
    **members: Any,  # noqa: ANN401  # of PolicyFile
) -> PolicyFile:
    return PolicyFile(
        file="policy.yaml",
        sha256=bytes(32),
        signers=tuple(signers),
        require=tuple(require),
        **members,
    )


def revoking(since: datetime | None = None, **lists: str) -> Revocations:
    return Revocations(
        **{name: (Revoked(value=value, since=since),) for name, value in lists.items()}
    )


def decided(
    rules: PolicyFile,
    *attestations: VerifiedAttestation,
    stream: str | None = "acme/prod",
    generated_at: datetime | None = SIGNED,
    skipped: int = 0,
    now: datetime = NOW,
) -> Decision:
    evidence = Evidence(stream=stream, generated_at=generated_at)
    return decide(rules, attestations, evidence=evidence, skipped=skipped, now=now)


ANA, BO, CY = "ana@audit.example", "bo@audit.example", "cy@vendor.example"
SECOND = timedelta(seconds=1)
EVERYBODY = people("auditor", "**@audit.example")
BOTH = policy([EVERYBODY], [line("auditor", at_least=2)])


def by(*emails: str) -> list[VerifiedAttestation]:
    return [attestation(person(email)) for email in emails]


def code_of(rules: PolicyFile, *attestations: VerifiedAttestation, **facts: object) -> str | None:
    decision = decided(rules, *attestations, **facts)  # type: ignore[arg-type]  # as decided()
    assert (decision.result == "pass") == (decision.code is None)
    return decision.code
