"""Whole verifications: packs of good, broken and strangers' attestations, files, the policy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from attest.api.inspect import inspect
from attest.api.judge import NO_EVIDENCE
from attest.api.verify import examine, verify
from attest.errors import PolicyViolation, UsageError, VerificationFailed
from attest.pack.builder import build_pack
from attest.pack.reader import open_pack
from attest.pack.writer import add_attestation
from attest.policy.decide import decide
from attest.policy.model import Policy, Signer
from attest.policy.rules import Requirement
from attest.report.json import to_json
from attest.report.model import Report
from attest.statement import PACK_PREDICATE_TYPE, pack_statement
from tests.engine.policies import all_of
from tests.engine.virtual_evidence import (
    ARTIFACT,
    ISSUER,
    V1_DSSE,
    V1_MESSAGE,
    V2_DSSE,
    Evidence,
    stamp,
)
from tests.engine.virtual_evidence import verify as verify_evidence
from tests.engine.virtual_instance import ELSEWHERE, HERE, MINUTE, NOW, ROOT, SECOND, Json, p256

SIGNER = Signer(identity="ana@acme.example", issuer=ISSUER)
ANA = Policy.any_of(SIGNER)
ANYBODY = Policy.unsafe_any_identity()
LATER = NOW + timedelta(days=30)


@dataclass(frozen=True, kw_only=True)
class PackOf:
    """A pack and the good attestation of its manifest."""

    path: Path
    digest: bytes
    good: Evidence

    def add(self, name: str, evidence: Evidence | bytes) -> None:
        data = evidence if isinstance(evidence, bytes) else evidence.build()
        add_attestation(
            self.path, f"{name}.sigstore.json", data, expect_manifest_digest=self.digest
        )

    def examine(self, policy: Policy = ANA, now: datetime = LATER) -> Report:
        return examine(self.path, policy=policy, trust=ROOT, now=now)


@pytest.fixture
def pack(tmp_path: Path) -> PackOf:
    source = tmp_path / "evidence.txt"
    source.write_bytes(ARTIFACT)
    path = tmp_path / "pack.epack"
    build_pack(path, [source], stream="acme/prod", generated_at=NOW)
    with open_pack(path) as opened:
        digest = opened.check_integrity().manifest_digest
    return PackOf(path=path, digest=digest, good=Evidence(payload=pack_statement(digest)))


def outcome(report: Report) -> tuple[str, str | None, list[str]]:
    error = report.error.code if report.error else None
    return report.result, error, [item.status for item in report.attestations]


def test_a_good_pack(pack: PackOf) -> None:
    pack.add("aaaaaaaa", pack.good)
    report = pack.examine()
    assert outcome(report) == ("pass", None, ["pass"])
    assert report.exit_code == 0
    assert verify(pack.path, policy=ANA, trust=ROOT, now=LATER).result == "pass"


def impostor(pack: PackOf) -> Evidence:
    return replace(pack.good, signing_key=p256("impostor"))


def stranger(pack: PackOf) -> Evidence:
    return replace(pack.good, parts=ELSEWHERE, ctlog=ELSEWHERE.ctlog)


def stranger_log(pack: PackOf) -> Evidence:
    return replace(pack.good, parts=replace(HERE, rekor1=ELSEWHERE.rekor1))


def stranger_sct(pack: PackOf) -> Evidence:
    return replace(pack.good, ctlog=ELSEWHERE.ctlog)


def key_signed(pack: PackOf) -> Evidence:
    def change(bundle: Json) -> None:
        del bundle["verificationMaterial"]["certificate"]
        bundle["verificationMaterial"]["publicKey"] = {"hint": "x"}

    return replace(pack.good, bundle=change)


def other_manifest(_: PackOf) -> Evidence:
    return Evidence(payload=pack_statement(bytes(32)))


def no_statement(_: PackOf) -> Evidence:
    return V1_MESSAGE


def file_statement(_: PackOf) -> Evidence:
    return V1_DSSE


def junk(_: PackOf) -> bytes:
    return b"{}"


BROKEN: dict[str, tuple[Callable[[PackOf], Evidence | bytes], str]] = {
    "signed by another key": (impostor, "signature_invalid"),
    "of another manifest": (other_manifest, "manifest_digest_mismatch"),
    "a message signature": (no_statement, "missing_dsse_envelope"),
    "a statement about a file": (file_statement, "invalid_predicate_type"),
    "no bundle": (junk, "invalid_bundle_media_type"),
}
UNTRUSTED: dict[str, tuple[Callable[[PackOf], Evidence | bytes], str]] = {
    "another instance": (stranger, "untrusted_certificate"),
    "another log": (stranger_log, "untrusted_log"),
    "another CT log": (stranger_sct, "untrusted_sct"),
    "a key": (key_signed, "untrusted_key"),
}


@pytest.mark.parametrize("order", ["bbbbbbbb", "00000000"])
@pytest.mark.parametrize("name", BROKEN)
def test_one_broken_attestation_fails_the_pack(pack: PackOf, name: str, order: str) -> None:
    make, code = BROKEN[name]
    pack.add("aaaaaaaa", pack.good)
    pack.add(order, make(pack))
    result, error, statuses = outcome(pack.examine())
    assert (result, error, sorted(statuses)) == ("fail", code, ["fail", "pass"])
    assert pack.examine(ANYBODY).exit_code == 1


@pytest.mark.parametrize("name", UNTRUSTED)
def test_strangers_attestations_are_skipped_beside_a_good_one(pack: PackOf, name: str) -> None:
    make, code = UNTRUSTED[name]
    pack.add("aaaaaaaa", pack.good)
    pack.add("bbbbbbbb", make(pack))
    report = pack.examine()
    assert outcome(report) == ("pass", None, ["pass", "skip"])
    skipped = report.attestations[1]
    assert skipped.verified is None
    assert code in [item.code for item in skipped.checks if item.status == "skip"]
    assert report.decision is not None
    assert report.decision.requirements[0].matched == (0,)


@pytest.mark.parametrize("policy", [ANA, ANYBODY], ids=["ana", "anybody"])
@pytest.mark.parametrize("name", UNTRUSTED)
def test_strangers_alone_satisfy_nothing(pack: PackOf, name: str, policy: Policy) -> None:
    make, code = UNTRUSTED[name]
    pack.add("aaaaaaaa", make(pack))
    assert outcome(pack.examine(policy)) == ("fail", code, ["skip"])


@pytest.mark.parametrize("policy", [ANA, ANYBODY], ids=["ana", "anybody"])
def test_a_pack_stripped_of_its_attestations_fails(pack: PackOf, policy: Policy) -> None:
    report = pack.examine(policy)
    assert outcome(report) == ("fail", "no_attestations", [])
    assert report.exit_code == 1
    with pytest.raises(VerificationFailed) as caught:
        verify(pack.path, policy=policy, trust=ROOT, now=LATER)
    assert isinstance(caught.value.report, Report)


def test_a_skipped_or_failed_attestation_states_no_facts(pack: PackOf) -> None:
    for name, make in (("aaaaaaaa", impostor), ("bbbbbbbb", stranger)):
        pack.add(name, make(pack))
    attestations = to_json(pack.examine())["attestations"]
    assert isinstance(attestations, list)
    facts = ("principal", "identity", "issuer", "claims", "predicate_type", "log")
    for item in attestations:
        assert isinstance(item, dict)
        assert [item[fact] for fact in facts] == [None] * len(facts)
        assert (item["signed_at"], item["level2"]) == ([], False)


# Files


def file_with(folder: Path, data: bytes) -> Path:
    path = folder / "evidence.txt"
    path.write_bytes(ARTIFACT)
    path.with_name("evidence.txt.sigstore.json").write_bytes(data)
    return path


def judge(
    folder: Path, evidence: Evidence, policy: Policy = ANA, now: datetime = LATER
) -> tuple[str, str | None]:
    path = file_with(folder, evidence.build())
    report = examine(path, policy=policy, trust=ROOT, now=now)
    return report.result, report.error.code if report.error else None


PASSED = ("pass", None)
MISMATCH = ("fail", "certificate_identity_mismatch")


def any_of(*pairs: tuple[str, str]) -> Policy:
    return Policy.any_of(*(Signer(identity=who, issuer=issuer) for who, issuer in pairs))


POLICIES: dict[str, tuple[Policy, tuple[str, str | None]]] = {
    "her": (ANA, PASSED),
    "anybody": (ANYBODY, PASSED),
    "her or another": (any_of(("bo@acme.example", ISSUER), ("ana@acme.example", ISSUER)), PASSED),
    "another": (any_of(("bo@acme.example", ISSUER)), MISMATCH),
    "another issuer": (any_of(("ana@acme.example", "https://issuer.example")), MISMATCH),
    "her identity of one rule and issuer of another": (
        any_of(("ana@acme.example", "https://issuer.example"), ("bo@acme.example", ISSUER)),
        MISMATCH,
    ),
    "in capitals": (any_of(("ANA@acme.example", ISSUER)), MISMATCH),
    "a part of her name": (any_of(("ana@acme", ISSUER)), MISMATCH),
    "a pattern": (any_of(("*", ISSUER)), MISMATCH),
    "an issuer with a slash": (any_of(("ana@acme.example", ISSUER + "/")), MISMATCH),
}


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("evidence", [V1_DSSE, V1_MESSAGE, V2_DSSE])
def test_who_must_have_signed(tmp_path: Path, evidence: Evidence, name: str) -> None:
    policy, expected = POLICIES[name]
    assert judge(tmp_path, evidence, policy) == expected


def test_the_kind_of_a_name_is_not_confused(tmp_path: Path) -> None:
    uri = x509.UniformResourceIdentifier("https://ci.example/workflow@refs/heads/main")
    workflow = replace(V1_DSSE, san=uri)
    assert judge(tmp_path, workflow, any_of((uri.value, ISSUER))) == PASSED
    assert judge(tmp_path, workflow, any_of((uri.value.partition("@")[0], ISSUER))) == MISMATCH


PREDICATE = "https://example.com/predicate/v1"


@pytest.mark.parametrize(
    ("evidence", "wanted", "expected"),
    [
        (V1_DSSE, PREDICATE, PASSED),
        (V1_DSSE, PREDICATE + "/", ("fail", "predicate_type_mismatch")),
        (V1_DSSE, PACK_PREDICATE_TYPE, ("fail", "predicate_type_mismatch")),
        (V1_MESSAGE, PREDICATE, ("fail", "predicate_type_mismatch")),
    ],
)
def test_the_predicate_type_is_judged_when_asked(
    tmp_path: Path, evidence: Evidence, wanted: str, expected: tuple[str, str | None]
) -> None:
    policies = (
        Policy.any_of(SIGNER, predicate_type=wanted),
        Policy.unsafe_any_identity(predicate_type=wanted),
    )
    for policy in policies:
        assert judge(tmp_path, evidence, policy) == expected


LOGGED = NOW + MINUTE
FUTURE = ("fail", "time_in_future")


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (LOGGED, PASSED),
        (LOGGED - 5 * MINUTE, PASSED),
        (LOGGED - 5 * MINUTE - SECOND, FUTURE),
        (LOGGED - timedelta(days=3650), FUTURE),
        (LOGGED.replace(year=9999), PASSED),
        (datetime.max.replace(tzinfo=LOGGED.tzinfo), PASSED),
        (datetime.min.replace(tzinfo=LOGGED.tzinfo), FUTURE),
    ],
)
@pytest.mark.parametrize("policy", [ANA, ANYBODY], ids=["ana", "anybody"])
@pytest.mark.parametrize("evidence", [V1_DSSE, V2_DSSE])
def test_a_time_in_the_future_fails(
    tmp_path: Path,
    evidence: Evidence,
    policy: Policy,
    now: datetime,
    expected: tuple[str, str | None],
) -> None:
    assert judge(tmp_path, evidence, policy, now) == expected


def test_the_latest_time_must_not_lie_in_the_future_either(tmp_path: Path) -> None:
    evidence = replace(V1_DSSE, timestamps=[stamp(at=NOW + 9 * MINUTE)])
    assert judge(tmp_path, evidence, ANA, NOW + 2 * MINUTE) == FUTURE
    assert judge(tmp_path, evidence, ANA, NOW + 4 * MINUTE) == PASSED


def test_a_time_without_zone_is_refused(tmp_path: Path) -> None:
    path = file_with(tmp_path, V1_DSSE.build())
    with pytest.raises(UsageError) as caught:
        examine(path, policy=ANA, trust=ROOT, now=NOW.replace(tzinfo=None))
    assert caught.value.code == "naive_time"


def test_no_verified_attestation_meets_no_policy() -> None:
    for policy in (ANA, ANYBODY):
        decision = decide(policy.rules, [], evidence=NO_EVIDENCE, skipped=0, now=NOW)
        assert (decision.result, decision.code) == ("fail", "no_verified_attestation")


def test_every_requirement_must_be_met() -> None:
    attestation = verify_evidence(V1_DSSE.build())
    bo = Policy.any_of(Signer(identity="bo@acme.example", issuer=ISSUER))
    both = all_of(ANA, bo)
    decision = decide(both.rules, [attestation], evidence=NO_EVIDENCE, skipped=0, now=LATER)
    assert (decision.result, decision.code) == ("fail", "certificate_identity_mismatch")
    assert [item.status for item in decision.requirements] == ["pass", "fail"]


NOBODY = Requirement(at_least=1, of=())


@pytest.mark.parametrize(
    "make",
    [
        Policy.any_of,
        lambda: Policy(rules=replace(ANA.rules, require=())),
        lambda: Policy(rules=replace(ANA.rules, require=(NOBODY,))),
        lambda: Policy(rules=replace(ANA.rules, require=(*ANA.rules.require, NOBODY))),
        lambda: Signer(identity="", issuer=ISSUER),
        lambda: Signer(identity="ana@acme.example", issuer=""),
    ],
)
def test_a_policy_that_says_nothing_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(UsageError):
        make()


# Which error, and what it carries


def test_a_policy_verdict_carries_the_full_report(tmp_path: Path) -> None:
    path = file_with(tmp_path, V1_DSSE.build())
    with pytest.raises(PolicyViolation) as caught:
        verify(path, policy=any_of(("bo@acme.example", ISSUER)), trust=ROOT, now=LATER)
    report = caught.value.report
    assert isinstance(report, Report)
    assert [item.status for item in report.attestations] == ["pass"]
    assert report.exit_code == 1


def test_a_digest_target_needs_its_bundle(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        examine("sha256:" + "0" * 64, policy=ANA, trust=ROOT)
    assert caught.value.code == "bundle_needed"
    path = file_with(tmp_path, V1_DSSE.build())
    bundle = path.with_name(path.name + ".sigstore.json")
    report = examine("sha256:" + "0" * 64, policy=ANA, trust=ROOT, bundle=bundle, now=LATER)
    assert report.error is not None
    assert report.error.code == "digest_mismatch"


@pytest.mark.parametrize(
    "target", ["x" * 5000, "x" * 5000 + ".epack", "a\0b", "\ud800", "", "/", "sha256:00", "sha512:"]
)
@pytest.mark.parametrize("bundle", [None, "x" * 5000, "a\0b", "/", ""])
def test_a_name_that_names_nothing_is_an_error_of_ours(target: str, bundle: str | None) -> None:
    for policy in (ANA, None):
        with pytest.raises(UsageError):
            examine(target, policy=policy, trust=ROOT, bundle=bundle, now=LATER)
    with pytest.raises(UsageError):
        inspect(target)


def test_the_report_prints_an_index_only_where_it_is_bound(tmp_path: Path) -> None:
    def unbind(bundle: Json) -> None:
        del bundle["verificationMaterial"]["tlogEntries"][0]["inclusionPromise"]

    stamped = replace(V1_DSSE, timestamps=[stamp()])
    printed = []
    for evidence in (stamped, replace(stamped, bundle=unbind)):
        path = file_with(tmp_path, evidence.build())
        report: Json = to_json(examine(path, policy=ANA, trust=ROOT, now=LATER))
        attestation = report["attestations"][0]
        printed.append((attestation["log"]["index"] is None, len(attestation["signed_at"])))
    assert printed == [(False, 2), (True, 1)]
