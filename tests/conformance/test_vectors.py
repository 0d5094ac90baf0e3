"""Every published vector, through the runner that prints them; contradictions must stay true."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.conformance.case import Outcome
from tests.conformance.run import CONTRADICTIONS, outcomes

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("ATTEST_SHARED", ROOT.parent / "shared"))
VECTORS = SHARED / "vectors" / "evidence-pack"
pytestmark = pytest.mark.skipif(
    not VECTORS.is_dir(), reason="the published vectors are not beside the project"
)
FILES = sorted(path.relative_to(VECTORS).as_posix() for path in VECTORS.rglob("*.json"))


@cache
def judged() -> tuple[Outcome, ...]:
    return tuple(outcomes(VECTORS))


@pytest.mark.parametrize("vector", FILES)
def test_a_vector_has_the_published_verdict(vector: str) -> None:
    found = [outcome for outcome in judged() if outcome.vector == vector]
    assert found
    failed = [item.name for item in found if not item.passed and item.name not in CONTRADICTIONS]
    assert failed == []


def test_most_cases_are_run() -> None:
    assert len(judged()) > 370
    assert sum(outcome.case.valid for outcome in judged()) > 120
    assert sum(bool(outcome.case.codes) for outcome in judged()) > 200


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_a_contradiction_is_still_one(name: str) -> None:
    (outcome,) = (item for item in judged() if item.name == name)
    assert not outcome.passed
    assert (outcome.error.code if outcome.error else None) == CONTRADICTIONS[name]


def _run(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.conformance.run", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_runner_prints_what_its_contract_asks_for() -> None:
    done = _run(VECTORS)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == len(judged())
    for line in lines:
        assert isinstance(line["valid"], bool)
        result = line["result"]
        assert result["ok"] == (result["errors"] == [])
        assert all(error["code"] for error in result["errors"])
        assert (VECTORS / line["vector"]).is_file()
    assert "vectors 1.0: " in done.stderr


def test_the_runner_fails_where_a_vector_fails(tmp_path: Path) -> None:
    shutil.copy(VECTORS / "VERSION", tmp_path)
    (tmp_path / "path-validation").mkdir()
    case = {"path": "artifacts/con", "valid": True, "description": "a lie"}
    (tmp_path / "path-validation" / "lie.json").write_text(json.dumps({"tests": [case]}))
    done = _run(tmp_path)
    assert done.returncode == 1
    assert "failed: path-validation/lie.json: a lie" in done.stderr
