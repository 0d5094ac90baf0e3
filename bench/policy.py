"""Time deciding by a large policy, and the matching in the worst cases that an adversary can build.

    python bench/policy.py [--rounds N]

Prints milliseconds of processor time, the median of the rounds: loading a policy, of which PyYAML's
own time from text to nodes (`yaml.compose`) is what loading YAML costs anybody, and the rest is the
policy's; deciding with 100 rules over 50 attestations that pass and that fail; and filling 64 slots
from 64 principals. The issue allows 5 ms for the rest of loading and one decision together.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import yaml

from attest.claims import CertificateIdentity
from attest.policy.decide import decide
from attest.policy.load import parse_policy
from attest.policy.qualify import Evidence
from attest.policy.rules import PolicyFile
from attest.policy.slots import fill
from attest.statement import Statement
from attest.verified import VerifiedAttestation, VerifiedTime

RULES = 100
ATTESTATIONS = 50
SLOTS = 64
ISSUER = "https://token.actions.githubusercontent.com"
PACK = "https://evidencepack.org/attestation/v1"
NOW = datetime(2026, 11, 21, tzinfo=UTC)


def policy_text() -> bytes:
    """A policy of 100 rules, each with fields, globs and lists; half of them are required."""
    signers = "".join(
        f"""  ci-{at}:
    issuer: github-actions
    repository: [acme/service-{at}, acme/service-{at}-*]
    workflow: .github/workflows/pack.yml
    ref: [refs/heads/main, refs/tags/v{at}.*]
    environment: production
    runner: github-hosted
    repository-id: {at + 1}
    not-after: 2027-01-01T00:00:00Z
"""
        for at in range(RULES)
    )
    require = "".join(f"  - ci-{at}\n" for at in range(ATTESTATIONS))
    evidence = f"evidence: {{predicate-type: [{PACK}], max-age: 90d, stream: acme/*}}\n"
    return f"version: 1\nsigners:\n{signers}require:\n{require}{evidence}".encode()


def attestation(at: int) -> VerifiedAttestation:
    """As of the workflow that `ci-{at}` names."""
    uri = f"https://github.com/acme/service-{at}"
    signer = f"{uri}/.github/workflows/pack.yml@refs/tags/v{at}.1"
    claims = {
        "build-signer-uri": signer,
        "build-config-uri": signer,
        "source-repository-uri": uri,
        "source-repository-ref": f"refs/tags/v{at}.1",
        "source-repository-identifier": str(at + 1),
        "deployment-environment": "production",
        "runner-environment": "github-hosted",
    }
    statement = Statement(
        type="https://in-toto.io/Statement/v1", subjects=(), predicate_type=PACK, predicate={}
    )
    signed = NOW - timedelta(days=1)
    return VerifiedAttestation(
        signer=CertificateIdentity(subject=signer, kind="uri", issuer=ISSUER, claims=claims),
        certificate=None,
        statement=statement,
        times=(VerifiedTime(time=signed, source="rekor", authority="log"),),
        log_entries=(),
        instance="sigstore",
    )


def adversarial() -> list[tuple[list[int], list[int]]]:
    """Slots and who may fill them: dense, staircases, chains, too few for all, and at random."""
    everybody, ones = 2**SLOTS - 1, [1] * SLOTS
    staircase = [(1 << line + 1) - 1 for line in range(SLOTS)]
    cases = [
        (ones, [everybody] * SLOTS),
        (ones, staircase),
        (ones, staircase[::-1]),
        (ones, [0b11 << line for line in range(SLOTS - 1)] + [1]),
        (ones, [everybody >> 1] * SLOTS),
        (ones, [everybody] * 32 + [2**16 - 1] * 32),
        ([8] * 8, [everybody] * 4 + [2**8 - 1] * 4),
        ([SLOTS], [everybody]),
    ]
    random.seed(1)
    for edges in (2, 3, 4, 6):
        for _ in range(25):
            graph = [
                sum({1 << random.randrange(SLOTS) for _ in range(edges)}) for _ in range(SLOTS)
            ]
            cases.append((ones, graph))
    return cases


def milliseconds(task: Callable[[], object], rounds: int) -> float:
    """Median processor time of a task: others' load on the machine is none of its doing."""
    times = []
    for _ in range(rounds):
        begun = time.process_time()
        task()
        times.append(time.process_time() - begun)
    return statistics.median(times) * 1000


def loading(text: bytes, rounds: int) -> tuple[float, float]:
    """Milliseconds of PyYAML's own work, and what loading a policy takes beyond.

    Each round compares the two one after the other: the whole differs more from round to round, on
    a machine that others use, than the two do.
    """
    trees, beyond = [], []
    for _ in range(rounds):
        tree = milliseconds(lambda: yaml.compose(text, Loader=yaml.SafeLoader), 1)
        whole = milliseconds(lambda: parse_policy(text, file="p", folder=None), 1)
        trees.append(tree)
        beyond.append(whole - tree)
    return statistics.median(trees), statistics.median(beyond)


def decided(policy: PolicyFile, attestations: list[VerifiedAttestation]) -> str:
    """The result of one decision, with its reasons."""
    evidence = Evidence(stream="acme/prod", generated_at=NOW)
    decision = decide(policy, attestations, evidence=evidence, skipped=0, now=NOW)
    return decision.result


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="times that each is timed")
    measure(parser.parse_args().rounds)


def measure(rounds: int) -> None:
    """Time everything and print one line for each."""
    text = policy_text()
    policy = parse_policy(text, file="policy.yaml", folder=None)
    signed = [attestation(at) for at in range(ATTESTATIONS)]
    strangers = [attestation(at) for at in range(RULES, RULES + ATTESTATIONS)]
    if (decided(policy, signed), decided(policy, strangers)) != ("pass", "fail"):
        raise SystemExit("the policy does not decide as it must")
    tree, beyond = loading(text, rounds)
    passing = milliseconds(lambda: decided(policy, signed), rounds)
    failing = milliseconds(lambda: decided(policy, strangers), rounds)
    print(f"loading a policy of {RULES} rules, {len(text)} bytes:")
    print(f"  PyYAML from text to nodes: {tree:.1f} ms")
    print(f"  beyond that: {beyond:.1f} ms")
    print(f"deciding over {ATTESTATIONS} that pass: {passing:.2f} ms")
    print(f"deciding over {ATTESTATIONS} that fail, with reasons: {failing:.2f} ms")
    print(f"beyond loading YAML, one decision that passes: {beyond + passing:.1f} ms")
    worst = max(
        milliseconds(lambda case=case: fill(*case), rounds)  # type: ignore[misc]  # bound at once
        for case in adversarial()
    )
    print(f"filling {SLOTS} slots from {SLOTS} principals, worst: {worst:.2f} ms")


if __name__ == "__main__":
    main()
