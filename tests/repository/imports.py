"""Which module may import what: the table of the design, and the scan that reads the imports."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

#: Every module may import these.
ALWAYS = ("errors", "limits", "files")

#: Modules of the standard library that open connections; restricted like third-party packages.
NETWORK = frozenset({"socket", "ssl", "http", "http.client", "http.server", "urllib.request"})

VALUES = ("strictjson", "digest")
FORMATS = (*VALUES, "statement", "dsse", "bundle", "claims", "keys", "merkle")


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One row: modules (patterns relative to `attest`), and what they may import."""

    modules: tuple[str, ...]
    attest: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


#: The first row that matches a module is its row; a pattern `x.*` does not match `x` itself.
TABLE = (
    Row(modules=("",), attest=("api", "api.*", *FORMATS, "verified", "pack", "pack.reader",
                               "policy", "policy.*", "report", "report.*", "trust", "trust.*",
                               "publickey", "oidc", "signing", "signing.*")),
    Row(modules=("__main__",), attest=("cli.main",)),
    Row(modules=("errors",)),
    Row(modules=("limits",)),
    Row(modules=("files",)),
    Row(modules=("shared_data", "merkle")),
    Row(modules=VALUES, others=("rfc8785",)),
    Row(modules=("atomic", "terminal")),
    Row(modules=("config",), attest=("terminal",)),
    Row(modules=("addresses",)),
    Row(modules=("denied_keys",)),
    Row(modules=("http",), attest=("", "addresses"), others=("requests",)),  # "" for its version
    Row(modules=("connections",), attest=("", "http"), others=("requests",)),
    Row(modules=("pack.fetch",),
        attest=("", "pack", "pack.*", *VALUES, "atomic", "addresses", "http")),
    Row(modules=("pack.assemble", "pack.builder", "pack.writer", "pack.extract", "pack.diff",
                 "pack.merge"),
        attest=("pack", "pack.*", *VALUES, "atomic")),
    Row(modules=("pack", "pack.*"), attest=("pack", "pack.*", *VALUES)),
    Row(modules=("subject", "statement", "dsse", "bundle"),
        attest=(*VALUES, "subject", "statement", "dsse", "bundle")),
    Row(modules=("claims", "keys"), attest=VALUES, others=("cryptography",)),
    Row(modules=("publickey",), attest=("keys",)),
    Row(modules=("verified",), attest=("digest", "statement", "claims")),
    Row(
        modules=("trust.update",),
        attest=("trust", "trust.*", *VALUES, "connections", "http"),
        others=("tuf",),
    ),
    Row(modules=("trust.replay",), attest=("trust", "trust.*"), others=("tuf",)),
    Row(modules=("trust.store", "trust.registry"), attest=("trust", "trust.*", *VALUES, "atomic")),
    Row(modules=("trust", "trust.*"), attest=("trust", "trust.*", "keys", *VALUES),
        others=("cryptography",)),
    Row(modules=("engine", "engine.*"),
        attest=(*FORMATS, "subject", "verified", "trust", "trust.*", "engine", "engine.*"),
        others=("cryptography", "rfc3161_client")),
    Row(modules=("policy.nodes",), attest=("policy.rules",), others=("yaml",)),
    Row(modules=("policy.match",), attest=("policy.rules",), others=("re2",)),
    Row(modules=("policy", "policy.*"),
        attest=(*VALUES, "statement", "claims", "keys", "publickey", "verified", "denied_keys",
                "policy", "policy.*")),
    Row(modules=("report", "report.*"),  # the package itself for its version
        attest=("", *VALUES, "terminal", "claims", "statement", "verified", "pack.manifest",
                "policy", "policy.*", "report", "report.*")),
    Row(modules=("oidc",), attest=VALUES),
    Row(modules=("signing.kms",), attest=("keys", "signing", "signing.*"),
        others=("cryptography", "securesystemslib", "hvac")),
    Row(modules=("signing.cosign_key",), attest=(*VALUES, "signing", "signing.*"),
        others=("cryptography", "nacl")),
    Row(modules=("signing.sei_backend",),
        attest=("config", "denied_keys", "keys", "signing", "signing.*")),
    Row(modules=("signing.scaleway",),
        attest=(*VALUES, "connections", "http", "keys", "publickey", "signing", "signing.*"),
        others=("cryptography",)),
    Row(modules=("signing", "signing.*"),
        # What services answer is checked by the engine before the next of them is asked.
        attest=(*FORMATS, "subject", "oidc", "http", "connections", "signing", "signing.*",
                "trust", "trust.*", "engine.chain", "engine.sct", "engine.timestamp",
                "engine.checkpoint"),
        others=("cryptography", "requests", "id", "securesystemslib", "rfc3161_client")),
    Row(modules=("formats", "formats.*"),
        attest=(*FORMATS, "verified", "atomic", "formats", "formats.*"),
        others=("cryptography",)),
    Row(modules=("api.crosscheck",),
        attest=("api.attestation", *FORMATS, "engine.content", "report.model", "verified"),
        others=("cryptography", "sigstore", "sigstore_models")),
    Row(modules=("api", "api.*"),
        attest=("api", "api.*", *FORMATS, "subject", "verified", "pack", "pack.*", "atomic",
                "engine", "engine.*", "formats.*", "policy", "policy.*", "publickey", "report",
                "report.*", "trust", "trust.*", "oidc", "signing", "signing.*")),
    # It is the client's peer, so the two share no model: only the name that marks a sandbox's root.
    Row(modules=("sandbox", "sandbox.*"), attest=("sandbox", "sandbox.*", "atomic", "trust.root"),
        others=("cryptography", "sigstore_protobuf_specs", "betterproto", "jwt", "requests",
                "rfc8785", "rfc3161_client", *NETWORK)),
    Row(modules=("cli.sandbox", "cli.sandbox_*"),
        attest=("", "cli", "cli.*", "api", "api.*", "terminal", "config", "sandbox", "sandbox.*")),
    Row(modules=("cli.demo", "cli.demo_*", "cli.demo.*"),
        attest=("", "cli", "cli.*", "api", "api.*", "terminal", "config", "shared_data", "sandbox",
                "sandbox.*", "policy", "trust", "trust.*", "report", "report.*", "signing",
                "signing.*", "oidc", *VALUES)),
    Row(modules=("cli", "cli.*"),
        attest=("", "cli", "cli.*", "api", "api.*", "terminal", "config", "strictjson", "report",
                "report.*", "policy", "policy.*", "publickey", "trust", "trust.*", "signing")),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Import:
    """One imported module, absolute, and the line that imports it."""

    name: str
    line: int


def modules(package: Path) -> dict[str, Path]:
    """Every module below a package: name relative to the package -> file."""
    return {_name(path.relative_to(package)): path for path in sorted(package.rglob("*.py"))}


def _name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def row_of(module: str) -> Row | None:
    """The row of the table that holds for a module, if there is one."""
    return next((row for row in TABLE if matches(module, row.modules)), None)


def matches(module: str, patterns: tuple[str, ...]) -> bool:
    """Whether a module name matches one of the patterns."""
    return any(fnmatchcase(module, pattern) for pattern in patterns)


def imports(source: str, known: frozenset[str]) -> Iterator[Import]:
    """The imports of a source, wherever they stand; `from attest.x import y` may import a module.

    Args:
        source: Python source text.
        known: names of the modules of the package, to tell `from p import module` from a name.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(name=alias.name, line=node.lineno)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"line {node.lineno}: relative import")
            base = node.module or ""
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                is_module = inner.removeprefix("attest.") in known or inner in NETWORK
                yield Import(name=inner if is_module else base, line=node.lineno)


def forbidden(module: str, row: Row, found: Import) -> str | None:
    """Why a module may not import what it imports, or None if it may."""
    top = found.name.split(".")[0]
    if top == "attest":
        inner = found.name.removeprefix("attest").removeprefix(".")
        if matches(inner, (*ALWAYS, *row.attest)):
            return None
        return f"attest.{module} may not import {found.name}"
    if found.name in NETWORK:
        # `requests` brings the network, so who may use it may use the standard library's as well.
        allowed = found.name in row.others or "requests" in row.others
        return None if allowed else f"attest.{module} may not open connections ({found.name})"
    if top in sys.stdlib_module_names:
        return None
    if any(part.startswith("_") for part in found.name.split(".")):
        return f"attest.{module} imports a private part: {found.name}"
    return None if top in row.others else f"attest.{module} may not import {found.name}"
