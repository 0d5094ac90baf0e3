"""One change at a time to a valid bundle: rejected with a verdict, or provably without effect."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from attest.api.verify import examine
from attest.bundle import parse_bundle
from attest.errors import AttestError
from attest.pack.writer import add_attestation
from attest.policy.model import Policy
from attest.report.json import to_json
from attest.strictjson import JSON
from tests.evidence import (
    ARTIFACT,
    ARTIFACT_DIGEST,
    PERSON,
    PERSON_ISSUER,
    sandbox_evidence,
    verify,
)
from tests.mutation.kinds import EVERY_KIND, bundle_of, root
from tests.mutation.mutants import Mutant, mutants
from tests.mutation.unbound import DROPPABLE, SPELLINGS, UNBOUND, Unbound, in_signer_name
from tests.peer import Peer

SEED = 20261121
EVERY = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Accepted:
    """What became of a kind's mutants: those that verified, and how many did not."""

    mutants: tuple[Mutant, ...]
    rejected: int


def judge(kind: str, every: int) -> Accepted:
    """Verify every mutant; anything but an `AttestError` escapes and fails the test."""
    content = sandbox_evidence().content(kind)
    accepted: list[Mutant] = []
    rejected = unjudged = 0
    bundle = bundle_of(kind)
    print(f"seed {SEED}, one byte in {every}")  # noqa: T201  # shown where a test fails
    for mutant in mutants(bundle, seed=SEED, every=every):
        try:
            verify(mutant.data, content, root())
        except AttestError as error:
            rejected += error.exit_code == 1
            unjudged += error.exit_code != 1
        except BaseException as error:
            error.add_note(f"{kind}: {mutant.place}, {mutant.change}")
            raise
        else:
            accepted.append(mutant)
    assert unjudged == 0
    return Accepted(mutants=tuple(accepted), rejected=rejected)


@cache
def judged(kind: str) -> Accepted:
    return judge(kind, EVERY)


def respelled(kind: str, mutant: Mutant) -> bool:
    """Whether the mutant is the same bundle in another spelling, once parsed."""
    return parse_bundle(mutant.data) == parse_bundle(bundle_of(kind))


def report(kind: str, data: bytes, folder: Path) -> dict[str, JSON]:
    """The JSON report on a bundle of a kind, beside its artifact or inside its pack."""
    evidence = sandbox_evidence()
    target: Path = folder / "what.txt"
    bundle: Path | None = None
    if kind.endswith("-pack"):
        target = folder / "evidence.epack"
        target.write_bytes(evidence.pack)
        digest = evidence.manifest_digest
        add_attestation(target, "a.sigstore.json", data, expect_manifest_digest=digest)
    else:
        target.write_bytes(ARTIFACT)
        bundle = folder / "bundle.json"
        bundle.write_bytes(data)
    return to_json(
        examine(target, policy=Policy.unsafe_any_identity(), trust=root(), bundle=bundle)
    )


def facts(document: dict[str, JSON]) -> dict[str, JSON]:
    """A report without what a lack of evidence may change: checks, times, the log's index."""
    copy = deepcopy(document)
    attestations = copy["attestations"]
    assert isinstance(attestations, list)
    for item in attestations:
        assert isinstance(item, dict)
        log = item["log"]
        assert isinstance(log, dict)
        del item["checks"], item["signed_at"], log["index"]
    return copy


def indexes(document: dict[str, JSON]) -> list[str]:
    return [
        json.dumps(item["log"]["index"])
        for item in _list(document["attestations"])
        if isinstance(item, dict) and isinstance(item["log"], dict)
    ]


def times(document: dict[str, JSON]) -> list[str]:
    return [
        json.dumps(time)
        for item in _list(document["attestations"])
        if isinstance(item, dict)
        for time in _list(item["signed_at"])
    ]


def _list(value: JSON) -> list[JSON]:
    assert isinstance(value, list)
    return value


def check_accepted(kind: str, accepted: Accepted, folder: Path) -> None:
    """Every accepted mutant is another spelling, unbound, or less evidence; reports agree."""
    plain = report(kind, bundle_of(kind), folder)
    assert plain["result"] == "pass"
    for mutant in accepted.mutants:
        found = report(kind, mutant.data, folder)
        where = (kind, mutant.place, mutant.change)
        if any(item.covers(kind, mutant) for item in DROPPABLE):
            assert facts(found) == facts(plain), where
            assert set(times(found)) <= set(times(plain)), where
            assert set(indexes(found)) <= {*indexes(plain), "null"}, where
            continue
        assert found == plain, where
        unbound = any(item.covers(kind, mutant) for item in UNBOUND)
        assert unbound or (respelled(kind, mutant) and mutant.change in SPELLINGS), where


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_every_change_is_rejected_or_without_effect(kind: str, tmp_path: Path) -> None:
    accepted = judged(kind)
    assert accepted.rejected > 600
    check_accepted(kind, accepted, tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("kind", EVERY_KIND)
def test_every_byte_changed_is_rejected_or_without_effect(kind: str, tmp_path: Path) -> None:
    check_accepted(kind, judge(kind, 1), tmp_path)


@pytest.mark.full
def test_every_listed_place_is_needed() -> None:
    """An entry of the lists that nothing uses any more would hide a later mistake."""
    accepted = [(kind, m) for kind in EVERY_KIND for m in judge(kind, 1).mutants]
    for item in (*UNBOUND, *DROPPABLE):
        if item.applies is not in_signer_name:  # its few bytes are hit only by chance
            assert any(item.covers(kind, mutant) for kind, mutant in accepted), item
    respellings = {mutant.change for kind, mutant in accepted if respelled(kind, mutant)}
    assert set(SPELLINGS) <= respellings


#: `sigstore` needs an inclusion proof in every bundle: docs/differences.md, `promise-alone`.
PEER_KINDS = tuple(kind for kind in EVERY_KIND if not kind.startswith("promise:"))


#: What `sigstore` rejects and `attest` does not; each has its reason in docs/differences.md,
#: under the name that stands here as `why`. Other spellings of the same bundle are such too.
DIFFERENT = (
    Unbound(place=".*", change="null", why="null-members"),
    Unbound(place=".*(Index|Time)", change="(as|incremented) number", why="integers-as-numbers"),
    Unbound(place=".*Index", change="removed", why="absent-is-zero"),
    Unbound(place=".*certificates.rawBytes", change=".*", why="superfluous-certificates"),
)


@cache
def peer() -> Peer:
    return Peer(sandbox_evidence().trusted_root, identity=PERSON, issuer=PERSON_ISSUER)


@pytest.mark.parametrize("kind", PEER_KINDS)
def test_whatever_is_accepted_the_peer_accepts(kind: str) -> None:
    """On everything that is accepted, which is more than a sample."""
    evidence = sandbox_evidence()
    digest = evidence.manifest_digest if kind.endswith("-pack") else ARTIFACT_DIGEST
    assert peer().objection(bundle_of(kind), digest) is None
    for mutant in judged(kind).mutants:
        if any(item.covers(kind, mutant) for item in DIFFERENT) or respelled(kind, mutant):
            continue
        objection = peer().objection(mutant.data, digest)
        assert objection is None, (mutant.place, mutant.change, objection)
