"""Mutate the code that decides policies, and fail where no test notices (`make mutate`).

    python -m tests.mutation.policy_code [--module NAME]... [--matching TEXT] [--verbose]

Each mutant runs the tests of the decision in a fork of this process, so that only the package is
imported anew. What survives must be listed in `unnoticed.txt` with the reason why it changes no
verdict; what is listed and dies, or is not there any more, fails too.
"""

from __future__ import annotations

import argparse
import importlib.abc
import importlib.machinery
import importlib.util
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import CodeType, ModuleType

from tests.mutation.policy_mutants import ROOT, Mutant, mutants

#: The code whose mutants could change a verdict, each with the tests that notice most of them.
MODULES = {
    "qualify": ("decide", "time"),
    "occurrences": ("fields",),
    "times": ("time",),
    "fields": ("fields",),
    "revoked": ("revoked",),
    "match": ("match",),
    "slots": ("slots",),
    "possible": ("possible",),
    "issuers": ("issuers",),
    "decide": ("decide", "reasons"),
}
#: All of them, in stages: collecting the later ones takes longer than running the first.
TESTS = (
    (
        "tests/policy/test_policy_decide.py",
        "tests/policy/test_policy_reasons.py",
        "tests/policy/test_policy_time.py",
        "tests/policy/test_policy_revoked.py",
        "tests/policy/test_policy_slots.py",
        "tests/policy/test_policy_fields.py",
        "tests/policy/test_policy_match.py",
        "tests/policy/test_policy_possible.py",
        "tests/policy/test_policy_issuers.py",
    ),
    ("tests/sei/test_sei_policy.py", "tests/sei/test_sei_denied.py"),
    ("tests/policy/test_policy_properties.py",),
    ("tests/engine/test_verify_by_policy.py",),
)
UNNOTICED = Path(__file__).with_name("unnoticed.txt")
#: Of the processor, for a stage: what takes several times as long as usual hangs, and is noticed.
SECONDS = 10
#: Of the clock, for what waits.
LONGEST = 600


class _Loader(importlib.abc.InspectLoader):
    """Loads one module from a tree in place of its file."""

    def __init__(self, code: CodeType) -> None:
        self._code = code

    def get_source(self, fullname: str) -> None:  # noqa: ARG002 - as the interface has it
        return None

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 - as the interface has it
        return self._code


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, mutant: Mutant) -> None:
        self._name = mutant.module
        self._code = compile(mutant.tree, f"<{mutant.module}>", "exec")

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        del path, target
        if fullname != self._name:
            return None
        return importlib.util.spec_from_loader(fullname, _Loader(self._code))


def survives(mutant: Mutant | None) -> bool:
    """Whether all tests pass with a mutant, or, without one, at all."""
    child = os.fork()
    if child:
        return _ended_well(child)
    status = 1
    try:
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        os.chdir(ROOT)
        if mutant is not None:
            sys.meta_path.insert(0, _Finder(mutant))
        status = _tested(mutant)
    finally:
        os._exit(status)


def _tested(mutant: Mutant | None) -> int:
    """Run the tests up to the first that fails, those that are likely to first."""
    import pytest
    from hypothesis import Phase, settings

    # A busy machine kills no mutant, nor does chance; and nobody reads the smallest example.
    phases = (Phase.explicit, Phase.generate)
    settings.register_profile("mutation", deadline=None, derandomize=True, phases=phases)
    settings.load_profile("mutation")
    options = ["-x", "-q", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:xdist"]
    # What was imported before the fork has no assertions of ours.
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    names = () if mutant is None else MODULES[mutant.module.rpartition(".")[2]]
    first = tuple(f"tests/policy/test_policy_{name}.py" for name in names)
    for stage in (first, *TESTS):
        end = int(time.process_time()) + SECONDS
        resource.setrlimit(resource.RLIMIT_CPU, (end, resource.RLIM_INFINITY))
        left = stage if stage is first else tuple(test for test in stage if test not in first)
        status = int(pytest.main([*options, *left])) if left else 0
        if status:
            return status
    return 0


def _ended_well(child: int) -> bool:
    end = time.monotonic() + LONGEST
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def unnoticed() -> dict[str, str]:
    """Mutants that may live, by name, each with its reason on the indented line below it."""
    lines = [line for line in UNNOTICED.read_text(encoding="utf-8").splitlines() if line]
    lines = [line for line in lines if not line.startswith("#")]
    reasons = {name: why.strip() for name, why in zip(lines[::2], lines[1::2], strict=True)}
    if not all(line.startswith("  ") for line in lines[1::2]) or not all(reasons.values()):
        raise SystemExit(f"{UNNOTICED.name}: each mutant needs its reason, indented, below it")
    return reasons


def main() -> int:
    """Run every mutant, and tell of those that survive and of those that should."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--module", action="append", choices=tuple(MODULES), help="of attest.policy"
    )
    parser.add_argument("--matching", default="", help="only mutants whose name has this text")
    parser.add_argument("--verbose", action="store_true", help="a line for each mutant")
    args = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory() as folder:
        # What fails under a mutant is nothing that later runs should try first.
        os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = folder
        # What is not mutated is compiled once.
        sys.pycache_prefix, sys.dont_write_bytecode = folder, False
        for name in ("pytest", "hypothesis", "cryptography.x509", "yaml", "re2", "jsonschema"):
            importlib.import_module(name)
        if not survives(None):
            print("the tests fail without any mutant", file=sys.stderr)  # noqa: T201
            return 2
        return _judged(args.module or tuple(MODULES), args.matching, verbose=args.verbose)


def _judged(modules: Sequence[str], matching: str, *, verbose: bool) -> int:
    listed = unnoticed()
    made = [mutant for name in modules for mutant in mutants(name) if matching in mutant.name]
    lived = _lived(made, listed, verbose=verbose)
    strangers = [name for name in lived if name not in listed]
    names = {mutant.name for mutant in made}
    dead = [name for name in listed if name in names and name not in lived]
    gone = [
        name
        for name in listed
        if name.partition(":")[0].partition(".")[0] in modules
        and matching in name
        and name not in names
    ]
    for text, some in (("SURVIVED", strangers), ("listed, and dies", dead), ("is gone", gone)):
        for name in some:
            print(f"{text}: {name}")  # noqa: T201
    counts = f"{len(made)} mutants, {len(lived)} lived, {len(strangers)} of them unexplained"
    print(f"{counts}; {len(dead) + len(gone)} listed for nothing")  # noqa: T201
    return 1 if strangers or dead or gone else 0


def _lived(made: Sequence[Mutant], listed: dict[str, str], *, verbose: bool) -> list[str]:
    """The names of those that no test notices; how far it is goes to standard error."""
    lived: list[str] = []
    for at, mutant in enumerate(made, 1):
        alive = survives(mutant)
        if alive:
            lived.append(mutant.name)
        if verbose:
            word = "dies" if not alive else "lives, as listed" if mutant.name in listed else "LIVES"
            line = f"{at}/{len(made)} {word}: {mutant.name} (line {mutant.line})\n"
        elif sys.stderr.isatty():
            line = f"\r\x1b[K{at}/{len(made)}, {len(lived)} live; {mutant.name}"[:120]
        else:
            continue
        sys.stderr.write(line)
        sys.stderr.flush()
    if sys.stderr.isatty() and not verbose:
        sys.stderr.write("\r\x1b[K")
    return lived


if __name__ == "__main__":
    raise SystemExit(main())
