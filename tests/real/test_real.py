"""Bundles of public instances get the right verdict, offline, by path and by digest."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from io import StringIO
from typing import NoReturn

import pytest

from attest.api.verify import examine
from attest.cli.main import main
from attest.policy.model import Policy, Signer
from tests.real_bundles import CASES, REAL, RealCase, needs_real_bundles

pytestmark = needs_real_bundles


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
