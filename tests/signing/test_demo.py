"""The demonstration does what it says, and notices when a cheat is not rejected."""

from __future__ import annotations

import io
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from attest.cli import demo, demo_cheats
from attest.cli.main import main

CODES = (
    "digest_mismatch",
    "manifest_digest_mismatch",
    "no_attestations",
    "certificate_identity_mismatch",
    "invalid_inclusion_proof",
)


def run(*words: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    code = main(["demo", *words], stdout=out, stderr=err, environ={})
    return code, out.getvalue(), err.getvalue()


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_the_whole_story_is_told_in_order(tmp_path: Path) -> None:
    before = (dict(os.environ), Path.cwd())
    code, out, err = run()
    assert (code, err) == (0, "")
    marks = (
        "$ attest build",
        "$ attest sign",
        "https://github.com/acme/evidence/.github/workflows/pack.yml@refs/heads/main",
        "$ attest sign",
        "ana@acme.example",
        "$ attest verify evidence.epack",
        "VERIFIED: evidence.epack",
        *(f"REJECTED (exit 1) {code}" for code in CODES),
        "5 of 5 cheats",
    )
    position = 0
    for mark in marks:
        position = out.index(mark, position)
    assert (dict(os.environ), Path.cwd()) == before
    assert list(tmp_path.iterdir()) == []
    assert "eyJ" not in out


def test_the_outcome_as_json() -> None:
    code, out, err = run("--output", "json")
    document = json.loads(out)
    assert (code, err, document["result"]) == (0, "", "pass")
    assert tuple(item["code"] for item in document["cheats"]) == CODES
    assert all(item["rejected"] for item in document["cheats"])


def test_it_runs_the_same_in_ci_and_behind_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "SIGSTORE_ID_TOKEN": "stale",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
        "ATTEST_OUTPUT": "json",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert run()[0] == 0


def honest(folder: Path) -> None:
    shutil.copyfile(folder / demo_cheats.PACK, folder / "stripped.epack")


@pytest.mark.parametrize(
    "change",
    [
        lambda cheat: replace(cheat, make=honest),  # nobody rejects it
        lambda cheat: replace(cheat, expected="digest_mismatch"),  # rejected for another reason
        lambda cheat: replace(cheat, make=lambda _: None),  # no verdict: the file is missing
    ],
)
@pytest.mark.parametrize("output", ["text", "json"])
def test_a_cheat_that_is_not_rejected_as_it_must_be_fails_the_demo(
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[demo_cheats.Cheat], demo_cheats.Cheat],
    output: str,
) -> None:
    cheats = [
        change(cheat) if cheat.name == "stripped attestations" else cheat
        for cheat in demo_cheats.cheats()
    ]
    monkeypatch.setattr(demo, "cheats", lambda: cheats)
    code, out, _ = run("--output", output)
    assert code == 1
    if output == "json":
        document = json.loads(out)
        assert document["result"] == "fail"
        assert [item["rejected"] for item in document["cheats"]].count(False) == 1
    else:
        assert "FAILED" in out


def test_a_step_that_fails_ends_the_demo_without_a_verdict(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(demo, "STREAM", "")
    code, out, err = run()
    assert code == 2
    assert "demo_failed" in err
    assert "REJECTED" not in out
