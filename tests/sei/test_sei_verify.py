"""A repository's artefacts verified: each by its own, by registered keys alone."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import attest
from attest.api.sei_verify import examine_artefacts, policy_of_keys
from attest.errors import AttestError, UsageError, VerificationFailed
from attest.formats.sei.signature import sign_artefact
from attest.keys import PublicKey
from attest.limits import Limits
from attest.policy.model import Policy
from attest.report import json as report_json
from attest.report import text as report_text
from attest.report.model import Report
from attest.signing.keyfile import FileKey
from attest.signing.sei_local import open_local_key
from tests.sei import golden, second

KEY = golden.golden_key()
STRANGER = FileKey(second.private_key("a stranger"))
OTHER = FileKey(second.private_key("another"))
BUNDLE = ".sei/bundle.json"
RECONSTRUCT = ".sei/reconstruct.json"
FIRST = ".sei/conformance/eu_pren-18228_2026.json"
SECOND = ".sei/conformance/iso_23894_2023.json"
ALL = [BUNDLE, FIRST, SECOND, RECONSTRUCT]
NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    golden.write(folder)
    (folder / golden.PUBLIC_KEY).unlink()
    return folder


def sign(repository: Path, name: str, key: FileKey = KEY, data: bytes | None = None) -> None:
    """Sign whatever lies there, as a program would that checks nothing."""
    path = repository / name
    if data is not None:
        path.write_bytes(data)
    Path(f"{path}.sig").write_bytes(sign_artefact(path.read_bytes(), name, key))


def judged(
    repository: Path,
    *keys: PublicKey,
    policy: Policy | None = None,
    system: str | None = None,
    limits: Limits | None = None,
    now: datetime = NOW,
) -> dict[str, Report]:
    reports = examine_artefacts(
        repository,
        policy=policy or policy_of_keys(keys or [KEY.public]),
        system=system,
        limits=limits,
        now=now,
    )
    return by_name(list(reports))


def by_name(reports: Sequence[Report]) -> dict[str, Report]:
    found = {item.target.name: item for item in reports}
    assert len(found) == len(reports)
    for item in reports:  # every one can be told of, and follows the schema
        report_json.to_json(item)
        report_text.render(item, explain=True)
    return found


def codes(reports: dict[str, Report]) -> dict[str, str | None]:
    assert all((item.error is None) == (item.result == "pass") for item in reports.values())
    return {name: item.error.code if item.error else None for name, item in reports.items()}


def only(name: str, code: str) -> dict[str, str | None]:
    """One that fails, and all the others that pass."""
    return {item: code if item == name else None for item in ALL}


def raised(repository: Path, **options: object) -> AttestError:
    with pytest.raises(AttestError) as caught:
        attest.verify_artefacts(repository, **options)  # type: ignore[arg-type]  # as given
    return caught.value


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


def test_a_policy_that_forbids_others_forbids_strangers(repository: Path) -> None:
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


# Nobody's identity.


def intact(repository: Path) -> dict[str, Report]:
    return by_name(list(examine_artefacts(repository, policy=None)))


def test_integrity_asks_for_no_key_and_says_so(repository: Path) -> None:
    sign(repository, BUNDLE, open_local_key({}))
    reports = intact(repository)
    assert set(codes(reports).values()) == {None}
    warnings = {name: [one.code for one in item.warnings] for name, item in reports.items()}
    unknown = ["integrity_only", "signature_not_checked"]
    assert warnings == dict.fromkeys(ALL, unknown) | {BUNDLE: ["integrity_only", "development_key"]}
    assert {item.assurance for item in reports.values()} == {"integrity"}
    assert all(item.attestations == () for item in reports.values())


def change(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b" ")


def forge(path: Path) -> None:
    """Name the development key in what a stranger signed."""
    document = json.loads(Path(f"{path}.sig").read_bytes())
    point_id = open_local_key({}).public.point_id
    assert point_id is not None
    document["signatures"][0]["keyid"] = point_id.hex()
    Path(f"{path}.sig").write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (change, "digest_mismatch"),
        (forge, "signature_invalid"),
        (lambda path: Path(f"{path}.sig").unlink(), "unsigned_artefact"),
        (lambda path: Path(f"{path}.sig").write_bytes(b"{}"), "invalid_sei_signature"),
        (lambda path: Path(f"{path}.sig").rename(f"{path}.sigstore.json"), "unsigned_artefact"),
    ],
)
def test_integrity_is_held_to_what_was_signed(
    spoil: Callable[[Path], object], code: str, repository: Path
) -> None:
    spoil(repository / RECONSTRUCT)
    assert codes(intact(repository)) == only(RECONSTRUCT, code)


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


# By a policy file.


def policy_file(folder: Path, text: str, *keys: FileKey) -> Policy:
    folder.mkdir(exist_ok=True)
    for number, key in enumerate(keys):
        (folder / f"{number}.pub").write_bytes(key.public.pem)
    (folder / "policy.yaml").write_text(text)
    return Policy.load(folder / "policy.yaml")


OPTIONAL = "log: optional\ntimestamp: optional\n"
WINDOWS = f"""\
version: 1
signers:
  old: {{key: 0.pub, not-after: 2026-06-30T00:00:00Z}}
  new: {{key: 1.pub, not-before: 2026-06-01T00:00:00Z}}
require:
  - at-least: 1
    of: [old, new]
{OPTIONAL}"""


@pytest.mark.parametrize(
    ("day", "old", "new"),
    [
        ((2026, 5, 1), None, "signed_too_early"),
        ((2026, 6, 15), None, None),
        ((2026, 7, 1), "signed_too_late", None),
    ],
)
def test_keys_have_windows_that_the_clock_opens_and_shuts(
    day: tuple[int, int, int], old: str | None, new: str | None, repository: Path, tmp_path: Path
) -> None:
    policy = policy_file(tmp_path / "keys", WINDOWS, KEY, OTHER)
    sign(repository, BUNDLE, OTHER)
    found = codes(judged(repository, policy=policy, now=datetime(*day, tzinfo=UTC)))
    assert found == dict.fromkeys(ALL, old) | {BUNDLE: new}


@pytest.mark.parametrize("name", sorted(KEY.public.ids))
def test_a_revoked_key_counts_no_longer_and_another_still_does(
    name: str, repository: Path, tmp_path: Path
) -> None:
    text = WINDOWS.replace("2026-06-30", "2036-06-30")
    text += f'revoked:\n  keys: [{{value: "{name}", since: 2036-01-01T00:00:00Z}}]\n'
    policy = policy_file(tmp_path / "keys", text, KEY, OTHER)
    sign(repository, BUNDLE, OTHER)
    found = codes(judged(repository, policy=policy))
    assert found == dict.fromkeys(ALL, "signer_revoked") | {BUNDLE: None}


def test_a_policy_that_asks_for_proofs_is_met_by_no_signature(
    repository: Path, tmp_path: Path
) -> None:
    text = "version: 1\nsigners:\n  k: {key: 0.pub}\nrequire: [k]\n"
    policy = policy_file(tmp_path / "keys", text, KEY)
    assert set(codes(judged(repository, policy=policy)).values()) == {"log_required"}
    policy = policy_file(tmp_path / "keys", f"{text}log: optional\n", KEY)
    assert set(codes(judged(repository, policy=policy)).values()) == {"timestamp_required"}


def test_one_key_under_two_names_is_one(repository: Path, tmp_path: Path) -> None:
    text = "version: 1\nsigners:\n  a: {key: 0.pub}\n  b: {key: 1.pub}\n"
    text += f"require: [a, b]\n{OPTIONAL}"
    with pytest.raises(attest.PolicyFileError) as caught:
        policy_file(tmp_path / "keys", text, KEY, KEY)
    assert caught.value.code == "policy_impossible"
    policy = policy_file(tmp_path / "keys", text, KEY, OTHER)
    found = set(codes(judged(repository, policy=policy)).values())
    assert found == {"certificate_identity_mismatch"}


def test_a_policy_that_has_expired_decides_nothing(repository: Path, tmp_path: Path) -> None:
    text = "version: 1\nexpires: 2026-01-01T00:00:00Z\nsigners:\n  k: {key: 0.pub}\nrequire: [k]\n"
    policy = policy_file(tmp_path / "keys", text + OPTIONAL, KEY)
    with pytest.raises(attest.PolicyFileError) as caught:
        judged(repository, policy=policy, now=NOW + timedelta(days=1))
    assert caught.value.code == "policy_expired"


def test_errors_with_reports_reach_another_process(repository: Path) -> None:
    import pickle

    change(repository / BUNDLE)
    error: VerificationFailed | UsageError = pickle.loads(
        pickle.dumps(raised(repository, keys=[KEY.public]))
    )
    assert error.code == "digest_mismatch"
    assert len(error.reports) == len(ALL)
