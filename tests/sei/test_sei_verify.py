"""A repository's artefacts verified: each by its own, by registered keys alone."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pytest

import attest
from attest.api.sei_verify import policy_of_keys
from attest.errors import UsageError, VerificationFailed
from attest.formats.sei.signature import sign_artefact
from attest.keys import PublicKey
from attest.limits import Limits
from attest.report.model import Report
from attest.signing.sei_local import open_local_key
from tests.sei.judging import (
    ALL,
    BUNDLE,
    FIRST,
    KEY,
    OTHER,
    RECONSTRUCT,
    SECOND,
    STRANGER,
    change,
    codes,
    judged,
    only,
    raised,
    sign,
)
from tests.sei.judging import repository as repository  # noqa: PLC0414  # a fixture


def test_what_a_registered_key_signed_passes(repository: Path) -> None:
    reports = attest.verify_artefacts(repository, keys=[STRANGER.public, KEY.public])
    assert [item.target.name for item in reports] == ALL
    for report in reports:
        assert (report.result, report.assurance, report.target.kind) == (
            "pass",
            "identity",
            "artefact",
        )
        (attestation,) = report.attestations
        assert attestation.verified is not None
        assert attestation.verified.signer.principal == f"key:{KEY.public.key_id.hex()}"
        assert [item.check for item in (*report.checks, *attestation.checks)] == [
            "1 read",
            "6 artefact",
            "8 policy",
            "2 parse",
            "3-5 signature",
        ]
        assert report.trust is None
        assert report.warnings == ()


@pytest.mark.parametrize("keys", [[], ()])
def test_without_a_registered_key_nothing_is_verified(
    keys: Sequence[PublicKey], repository: Path
) -> None:
    error = raised(repository, keys=keys)
    assert (error.code, error.exit_code, error.report) == ("no_registered_key", 2, None)


def test_keys_do_not_stand_beside_a_policy(repository: Path) -> None:
    policy = policy_of_keys([KEY.public])
    assert raised(repository, keys=[KEY.public], policy=policy).code == "invalid_usage"


def test_time_needs_a_zone(repository: Path) -> None:
    naive = datetime(2026, 1, 1)  # noqa: DTZ001
    assert raised(repository, keys=[KEY.public], now=naive).code == "naive_time"


def test_a_strangers_key_counts_for_nothing(repository: Path) -> None:
    error = raised(repository, keys=[STRANGER.public])
    assert (error.code, error.exit_code) == ("untrusted_key", 1)
    assert len(error.reports) == len(ALL)
    assert error.report is error.reports[0]


def test_one_broken_artefact_hides_no_other(repository: Path) -> None:
    (repository / BUNDLE).write_bytes(b"{")
    (repository / f"{FIRST}.sig").unlink()
    (repository / SECOND).unlink()
    (repository / ".sei" / "notes.txt").write_bytes(b"")
    found = codes(judged(repository))
    assert found == {
        BUNDLE: "digest_mismatch",
        FIRST: "unsigned_artefact",
        f"{SECOND}.sig": "orphan_signature",
        ".sei/notes.txt": "unexpected_file",
        RECONSTRUCT: None,
    }


def test_no_verdict_on_one_outweighs_a_verdict_on_another(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / BUNDLE).write_bytes(b"{")
    real = os.open

    def refuse(path: os.PathLike[str] | str, *rest: int) -> int:
        if os.fspath(path).endswith("reconstruct.json"):
            raise PermissionError(13, "Permission denied")
        return real(path, *rest)

    monkeypatch.setattr(os, "open", refuse)
    error = raised(repository, keys=[KEY.public])
    assert (error.code, error.exit_code) == ("unreadable_file", 2)
    results = [report.result for report in error.reports if isinstance(report, Report)]
    assert results == ["fail", "pass", "pass", "error"]


def test_every_changed_byte_of_an_artefact_is_found(repository: Path) -> None:
    data = (repository / RECONSTRUCT).read_bytes()
    for at in range(0, len(data), 7):
        (repository / RECONSTRUCT).write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        assert codes(judged(repository)) == only(RECONSTRUCT, "digest_mismatch")


def test_a_signature_of_another_artefact_is_found(repository: Path) -> None:
    (repository / f"{BUNDLE}.sig").write_bytes((repository / f"{FIRST}.sig").read_bytes())
    assert codes(judged(repository)) == only(BUNDLE, "digest_mismatch")


def test_what_was_signed_with_another_key_as_ours_fails_and_is_not_passed_over(
    repository: Path,
) -> None:
    path = repository / f"{BUNDLE}.sig"
    document = json.loads(path.read_bytes())
    signed = json.loads(sign_artefact((repository / BUNDLE).read_bytes(), BUNDLE, STRANGER))
    document["signatures"][0]["sig"] = signed["signatures"][0]["sig"]
    path.write_text(json.dumps(document))
    assert codes(judged(repository)) == only(BUNDLE, "signature_invalid")
    either = judged(repository, KEY.public, OTHER.public)
    assert codes(either) == only(BUNDLE, "signature_invalid")


def test_a_strangers_signature_stands_for_no_other(repository: Path) -> None:
    sign(repository, BUNDLE, STRANGER)
    assert codes(judged(repository)) == only(BUNDLE, "untrusted_key")


@pytest.mark.parametrize(
    ("source", "place", "code"),
    [
        (FIRST, SECOND, "standard_mismatch"),
        (RECONSTRUCT, SECOND, "kind_mismatch"),
        (SECOND, RECONSTRUCT, "kind_mismatch"),
        (BUNDLE, RECONSTRUCT, "invalid_artefact"),
    ],
)
def test_an_artefact_in_anothers_place_is_found_though_it_is_signed(
    source: str, place: str, code: str, repository: Path
) -> None:
    for suffix in ("", ".sig"):
        (repository / f"{place}{suffix}").write_bytes(
            (repository / f"{source}{suffix}").read_bytes()
        )
    reports = judged(repository)
    assert codes(reports) == only(place, code)
    # Who signed it is told all the same.
    (attestation,) = reports[place].attestations
    assert attestation.status == "pass"


def test_an_artefact_of_a_standard_that_is_not_named_may_lie_under_any(repository: Path) -> None:
    for suffix in ("", ".sig"):
        (repository / f"{SECOND}{suffix}").rename(repository / f"{FIRST}{suffix}")
    assert set(codes(judged(repository)).values()) == {None}


def test_the_system_is_an_expectation(repository: Path) -> None:
    reports = judged(repository, system="loan")
    assert codes(reports) == only(SECOND, "system_mismatch")
    assert [item.code for item in reports[BUNDLE].warnings] == ["system_not_stated"]
    assert reports[FIRST].warnings == ()
    everything = codes(judged(repository, system="other"))
    assert everything.pop(BUNDLE) is None
    assert set(everything.values()) == {"system_mismatch"}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "invalid_json"),
        (b"[]", "invalid_artefact"),
        (b'{"kind": "reconstruct", "kind": "reconstruct"}', "duplicate_keys"),
        (b'{"a": "\xff"}', "invalid_json"),
        (b"\xef\xbb\xbf{}", "invalid_json"),
        (b"[" * 5000, "json_too_deep"),
        (b'{"schema_version":2,"kind":"reconstruct","system":"s","payload":{}}',
         "unsupported_schema_version"),
        (b'{"schema_version":1,"kind":"reconstruct","system":"","payload":{}}', "invalid_artefact"),
        (b'{"schema_version":1,"kind":"reconstruct","system":"s","payload":{},"x":1}',
         "invalid_artefact"),
    ],
)  # fmt: skip
def test_a_signature_makes_nothing_an_artefact(data: bytes, code: str, repository: Path) -> None:
    sign(repository, RECONSTRUCT, data=data)
    assert codes(judged(repository)) == only(RECONSTRUCT, code)


@pytest.mark.parametrize("data", [b"{}", b'{"a":[1,2.5,null]}', '{"ü":"\U0001f600"}'.encode()])
def test_a_bundle_is_any_object(data: bytes, repository: Path) -> None:
    sign(repository, BUNDLE, data=data)
    assert set(codes(judged(repository)).values()) == {None}


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"", "invalid_json"), (b"[]", "invalid_artefact"), (b'{"a":1,"a":1}', "duplicate_keys")],
)
def test_a_signature_makes_nothing_a_bundle(data: bytes, code: str, repository: Path) -> None:
    sign(repository, BUNDLE, data=data)
    assert codes(judged(repository)) == only(BUNDLE, code)


@pytest.mark.parametrize(
    ("name", "code"), [(BUNDLE, "artifact_too_large"), (f"{BUNDLE}.sig", "bundle_too_large")]
)
def test_a_huge_file_is_not_read_to_its_end(name: str, code: str, repository: Path) -> None:
    os.truncate(repository / name, 10 << 30)
    limits = Limits(max_artifact_bytes=1_048_576, max_bundle_bytes=65_536)
    reports = judged(repository, limits=limits)
    assert codes(reports) == only(BUNDLE, code)


@pytest.mark.parametrize("data", [b"", b"{}", b"null", b"\xff", b'{"payloadType":1}'])
def test_a_signature_that_is_none_fails_its_artefact(data: bytes, repository: Path) -> None:
    (repository / f"{FIRST}.sig").write_bytes(data)
    found = codes(judged(repository))
    assert found.pop(FIRST) is not None
    assert set(found.values()) == {None}


@pytest.mark.parametrize("left", ["nothing", "folder"])
def test_nothing_verified_is_no_success(left: str, tmp_path: Path) -> None:
    (tmp_path / ".sei").mkdir()
    if left == "folder":
        (tmp_path / ".sei" / "conformance").mkdir()
    error = raised(tmp_path, keys=[KEY.public])
    assert (error.code, error.exit_code) == ("no_artefacts", 1)


def test_leftovers_are_told_of_once_and_change_nothing(repository: Path) -> None:
    (repository / ".sei" / ".bundle.json.0123456789abcdef.tmp").write_bytes(b"{")
    reports = judged(repository)
    warnings = [[item.code for item in report.warnings] for report in reports.values()]
    assert warnings == [["leftover_file"], [], [], []]
    assert set(codes(reports).values()) == {None}


def test_the_development_key_counts_for_nobody_who_names_it(repository: Path) -> None:
    development = open_local_key({})
    for name in ALL:
        sign(repository, name, development)
    error = raised(repository, keys=[development.public])
    assert (error.code, error.exit_code) == ("development_key", 1)
    assert {report.result for report in error.reports if isinstance(report, Report)} == {"fail"}
    # Nor beside a key that counts.
    both = judged(repository, development.public, KEY.public)
    assert set(codes(both).values()) == {"development_key"}


def test_errors_with_reports_reach_another_process(repository: Path) -> None:
    import pickle

    change(repository / BUNDLE)
    error: VerificationFailed | UsageError = pickle.loads(
        pickle.dumps(raised(repository, keys=[KEY.public]))
    )
    assert error.code == "digest_mismatch"
    assert len(error.reports) == len(ALL)
