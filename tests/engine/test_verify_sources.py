"""Merged packs: every attestation of a source is judged, and none stands in for another's."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from attest.api.verify import examine
from attest.errors import MalformedEvidence, PolicyViolation, Untrusted
from attest.limits import Limits
from attest.policy.model import Policy
from attest.report.model import Report
from attest.statement import pack_statement
from attest.trust.root import TrustWarning
from tests.engine.merged_evidence import (
    ALL,
    LATER,
    MERGER,
    Make,
    edited,
    good,
    impostor,
    judge,
    key_signed,
    merge_of,
    naming,
    of,
    other_manifest,
    outcome,
    sign_whole,
    signed,
    sources_of,
    stranger,
    stranger_log,
    verdict,
)
from tests.engine.policies import all_of
from tests.engine.virtual_evidence import V1_DSSE, V1_MESSAGE, entry_of
from tests.engine.virtual_instance import ELSEWHERE, MINUTE, NOW, ROOT, b64
from tests.pack.merging import digest_of, made, merged, refused, rewritten


def statuses(report: Report) -> list[list[str]]:
    return [[item.status for item in source.attestations] for source in sources_of(report)]


def test_every_source_signed_by_whom_the_policy_names(tmp_path: Path) -> None:
    report = verdict(tmp_path, {"api": [good], "web": [of("bo")]})
    assert outcome(report) == ("pass", None, ["pass", "pass"])
    assert report.warnings == ()
    api, web = sources_of(report)
    assert (api.stream, api.artifacts) == ("acme/api", 1)
    assert api.manifest_digest == digest_of(tmp_path / "api.epack").hex()
    assert api.matched == ("provenance.source_packs[0].embedded_attestations[0]",)
    assert web.attestations[0].verified is not None
    assert web.attestations[0].verified.signer.principal == "email:bo@acme.example"


def test_the_source_of_a_pack_is_signed_as_merge_carries_it(tmp_path: Path) -> None:
    api = sign_whole(made(tmp_path / "api.epack", "acme/api", {"a": b"1"}), good, of("bo"))
    web = made(tmp_path / "web.epack", "acme/web", {"b": b"2"})
    merged(tmp_path / "all.epack", api, web)
    report = judge(sign_whole(tmp_path / "all.epack", MERGER), ALL)
    assert outcome(report) == ("pass", None, ["pass", "unsigned"])
    assert statuses(report) == [["pass", "pass"], []]


# Broken: every one fails the pack, whoever else has signed

BROKEN: dict[str, tuple[Make, str]] = {
    "signed by another key": (impostor, "signature_invalid"),
    "of another manifest": (other_manifest, "manifest_digest_mismatch"),
    "about a file": (lambda _: V1_DSSE.build(), "invalid_predicate_type"),
    "a changed payload": (
        edited(lambda it: it["dsseEnvelope"].update(payload=b64(b"{}"))),
        "signature_invalid",
    ),
    "another version": (
        edited(
            lambda it: it.update(mediaType="application/vnd.dev.sigstore.bundle+json;version=0.2")
        ),
        "invalid_bundle_media_type",
    ),
    "an unknown member": (edited(lambda it: it.update(verified=True)), "malformed_bundle"),
    "no certificate": (
        edited(lambda it: it["verificationMaterial"].pop("certificate")),
        "missing_verification_material",
    ),
    "no log entry": (
        edited(lambda it: it["verificationMaterial"].update(tlogEntries=[])),
        "missing_tlog_entry",
    ),
    "no inclusion proof": (
        edited(lambda it: entry_of(it).pop("inclusionProof")),
        "missing_inclusion_proof",
    ),
    "another root hash": (
        edited(lambda it: entry_of(it)["inclusionProof"].update(rootHash=b64(bytes(32)))),
        "invalid_inclusion_proof",
    ),
    "another log body": (
        edited(lambda it: entry_of(it).update(canonicalizedBody=b64(b"{}"))),
        "invalid_tlog_entry",
    ),
    "no envelope in it": (edited(lambda it: it["dsseEnvelope"].clear()), "malformed_bundle"),
    "base64 of URLs": (
        edited(lambda it: it["dsseEnvelope"].update(payload="-_-_")),
        "malformed_bundle",
    ),
    "signed when the certificate was over": (
        lambda digest: signed(digest, logged_at=NOW + timedelta(hours=1)),
        "certificate_not_valid_at_time",
    ),
    "another predicate": (
        lambda digest: signed(
            digest,
            payload=pack_statement(digest).replace(b'"predicate":{}', b'"predicate":{"a":1}'),
        ),
        "invalid_predicate",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_attestation_of_a_source_fails_the_pack(tmp_path: Path, name: str) -> None:
    make, code = BROKEN[name]
    report = verdict(tmp_path, {"api": [good], "web": [good, make]})
    assert outcome(report) == ("fail", code, ["pass", "fail"])
    assert statuses(report) == [["pass"], ["pass", "fail"]]
    assert report.error is not None
    assert (report.error.where or "").startswith(
        "provenance.source_packs[1].embedded_attestations[1]"
    )
    assert report.exit_code == 1
    anybody = judge(tmp_path / "all.epack", Policy.unsafe_any_identity())
    assert outcome(anybody)[:2] == ("fail", code)


def test_the_first_broken_one_names_the_code_and_all_are_reported(tmp_path: Path) -> None:
    report = verdict(
        tmp_path, {"api": [stranger], "new": [other_manifest], "web": [impostor, good]}
    )
    assert outcome(report) == ("fail", "manifest_digest_mismatch", ["fail", "fail", "fail"])
    assert statuses(report) == [["skip"], ["fail"], ["fail", "pass"]]


def test_what_was_signed_for_one_source_serves_no_other(tmp_path: Path) -> None:
    merge_of(tmp_path, {"api": [], "web": []})
    borrowed = signed(digest_of(tmp_path / "api.epack"))
    report = verdict(tmp_path, {"api": [good], "web": [lambda _: borrowed]})
    assert outcome(report) == ("fail", "manifest_digest_mismatch", ["pass", "fail"])


# Untrusted: counts for nothing

UNTRUSTED: dict[str, tuple[Make, str]] = {
    "another instance": (stranger, "untrusted_certificate"),
    "another log": (stranger_log, "untrusted_log"),
    "another CT log": (lambda digest: signed(digest, ctlog=ELSEWHERE.ctlog), "untrusted_sct"),
    "a key": (key_signed, "untrusted_key"),
}


@pytest.mark.parametrize("name", UNTRUSTED)
def test_a_strangers_attestation_beside_a_good_one_is_skipped(tmp_path: Path, name: str) -> None:
    make, code = UNTRUSTED[name]
    report = verdict(tmp_path, {"api": [good], "web": [make, good]})
    assert outcome(report) == ("pass", None, ["pass", "pass"])
    assert statuses(report) == [["pass"], ["skip", "pass"]]
    skipped = sources_of(report)[1].attestations[0]
    assert code in [check.code for check in skipped.checks]
    assert skipped.verified is None
    assert sources_of(report)[1].matched == ("provenance.source_packs[1].embedded_attestations[1]",)


@pytest.mark.parametrize("policy", [ALL, Policy.unsafe_any_identity()], ids=["named", "anybody"])
@pytest.mark.parametrize("name", UNTRUSTED)
def test_a_source_that_only_strangers_signed_fails(
    tmp_path: Path, name: str, policy: Policy
) -> None:
    make, code = UNTRUSTED[name]
    report = verdict(tmp_path, {"api": [good], "web": [make]}, policy=policy)
    assert outcome(report) == ("fail", code, ["pass", "fail"])
    assert isinstance(report.error, Untrusted)


# Nobody's signature stands in for another's


@pytest.mark.parametrize("whole", [[], [stranger]], ids=["unsigned", "by a stranger"])
def test_signed_sources_do_not_make_a_signed_pack(tmp_path: Path, whole: list[Make]) -> None:
    report = verdict(tmp_path, {"api": [good], "web": [good]}, whole=whole)
    code = "no_attestations" if not whole else "untrusted_certificate"
    # What a manifest says that nobody signed is not even looked at.
    assert outcome(report) == ("fail", code, [])
    assert report.warnings == ()


def test_the_signer_of_the_sources_is_not_the_signer_of_the_pack(tmp_path: Path) -> None:
    report = verdict(
        tmp_path, {"api": [good], "web": [good]}, whole=[of("eve")], policy=naming("ana")
    )
    assert outcome(report) == ("fail", "certificate_identity_mismatch", [])


def test_the_merger_does_not_speak_for_a_source_that_others_signed(tmp_path: Path) -> None:
    report = verdict(tmp_path, {"api": [MERGER], "web": [good]}, policy=naming("merger"))
    assert outcome(report) == ("fail", "certificate_identity_mismatch", ["pass", "fail"])
    assert isinstance(report.error, PolicyViolation)
    assert (report.error.where, report.error.rule) == ("provenance.source_packs[1]", "R-088b")
    # The pack itself is what the policy requires: only the source is not.
    assert report.decision is not None
    assert report.decision.result == "pass"
    # Its signature is sound, and who made it is told.
    assert statuses(report) == [["pass"], ["pass"]]
    assert sources_of(report)[1].matched == ()


def test_a_source_with_one_named_signer_may_have_others(tmp_path: Path) -> None:
    report = verdict(
        tmp_path, {"api": [of("eve"), good], "web": [good]}, policy=naming("merger", "ana")
    )
    assert outcome(report) == ("pass", None, ["pass", "pass"])
    assert sources_of(report)[0].matched == ("provenance.source_packs[0].embedded_attestations[1]",)


def test_a_source_need_not_meet_every_requirement_only_one(tmp_path: Path) -> None:
    both = all_of(naming("merger"), naming("auditor"))
    sources: dict[str, list[Make]] = {"api": [of("auditor")], "web": []}
    report = verdict(tmp_path, sources, whole=[MERGER, of("auditor")], policy=both)
    assert outcome(report) == ("pass", None, ["pass", "unsigned"])
    other = verdict(
        tmp_path, {"api": [good], "web": []}, whole=[MERGER, of("auditor")], policy=both
    )
    assert outcome(other)[:2] == ("fail", "certificate_identity_mismatch")


def test_an_unsigned_source_is_reported_with_a_warning(tmp_path: Path) -> None:
    report = verdict(tmp_path, {"api": [], "new": [], "web": [good]})
    assert outcome(report) == ("pass", None, ["unsigned", "unsigned", "pass"])
    (warning,) = report.warnings
    assert warning.code == "unsigned_source"
    assert warning.message.startswith("2 of 3 sources ")


def test_other_warnings_are_kept(tmp_path: Path) -> None:
    old = replace(ROOT, warnings=(TrustWarning(code="stale_trust", message="old"),))
    path = sign_whole(merge_of(tmp_path, {"api": [], "web": [good]}), MERGER)
    report = examine(path, policy=ALL, trust=old, now=LATER)
    assert [item.code for item in report.warnings] == ["stale_trust", "unsigned_source"]


def test_a_time_in_the_future_does_not_count_for_a_source(tmp_path: Path) -> None:
    late = NOW + timedelta(days=60)

    def future(digest: bytes) -> bytes:
        return signed(
            digest,
            not_before=late,
            not_after=late + 10 * MINUTE,
            logged_at=late + MINUTE,
        )

    report = verdict(tmp_path, {"api": [future], "web": [good]})
    assert outcome(report) == ("fail", "time_in_future", ["fail", "pass"])


def test_a_broken_attestation_of_the_whole_decides_before_the_sources(tmp_path: Path) -> None:
    report = verdict(tmp_path, {"api": [other_manifest], "web": []}, whole=[MERGER, impostor])
    assert outcome(report) == ("fail", "signature_invalid", [])


def test_the_attestation_of_a_source_does_not_belong_beside_the_wholes(tmp_path: Path) -> None:
    merge_of(tmp_path, {"api": [], "web": []})
    source = signed(digest_of(tmp_path / "api.epack"))
    report = verdict(tmp_path, {"api": [], "web": []}, whole=[MERGER, lambda _: source])
    assert outcome(report) == ("fail", "manifest_digest_mismatch", [])


def test_the_wholes_attestation_does_not_belong_inside_a_source(tmp_path: Path) -> None:
    # It cannot be: carrying it would change the manifest that it signs.
    path = merge_of(tmp_path, {"api": [], "web": []})
    whole = signed(digest_of(path), "merger")
    report = verdict(tmp_path, {"api": [lambda _: whole], "web": []})
    assert outcome(report) == ("fail", "manifest_digest_mismatch", ["fail", "unsigned"])


# Nested


def test_merging_in_steps_carries_the_sources_through(tmp_path: Path) -> None:
    api = sign_whole(made(tmp_path / "api.epack", "acme/api", {"a": b"1"}), good)
    web = sign_whole(made(tmp_path / "web.epack", "acme/web", {"b": b"2"}), of("bo"))
    new = made(tmp_path / "new.epack", "acme/new", {"c": b"3"})
    merged(tmp_path / "part.epack", api, web, stream="acme/part")
    sign_whole(tmp_path / "part.epack", of("eve"))
    merged(tmp_path / "all.epack", tmp_path / "part.epack", new)
    report = judge(sign_whole(tmp_path / "all.epack", MERGER), ALL)
    assert outcome(report) == ("pass", None, ["pass", "unsigned", "pass"])
    refused = judge(tmp_path / "all.epack", naming("merger", "ana"))
    assert outcome(refused) == (
        "fail", "certificate_identity_mismatch", ["pass", "unsigned", "fail"],
    )  # fmt: skip


@pytest.mark.parametrize("right", [True, False])
def test_a_source_that_is_merged_itself_is_held_to_its_own_manifest(
    tmp_path: Path, *, right: bool
) -> None:
    """Another merger may name a merged pack as one source; it is judged as any other."""
    part = digest_of(merge_of(tmp_path / "part", {"x": [good], "y": []}))
    path = merge_of(tmp_path, {"api": [], "web": []})

    def nest(manifest: dict[str, Any], _: dict[str, bytes]) -> None:
        source = manifest["provenance"]["source_packs"][0]
        source["manifest_digest"] = part.hex()
        source["embedded_attestations"] = [json.loads(good(part if right else bytes(32)))]

    report = judge(sign_whole(rewritten(path, nest), MERGER), ALL)
    expected = ("pass", None) if right else ("fail", "manifest_digest_mismatch")
    assert outcome(report)[:2] == expected


def test_a_message_signature_cannot_be_carried_at_all(tmp_path: Path) -> None:
    with pytest.raises(MalformedEvidence) as caught:
        verdict(tmp_path, {"api": [lambda _: V1_MESSAGE.build()], "web": []})
    assert caught.value.code == "missing_dsse_envelope"


# Bounded work

EIGHT = Limits(max_attestations=8)


@pytest.mark.parametrize(("api", "web", "code"), [(4, 4, None), (5, 4, "too_many_attestations")])
def test_all_sources_together_carry_so_many_attestations(
    tmp_path: Path, api: int, web: int, code: str | None
) -> None:
    path = sign_whole(merge_of(tmp_path, {"api": [good] * api, "web": [good] * web}), MERGER)
    report = judge(path, ALL, limits=EIGHT)
    assert outcome(report)[:2] == ("fail" if code else "pass", code)


def test_a_merge_refuses_more_attestations_than_a_manifest_may_embed(tmp_path: Path) -> None:
    for name, count in (("api", 5), ("web", 4)):
        pack = made(tmp_path / f"{name}.epack", f"acme/{name}", {"a": b"1"})
        sign_whole(pack, *[good] * count)
    packs = (tmp_path / "api.epack", tmp_path / "web.epack")
    refused(tmp_path, "too_many_attestations", *packs, limits=EIGHT)


def test_ten_thousand_attestations_of_sources_are_refused_unread(tmp_path: Path) -> None:
    path = merge_of(tmp_path, {"api": [good], "web": []})

    def multiply(manifest: dict[str, Any], _: dict[str, bytes]) -> None:
        (source, _other) = manifest["provenance"]["source_packs"]
        media_type = source["embedded_attestations"][0]["mediaType"]
        bundle = {"mediaType": media_type, "verificationMaterial": {}, "dsseEnvelope": {}}
        source["embedded_attestations"] = [bundle] * 10_000

    began = time.process_time()
    report = judge(rewritten(path, multiply), ALL)
    assert time.process_time() - began < 5
    assert outcome(report) == ("fail", "too_many_attestations", [])


def test_an_unsigned_manifest_costs_no_verification(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = merge_of(tmp_path, {"api": [good] * 50, "web": []})

    def never(*_: object) -> None:
        raise AssertionError("verified what nobody trusted signed")

    monkeypatch.setattr("attest.engine.verify.verify_signature", never)
    assert outcome(judge(path, ALL)) == ("fail", "no_attestations", [])
