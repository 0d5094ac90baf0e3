"""The public names, and what the library keeps away from: imports, network, output, environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

import attest
from tests.docs.conftest import Desk

PUBLIC = [
    "AttestError",
    "IdentityToken",
    "Limits",
    "MalformedEvidence",
    "NetworkError",
    "Policy",
    "PolicyFileError",
    "PolicyViolation",
    "PublicKey",
    "Report",
    "Signed",
    "Signer",
    "SigningError",
    "SigningInstance",
    "TrustError",
    "TrustRoot",
    "Untrusted",
    "UsageError",
    "VerificationFailed",
    "__version__",
    "build",
    "diff",
    "extract",
    "fetch",
    "generate_key",
    "inspect",
    "load_public_key",
    "merge",
    "open_key",
    "open_pack",
    "sign",
    "sign_artefact",
    "verify",
    "verify_artefacts",
    "write_artefact",
]

#: What verifying needs no part of: most of a second to import, or the other side of the wire.
HEAVY = (
    "attest.sandbox",
    "attest.signing",
    "attest.oidc",
    "betterproto",
    "http",
    "id",
    "importlib.metadata",
    "jwt",
    "logging",
    "pydantic",
    "requests",
    "rich",
    "sigstore",
    "sigstore_models",
    "sigstore_protobuf_specs",
    "ssl",
    "tuf",
    "urllib.request",
    "urllib3",
    "yaml",
)

#: Runs in a process of its own: reports the modules that its body loaded and the sockets it made.
PROBE = """
import json, sys
events = []
sys.addaudithook(lambda name, args: events.append(name) if name.startswith("socket.") else None)
before = set(sys.modules)
{body}
print(json.dumps({{"modules": sorted(set(sys.modules) - before), "sockets": events}}))
"""

VERIFY_CLI = """
import io
from attest.cli.main import main
out = io.StringIO()
code = main(sys.argv[1:], stdout=out, stderr=out, environ={})
assert code == 0, out.getvalue()
"""


def probe(body: str, *words: str) -> dict[str, list[str]]:
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(body=body), *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(attest.__file__).parents[1])},
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def heavy(modules: list[str]) -> list[str]:
    return [
        name for name in modules if any(name == one or name.startswith(f"{one}.") for one in HEAVY)
    ]


def test_the_public_names_are_these() -> None:
    assert sorted(attest.__all__) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_exists_and_says_what_it_is(name: str) -> None:
    value: object = getattr(attest, name)
    assert name in dir(attest)
    assert isinstance(value, str) or (value.__doc__ or "").strip()


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = attest.no_such_name


def test_importing_the_package_loads_nothing_else() -> None:
    modules = probe("import attest")["modules"]
    assert heavy(modules) == []
    foreign = {name for name in modules if name.partition(".")[0] not in sys.stdlib_module_names}
    assert foreign == {"attest"}


@pytest.mark.parametrize("target", ["evidence.epack", "report.pdf"])
def test_verifying_loads_nothing_heavy_and_opens_no_socket(target: str, desk: Desk) -> None:
    words = ["verify", target, "--trusted-root", str(desk.folder / "trusted_root.json")]
    words += ["--identity", "ana@acme.example", "--issuer", "google"]
    found = probe(VERIFY_CLI, *words)
    assert "attest.engine.verify" in found["modules"]
    assert heavy(found["modules"]) == []
    assert found["sockets"] == []


def test_the_probe_sees_what_it_looks_for() -> None:
    found = probe("import socket, logging\nsocket.socket(socket.AF_INET).close()")
    assert heavy(found["modules"]) == ["logging"]
    assert found["sockets"]


class Untouchable(dict[str, str]):
    """An environment that nobody may look into."""

    def _refuse(self, *_: object) -> str:
        raise AssertionError("somebody reads the environment")

    def __getitem__(self, key: str) -> str:
        return self._refuse(key)

    def __contains__(self, key: object) -> bool:
        return bool(self._refuse(key))

    def __iter__(self) -> Iterator[str]:
        return iter(self._refuse())

    def get(self, *_: object) -> str:
        return self._refuse()


def verdicts(folder: Path) -> Iterator[str]:
    trust = attest.TrustRoot.from_file(folder / "trusted_root.json")
    issuer = "https://accounts.google.com"
    for identity in ("ana@acme.example", "bob@acme.example"):
        policy = attest.Policy.any_of(attest.Signer(identity=identity, issuer=issuer))
        for name in ("evidence.epack", "report.pdf"):
            try:
                yield attest.verify(folder / name, policy=policy, trust=trust).result
            except attest.PolicyViolation as error:
                yield error.code


def test_verifying_prints_nothing_and_does_not_read_the_environment(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    # Once before, because what it imports may look for variables of its own while loading.
    results = list(verdicts(desk.folder))
    with monkeypatch.context() as patch:
        untouchable: Mapping[str, str] = Untouchable()
        patch.setattr(os, "environ", untouchable)
        again = list(verdicts(desk.folder))
    assert results == again == ["pass"] * 2 + ["certificate_identity_mismatch"] * 2
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "look",
    [
        lambda: os.environ["HOME"],
        lambda: os.environ.get("HOME"),
        lambda: os.getenv("HOME"),
        lambda: "HOME" in os.environ,
        lambda: list(os.environ),
    ],
)
def test_the_guarded_environment_refuses(
    look: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "environ", Untouchable())
        with pytest.raises(AssertionError, match="reads the environment"):
            look()
