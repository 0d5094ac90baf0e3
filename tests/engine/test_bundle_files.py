"""Files of bundles beside an artifact: JSON Lines, registries' lists, and which bundle decides."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from attest.api.bundles import read_bundles
from attest.api.inspect import inspect
from attest.api.verify import examine
from attest.errors import AttestError, MalformedEvidence, UsageError
from attest.limits import DEFAULT_LIMITS, Limits
from attest.policy.model import Policy, Signer
from attest.report.json import render as render_json
from attest.report.model import Report
from tests.engine.test_verify_targets import ANA, ANYBODY, LATER
from tests.engine.virtual_evidence import (
    ARTIFACT,
    INTOTO,
    V1_DSSE,
    V1_MESSAGE,
    V2_DSSE,
    Evidence,
    statement,
)
from tests.engine.virtual_instance import ELSEWHERE, ROOT, Json, p256

GOOD = V1_DSSE.build()
ELSE = replace(V1_DSSE, parts=ELSEWHERE, ctlog=ELSEWHERE.ctlog).build()
BY_KEY = replace(V1_DSSE, by_key=True).build()
FORGED = replace(V1_DSSE, signing_key=p256("forger")).build()
OTHER_FILE = replace(V1_DSSE, payload=statement({"sha256": "00" * 32})).build()
BOB = Policy.any_of(Signer(identity="bo@acme.example", issuer="https://accounts.google.com"))


def lines(*bundles: bytes) -> bytes:
    return b"".join(json.dumps(json.loads(item)).encode() + b"\n" for item in bundles)


def npm(*bundles: bytes) -> bytes:
    """As npm's registry serves it; what else it says of each is its own."""
    listed = [
        {"predicateType": "https://slsa.dev/provenance/v1", "bundle": json.loads(item)}
        for item in bundles
    ]
    return json.dumps({"attestations": listed}).encode()


def judged(
    folder: Path,
    data: bytes,
    policy: Policy = ANA,
    *,
    name: str = "bundles.json",
    limits: Limits | None = None,
) -> Report:
    path, file = folder / "evidence.txt", folder / name
    path.write_bytes(ARTIFACT)
    file.write_bytes(data)
    report = examine(path, policy=policy, trust=ROOT, now=LATER, bundle=file, limits=limits)
    render_json(report)  # every report that is rendered is held to the schema
    return report


def outcome(report: Report) -> tuple[str, str | None, list[str]]:
    error = report.error.code if report.error else None
    return report.result, error, [item.status for item in report.attestations]


both_forms = pytest.mark.parametrize("form", [lines, npm], ids=["lines", "list"])
Form = Callable[..., bytes]

#: Bundles of one file under Ana's name: the verdict, its code, and what became of each.
MIXED: dict[str, tuple[Sequence[bytes], tuple[str, str | None, list[str]]]] = {
    "two good ones": ([GOOD, V1_MESSAGE.build()], ("pass", None, ["pass", "pass"])),
    "a good one last": (
        [ELSE, BY_KEY, OTHER_FILE, FORGED, GOOD],
        ("pass", None, ["skip", "skip", "fail", "fail", "pass"]),
    ),
    "a good one first": ([GOOD, b"{}", b"[]"], ("pass", None, ["pass", "fail", "fail"])),
    "broken ones decide where none satisfies": (
        [ELSE, FORGED, b"{}"],
        ("fail", "signature_invalid", ["skip", "fail", "fail"]),
    ),
    "only strangers": ([BY_KEY, ELSE], ("fail", "untrusted_key", ["skip", "skip"])),
    "of another file": ([OTHER_FILE, ELSE], ("fail", "digest_mismatch", ["fail", "skip"])),
    "no bundles": ([b"{}", b"{}"], ("fail", "invalid_bundle_media_type", ["fail", "fail"])),
}


@pytest.mark.parametrize("broken", [b"junk", b"{", b'{"a": 1, "a": 2}', b"\xff"])
@pytest.mark.parametrize("name", ["bundles.json", "bundles.jsonl"])
def test_a_broken_line_may_stand_anywhere(tmp_path: Path, name: str, broken: bytes) -> None:
    good = lines(GOOD).strip()
    for text in (broken + b"\n" + good, good + b"\n" + broken):
        report = judged(tmp_path, text, name=name)
        assert report.result == "pass"
        assert sorted(item.status for item in report.attestations) == ["fail", "pass"]


@pytest.mark.parametrize("name", ["bundles.json", "bundles.jsonl"])
def test_lines_without_number_take_no_memory_without_bound(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_bytes(b"{}\n" * 1_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(MalformedEvidence) as caught:
            read_bundles(file, DEFAULT_LIMITS)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.code == "too_many_bundles"
    # Reading takes as much as the file may have, before it is known how much that is.
    assert peak < DEFAULT_LIMITS.max_bundle_file_bytes + 5 * file.stat().st_size


@both_forms
@pytest.mark.parametrize("name", MIXED)
def test_one_satisfying_bundle_is_enough(tmp_path: Path, form: Form, name: str) -> None:
    bundles, expected = MIXED[name]
    assert outcome(judged(tmp_path, form(*bundles))) == expected
    result = expected[0] if name != "only strangers" else "fail"
    assert judged(tmp_path, form(*bundles), ANYBODY).result == result


@both_forms
def test_the_policy_must_still_be_met(tmp_path: Path, form: Form) -> None:
    report = judged(tmp_path, form(GOOD, ELSE), BOB)
    assert outcome(report) == ("fail", "certificate_identity_mismatch", ["pass", "skip"])
    assert outcome(judged(tmp_path, form(GOOD, FORGED), BOB))[1] == "signature_invalid"


def test_reports_name_each_bundle(tmp_path: Path) -> None:
    report = judged(tmp_path, lines(GOOD, ELSE) + b"\n \n" + lines(FORGED), name="b.jsonl")
    file = tmp_path / "b.jsonl"
    assert [item.file for item in report.attestations] == [f"{file}:{at}" for at in (1, 2, 5)]
    report = judged(tmp_path, npm(GOOD, ELSE))
    file = tmp_path / "bundles.json"
    assert [item.file for item in report.attestations] == [
        f"{file}#attestations[0]",
        f"{file}#attestations[1]",
    ]
    error = judged(tmp_path, lines(ELSE, FORGED)).error
    assert error is not None
    assert str(error.where).startswith(f"{file}:2: ")


def test_one_bundle_keeps_its_name_in_whatever_layout(tmp_path: Path) -> None:
    for data in (GOOD, json.dumps(json.loads(GOOD), indent=2).encode(), GOOD + b"\n\n"):
        report = judged(tmp_path, data)
        assert outcome(report) == ("pass", None, ["pass"])
        assert report.attestations[0].file == str(tmp_path / "bundles.json")
    report = judged(tmp_path, lines(GOOD), name="one.jsonl")
    assert report.attestations[0].file == f"{tmp_path / 'one.jsonl'}:1"


NOTHING: dict[str, tuple[str, bytes, str]] = {
    "an empty list": ("b.json", b'{"attestations": []}', "no_attestations"),
    "no lines": ("b.jsonl", b"", "no_attestations"),
    "blank lines": ("b.jsonl", b"\n \n\n", "no_attestations"),
    "an empty file": ("b.json", b"", "invalid_json"),
    "no list": ("b.json", b'{"attestations": {}}', "invalid_bundle_media_type"),
    "null": ("b.json", b'{"attestations": null}', "invalid_bundle_media_type"),
    "a list of texts": ("b.json", b'{"attestations": ["x"]}', "malformed_bundle"),
    "a list without bundles": ("b.json", b'{"attestations": [{"x": 1}]}', "malformed_bundle"),
    "a null bundle": ("b.json", b'{"attestations": [{"bundle": null}]}', "malformed_bundle"),
    "the same key twice": (
        "b.json",
        b'{"attestations": [], "attestations": [' + GOOD + b"]}",
        "duplicate_keys",
    ),
    "the same key twice in a bundle": (
        "b.json",
        npm(GOOD).replace(b'"mediaType"', b'"mediaType": 1, "mediaType"', 1),
        "duplicate_keys",
    ),
    "a bundle and a list": (
        "b.json",
        b'{"attestations": [{"bundle": ' + GOOD + b'}], "mediaType": "x"}',
        "invalid_bundle_media_type",
    ),
    "half a line": ("b.jsonl", GOOD[:-9], "invalid_json"),
    "two bundles on a line": ("b.jsonl", GOOD + GOOD, "invalid_json"),
    "an array of bundles": ("b.json", b"[" + GOOD + b"]", "malformed_bundle"),
}


@pytest.mark.parametrize("name", NOTHING)
def test_a_file_without_a_bundle_passes_nothing(tmp_path: Path, name: str) -> None:
    file, data, code = NOTHING[name]
    for policy in (ANA, ANYBODY):
        report = judged(tmp_path, data, policy, name=file)
        assert outcome(report)[:2] == ("fail", code)
        assert report.exit_code == 1


def test_members_beside_the_bundle_are_opaque(tmp_path: Path) -> None:
    document = json.loads(npm(GOOD))
    document["attestations"][0].update(repository_id=7, initiator=None, predicateType=[1.5])
    document["next"] = {"page": 2}
    assert judged(tmp_path, json.dumps(document).encode()).result == "pass"


def test_packs_stay_strict_and_bundles_too(tmp_path: Path) -> None:
    def extra(bundle: Json) -> None:
        bundle["extra"] = 1

    broken = replace(V1_DSSE, bundle=extra).build()
    assert outcome(judged(tmp_path, npm(broken)))[:2] == ("fail", "malformed_bundle")


# What cannot be decided


def test_a_bundle_that_needs_another_digest_decides_nothing_beside_one_that_serves(
    tmp_path: Path,
) -> None:
    """With only a SHA-256 at hand, a statement that gives a SHA-512 can be neither."""
    sha512 = replace(V1_DSSE, payload=statement({"sha512": "00" * 64})).build()
    file = tmp_path / "bundles.jsonl"
    target = "sha256:" + hashlib.sha256(ARTIFACT).hexdigest()

    def judge(*bundles: bytes) -> Report:
        file.write_bytes(lines(*bundles))
        return examine(target, policy=ANA, trust=ROOT, now=LATER, bundle=file)

    assert outcome(judge(sha512, GOOD)) == ("pass", None, ["skip", "pass"])
    for bundles in ([sha512], [sha512, FORGED], [FORGED, sha512], [ELSE, sha512]):
        with pytest.raises(UsageError) as caught:
            judge(*bundles)
        assert caught.value.code == "digest_algorithm_needed"


def test_npm_provenance(tmp_path: Path) -> None:
    """Subjects by SHA-512 alone, an older statement, one bundle by the registry's own key."""
    digest = {"sha512": hashlib.sha512(ARTIFACT).hexdigest()}
    subject = [{"name": "pkg:npm/%40acme/evidence@1.0.0", "digest": digest}]
    older = "https://in-toto.io/Statement/v0.1"
    provenance = replace(INTOTO, payload=statement(_type=older, subject=subject))
    publish = replace(provenance, by_key=True, key=p256("registry"), hint="SHA256:jl3bwswu80Pj")
    data = npm(publish.build(), old(provenance))
    assert outcome(judged(tmp_path, data)) == ("pass", None, ["skip", "pass"])
    target = f"sha512:{digest['sha512']}"
    file = tmp_path / "bundles.json"
    assert examine(target, policy=ANA, trust=ROOT, now=LATER, bundle=file).result == "pass"
    other = "sha512:" + "00" * 64
    report = examine(other, policy=ANA, trust=ROOT, now=LATER, bundle=file)
    assert outcome(report) == ("fail", "digest_mismatch", ["skip", "fail"])


def old(evidence: Evidence) -> bytes:
    def edit(bundle: Json) -> None:
        leaf = bundle["verificationMaterial"].pop("certificate")
        bundle["verificationMaterial"]["x509CertificateChain"] = {"certificates": [leaf]}
        bundle["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.2"

    return replace(evidence, bundle=edit).build()


# Bounds


@both_forms
def test_the_number_of_bundles_is_bounded(tmp_path: Path, form: Form) -> None:
    limits = Limits(max_bundles=2)
    assert judged(tmp_path, form(GOOD, ELSE), limits=limits).result == "pass"
    report = judged(tmp_path, form(GOOD, ELSE, FORGED), limits=limits)
    assert outcome(report) == ("fail", "too_many_bundles", [])
    assert report.exit_code == 1


def test_the_size_of_a_file_is_bounded_apart_from_that_of_a_bundle(tmp_path: Path) -> None:
    limits = Limits(max_bundle_bytes=65_536, max_bundle_file_bytes=200_000)
    path = tmp_path / "bundles.jsonl"
    line = GOOD + b" " * (65_535 - len(GOOD))
    cases = [
        ([line + b"\n", line + b"\n"], ["pass", "pass"]),
        ([line + b"  \n", GOOD], ["fail", "pass"]),
    ]
    for parts, statuses in cases:
        report = judged(tmp_path, b"".join(parts), name=path.name, limits=limits)
        assert [item.status for item in report.attestations] == statuses
    report = judged(tmp_path, line * 4, name=path.name, limits=limits)
    assert outcome(report) == ("fail", "bundle_too_large", [])
    report = judged(tmp_path, GOOD + b" " * 65_536, limits=limits)
    assert outcome(report) == ("fail", "bundle_too_large", ["fail"])


def test_a_bundle_of_100_megabytes_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(100 * 1_048_576)
    with pytest.raises(MalformedEvidence) as caught:
        read_bundles(path, DEFAULT_LIMITS)
    assert caught.value.code == "bundle_too_large"


def test_a_limit_raised_for_one_bundle_holds_for_its_file(tmp_path: Path) -> None:
    limits = Limits(max_bundle_bytes=300_000, max_bundle_file_bytes=65_536)
    assert judged(tmp_path, GOOD + b" " * 100_000, limits=limits).result == "pass"


@pytest.mark.parametrize("depth", [10, 30, 100, 100_000])
@pytest.mark.parametrize("name", ["b.json", "b.jsonl"])
def test_deep_json_is_bounded(tmp_path: Path, name: str, depth: int) -> None:
    data = b'{"attestations":' + b"[" * depth + b"]" * depth + b"}"
    report = judged(tmp_path, data, name=name)
    assert report.exit_code == 1
    try:
        read_bundles(tmp_path / name, DEFAULT_LIMITS)
    except AttestError as error:
        pytest.fail(f"reading decides nothing: {error}")


def test_v2_and_v1_bundles_may_stand_together(tmp_path: Path) -> None:
    report = judged(tmp_path, lines(V2_DSSE.build(), GOOD))
    assert outcome(report) == ("pass", None, ["pass", "pass"])


@both_forms
def test_inspecting_shows_what_each_bundle_claims(tmp_path: Path, form: Form) -> None:
    file = tmp_path / "bundles.json"
    file.write_bytes(form(GOOD, BY_KEY, b"{}"))
    shown = inspect(file).bundles
    assert [item.problem.code if item.problem else None for item in shown] == [
        None,
        None,
        "invalid_bundle_media_type",
    ]
    assert [item.identity.subject if item.identity else None for item in shown[:2]] == [
        "ana@acme.example",
        None,
    ]
