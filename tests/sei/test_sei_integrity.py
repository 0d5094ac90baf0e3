"""Artefacts as they were signed, by whomever: what that shows, and what it says it does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from attest.api.sei_verify import examine_artefacts
from attest.report.model import Report
from attest.signing.sei_local import open_local_key
from tests.sei.judging import (
    ALL,
    BUNDLE,
    RECONSTRUCT,
    by_name,
    change,
    codes,
    only,
    sign,
)
from tests.sei.judging import repository as repository  # noqa: PLC0414  # a fixture


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


def test_no_signature_is_called_checked_that_was_not(repository: Path) -> None:
    sign(repository, BUNDLE, open_local_key({}))
    steps = {
        name: [(step.check, step.status) for step in report.checks if step.check[0] in "35"]
        for name, report in intact(repository).items()
    }
    unknown = [("3-5 signature", "skip"), ("5 subject", "pass")]
    assert steps == dict.fromkeys(ALL, unknown) | {BUNDLE: [("3-5 signature", "pass")]}


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
