"""Who is listed how often: several windows of one key, key ids in checkpoints, and operators."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from attest.api.verify import examine
from attest.errors import AttestError, TrustError, Untrusted, VerificationFailed
from attest.report.json import render as render_json
from attest.report.text import render
from attest.trust.root import TrustRoot
from tests.engine.log_edits import CHECKPOINT, SET, Edit, Verdict, verdict
from tests.engine.test_verify_targets import ANA, LATER, file_with
from tests.engine.virtual_evidence import (
    V1_DSSE,
    V2_DSSE,
    Evidence,
    entry_of,
    stamp,
    verify,
)
from tests.engine.virtual_instance import (
    ELSEWHERE,
    MINUTE,
    NOW,
    SECOND,
    Json,
    b64,
    make_tsa,
    parse_root,
    root_json,
    unb64,
)

LOGGED = NOW + MINUTE
EARLY = NOW - timedelta(days=300)


def window(start: datetime, end: datetime | None) -> Json:
    valid = {"start": f"{start:%Y-%m-%dT%H:%M:%SZ}"}
    return valid if end is None else {**valid, "end": f"{end:%Y-%m-%dT%H:%M:%SZ}"}


Windows = Sequence[tuple[datetime, datetime | None]]


def listed(member: str, at: int, key: str | None, windows: Windows) -> TrustRoot:
    """The root with one of its authorities listed once for every window."""

    def edit(root: Json) -> None:
        original = root[member].pop(at)
        for start, end in windows:
            again = copy.deepcopy(original)
            (again[key] if key else again)["validFor"] = window(start, end)
            root[member].append(again)

    return parse_root(root_json(edit))


#: Windows of one key, and whether something at `LOGGED` lies in any of them.
WINDOWS: dict[str, tuple[Windows, bool]] = {
    "the first": ([(EARLY, None), (EARLY, EARLY)], True),
    "the second": ([(EARLY, EARLY), (EARLY, None)], True),
    "the last": ([(EARLY, EARLY), (LOGGED + MINUTE, None), (LOGGED, LOGGED)], True),
    "ends are inside": ([(EARLY, LOGGED)], True),
    "starts are inside": ([(LOGGED, None)], True),
    "just ended": ([(EARLY, LOGGED - SECOND)], False),
    "just before": ([(LOGGED + SECOND, None)], False),
    "between them": ([(EARLY, LOGGED - SECOND), (LOGGED + SECOND, None)], False),
    "between them, the other way": ([(LOGGED + SECOND, None), (EARLY, LOGGED - SECOND)], False),
}


def only_proof(bundle: Json) -> None:
    del entry_of(bundle)["inclusionPromise"]


LISTINGS: dict[str, tuple[Evidence, str, int, str | None, Verdict]] = {
    "log of v1": (
        V1_DSSE, "tlogs", 0, "publicKey", (VerificationFailed, "log_not_valid_at_time"),
    ),
    "log of v1 without a promise": (
        replace(V1_DSSE, bundle=only_proof, timestamps=[stamp()]),
        "tlogs", 0, "publicKey", (VerificationFailed, "log_not_valid_at_time"),
    ),
    "log of v2": (
        V2_DSSE, "tlogs", 1, "publicKey", (VerificationFailed, "log_not_valid_at_time"),
    ),
    "timestamp authority": (
        V2_DSSE, "timestampAuthorities", 0, None, (VerificationFailed, "invalid_timestamp"),
    ),
    "certificate authority": (
        V1_DSSE, "certificateAuthorities", 0, None,
        (VerificationFailed, "invalid_certificate_chain"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("listing", LISTINGS)
def test_any_window_of_the_same_key_serves(listing: str, name: str) -> None:
    evidence, member, at, key, expected = LISTINGS[listing]
    windows, inside = WINDOWS[name]
    root = listed(member, at, key, windows)
    if inside:
        assert verify(evidence.build(), root=root).times
    else:
        assert verdict(evidence.build(), root) == expected


@pytest.mark.parametrize("name", WINDOWS)
def test_any_window_of_a_ct_log_serves(name: str) -> None:
    windows, inside = WINDOWS[name]
    shift = {LOGGED: NOW, LOGGED - SECOND: NOW - SECOND, LOGGED + SECOND: NOW + SECOND}
    windows = [(shift.get(start, start), end and shift.get(end, end)) for start, end in windows]
    root = listed("ctlogs", 0, "publicKey", windows)
    if inside:
        assert verify(V1_DSSE.build(), root=root).times
    else:
        assert verdict(V1_DSSE.build(), root) == (VerificationFailed, "invalid_sct")


# Key ids in checkpoints


def log_key(log: int, edit: Callable[[Json], object]) -> TrustRoot:
    return parse_root(root_json(lambda root: edit(root["tlogs"][log])))


@pytest.mark.parametrize(("evidence", "log"), [(V1_DSSE, 0), (V2_DSSE, 1)])
def test_a_checkpoint_names_its_key_as_the_root_does(evidence: Evidence, log: int) -> None:
    own = root_json()["tlogs"][log]["logId"]["keyId"]
    same = log_key(log, lambda item: item.update(checkpointKeyId={"keyId": own}))
    assert verify(evidence.build(), root=same).level2
    other = log_key(log, lambda item: item.update(checkpointKeyId={"keyId": b64(bytes(32))}))
    assert verdict(evidence.build(), other) == CHECKPOINT

    def renamed(bundle: Json) -> None:
        checkpoint = entry_of(bundle)["inclusionProof"]["checkpoint"]
        note, _, line = checkpoint["envelope"].rpartition(" ")
        blob = bytes(4) + unb64(line.strip())[4:]
        checkpoint["envelope"] = f"{note} {b64(blob)}\n"

    data = replace(evidence, bundle=renamed).build()
    assert verify(data, root=other).level2
    assert verdict(data) == CHECKPOINT


@pytest.mark.parametrize("key_id", [{"keyId": "AAAA"}, {"keyId": ""}, {}, "x", {"keyId": 1}])
def test_a_checkpoint_key_id_must_be_one(key_id: object) -> None:
    with pytest.raises(TrustError) as caught:
        log_key(0, lambda item: item.update(checkpointKeyId=key_id))
    assert caught.value.code == "invalid_trusted_root"


def lines(*more: str, before: bool = False) -> Edit:
    """Signature lines beside the log's own, which is repeated for `=`."""

    def edit(bundle: Json) -> None:
        checkpoint = entry_of(bundle)["inclusionProof"]["checkpoint"]
        text, _, own = checkpoint["envelope"].partition("\n\n")
        own = own.rstrip("\n")
        added = [own if line == "=" else line.replace("NAME", own.split()[1]) for line in more]
        every = [*added, own] if before else [own, *added]
        checkpoint["envelope"] = text + "\n\n" + "\n".join(every) + "\n"

    return edit


def line(name: str, hint: bytes) -> str:
    return f"\u2014 {name} {b64(hint + bytes(64))}"


def hint(log: int) -> bytes:
    return unb64(root_json()["tlogs"][log]["logId"]["keyId"])[:4]


IGNORED = [line("witness.example", b"abcd"), line("NAME", b"abcd"), "="]


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize(("evidence", "log"), [(V1_DSSE, 0), (V2_DSSE, 1)])
def test_lines_of_others_are_ignored_in_any_order(
    evidence: Evidence, log: int, *, before: bool
) -> None:
    witness = line("witness.example", hint(log))  # another name, though the same hint
    for more in ([witness], IGNORED, IGNORED[::-1], ["=", "="]):
        data = replace(evidence, bundle=lines(*more, before=before)).build()
        assert verify(data).level2


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize(("evidence", "log"), [(V1_DSSE, 0), (V2_DSSE, 1)])
def test_a_wrong_line_under_the_logs_own_name_and_hint_fails(
    evidence: Evidence, log: int, *, before: bool
) -> None:
    wrong = lines(line("NAME", hint(log)), before=before)
    assert verdict(replace(evidence, bundle=wrong).build()) == CHECKPOINT


def test_listings_of_other_keys_under_one_id_do_not_add_up() -> None:
    """A checkpoint by one key and a promise by another are not one log's word."""

    def two(root: Json) -> None:
        other = copy.deepcopy(root["tlogs"][0])
        spki = ELSEWHERE.rekor1.public_key.public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
        other["publicKey"]["rawBytes"] = b64(spki)
        root["tlogs"].insert(0, other)

    def promise_of_another(bundle: Json) -> None:
        entry = entry_of(bundle)
        body = unb64(entry["canonicalizedBody"])
        stranger = ELSEWHERE.rekor1.add(body, at=LOGGED).to_message().to_dict()
        entry["inclusionPromise"] = stranger["inclusionPromise"]
        entry["logIndex"] = stranger["logIndex"]

    root = parse_root(root_json(two))
    assert verify(V1_DSSE.build(), root=root).level2
    assert verdict(replace(V1_DSSE, bundle=promise_of_another).build(), root) == SET


# Operators


SECOND_TSA = make_tsa("second tsa")


def named(tlog: str | None, other_log: str | None, tsa: str | None, other_tsa: str | None) -> Json:
    """The root with a second log and a second authority; names of operators, None for hosts."""

    def edit(root: Json) -> None:
        log = copy.deepcopy(root["tlogs"][0])
        spki = ELSEWHERE.rekor1.public_key.public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
        log["publicKey"]["rawBytes"] = b64(spki)
        log["logId"]["keyId"] = b64(ELSEWHERE.rekor1.log_id)
        log["baseUrl"] = "https://rekor.other.example"
        root["tlogs"].append(log)
        authority = copy.deepcopy(root["timestampAuthorities"][0])
        authority["certChain"]["certificates"] = [
            {"rawBytes": b64(item.public_bytes(Encoding.DER))} for item in SECOND_TSA.chain
        ]
        authority["uri"] = "https://tsa.other.example/api"
        root["timestampAuthorities"].append(authority)
        for item, operator in (
            (root["tlogs"][0], tlog),
            (log, other_log),
            (root["timestampAuthorities"][0], tsa),
            (authority, other_tsa),
        ):
            if operator is not None:
                item["operator"] = operator

    return root_json(edit)


def in_both_logs(bundle: Json) -> None:
    body = unb64(entry_of(bundle)["canonicalizedBody"])
    entry = ELSEWHERE.rekor1.add(body, at=LOGGED).to_message().to_dict()
    bundle["verificationMaterial"]["tlogEntries"].append(entry)


RICH = replace(V1_DSSE, bundle=in_both_logs, timestamps=[stamp(), stamp(SECOND_TSA)])
LOGS = (VerificationFailed, "not_enough_log_entries")
STAMPS = (VerificationFailed, "not_enough_timestamps")

#: Operators of two logs and two timestamp authorities; entries and timestamps that count.
OPERATORS: dict[str, tuple[tuple[str | None, ...], int, int]] = {
    "hosts": ((None, None, None, None), 2, 2),
    "two of each": (("a", "b", "a", "b"), 2, 2),
    "one of all": (("a", "a", "a", "a"), 1, 1),
    "one in two spellings": (("acme", "Acme ", "acme", "ACME"), 1, 1),
    "one by name, one by host": (("a", None, "a", None), 2, 2),
    "named as the other's host": (("rekor.other.example", None, "TSA.other.example", None), 1, 1),
    "named by a domain": (("other.example", None, "other.example.", None), 1, 1),
    "hosts of one domain": (("log1.other.example", None, "b.other.example", None), 1, 1),
    "addresses": (("10.0.2.1", "10.1.2.1", "[::1]", "[fe80::1.2.3.4]"), 2, 2),
    "one of the logs": (("a", "a", None, None), 1, 2),
    "one of the authorities": ((None, None, "a", "a"), 2, 1),
    "no name": (("", " ", "", " "), 2, 2),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_proofs_are_counted_by_operator(name: str) -> None:
    operators, logs, stamps = OPERATORS[name]
    root, data = parse_root(named(*operators)), RICH.build()
    attestation = verify(data, root=root.requiring(log_entries=logs, timestamps=stamps))
    assert (len(attestation.log_entries), len(attestation.times)) == (2, 4)
    assert verdict(data, root.requiring(log_entries=logs + 1)) == LOGS
    assert verdict(data, root.requiring(timestamps=stamps + 1)) == STAMPS


SHARED = parse_root(named("a", "a", "a", "a"))


def test_a_promise_is_no_timestamp() -> None:
    assert verify(V1_DSSE.build()).times
    assert verdict(V1_DSSE.build(), SHARED.requiring(timestamps=1)) == STAMPS
    assert verify(replace(V1_DSSE, timestamps=[stamp()]).build(), root=SHARED).times


def test_strangers_proofs_count_for_nothing_and_say_so() -> None:
    strange = replace(V1_DSSE, timestamps=[stamp(ELSEWHERE.tsa)])
    wanted = SHARED.requiring(timestamps=1)
    assert verdict(strange.build(), wanted) == (Untrusted, "untrusted_timestamp")
    unknown = replace(V1_DSSE, bundle=in_both_logs)
    one = parse_root(root_json())
    assert verdict(unknown.build(), one.requiring(log_entries=2)) == (Untrusted, "untrusted_log")


def test_requiring_never_lowers_what_an_instance_demands() -> None:
    strict = SHARED.requiring(log_entries=2, timestamps=2)
    for profile in (
        strict.requiring().profile,
        strict.requiring(log_entries=1, timestamps=1).profile,
        strict.requiring(log_entries=-5, timestamps=0).profile,
    ):
        assert (profile.min_log_entries, profile.min_timestamps) == (2, 2)
    assert strict.sha256 == SHARED.sha256


# GitHub's own instance: a certificate and a timestamp, no log entry, no SCT

GITHUB = replace(
    HERE_ROOT := parse_root(root_json()),
    profile=replace(HERE_ROOT.profile, min_scts=0, min_log_entries=0, min_timestamps=1),
)
ARTIFACT_ATTESTATION = replace(V1_DSSE, log=None, ctlog=None, timestamps=[stamp()])


def test_a_profile_without_a_log_takes_a_timestamp_and_gives_no_level_2() -> None:
    attestation = verify(ARTIFACT_ATTESTATION.build(), root=GITHUB)
    assert attestation.log_entries == ()
    assert not attestation.level2
    assert verdict(ARTIFACT_ATTESTATION.build()) == (VerificationFailed, "not_enough_log_entries")


NOT_GITHUBS: dict[str, tuple[Evidence, Verdict]] = {
    "no timestamp": (replace(ARTIFACT_ATTESTATION, timestamps=[]), STAMPS),
    "only a promise": (replace(V1_DSSE, ctlog=None), STAMPS),
    "a timestamp by nobody known": (
        replace(ARTIFACT_ATTESTATION, timestamps=[stamp(ELSEWHERE.tsa)]),
        (Untrusted, "untrusted_timestamp"),
    ),
    "a timestamp after the certificate": (
        replace(ARTIFACT_ATTESTATION, timestamps=[stamp(at=NOW + 11 * MINUTE)]),
        (VerificationFailed, "certificate_not_valid_at_time"),
    ),
    "a broken timestamp beside a good one": (
        replace(ARTIFACT_ATTESTATION, timestamps=[stamp(), stamp(over=b"x")]),
        (VerificationFailed, "invalid_timestamp"),
    ),
    "a broken log entry, which nobody asked for": (
        replace(V1_DSSE, timestamps=[stamp()], bundle=lambda b: entry_of(b).update(logIndex="1")),
        SET,
    ),
    "another CA": (
        replace(ARTIFACT_ATTESTATION, parts=ELSEWHERE, timestamps=[stamp()]),
        (Untrusted, "untrusted_certificate"),
    ),
}


@pytest.mark.parametrize("name", NOT_GITHUBS)
def test_what_such_a_profile_still_refuses(name: str) -> None:
    evidence, expected = NOT_GITHUBS[name]
    with pytest.raises(AttestError) as caught:
        verify(evidence.build(), root=GITHUB)
    assert (type(caught.value), caught.value.code) == expected


def test_the_report_says_that_nothing_was_logged(tmp_path: Path) -> None:
    path = file_with(tmp_path, ARTIFACT_ATTESTATION.build())
    report = examine(path, policy=ANA, trust=GITHUB, now=LATER)
    assert report.result == "pass"
    assert "log: none" in render(report)
    (attestation,) = json.loads(render_json(report))["attestations"]
    assert (attestation["log"], attestation["level2"]) == (None, False)
