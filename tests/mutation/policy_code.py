"""Mutate the code that decides policies, and list what no test notices (`make mutate`).

Each mutant runs the tests of the decision in a fork of this process, so that only the package is
imported anew. What survives either changes no verdict, as where it only chooses words or the order
in which equals are told, or a test is missing.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib.abc
import importlib.machinery
import importlib.util
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType

ROOT = Path(__file__).resolve().parents[2]
#: The code whose mutants could change a verdict, and the tests that must notice.
MODULES = ("decide", "qualify", "slots", "fields", "match", "revoked", "issuers", "possible")
TESTS = (
    "tests/policy/test_policy_decide.py",
    "tests/policy/test_policy_time.py",
    "tests/policy/test_policy_revoked.py",
    "tests/policy/test_policy_reasons.py",
    "tests/policy/test_policy_slots.py",
    "tests/policy/test_policy_fields.py",
    "tests/policy/test_policy_match.py",
    "tests/policy/test_policy_possible.py",
    "tests/policy/test_policy_issuers.py",
    "tests/policy/test_policy_properties.py",
    "tests/engine/test_verify_by_policy.py",
)
#: What many times the usual run does not end in hangs, and is noticed so.
SECONDS = 240

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
_CALLED = {"any": "all", "all": "any", "min": "max", "max": "min"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Mutant:
    """A module with one thing changed."""

    module: str
    line: int
    old: str
    new: str
    tree: ast.Module


def mutants(module: str) -> Iterator[Mutant]:
    """Every mutant of a module of `attest.policy`."""
    source = ROOT / "attest" / "policy" / f"{module}.py"
    tree = ast.parse(source.read_text(encoding="utf-8"))
    skipped = _not_decisions(tree)
    for at, node in enumerate(ast.walk(tree)):
        if id(node) in skipped:
            continue
        for change in range(_changes(node)):
            mutated = copy.deepcopy(tree)
            target = next(item for n, item in enumerate(ast.walk(mutated)) if n == at)
            old = ast.unparse(target)
            _change(target, change)
            yield Mutant(
                module=f"attest.policy.{module}",
                line=getattr(node, "lineno", 0),
                old=old,
                new=ast.unparse(target),
                tree=ast.fix_missing_locations(mutated),
            )


def _not_decisions(tree: ast.Module) -> set[int]:
    """Annotations, and what decorates: changed they mean nothing at run time."""
    found: set[int] = set()
    for node in ast.walk(tree):
        parts: list[ast.AST | None] = []
        if isinstance(node, ast.arg | ast.AnnAssign):
            parts.append(node.annotation)
        if isinstance(node, ast.FunctionDef):
            parts += [node.returns, *node.decorator_list]
        if isinstance(node, ast.ClassDef):
            parts += node.decorator_list
        found.update(id(item) for part in parts if part for item in ast.walk(part))
    return found


def _changes(node: ast.AST) -> int:  # noqa: PLR0911 - a kind of node each
    """In how many ways a node is changed."""
    match node:
        case ast.Compare(ops=ops):
            return len(ops)
        case ast.BoolOp(values=values):
            return 1 + len(values)
        case ast.UnaryOp(op=ast.Not() | ast.Invert()) | ast.IfExp() | ast.If():
            return 1
        case ast.BinOp(op=op) | ast.AugAssign(op=op):
            return int(type(op) in _COMPUTED)
        case ast.Constant(value=bool() | int()):
            return 1
        case ast.Call(func=ast.Name(id=name)):
            return int(name in _CALLED)
        case ast.Continue() | ast.Break():
            return 1
    return 0


def _change(node: ast.AST, change: int) -> None:  # noqa: C901 - a kind of node each
    match node:
        case ast.Compare():
            node.ops[change] = _COMPARED[type(node.ops[change])]()
        case ast.BoolOp() if change:
            del node.values[change - 1]
            if len(node.values) == 1:
                node.values.append(copy.deepcopy(node.values[0]))
        case ast.BoolOp():
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        case ast.UnaryOp():
            node.op = ast.UAdd() if isinstance(node.op, ast.Invert) else ast.Not()
            if isinstance(node.op, ast.Not):
                node.operand = ast.UnaryOp(op=ast.Not(), operand=node.operand)
        case ast.IfExp() | ast.If():
            node.test = ast.UnaryOp(op=ast.Not(), operand=node.test)
        case ast.BinOp() | ast.AugAssign():
            node.op = _COMPUTED[type(node.op)]()
        case ast.Constant(value=bool() as value):
            node.value = not value
        case ast.Constant(value=int() as value):
            node.value = value + 1
        case ast.Call(func=ast.Name() as called):
            called.id = _CALLED[called.id]
        case ast.Continue() | ast.Break():
            node.__class__ = ast.Break if isinstance(node, ast.Continue) else ast.Continue


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
        import pytest

        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        os.chdir(ROOT)
        if mutant is not None:
            sys.meta_path.insert(0, _Finder(mutant))
        options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
        # What was imported before the fork has no assertions of ours.
        options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
        status = int(pytest.main([*options, *(test for test in TESTS if Path(test).exists())]))
    finally:
        os._exit(status)


def _ended_well(child: int) -> bool:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def main() -> int:
    """Run every mutant, and list those that survive."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", default=MODULES, help="of attest.policy")
    parser.add_argument("--from-line", type=int, default=0, help="only mutants from this line on")
    args = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    # What fails under a mutant is nothing that later runs should try first.
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = tempfile.mkdtemp()
    for name in ("pytest", "hypothesis", "cryptography.x509", "yaml", "re2", "requests"):
        importlib.import_module(name)
    if not survives(None):
        print("the tests fail without any mutant", file=sys.stderr)  # noqa: T201
        return 2
    made = lived = 0
    for module in args.modules:
        for mutant in mutants(module):
            if mutant.line < args.from_line:
                continue
            made += 1
            if survives(mutant):
                lived += 1
                place = f"{mutant.module}:{mutant.line}"
                print(f"SURVIVED {place}: {mutant.old!r} -> {mutant.new!r}", flush=True)  # noqa: T201
    print(f"{made} mutants, {lived} survived", flush=True)  # noqa: T201
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
