"""The import rules hold, for every module that exists."""

from __future__ import annotations

import ast
import dataclasses

import pytest

from attest.verified import VerifiedAttestation
from tests.repository.imports import ROOT, Import, Row, forbidden, imports, modules, row_of

MODULES = modules(ROOT / "attest")
KNOWN = frozenset(MODULES)


def breaches(module: str, source: str) -> list[str]:
    row = row_of(module)
    if row is None:
        return [f"attest.{module} has no row in the table"]
    found = imports(source, KNOWN)
    return [f"line {one.line}: {why}" for one in found if (why := forbidden(module, row, one))]


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_imports_only_what_its_row_allows(module: str) -> None:
    assert breaches(module, MODULES[module].read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("engine.verify", "from attest.policy.model import Policy"),
        ("engine.verify", "from attest import api"),
        ("engine.log", "import attest.cli.main"),
        ("engine.log", "def late():\n    import attest.sandbox"),
        ("engine.log", "import requests"),
        ("engine.chain", "import sigstore"),
        ("policy.match", "from attest.engine.verify import verify"),
        ("policy.match", "import cryptography"),
        ("policy.decide", "import yaml"),
        ("report.text", "import requests"),
        ("verified", "from attest.trust.root import TrustedRoot"),
        ("strictjson", "import urllib.request"),
        ("pack.reader", "from http import client"),
        ("pack.reader", "import socket"),
        ("pack.builder", "import requests"),
        ("api.verify", "from attest.cli import main"),
        ("api.verify", "from attest.sandbox import Sandbox"),
        ("cli.verify", "from attest.engine.verify import verify"),
        ("cli.verify", "from attest.sandbox import Sandbox"),
        ("sandbox.fulcio", "from attest.claims import read"),
        ("signing.keyless", "import sigstore.sign"),
        ("errors", "import attest.strictjson"),
        ("helpers", "import os"),
    ],
)
def test_the_rules_find_a_breach(module: str, source: str) -> None:
    assert breaches(module, source)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("engine.chain", "from cryptography import x509"),
        ("engine.log", "from attest.errors import VerificationFailed"),
        ("sandbox.server", "from http.server import ThreadingHTTPServer"),
        ("cli.verify", "from attest.api.verify import verify"),
    ],
)
def test_the_rules_allow_what_the_design_allows(module: str, source: str) -> None:
    assert breaches(module, source) == []


def test_a_relative_import_is_refused() -> None:
    with pytest.raises(ValueError, match="relative import"):
        list(imports("from . import errors", KNOWN))


def test_a_private_part_of_an_allowed_dependency_is_refused() -> None:
    row = Row(modules=("x",), others=("sigstore",))
    assert forbidden("x", row, Import(name="sigstore._internal.trust", line=1))


def calls(source: str) -> set[str]:
    """The last name of everything that is called: `Verified` for `v.Verified()`."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                found.add(node.func.id)
            elif isinstance(node.func, ast.Attribute):
                found.add(node.func.attr)
    return found


#: Makes values of what a policy's test case describes: nothing of it was verified. Its values reach
#: only what decides such cases, which the next test holds.
DESCRIBING = "policy.described"


def test_only_the_engine_constructs_verified_attestations() -> None:
    makers = {
        module
        for module, path in MODULES.items()
        if "VerifiedAttestation" in calls(path.read_text(encoding="utf-8"))
    }
    outside = {maker for maker in makers if not maker.startswith("engine.")}
    assert outside == {DESCRIBING, "formats.sei.signature"}


def users(module: str) -> set[str]:
    """The modules that import a module."""
    return {
        name
        for name, path in MODULES.items()
        for one in imports(path.read_text(encoding="utf-8"), KNOWN)
        if one.name == f"attest.{module}"
    }


def test_what_is_only_described_reaches_no_verification() -> None:
    assert users(DESCRIBING) == {"policy.cases"}
    assert users("policy.cases") == {"api.policy", "report.cases"}
    assert users("api.policy") <= {"", "cli.policy", "cli.policy_new"}
    assert users("report.cases") == {"cli.policy"}


def replaced(source: str) -> set[str]:
    """Names of the members that calls of `dataclasses.replace` give new values."""
    return {
        keyword.arg or "**"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"replace", "dataclasses.replace"}
        for keyword in node.keywords
    }


def test_nobody_copies_a_verified_attestation_with_other_values() -> None:
    members = {field.name for field in dataclasses.fields(VerifiedAttestation)} | {"**"}
    breaking = {
        module: found
        for module, path in MODULES.items()
        if not module.startswith("engine.")
        and (found := replaced(path.read_text(encoding="utf-8")) & members)
    }
    assert breaking == {}


def test_no_module_is_called_utils() -> None:
    vague = {"utils", "util", "helpers", "misc", "common"}
    assert {name for name in MODULES if vague & set(name.split("."))} == set()
