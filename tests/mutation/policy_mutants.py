"""The mutants of the code that decides policies: each module with one thing changed."""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

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
    """A module with one thing changed.

    `name` tells it from all others, and stays the same while its function does.
    """

    module: str
    line: int
    name: str
    tree: ast.Module


def mutants(module: str) -> Iterator[Mutant]:
    """Every mutant of a module of `attest.policy`, in the order of its lines."""
    source = ROOT / "attest" / "policy" / f"{module}.py"
    tree = ast.parse(source.read_text(encoding="utf-8"))
    skipped = _not_decisions(tree)
    names: Counter[str] = Counter()
    nodes = list(ast.walk(tree))
    homes = _homes(tree)
    for at in sorted(range(len(nodes)), key=lambda at: getattr(nodes[at], "lineno", 0)):
        if id(nodes[at]) in skipped:
            continue
        for change in range(_changes(nodes[at])):
            mutated = copy.deepcopy(tree)
            target = next(item for n, item in enumerate(ast.walk(mutated)) if n == at)
            old = _short(target)
            _change(target, change)
            name = f"{module}{homes[id(nodes[at])]}: {old} -> {_short(target)}"
            names[name] += 1
            yield Mutant(
                module=f"attest.policy.{module}",
                line=getattr(nodes[at], "lineno", 0),
                name=name if names[name] == 1 else f"{name} #{names[name]}",
                tree=ast.fix_missing_locations(mutated),
            )


def _homes(tree: ast.Module) -> dict[int, str]:
    """The names of the classes and functions around each node, each after a dot."""
    homes = {id(tree): ""}
    for node in ast.walk(tree):
        inner = homes[id(node)]
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            inner += f".{node.name}"
        homes.update((id(child), inner) for child in ast.iter_child_nodes(node))
    return homes


def _short(node: ast.AST) -> str:
    """The code of a node on one line, cut where it is long; of an `if` only what it asks."""
    if isinstance(node, ast.If | ast.IfExp):
        code = f"if {ast.unparse(node.test)}"
    else:
        code = ast.unparse(node)
    line = " ".join(code.split())
    return line if len(line) <= 60 else f"{line[:60]}…"


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
