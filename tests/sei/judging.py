"""A repository of signed artefacts, and the reports of verifying it, for several files of tests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

import attest
from attest.api.sei_verify import examine_artefacts, policy_of_keys
from attest.errors import AttestError
from attest.formats.sei.signature import sign_artefact
from attest.keys import PublicKey
from attest.limits import Limits
from attest.policy.model import Policy
from attest.report import json as report_json
from attest.report import text as report_text
from attest.report.model import Report
from attest.signing.keyfile import FileKey
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


def change(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b" ")
