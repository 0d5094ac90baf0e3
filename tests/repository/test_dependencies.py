"""Each dependency is declared, justified, and locked with hashes for every supported platform."""

from __future__ import annotations

import ast
import importlib.metadata
import itertools
import re
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
RUNTIME = [Requirement(text) for text in PROJECT["dependencies"]]
EXTRAS = {
    name: [Requirement(text) for text in texts]
    for name, texts in PROJECT["optional-dependencies"].items()
    if name != "dev"
}
DEVELOPMENT = [Requirement(text) for text in PROJECT["optional-dependencies"]["dev"]]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
CLOUD = (ROOT / "tests" / "signing" / "cloud.lock").read_text(encoding="utf-8")

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
SYSTEMS = (("linux", "Linux", "posix"), ("darwin", "Darwin", "posix"), ("win32", "Windows", "nt"))
ENVIRONMENTS = [
    {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": sys_platform,
        "platform_system": platform_system,
        "os_name": os_name,
        "platform_machine": "x86_64",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "extra": "",
    }
    for python, (sys_platform, platform_system, os_name) in itertools.product(PYTHONS, SYSTEMS)
]


def pins() -> dict[str, Requirement]:
    lines = [line for line in LOCK.splitlines() if line[:1].isalnum()]
    found = [Requirement(line.removesuffix("\\").strip()) for line in lines]
    return {canonicalize_name(pin.name): pin for pin in found}


PINS = pins()


def listed(section: str) -> set[str]:
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    part = text.split(f"## {section}\n")[1].split("\n## ")[0]
    return {
        canonicalize_name(name)
        for name in re.findall(r"^- `([^`]+)`: \S.{10,}", part, re.MULTILINE)
    }


def names(requirements: list[Requirement]) -> set[str]:
    return {canonicalize_name(requirement.name) for requirement in requirements}


def applies(requirement: Requirement, environment: dict[str, str]) -> bool:
    return requirement.marker is None or requirement.marker.evaluate(environment)


def needs(name: str, extras: set[str], environment: dict[str, str]) -> list[Requirement]:
    """What a locked distribution needs in an environment, by its own metadata."""
    try:
        texts = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return []  # a pin for another platform: colorama needs nothing
    return [
        need
        for need in map(Requirement, texts)
        if any(applies(need, {**environment, "extra": extra}) for extra in ("", *extras))
    ]


def test_every_dependency_has_its_line() -> None:
    assert listed("Runtime") == names(RUNTIME)
    assert listed("Development") == names(DEVELOPMENT)


def test_every_extra_has_its_line() -> None:
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    part = text.split("## Extras\n")[1].split("\n## ")[0]
    lines = [line.partition(":")[0] for line in part.splitlines() if line.startswith("- ")]
    assert {name for line in lines for name in re.findall("`([^`]+)`", line)} == EXTRAS.keys()


def test_the_package_imports_nothing_undeclared() -> None:
    distributions = importlib.metadata.packages_distributions()
    found = set()
    for path in (ROOT / "attest").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                modules = [node.module]
            found |= {module.split(".")[0] for module in modules}
    foreign = found - sys.stdlib_module_names - {"attest"}
    used = {canonicalize_name(name) for module in foreign for name in distributions.get(module, [])}
    assert {module for module in foreign if module not in distributions} == set()
    extras = {name for requirements in EXTRAS.values() for name in names(requirements)}
    assert used - names(RUNTIME) - extras == set()


@pytest.mark.parametrize(
    "environment", ENVIRONMENTS, ids=lambda e: f"{e['sys_platform']}-{e['python_version']}"
)
def test_the_lock_is_complete_everywhere(environment: dict[str, str]) -> None:
    """A resolver on one platform leaves out what another needs; the closure is walked for each."""
    todo: list[Requirement] = [*RUNTIME, *DEVELOPMENT]
    seen: set[tuple[str, frozenset[str]]] = set()
    while todo:
        need = todo.pop()
        name = canonicalize_name(need.name)
        assert name in PINS, f"{need} is not in the lock"
        pin = PINS[name]
        assert applies(pin, environment), f"{need} is excluded by the marker of its pin"
        version = next(iter(pin.specifier)).version
        assert need.specifier.contains(version, prereleases=True), f"{need} but {pin}"
        key = (name, frozenset(need.extras))
        if key not in seen:
            seen.add(key)
            todo += needs(name, set(need.extras), environment)


def test_every_pin_is_exact_and_hashed() -> None:
    blocks = re.split(r"\n(?=[A-Za-z0-9])", LOCK.partition("\n" + LOCK.split("\n")[2])[2].strip())
    assert len(blocks) == len(PINS)
    for block in blocks:
        assert "--hash=sha256:" in block
    for pin in PINS.values():
        assert [clause.operator for clause in pin.specifier] == ["=="]


def test_the_locks_name_no_index() -> None:
    for lock in (LOCK, CLOUD):
        found = re.search(r"https?:|--index|--find-links|--extra-index|--trusted-host| @ ", lock)
        assert found is None


def test_the_lock_for_the_clouds_adds_to_the_other_and_contradicts_nothing_of_it() -> None:
    pins = [line.partition("==")[0] for line in CLOUD.splitlines() if line[:1].isalnum()]
    extras = names([*EXTRAS["gcpkms"], *EXTRAS["azurekms"]])
    assert extras == {"securesystemslib"}
    clients = {"google-cloud-kms", "azure-identity", "azure-keyvault-keys"}
    assert clients <= {canonicalize_name(name) for name in pins}
    assert {canonicalize_name(name) for name in pins}.isdisjoint(PINS)
