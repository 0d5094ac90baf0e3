"""A second opinion on demand: agreement, disagreement on what really differs, and no answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from attest.api.verify import examine
from attest.keys import PublicKey
from attest.pack.writer import add_attestation
from attest.policy.model import Policy, Signer
from attest.report.model import Report
from attest.trust.instance import InstanceProfile
from attest.trust.root import TrustRoot
from tests.differential.differences import DIFFERENCES
from tests.engine import virtual_evidence as virtual
from tests.engine.virtual_instance import ROOT, parse_root, root_json
from tests.evidence import ARTIFACT, KINDS, PERSON, PERSON_ISSUER, root_of, sandbox_evidence
from tests.real_bundles import CASES, RealCase, needs_real_bundles

ANA = Policy.any_of(Signer(identity=PERSON, issuer=PERSON_ISSUER))
ANYBODY = Policy.unsafe_any_identity()
USERNAME = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.7")
#: Differences in kinds of bundles that `sigstore` has no verifier for, so that it is not asked.
UNSUPPORTED = ("promise-alone", "several-log-entries")


def of_artifact(folder: Path, bundle: bytes, root: TrustRoot, policy: Policy = ANA) -> Report:
    target = folder / "what.txt"
    target.write_bytes(ARTIFACT)
    (folder / "what.txt.sigstore.json").write_bytes(bundle)
    return examine(target, policy=policy, trust=root, cross_check=True)


def of_pack(folder: Path, *bundles: bytes) -> Report:
    evidence = sandbox_evidence()
    pack = folder / "a.epack"
    pack.write_bytes(evidence.pack)
    for at, bundle in enumerate(bundles):
        add_attestation(
            pack, f"{at}.sigstore.json", bundle, expect_manifest_digest=evidence.manifest_digest
        )
    return examine(pack, policy=ANA, trust=evidence.root(), cross_check=True)


def code(report: Report) -> str | None:
    return report.error.code if report.error else None


def last_check(report: Report) -> tuple[str, str]:
    return report.checks[-1].check, report.checks[-1].status


@pytest.mark.parametrize("kind", KINDS)
def test_it_agrees_on_every_kind_that_is_signed_here(kind: str, tmp_path: Path) -> None:
    evidence = sandbox_evidence()
    bundle = evidence.bundles[kind]
    if kind.endswith("-pack"):
        report = of_pack(tmp_path, bundle)
    else:
        report = of_artifact(tmp_path, bundle, evidence.root())
    assert (report.result, code(report)) == ("pass", None)
    assert last_check(report) == ("10 cross-check", "pass")


@needs_real_bundles
@pytest.mark.parametrize("name", [name for name, code in CASES.items() if code is None])
def test_it_agrees_on_real_bundles(name: str, tmp_path: Path) -> None:
    case = RealCase.read(name)
    target = tmp_path / "artifact"
    target.write_bytes(case.artifact.read_bytes())
    report = examine(
        target, policy=ANYBODY, trust=case.root(), bundle=case.bundle, cross_check=True
    )
    assert (report.result, code(report)) == ("pass", None)


@pytest.mark.parametrize("name", DIFFERENCES)
def test_it_has_no_verdict_where_the_two_differ(name: str, tmp_path: Path) -> None:
    case = DIFFERENCES[name]()
    report = of_artifact(tmp_path, case.bundle, root_of(case.trusted_root))
    if case.code is not None:  # what ours rejects stays rejected, whatever the other says
        assert (report.exit_code, code(report)) == (1, case.code)
        assert "10 cross-check" not in {item.check for item in report.checks}
        return
    expected = "unsupported" if name in UNSUPPORTED else "disagrees"
    assert (report.exit_code, code(report)) == (2, f"cross_check_{expected}")
    assert last_check(report) == ("10 cross-check", "fail")


def test_every_attestation_of_a_pack_is_asked_about(tmp_path: Path) -> None:
    bundles = sandbox_evidence().bundles
    good, other = bundles["v1-pack"], bundles["v2-tsa-pack"]
    report = of_pack(tmp_path, good, other)
    assert report.checks[-1].detail == "sigstore accepts 2 attestations too"
    document = json.loads(other)
    entry = document["verificationMaterial"]["tlogEntries"][0]
    entry["logIndex"] = int(entry["logIndex"])  # the same to us, unreadable to it
    (tmp_path / "second").mkdir()
    report = of_pack(tmp_path / "second", good, json.dumps(document).encode())
    assert code(report) == "cross_check_disagrees"
    assert report.error is not None
    assert report.error.where == "attestations/1.sigstore.json"
    assert "attest accepts it, sigstore does not: " in report.error.message


def test_what_the_policy_rejects_stays_rejected(tmp_path: Path) -> None:
    evidence = sandbox_evidence()
    nobody = Policy.any_of(Signer(identity="bob@acme.example", issuer=PERSON_ISSUER))
    report = of_artifact(tmp_path, evidence.bundles["v1-message"], evidence.root(), nobody)
    assert (report.exit_code, code(report)) == (1, "certificate_identity_mismatch")


def test_a_file_of_several_bundles_is_asked_about_bundle_by_bundle(tmp_path: Path) -> None:
    evidence = sandbox_evidence()
    lines = [evidence.bundles["v1-message"], evidence.bundles["v2-tsa-statement"]]
    report = of_artifact(tmp_path, b"\n".join(lines), evidence.root())
    assert report.checks[-1].detail == "sigstore accepts 2 attestations too"
    listed = {"attestations": [{"bundle": json.loads(line)} for line in lines]}
    report = of_artifact(tmp_path, json.dumps(listed).encode(), evidence.root())
    assert report.checks[-1].detail == "sigstore accepts 2 attestations too"


def test_the_root_of_a_client_trust_config_is_the_one_inside(tmp_path: Path) -> None:
    evidence = sandbox_evidence()
    config = {
        "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
        "trustedRoot": json.loads(evidence.trusted_root),
        "signingConfig": {},
    }
    root = root_of(json.dumps(config).encode())
    assert code(of_artifact(tmp_path, evidence.bundles["v2-tsa-message"], root)) is None


class Unreadable(NamedTuple):
    bundle: bytes
    root: TrustRoot = ROOT
    policy: Policy = ANYBODY


def by_key() -> Unreadable:
    evidence = virtual.Evidence(by_key=True)
    key = PublicKey(evidence.key.public_key())
    return Unreadable(evidence.build(), policy=Policy.any_of(Signer(key=key)))


def without_log() -> Unreadable:
    loose = InstanceProfile(name="loose", min_log_entries=0)
    bundle = replace(virtual.V1_DSSE, log=None, timestamps=[virtual.stamp()]).build()
    return Unreadable(bundle, replace(ROOT, profile=loose))


def without_ct_log() -> Unreadable:
    loose = InstanceProfile(name="loose", min_scts=0)
    root = parse_root(root_json(lambda root: root.pop("ctlogs")))
    bundle = replace(virtual.V1_DSSE, ctlog=None).build()
    return Unreadable(bundle, replace(root, profile=loose))


UNREADABLE: dict[str, Callable[[], Unreadable]] = {
    "a key": by_key,
    "an intoto entry": lambda: Unreadable(virtual.INTOTO.build()),
    "another curve": lambda: Unreadable(
        virtual.Evidence(key=ec.generate_private_key(ec.SECP384R1())).build()
    ),
    "a user name": lambda: Unreadable(
        virtual.Evidence(san=x509.OtherName(USERNAME, b"\x0c\x07ana!org")).build()
    ),
    "no log entry": without_log,
    "no CT log": without_ct_log,
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_it_cannot_read_is_no_agreement(name: str, tmp_path: Path) -> None:
    bundle, root, policy = UNREADABLE[name]()
    target = tmp_path / "evidence"
    target.write_bytes(virtual.ARTIFACT)
    (tmp_path / "evidence.sigstore.json").write_bytes(bundle)
    assert examine(target, policy=policy, trust=root).result == "pass"
    report = examine(target, policy=policy, trust=root, cross_check=True)
    assert (report.exit_code, code(report)) == (2, "cross_check_unsupported")
