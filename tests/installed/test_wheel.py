"""The built wheel works without the source tree, in a clean environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("attest", "policy", "testdata/evidence")
FILES = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE")


@dataclass(frozen=True, kw_only=True, slots=True)
class Installed:
    """A fresh virtual environment that holds the wheel, and an empty folder to work in."""

    wheel: Path
    scripts: Path
    folder: Path

    def run(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the environment with nothing inherited but what Windows cannot miss."""
        keep = ("SYSTEMROOT", "TEMP", "TMP")
        environ = {name: os.environ[name] for name in keep if name in os.environ}
        suffix = ".exe" if os.name == "nt" else ""
        return subprocess.run(
            [self.scripts / f"{command}{suffix}", *arguments],
            cwd=self.folder,
            env={**environ, "HOME": str(self.folder), "PYTHONUTF8": "1"},
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )


def run(command: Sequence[str | Path]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def build_wheel(scratch: Path) -> Path:
    """Build from a copy, so that leftovers of other builds stay out of the wheel."""
    source = scratch / "source"
    for name in SOURCES:
        if (ROOT / name).is_dir():
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, source / name, ignore=ignore)
    for name in FILES:
        shutil.copy2(ROOT / name, source / name)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    run([*command, "--no-index", "--wheel-dir", scratch, source])
    return next(scratch.glob("epack_attest-*.whl"))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    scratch = tmp_path_factory.mktemp("wheel")
    wheel = build_wheel(scratch)
    home = scratch / "venv"
    venv.create(home, with_pip=False, symlinks=os.name != "nt")
    scripts = home / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / ("python.exe" if os.name == "nt" else "python")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--no-deps",
        "--no-index",
    ]
    run([*pip, wheel])
    # The dependencies come from the environment that runs the tests, except `attest` itself: a
    # path file of an editable install is only read in a real site folder, never in an added one.
    purelib = sysconfig.get_path("purelib", vars={"base": str(home)})
    Path(purelib, "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    folder = scratch / "elsewhere"
    folder.mkdir()
    return Installed(wheel=wheel, scripts=scripts, folder=folder)


def test_the_package_comes_from_the_wheel(installed: Installed) -> None:
    found = installed.run("python", "-c", "import attest; print(attest.__file__)")
    assert Path(found.stdout.strip()).is_relative_to(installed.scripts.parent), found.stderr


def test_the_wheel_holds_the_package_and_its_data(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as archive:
        names = set(archive.namelist())
    shared = {"testdata/evidence": "attest/_share/evidence", "policy": "attest/_share/policy"}
    expected = {"attest/py.typed"}
    for source, target in {"attest": "attest", **shared}.items():
        for path in (ROOT / source).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                expected.add(f"{target}/{path.relative_to(ROOT / source).as_posix()}")
    assert expected - names == set()
    metadata = {name for name in names if ".dist-info/" in name}
    assert names - expected - metadata == set()
    assert any(name.endswith("/LICENSE") for name in metadata)


def test_the_command_prints_its_version(installed: Installed) -> None:
    done = installed.run("attest", "--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("attest ")


def test_the_demo_runs_without_the_source_tree(installed: Installed) -> None:
    done = installed.run("attest", "demo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
