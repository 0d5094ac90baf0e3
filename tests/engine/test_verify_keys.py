"""Whole verifications by key: packs and files, policies of keys, and since when a key counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from attest.api.verify import examine
from attest.errors import UsageError
from attest.keys import PublicKey
from attest.policy.model import Policy, Signer
from attest.report.json import render as render_json
from attest.report.json import to_json
from attest.report.model import Report
from attest.report.text import render
from attest.statement import pack_statement
from tests.engine.policies import all_of
from tests.engine.test_verify_targets import ANA, ANYBODY, LATER, PackOf, file_with, outcome
from tests.engine.test_verify_targets import pack as pack  # noqa: PLC0414  # a fixture
from tests.engine.virtual_evidence import (
    INTOTO,
    ISSUER,
    V1_DSSE,
    V1_MESSAGE,
    V2_MESSAGE,
    Evidence,
)
from tests.engine.virtual_instance import MINUTE, NOW, ROOT, SECOND, p256

KEY = PublicKey(p256("leaf").public_key())
OTHER = PublicKey(p256("another signer").public_key())
LOGGED = NOW + MINUTE  # and packs are generated at NOW
BY_KEY = Policy.any_of(Signer(key=KEY))
BY_OTHER = Policy.any_of(Signer(key=OTHER))
EITHER = Policy.any_of(Signer(key=OTHER), Signer(identity="ana@acme.example", issuer=ISSUER))


def by_key(pack: PackOf) -> Evidence:
    return replace(pack.good, by_key=True)


# Packs


@pytest.mark.parametrize("policy", [BY_KEY, Policy.any_of(Signer(key=OTHER), Signer(key=KEY))])
def test_a_pack_signed_by_a_given_key(pack: PackOf, policy: Policy) -> None:
    pack.add("aaaaaaaa", by_key(pack))
    report = pack.examine(policy)
    assert outcome(report) == ("pass", None, ["pass"])
    assert f"signed by key: {KEY.key_id.hex()}" in render(report)


@pytest.mark.parametrize("policy", [BY_OTHER, ANA, ANYBODY], ids=["other key", "ana", "anybody"])
def test_a_key_that_was_not_given_satisfies_nothing(pack: PackOf, policy: Policy) -> None:
    pack.add("aaaaaaaa", by_key(pack))
    assert outcome(pack.examine(policy)) == ("fail", "untrusted_key", ["skip"])


def test_a_strangers_key_beside_a_good_attestation_is_skipped(pack: PackOf) -> None:
    pack.add("aaaaaaaa", pack.good)
    pack.add("bbbbbbbb", replace(by_key(pack), key=p256("stranger")))
    assert outcome(pack.examine(EITHER)) == ("pass", None, ["pass", "skip"])


BROKEN: dict[str, tuple[Callable[[PackOf], Evidence], str]] = {
    "forged in its name": (
        lambda it: replace(by_key(it), signing_key=p256("forger")),
        "signature_invalid",
    ),
    "of another manifest": (
        lambda it: replace(by_key(it), payload=pack_statement(bytes(32))),
        "manifest_digest_mismatch",
    ),
    "logged as a certificate's": (
        lambda it: replace(by_key(it), logs_key=False),
        "invalid_tlog_entry",
    ),
    "over the manifest itself": (
        lambda _: replace(V1_MESSAGE, by_key=True),
        "missing_dsse_envelope",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_a_given_key_did_not_sign_well_fails_the_pack(pack: PackOf, name: str) -> None:
    make, code = BROKEN[name]
    pack.add("aaaaaaaa", pack.good)
    pack.add("bbbbbbbb", make(pack))
    both = Policy.any_of(Signer(key=KEY), Signer(identity="ana@acme.example", issuer=ISSUER))
    result, error, statuses = outcome(pack.examine(both))
    assert (result, error, sorted(statuses)) == ("fail", code, ["fail", "pass"])


def test_a_key_and_an_identity_are_two_signers(pack: PackOf) -> None:
    pack.add("aaaaaaaa", by_key(pack))
    pack.add("bbbbbbbb", replace(pack.good, key=p256("hers")))
    both = all_of(BY_KEY, ANA)
    assert outcome(pack.examine(both)) == ("pass", None, ["pass", "pass"])
    neither = all_of(BY_OTHER, ANA)
    assert outcome(pack.examine(neither))[:2] == ("fail", "certificate_identity_mismatch")


def test_a_certificate_of_the_given_key_is_not_the_key(pack: PackOf) -> None:
    pack.add("aaaaaaaa", pack.good)  # whose certificate certifies KEY
    assert outcome(pack.examine(BY_KEY))[:2] == ("fail", "certificate_identity_mismatch")


# Files, and what the report says


@pytest.mark.parametrize("evidence", [V1_DSSE, V1_MESSAGE, V2_MESSAGE, INTOTO])
def test_a_file_signed_by_a_given_key(tmp_path: Path, evidence: Evidence) -> None:
    path = file_with(tmp_path, replace(evidence, by_key=True).build())
    report = examine(path, policy=BY_KEY, trust=ROOT, now=LATER)
    assert outcome(report) == ("pass", None, ["pass"])
    item = json.loads(render_json(report))["attestations"][0]
    assert (item["kind"], item["key_id"]) == ("key", KEY.key_id.hex())
    assert item["principal"] == f"key:{KEY.key_id.hex()}"
    assert [item[name] for name in ("identity", "issuer", "claims")] == [None] * 3
    assert outcome(examine(path, policy=BY_OTHER, trust=ROOT, now=LATER)) == (
        "fail",
        "untrusted_key",
        ["skip"],
    )


# Since when, until when


def test_a_verified_time_bounds_a_key_from_above(pack: PackOf) -> None:
    pack.add("aaaaaaaa", by_key(pack))
    verdicts = {
        end - LOGGED: code_of(pack.examine(Policy.any_of(Signer(key=KEY, not_after=end))))
        for end in (LOGGED, LOGGED + SECOND, LOGGED - SECOND, NOW)
    }
    assert verdicts == {
        timedelta(): None,
        SECOND: None,
        -SECOND: "signed_too_late",
        -MINUTE: "signed_too_late",
    }


def test_the_time_of_making_bounds_a_key_from_below(pack: PackOf) -> None:
    pack.add("aaaaaaaa", by_key(pack))
    verdicts = {
        start - NOW: code_of(pack.examine(Policy.any_of(Signer(key=KEY, not_before=start))))
        for start in (NOW, NOW - SECOND, NOW + SECOND, LOGGED)
    }
    assert verdicts == {
        timedelta(): None,
        -SECOND: None,
        SECOND: "signed_too_early",
        MINUTE: "signed_too_early",
    }


def test_a_time_of_making_behind_the_verified_time_says_nothing(pack: PackOf) -> None:
    pack.add("aaaaaaaa", replace(by_key(pack), logged_at=NOW - SECOND))
    since = Policy.any_of(Signer(key=KEY, not_before=NOW - timedelta(days=9)))
    assert code_of(pack.examine(since)) == "signed_too_early"


def test_a_file_says_nothing_of_when_it_was_made(tmp_path: Path) -> None:
    path = file_with(tmp_path, replace(V1_DSSE, by_key=True).build())
    since = Policy.any_of(Signer(key=KEY, not_before=NOW - timedelta(days=9)))
    assert code_of(examine(path, policy=since, trust=ROOT, now=LATER)) == "signed_too_early"


@pytest.mark.parametrize(
    ("start", "end", "code"),
    [
        (LOGGED, LOGGED, None),
        (None, LOGGED - SECOND, "signed_too_late"),
        (LOGGED + SECOND, None, "signed_too_early"),
        (LOGGED + SECOND, LOGGED - SECOND, "signed_too_late"),
    ],
)
def test_identities_may_have_windows_too(
    tmp_path: Path, start: datetime | None, end: datetime | None, code: str | None
) -> None:
    path = file_with(tmp_path, V1_DSSE.build())
    signer = Signer(identity="ana@acme.example", issuer=ISSUER, not_before=start, not_after=end)
    report = examine(path, policy=Policy.any_of(signer), trust=ROOT, now=LATER)
    assert code_of(report) == code


def test_one_signer_with_a_window_that_fits_is_enough(pack: PackOf) -> None:
    pack.add("aaaaaaaa", by_key(pack))
    ended = Signer(key=KEY, not_after=NOW)
    policy = Policy.any_of(ended, Signer(key=OTHER), Signer(key=KEY, not_before=NOW))
    assert code_of(pack.examine(policy)) is None
    assert code_of(pack.examine(Policy.any_of(ended, Signer(key=OTHER)))) == "signed_too_late"


def code_of(report: Report) -> str | None:
    return report.error.code if report.error else None


# Signers that say nothing, or too much


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (Signer, "empty_signer"),
        (lambda: Signer(identity="ana@acme.example"), "empty_signer"),
        (lambda: Signer(issuer=ISSUER), "empty_signer"),
        (lambda: Signer(not_after=NOW), "empty_signer"),
        (lambda: Signer(key=KEY, identity="ana@acme.example"), "ambiguous_signer"),
        (lambda: Signer(key=KEY, issuer=ISSUER), "ambiguous_signer"),
        (lambda: Signer(key=KEY, identity=""), "ambiguous_signer"),
        (lambda: Signer(key=KEY, not_after=NOW.replace(tzinfo=None)), "naive_time"),
        (lambda: Signer(key=KEY, not_before=NOW.replace(tzinfo=None)), "naive_time"),
    ],
)
def test_a_signer_is_one_thing(make: Callable[[], Signer], code: str) -> None:
    with pytest.raises(UsageError) as caught:
        make()
    assert caught.value.code == code


def test_times_of_any_zone_are_the_same_times(pack: PackOf) -> None:
    pack.add("aaaaaaaa", by_key(pack))
    there = LOGGED.astimezone(timezone(timedelta(hours=9)))
    assert code_of(pack.examine(Policy.any_of(Signer(key=KEY, not_after=there)))) is None


def test_the_report_of_a_mismatch_names_the_key(pack: PackOf) -> None:
    pack.add("aaaaaaaa", by_key(pack))
    report = pack.examine(Policy.any_of(Signer(key=KEY, not_after=NOW)))
    assert KEY.key_id.hex() in json.dumps(to_json(report)["policy"])
