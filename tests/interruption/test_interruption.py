"""A process that ends at any moment leaves the old file or the new one, never a mix."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.interruption.operations import BEGIN, OPERATIONS, prepare

ROOT = Path(__file__).resolve().parents[2]
State: TypeAlias = "str | dict[str, State] | None"

#: The ways to open, write, sync, replace, link, unlink and mkdir that a kernel may offer.
SYSCALLS = ("open", "openat", "creat", "write", "pwrite64", "writev", "fsync", "fdatasync",
            "rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat", "rmdir",
            "mkdir", "mkdirat", "fchmod", "chmod", "fchmodat", "ftruncate")  # fmt: skip
#: A question mark: not every machine has every call.
ALL = ",".join(f"?{name}" for name in SYSCALLS)


#: A hidden temporary file or a lock, which no reader takes.
HIDDEN = re.compile(r"\..*\.(tmp|lock)")


def state(path: Path, *, hidden: bool = True) -> State:
    """What stands at a path: nothing, a file by its digest, or a folder of such."""
    if path.is_dir():
        return {
            child.name: state(child, hidden=hidden)
            for child in path.iterdir()
            if hidden or not HIDDEN.fullmatch(child.name)
        }
    # Not the bytes: where `CI` is set pytest explains every difference between them, for minutes.
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None


def is_in_between(now: State, old: State, new: State) -> bool:
    """Whether all files are of one version, and no signature is there without what it signs."""
    files = now if isinstance(now, dict) else {}
    versions = [version for version in (old, new) if isinstance(version, dict)]
    artefacts = {name.partition(".json")[0] + ".json" for name in files}
    return artefacts <= files.keys() and (
        not files or any(files.items() <= version.items() for version in versions)
    )


def judge(name: str, folder: Path, new: State) -> bool:
    """Hold what an interrupted operation left to the promise; whether the new content is there."""
    operation = OPERATIONS[name]
    target = folder / operation.target
    started = folder.parent / f"{folder.name}.started"
    prepare(name, started)
    old, now = state(started / operation.target), state(target, hidden=not operation.in_steps)
    if operation.in_steps:
        assert is_in_between(now, old, new), "what is signed is neither the old nor the new one"
    else:
        assert now in (old, new), "neither the old content nor the new one"
    ours = {child.name for child in started.iterdir()} | {operation.target, BEGIN}
    for child in folder.iterdir():
        if child.name not in ours:
            assert HIDDEN.fullmatch(child.name), child.name
        elif child.name not in (operation.target, BEGIN):
            assert state(child) == state(started / child.name), "an input changed"
    # What was left is in nobody's way.
    if now != new or not isinstance(now, dict) or operation.in_steps:
        operation.run(folder)
        assert state(target) == new
    return now == new


@cache
def finished(name: str, folder: Path) -> State:
    prepare(name, folder)
    OPERATIONS[name].run(folder)
    found = state(folder / OPERATIONS[name].target)
    assert found is not None
    return found


@pytest.mark.parametrize("fault", ["half", "litter", "input"])
def test_a_mix_would_be_found(tmp_path: Path, fault: str) -> None:
    new = finished("rebuild", tmp_path / "whole")
    data = (tmp_path / "whole" / OPERATIONS["rebuild"].target).read_bytes()
    folder = tmp_path / "mixed"
    prepare("rebuild", folder)
    place = {"half": "out.epack", "litter": "out.epack.1", "input": "in/a.txt"}[fault]
    (folder / place).write_bytes(data[:-1])
    with pytest.raises(AssertionError):
        judge("rebuild", folder, new)


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        ("nothing", True),
        ("unsigned", True),
        ("unsigned old", True),
        ("the old signature", False),
        ("the old bundle", False),
        ("an orphan", False),
        ("half", False),
    ],
)
def test_a_signature_beside_other_bytes_would_be_found(fault: str, found: bool) -> None:  # noqa: FBT001
    old: State = {"x.json": "1", "x.json.sig": "2", "x.json.sigstore.json": "3"}
    new: State = {"x.json": "4", "x.json.sig": "5"}
    states: dict[str, State] = {
        "nothing": {},
        "unsigned": {"x.json": "4"},
        "unsigned old": {"x.json": "1"},
        "the old signature": {"x.json": "4", "x.json.sig": "2"},
        "the old bundle": {"x.json": "4", "x.json.sig": "5", "x.json.sigstore.json": "3"},
        "an orphan": {"x.json.sig": "5"},
        "half": {"x.json": "6"},
    }
    assert is_in_between(states[fault], old, new) is found


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("name", OPERATIONS)
def test_an_end_at_any_call_of_ours(tmp_path: Path, name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.interruption.wrapped", name, tmp_path / "runs"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    calls = done.stdout.split()
    assert {"open", "write", "fsync"} <= set(calls)
    # On the disk before it gets its name, and the name on the disk as well.
    named = min(calls.index(call) for call in ("link", "replace", "rename") if call in calls)
    assert "fsync" in calls[:named]
    assert "fsync" in calls[named:]
    new = finished(name, tmp_path / "whole")
    results = [
        judge(name, tmp_path / "runs" / str(index), new) for index in range(1, len(calls) + 1)
    ]
    # First the old content, from one call on the new one.
    assert results == sorted(results)
    assert not results[0]
    assert results[-1]


def _strace(options: list[str], name: str, folder: Path) -> subprocess.CompletedProcess[str]:
    folder.mkdir(exist_ok=True)
    command = ["strace", "-f", "-qq", "-e", f"trace={ALL}", *options]
    return subprocess.run(
        [*command, sys.executable, "-m", "tests.interruption.operations", name, folder],
        cwd=ROOT,
        # A run that compiles modules would make other calls than the next one.
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@cache
def _tracer_fault() -> str | None:
    """Why no process can be traced here, or None."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    done = subprocess.run(
        ["strace", "-qq", "-o", os.devnull, sys.executable, "-c", ""],
        capture_output=True,
        check=False,
    )
    return None if done.returncode == 0 else "strace may not trace here"


def _calls(log: Path) -> list[tuple[str, int]]:
    """The calls after the beginning, each with how many of its name came before and with it."""
    seen: Counter[str] = Counter()
    found: list[tuple[str, int]] = []
    begun = False
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        match = re.match(r"\d+ +(\w+)\(", line)
        if match is None:
            continue
        name = match[1]
        seen[name] += 1
        if begun:
            found.append((name, seen[name]))
        begun = begun or (name.startswith("mkdir") and f'{BEGIN}"' in line)
    return found


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_kill_at_any_system_call(tmp_path: Path, name: str) -> None:
    fault = _tracer_fault()
    if fault is not None:
        pytest.skip(fault)
    log = tmp_path / "log"
    prepare(name, tmp_path / "traced")
    done = _strace(["-o", str(log)], name, tmp_path / "traced")
    assert done.returncode == 0, done.stderr
    calls = _calls(log)
    assert {"openat", "write", "fsync"} <= {call for call, _ in calls}
    new = finished(name, tmp_path / "whole")
    results = []
    for call, number in calls:
        folder = tmp_path / f"{call}{number}"
        prepare(name, folder)
        inject = f"inject={call}:signal=KILL:when={number}"
        killed = _strace(["-o", os.devnull, "-e", inject], name, folder)
        assert killed.returncode in (-9, 137), (call, number, killed.stderr)
        assert (folder / BEGIN).is_dir()
        results.append(judge(name, folder, new))
    assert not results[0]
    assert results == sorted(results)
    assert results[-1]
