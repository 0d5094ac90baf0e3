"""Policy files over whole verifications: several roots, keys that are excused, others forbidden."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from attest.api.verify import examine, verify
from attest.errors import TrustError
from attest.policy.load import parse_policy
from attest.policy.model import Policy
from attest.report.json import to_json
from attest.report.model import Report
from attest.trust.root import TrustRoot
from tests.engine.merged_evidence import (
    LATER,
    MERGER,
    Make,
    good,
    merge_of,
    of,
    sign_whole,
    stranger,
)
from tests.engine.virtual_evidence import ARTIFACT, V1_MESSAGE, Evidence, stamp
from tests.engine.virtual_instance import (
    ELSEWHERE,
    ROOT,
    Json,
    p256,
    root_json,
    trusting,
)

#: A root that knows nobody of `HERE`, one that knows its authority alone, and one that knows it by
#: another key: whatever is signed here is broken there.
UNKNOWN = trusting(ca=ELSEWHERE.ca)
KEY = (
    p256("leaf").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
)


def loaded(**members: object) -> Policy:
    """A policy by which Ana must have signed, with these members beside."""
    ana = {"issuer": "google", "email": "ana@acme.example"}
    document = {"version": 1, "signers": {"ana": ana}, "require": ["ana"], **members}
    rules = parse_policy(json.dumps(document).encode(), file="policy.json", folder=None)
    return Policy(rules=rules)


ANA = loaded()
BY_KEY = {"signers": {"release": {"key": KEY}}, "require": ["release"]}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "report.pdf"
    path.write_bytes(ARTIFACT)
    return path


def judged(
    file: Path, evidence: Evidence, roots: Sequence[TrustRoot], policy: Policy = ANA
) -> Report:
    Path(f"{file}.sigstore.json").write_bytes(evidence.build())
    return examine(file, policy=policy, trust=roots, now=LATER)


def outcome(report: Report) -> tuple[str, str | None]:
    return report.result, report.error.code if report.error else None


def test_what_is_unknown_under_one_root_may_be_known_under_another(file: Path) -> None:
    for roots in ([UNKNOWN, ROOT], [ROOT, UNKNOWN]):
        report = judged(file, V1_MESSAGE, roots)
        assert outcome(report) == ("pass", None)
        document = to_json(report)
        assert document["trust"] is not None
        assert len(report.more_trust) == 1


def test_nobody_who_is_unknown_under_all_roots_counts(file: Path) -> None:
    report = judged(file, V1_MESSAGE, [UNKNOWN, UNKNOWN])
    assert outcome(report) == ("fail", "untrusted_certificate")


def test_no_two_roots_vouch_for_one_attestation_together(file: Path) -> None:
    # One root knows who issued the certificate, the other the log.
    no_log = root_of(lambda root: root.update(tlogs=[]))
    no_ca = root_of(lambda root: root.update(certificateAuthorities=[]))
    for roots in ([no_log, no_ca], [no_ca, no_log]):
        result, code = outcome(judged(file, V1_MESSAGE, roots))
        assert (result, code) == ("fail", "untrusted_log")


def root_of(edit: object) -> TrustRoot:
    from attest.trust.instance import InstanceProfile

    root = root_json()
    assert callable(edit)
    edit(root)
    return TrustRoot.from_bytes(
        json.dumps(root).encode(), profile=InstanceProfile.private("virtual"), where="root"
    )


def _ended(root: Json) -> None:
    """The authority of the certificates, retired before anything was signed."""
    for authority in root["certificateAuthorities"]:
        authority["validFor"]["end"] = "2026-01-01T00:00:00Z"


def test_what_is_broken_under_a_root_that_knows_it_fails_whatever_another_says(file: Path) -> None:
    retired = root_of(_ended)
    for roots in ([retired, ROOT], [ROOT, retired]):
        result, code = outcome(judged(file, V1_MESSAGE, roots))
        assert result == "fail"
        assert code not in (None, "untrusted_certificate")


def test_a_root_that_asks_for_more_does_not_spoil_another(file: Path) -> None:
    demanding = ROOT.requiring(timestamps=2)
    assert outcome(judged(file, V1_MESSAGE, [demanding])) == ("fail", "not_enough_timestamps")
    for roots in ([demanding, ROOT], [ROOT, demanding]):
        assert outcome(judged(file, V1_MESSAGE, roots)) == ("pass", None)


def test_no_root_at_all_decides_nothing(file: Path) -> None:
    with pytest.raises(TrustError, match="trust_unavailable"):
        judged(file, V1_MESSAGE, [])


def test_the_report_names_the_policy(file: Path) -> None:
    document = to_json(judged(file, V1_MESSAGE, [ROOT]))
    policy = document["policy"]
    assert isinstance(policy, dict)
    assert (policy["file"], policy["result"]) == ("policy.json", "pass")
    assert policy["sha256"] == (ANA.rules.sha256 or b"").hex()


UNLOGGED = replace(V1_MESSAGE, by_key=True, log=None, timestamps=[stamp()])
UNTIMED = replace(V1_MESSAGE, by_key=True, log=None)


@pytest.mark.parametrize(
    ("members", "evidence", "expected"),
    [
        ({}, UNLOGGED, ("fail", "not_enough_log_entries")),
        ({"log": "optional"}, UNLOGGED, ("pass", None)),
        ({"log": "optional"}, UNTIMED, ("fail", "not_enough_times")),
        ({"timestamp": "optional"}, UNTIMED, ("fail", "not_enough_log_entries")),
        ({"log": "optional", "timestamp": "optional"}, UNTIMED, ("pass", None)),
    ],
)
def test_keys_are_excused_only_by_the_policy(
    file: Path, members: dict[str, str], evidence: Evidence, expected: tuple[str, str | None]
) -> None:
    report = judged(file, evidence, [ROOT], loaded(**BY_KEY, **members))
    assert outcome(report) == expected
    if report.result == "pass":
        assert not report.attestations[0].verified or not report.attestations[0].verified.level2


def test_certificates_are_excused_from_nothing(file: Path) -> None:
    policy = loaded(log="optional", timestamp="optional")
    report = judged(file, replace(V1_MESSAGE, log=None, timestamps=[stamp()]), [ROOT], policy)
    assert outcome(report) == ("fail", "not_enough_log_entries")


def test_most_proof_decides_under_which_root_a_key_counts(file: Path) -> None:
    no_log = root_of(lambda root: root.update(tlogs=[]))
    evidence = replace(V1_MESSAGE, by_key=True, timestamps=[stamp()])
    policy = loaded(**BY_KEY, log="optional")
    for roots in ([no_log, ROOT], [ROOT, no_log]):
        verified = judged(file, evidence, roots, policy).attestations[0].verified
        assert verified is not None
        assert verified.level2


def merged(
    folder: Path, sources: dict[str, Sequence[Make]], *, others: str = "forbid", only: str = "ana"
) -> Report:
    signers = {
        who: {"issuer": "google", "email": f"{who}@acme.example"} for who in ("merger", only)
    }
    require = ["merger"] if others == "skip" else [{"at-least": 1, "of": ["merger", only]}]
    policy = loaded(signers=signers, require=require, others=others)
    path = sign_whole(merge_of(folder, sources), MERGER)
    return examine(path, policy=policy, trust=ROOT, now=LATER)


@pytest.mark.parametrize(
    ("others", "sources", "expected"),
    [
        ("forbid", {"api": [good], "web": []}, ("pass", None)),
        ("report", {"api": [good, of("eve")], "web": []}, ("pass", None)),
        ("forbid", {"api": [good, of("eve")], "web": []}, ("fail", "other_attestations")),
        ("report", {"api": [good, stranger], "web": []}, ("pass", None)),
        ("forbid", {"api": [good, stranger], "web": []}, ("fail", "other_attestations")),
        ("forbid", {"api": [of("eve")], "web": []}, ("fail", "certificate_identity_mismatch")),
    ],
)
def test_others_are_forbidden_in_the_sources_of_a_merged_pack_too(
    tmp_path: Path,
    others: str,
    sources: dict[str, Sequence[Make]],
    expected: tuple[str, str | None],
) -> None:
    report = merged(tmp_path, sources, others=others)
    assert outcome(report) == expected
    if expected[1] == "other_attestations":
        assert report.pack is not None
        assert report.pack.sources[0].status == "fail"


def test_a_source_of_somebody_who_meets_half_a_requirement_counts(tmp_path: Path) -> None:
    """That two must sign the whole does not mean that two must sign every source."""
    people = {
        who: {"issuer": "google", "email": f"{who}@acme.example"} for who in ("merger", "ana", "bo")
    }
    policy = loaded(signers=people, require=[{"at-least": 2, "of": list(people)}])
    path = sign_whole(merge_of(tmp_path, {"api": [good], "web": []}), MERGER, of("bo"))
    assert outcome(examine(path, policy=policy, trust=ROOT, now=LATER)) == ("pass", None)


def test_the_library_takes_the_roots_that_the_policy_names(file: Path) -> None:
    folder = file.parent
    (folder / "root.json").write_text(json.dumps(root_json()))
    (folder / "policy.yaml").write_text(
        "version: 1\ntrust: [sigstore, root.json]\nrequire: [ana]\n"
        "signers: {ana: {issuer: google, email: ana@acme.example}}\n"
    )
    Path(f"{file}.sigstore.json").write_bytes(V1_MESSAGE.build())
    policy = Policy.load(folder / "policy.yaml")
    report = verify(file, policy=policy, now=LATER)
    assert [item.instance for item in report.more_trust] == ["root.json"]


def test_the_library_knows_no_private_instances(file: Path) -> None:
    Path(f"{file}.sigstore.json").write_bytes(V1_MESSAGE.build())
    with pytest.raises(TrustError) as caught:
        verify(file, policy=loaded(trust="acme"), now=LATER)
    assert caught.value.where == "policy.json: trust"


def test_a_policy_that_expires_meanwhile_decides_nothing(file: Path) -> None:
    expires = (LATER - timedelta(seconds=1)).isoformat().replace("+00:00", "Z")
    from attest.errors import PolicyFileError

    with pytest.raises(PolicyFileError, match="policy_expired"):
        judged(file, V1_MESSAGE, [ROOT], loaded(expires=expires))
