"""A few seconds of fuzzing; `make fuzz` runs longer. Other readers agree on what is accepted."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz import run
from tests.fuzz.mutants import mutant

ROOT = Path(__file__).resolve().parents[2]
GO = Path(__file__).parent / "go" / "main.go"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, int]]:
    """What the first mutants came to, in a process of bounded memory; the accepted ones."""
    folder = tmp_path_factory.mktemp("accepted")
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.run", "--seed", "0", "--count", "2000",
         "--keep", folder],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


def packs(folder: Path) -> dict[Path, dict[str, str]]:
    return {path: json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
            for path in sorted(folder.glob("*.epack"))}  # fmt: skip


def test_mutants_are_refused_with_codes_or_read_as_zipfile_reads_them(
    kept: tuple[Path, dict[str, int]],
) -> None:
    folder, counts = kept
    assert counts["mutants"] == 2000
    # Neither too sound nor too broken to find anything, and many checks are reached.
    assert len(packs(folder)) == counts["accepted"] > 100
    assert len(counts) > 15


@pytest.mark.parametrize("tool", ["unzip", "bsdtar"])
def test_other_tools_read_the_same(kept: tuple[Path, dict[str, int]], tool: str) -> None:
    program = shutil.which(tool)
    if program is None:
        pytest.skip(f"{tool} is not installed")
    options = ["-p"] if tool == "unzip" else ["-xOf"]
    compared = 0
    for path, files in list(packs(kept[0]).items())[::3]:
        for name, digest in files.items():
            if set(name) & set("*?[]"):
                continue  # these tools take it for a pattern
            found = subprocess.run([program, *options, path, name], capture_output=True,
                                   check=False, timeout=20)  # fmt: skip
            # unzip knows no ZIP64 end record in a small archive; a refusal is no other reading.
            if found.returncode == 0:
                assert hashlib.sha256(found.stdout).hexdigest() == digest, (path, name)
                compared += 1
    assert compared > 100


@pytest.mark.extra
def test_go_reads_the_same(kept: tuple[Path, dict[str, int]]) -> None:
    program = shutil.which("go")
    if program is None:
        pytest.skip("go is not installed")
    expected = packs(kept[0])
    done = subprocess.run(
        [program, "run", GO],
        input="".join(f"{path}\n" for path in expected),
        capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    assert [json.loads(line) for line in done.stdout.splitlines()] == list(expected.values())


def test_a_seed_makes_the_same_archive_again() -> None:
    assert [mutant(seed) for seed in range(50)] == [mutant(seed) for seed in range(50)]
    assert len({mutant(seed) for seed in range(50)}) > 25


def test_a_fault_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seed = next(
        seed for seed in range(200) if run.judge(seed, tmp_path / "a.epack")[0] == "accepted"
    )
    real = run.read

    def other(path: Path) -> dict[str, bytes]:
        return real(path) | {"artifacts/more": b""}

    monkeypatch.setattr(run, "read", other)
    with pytest.raises(AssertionError, match="zipfile"):
        run.judge(seed, tmp_path / "a.epack")
    monkeypatch.setattr(run, "read", real)
    monkeypatch.setattr(run, "SECONDS", -1.0)
    with pytest.raises(AssertionError, match="took"):
        run.judge(seed, tmp_path / "a.epack")
