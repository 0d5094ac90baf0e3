"""Every error code that the program can give, read from its source.

A code is the argument `code` of an error class, or of any function or class that takes one and
passes it on. An argument that is neither a text nor something that was a code before is
reported, so that no code can hide from this scan.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from attest import errors

ROOT = Path(__file__).resolve().parents[2] / "attest"
CLASSES = tuple(
    name
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, errors.AttestError)
)
#: A server of its own, whose words are not this program's codes.
FOREIGN = "sandbox/"
#: Where fields of a manifest or description are read: `missing_KEY`, and `invalid_KEY` for text.
FIELDS = ("pack/manifest", "pack/description")
_READERS = {"required", "string", "text", "array", "texts", "mapping", "integer", "digest", "time"}
_OF_FIELDS = ("f'missing_{key}'", "f'invalid_{key}'")
_TAKERS = (ast.FunctionDef, ast.ClassDef)


@dataclass(kw_only=True)
class Found:
    """Codes with the error classes that are seen to carry them, and what could not be read."""

    codes: dict[str, set[str]] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)

    def add(self, code: str, carrier: str | None) -> None:
        carriers = self.codes.setdefault(code, set())
        if carrier is not None:
            carriers.add(carrier)


@dataclass(frozen=True, kw_only=True)
class Taker:
    """Something that takes a code: at which position, of how many needed, and its error class."""

    position: int
    needed: int
    carrier: str | None


def scan(sources: Mapping[str, str]) -> Found:
    """Find every code in modules given as name and source."""
    trees = {name: ast.parse(source) for name, source in sources.items()}
    found = Found()
    takers = {name: Taker(position=0, needed=1, carrier=name) for name in CLASSES}
    for tree in trees.values():
        for node in ast.walk(tree):
            if isinstance(node, _TAKERS) and (taker := _taker(node)):
                takers.setdefault(node.name, taker)
    for name, tree in trees.items():
        _scan_module(name, tree, takers, found)
    return found


def scan_package() -> Found:
    """Find every code in the package."""
    names = {path: path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py")}
    return scan(
        {
            name: path.read_text(encoding="utf-8")
            for path, name in names.items()
            if not name.startswith(FOREIGN)
        }
    )


def _taker(node: ast.FunctionDef | ast.ClassDef) -> Taker | None:
    if isinstance(node, ast.ClassDef):
        inits = (n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__")
        return next((taker for init in inits if (taker := _taker(init))), None)
    names = [arg.arg for arg in node.args.args if arg.arg not in ("self", "cls")]
    only = [arg.arg for arg in node.args.kwonlyargs]
    if "code" not in [*names, *only]:
        return None
    made = {_callee(n) for n in ast.walk(node) if isinstance(n, ast.Call)} & set(CLASSES)
    return Taker(
        position=names.index("code") if "code" in names else -1,
        needed=len(names) - len(node.args.defaults),
        carrier=made.pop() if len(made) == 1 else None,
    )


def _callee(call: ast.Call) -> str:
    if isinstance(call.func, ast.Name):
        return call.func.id
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _scan_module(name: str, tree: ast.Module, takers: Mapping[str, Taker], found: Found) -> None:
    values = dict(_named_texts(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            taker = takers.get(_callee(node))
            argument = _argument(node, taker)
            for code in () if argument is None else _texts(argument, values):
                if code is None:
                    found.unreadable.append(f"{name}:{node.lineno}: {ast.unparse(node)}")
                else:
                    found.add(code, taker.carrier if taker else None)
            if name.startswith(FIELDS):
                for code in _of_a_field(node):
                    found.add(code, "MalformedEvidence")
        elif isinstance(node, ast.FunctionDef) and _returns_codes(node):
            for code in _returned(node):
                found.add(code, None)


def _of_a_field(call: ast.Call) -> Iterator[str]:
    """The codes that reading one field of a manifest can end in."""
    keys, method = _strings(call.args[:1]), _callee(call)
    for key in keys:
        if method in _READERS:
            yield f"missing_{key}"
        if method == "text" or (
            method == "optional" and re.search(r"\.text\b", ast.unparse(call.args[1]))
        ):
            yield f"invalid_{key}"


def _argument(call: ast.Call, taker: Taker | None) -> ast.expr | None:
    for keyword in call.keywords:
        if keyword.arg == "code":
            return keyword.value
    if taker is None or taker.position < 0 or len(call.args) < max(taker.needed, 1):
        return None
    return call.args[taker.position]


def _texts(node: ast.expr, values: Mapping[str, tuple[str, ...]]) -> Iterator[str | None]:
    """The codes that an expression can be; None for one that cannot be told."""
    if isinstance(node, ast.BoolOp | ast.IfExp):
        either = node.values if isinstance(node, ast.BoolOp) else [node.body, node.orelse]
        for value in either:
            yield from _texts(value, values)
    elif isinstance(node, ast.Constant):
        yield from _strings([node])
    elif isinstance(node, ast.Name) and node.id in values:
        yield from values[node.id]
    elif not _is_a_code_already(node):
        yield None


def _is_a_code_already(node: ast.expr) -> bool:
    """Whether an expression only passes on what this scan has read elsewhere."""
    if isinstance(node, ast.Name):
        return node.id == "code"
    if isinstance(node, ast.Attribute):
        return node.attr in ("code", "_code")
    if isinstance(node, ast.JoinedStr):
        return ast.unparse(node) in _OF_FIELDS  # which `_of_a_field` spells out
    # Of the tuples that `_returned` has read, and of a finished report.
    return ast.unparse(node) in ("failures[0][0]", "error['code']")


def _named_texts(tree: ast.Module) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Names that stand for texts: constants, and variables of loops over written tuples."""
    loops: dict[str, tuple[str, ...]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            value = node.value
            choices = [value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]
            if texts := _strings(choices):
                yield node.targets[0].id, texts
        elif isinstance(node, ast.For) and isinstance(node.target, ast.Tuple):
            for at, target in enumerate(node.target.elts):
                if isinstance(target, ast.Name) and target.id == "code":
                    rows = node.iter.elts if isinstance(node.iter, ast.Tuple) else []
                    cells = [row.elts[at] for row in rows if isinstance(row, ast.Tuple)]
                    loops["code"] = (*loops.get("code", ()), *_strings(cells))
    yield from loops.items()


def _strings(nodes: Iterable[ast.expr]) -> tuple[str, ...]:
    return tuple(
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def _returns_codes(node: ast.FunctionDef) -> bool:
    """Whether a function gives a code, as that of the policy's decision does."""
    return node.name == "_code"


def _returned(function: ast.FunctionDef) -> tuple[str, ...]:
    returns = [n.value for n in ast.walk(function) if isinstance(n, ast.Return)]
    choices = [[v.body, v.orelse] if isinstance(v, ast.IfExp) else [v] for v in returns if v]
    return _strings([value for choice in choices for value in choice])
