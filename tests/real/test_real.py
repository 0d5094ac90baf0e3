"""Bundles of public instances get the right verdict, offline, by path and by digest."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from importlib import resources
from io import StringIO
from pathlib import Path
from typing import Any, NoReturn

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from attest.api.verify import examine
from attest.cli.main import main
from attest.policy.model import Policy, Signer
from attest.publickey import load_public_key
from tests.real_bundles import CASES, REAL, RealCase, needs_real_bundles

pytestmark = needs_real_bundles

EMBEDDED = "trust/embedded/sigstore/trusted_root.json"


def by_path(case: RealCase) -> str:
    return str(case.artifact)


def by_digest(case: RealCase) -> str:
    return f"sha256:{case.sha256.hex()}"


Target = Callable[[RealCase], str]
both_ways = pytest.mark.parametrize("target", [by_path, by_digest])


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> NoReturn:
        raise AssertionError("verifying opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_every_case_has_an_expected_verdict() -> None:
    assert {item.name for item in REAL.iterdir() if item.is_dir()} == set(CASES)
    for name, code in CASES.items():
        assert code is not None or not name.endswith("_fail")


@both_ways
@pytest.mark.parametrize("name", CASES)
def test_the_library_gives_the_right_verdict(name: str, target: Target) -> None:
    case = RealCase.read(name)
    policy = Policy.any_of(Signer(identity=case.identity, issuer=case.issuer))
    report = examine(target(case), policy=policy, trust=case.root(), bundle=case.bundle)
    assert (report.error.code if report.error else None) == case.code
    assert report.exit_code == (0 if case.code is None else 1)
    verified = [item.verified for item in report.attestations if item.verified]
    assert [item.identity and item.identity.subject for item in verified] == (
        [case.identity] if case.code is None else []
    )


@both_ways
@pytest.mark.parametrize("name", CASES)
def test_the_command_gives_the_right_verdict(name: str, target: Target) -> None:
    case = RealCase.read(name)
    arguments = ["verify", target(case), "--bundle", str(case.bundle), "--output", "json"]
    arguments += ["--identity", case.identity, "--issuer", case.issuer]
    if case.trusted_root is not None:
        arguments += ["--trusted-root", str(case.trusted_root)]
    stdout, stderr = StringIO(), StringIO()
    exit_code = main(arguments, stdout=stdout, stderr=stderr, environ={"ATTEST_OFFLINE": "1"})
    assert exit_code == (0 if case.code is None else 1)
    report = json.loads(stdout.getvalue())
    assert (report["error"] or {}).get("code") == case.code
    assert report["result"] == ("pass" if case.code is None else "fail")


@pytest.mark.parametrize("name", [name for name, code in CASES.items() if code is None])
def test_another_identity_issuer_or_artifact_fails(name: str) -> None:
    case = RealCase.read(name)
    right = Signer(identity=case.identity, issuer=case.issuer)
    other = Signer(identity=case.identity + "x", issuer=case.issuer)
    elsewhere = Signer(identity=case.identity, issuer=case.issuer + "x")
    wrong = "sha256:" + "0" * 64

    def code(target: str, signer: Signer) -> str | None:
        policy = Policy.any_of(signer)
        error = examine(target, policy=policy, trust=case.root(), bundle=case.bundle).error
        return error.code if error else None

    assert code(by_path(case), other) == "certificate_identity_mismatch"
    assert code(by_path(case), elsewhere) == "certificate_identity_mismatch"
    assert code(wrong, right) in {"digest_mismatch", "signature_invalid"}


MANAGED = REAL / "managed-key-happy-path"


def managed(key: Path, *more: str, target: str | None = None) -> tuple[int, dict[str, Any]]:
    """What the command says of the bundle that a managed key signed."""
    bundle = str(MANAGED / "bundle.sigstore.json")
    arguments = ["verify", target or str(REAL / "a.txt"), "--bundle", bundle, "--key", str(key)]
    stdout, stderr = StringIO(), StringIO()
    code = main(
        [*arguments, "--output", "json", *more],
        stdout=stdout,
        stderr=stderr,
        environ={"ATTEST_OFFLINE": "1"},
    )
    return code, json.loads(stdout.getvalue())


@pytest.fixture
def other_key(tmp_path: Path) -> Path:
    path = tmp_path / "other.pub"
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    path.write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return path


@pytest.mark.parametrize("with_root", [True, False])
def test_a_managed_keys_bundle_verifies_with_its_key_alone(
    tmp_path: Path, other_key: Path, *, with_root: bool
) -> None:
    root = tmp_path / "trusted_root.json"
    root.write_bytes(resources.files("attest").joinpath(EMBEDDED).read_bytes())
    more = ("--trusted-root", str(root)) if with_root else ()
    key = MANAGED / "key.pub"
    code, report = managed(key, *more)
    assert (code, report["result"]) == (0, "pass")
    (attestation,) = report["attestations"]
    assert attestation["kind"] == "key"
    assert attestation["key_id"] == load_public_key(key).key_id.hex()
    assert attestation["level2"]
    assert managed(other_key, "--key", str(key), *more)[0] == 0
    assert managed(key, *more, target="sha256:" + "0" * 64)[1]["error"]["code"] == "digest_mismatch"

    code, report = managed(other_key, *more)
    assert (code, report["error"]["code"]) == (1, "untrusted_key")


def test_a_managed_keys_bundle_under_another_instance_counts_for_nothing() -> None:
    code, report = managed(MANAGED / "key.pub", "--instance", "staging")
    assert (code, report["error"]["code"]) == (1, "untrusted_log")


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--min-timestamps", "1"], None),
        (["--min-timestamps", "2"], "not_enough_timestamps"),
        (["--min-log-entries", "1"], None),
        (["--min-log-entries", "2"], "not_enough_log_entries"),
    ],
)
def test_more_proof_can_be_demanded_of_it(options: list[str], code: str | None) -> None:
    exit_code, report = managed(MANAGED / "key.pub", *options)
    assert (exit_code, (report["error"] or {}).get("code")) == (int(code is not None), code)
