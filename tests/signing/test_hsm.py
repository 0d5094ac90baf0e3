"""A PKCS#11 token, SoftHSM2: signing a file with a key that cannot be taken out of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from attest.sandbox import Sandbox

pytestmark = pytest.mark.extra

MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")
PIN = "314159"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment that leads to a token with a P-256 key 2 and a P-384 key 3."""
    module = next((path for path in MODULES if Path(path).exists()), None)
    tools = [shutil.which(name) for name in ("softhsm2-util", "pkcs11-tool")]
    if module is None or None in tools:
        pytest.skip("needs SoftHSM2 and OpenSC: apt-get install softhsm2 opensc")
    folder = tmp_path_factory.mktemp("token")
    config = folder / "softhsm2.conf"
    (folder / "tokens").mkdir()
    config.write_text(f"directories.tokendir = {folder / 'tokens'}\n")
    environ = {**os.environ, "SOFTHSM2_CONF": str(config), "PYKCS11LIB": module}
    environ.pop("ATTEST_KEY_PASSPHRASE", None)

    def call(*words: str) -> None:
        subprocess.run(words, env=environ, check=True, capture_output=True)

    call("softhsm2-util", "--init-token", "--free", "--label", "attest test", "--so-pin", "0000",
         "--pin", PIN)  # fmt: skip
    for number, curve in (("02", "prime256v1"), ("03", "secp384r1"), ("04", "secp521r1")):
        call("pkcs11-tool", "--module", module, "--login", "--pin", PIN, "--keypairgen",
             "--key-type", f"EC:{curve}", "--id", number, "--usage-sign")  # fmt: skip
    return environ


@pytest.fixture
def run(token: dict[str, str], tmp_path: Path) -> Run:
    """Run a command; a library of PKCS#11 is loaded once in a process, so each has its own."""

    def call(*words: str, pin: str | None = PIN) -> subprocess.CompletedProcess[str]:
        environ = {**token, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
        if pin is not None:
            environ["ATTEST_KEY_PASSPHRASE"] = pin
        return subprocess.run(
            [sys.executable, "-m", "attest", *words],
            env=environ,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    return call


@pytest.mark.parametrize("uri", ["hsm:", "hsm:2", "hsm:2?label=attest+test", "hsm:3"])
def test_its_public_half_needs_no_pin(uri: str, run: Run) -> None:
    done = run("key", "public", uri, pin=None)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("-----BEGIN PUBLIC KEY-----\n")


@pytest.mark.parametrize("uri", ["hsm:2", "hsm:3?label=attest+test"])
def test_it_signs_packs_and_files_that_verify_with_its_public_half(
    uri: str, run: Run, tmp_path: Path, sandbox: Sandbox
) -> None:
    trust = ["--trust-config", str(sandbox.trust_config)]
    targets = [tmp_path / name for name in ("a.txt", "b.txt", "evidence.epack")]
    for target in targets[:2]:
        target.write_text(f"{target} by {uri}")
    assert run("build", "evidence.epack", "a.txt", "--stream", "acme/prod").returncode == 0
    signed = run("sign", *map(str, targets), "--key", uri, *trust)
    assert signed.returncode == 0, signed.stderr
    assert PIN not in signed.stdout + signed.stderr
    (tmp_path / "signer.pub").write_text(run("key", "public", uri, pin=None).stdout)
    verified = run("verify", *map(str, targets), "--key", "signer.pub", *trust, "--offline")
    assert verified.returncode == 0, verified.stdout
    targets[0].write_text("changed")
    assert run("verify", "a.txt", "--key", "signer.pub", *trust, "--offline").returncode == 1


@pytest.mark.parametrize(
    ("pin", "code"), [(None, "pin_missing"), ("271828", "pin_wrong"), ("", "pin_wrong")]
)
def test_without_its_pin_nothing_is_signed(
    pin: str | None, code: str, run: Run, tmp_path: Path, sandbox: Sandbox
) -> None:
    names = ["a.txt", "b.txt"]
    for name in names:
        (tmp_path / name).write_text("all is well")
    words = ["--key", "hsm:2", "--trust-config", str(sandbox.trust_config)]
    done = run("sign", *names, *words, pin=pin)
    assert done.returncode == 2
    assert done.stderr.count(f"error: {code}: ") == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == names


@pytest.mark.parametrize(
    ("uri", "code"),
    [
        ("hsm:9", "pin_missing"),  # it may be there for whoever has the PIN
        ("hsm:2?label=another", "key_service_failed"),
        ("hsm:4", "key_service_failed"),  # P-521, which the library for tokens does not take
    ],
)
def test_what_is_not_there_is_told_of(uri: str, code: str, run: Run) -> None:
    done = run("key", "public", uri, pin=None)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {code}: ")
    assert len(done.stderr.splitlines()) == 2
