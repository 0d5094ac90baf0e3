"""The conformance client verifies what keys signed: with a root of its own, and a real bundle."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.protocol import command, main
from tests.evidence import ARTIFACT, ARTIFACT_DIGEST
from tests.key_evidence import KEY_SIGNED, key_evidence, pem_of
from tests.real_bundles import RealCase, needs_real_bundles

DIGEST = f"sha256:{ARTIFACT_DIGEST.hex()}"
#: Signatures over a digest that is not SHA-256 cannot be checked by the SHA-256 of the artifact.
NEEDS_FILE = [name for name in KEY_SIGNED if name.endswith(("message:p384", "message:p521"))]


@pytest.fixture(autouse=True)
def _workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ATTEST_OFFLINE", "1")
    Path("a.txt").write_bytes(ARTIFACT)
    Path("root.json").write_bytes(key_evidence().trusted_root)


def verify(name: str, key: str, artifact: str = "a.txt") -> int:
    Path("b.json").write_bytes(key_evidence().bundles[name])
    Path("key.pub").write_text(pem_of(key))
    begin = ["verify-bundle", "--bundle", "b.json", "--key", "key.pub"]
    return main([*begin, "--trusted-root", "root.json", artifact])


@pytest.mark.parametrize("name", KEY_SIGNED)
def test_what_a_key_signed_verifies_with_it_alone(name: str) -> None:
    key = name.partition(":")[2]
    assert verify(name, key) == 0
    assert verify(name, key, artifact=DIGEST) == (2 if name in NEEDS_FILE else 0)
    assert verify(name, "rsa2048" if key != "rsa2048" else "p256") == 1
    Path("a.txt").write_bytes(ARTIFACT + b"more")
    assert verify(name, key) == 1


def test_a_person_is_not_a_key() -> None:
    Path("b.json").write_bytes(key_evidence().by_certificate)
    Path("key.pub").write_text(pem_of("p256"))  # the very key that the certificate has
    begin = ["verify-bundle", "--bundle", "b.json"]
    end = ["--trusted-root", "root.json", "a.txt"]
    assert main([*begin, "--key", "key.pub", *end]) == 1
    Path("b.json").write_bytes(key_evidence().bundles["v1-message:p256"])
    person = ["--certificate-identity", "ana@acme.example"]
    person += ["--certificate-oidc-issuer", "https://accounts.google.com"]
    assert main([*begin, *person, *end]) == 1


@pytest.mark.parametrize("text", [None, "", "no PEM", "-----BEGIN PRIVATE KEY-----\n"])
def test_a_key_that_is_none_is_a_failure(text: str | None) -> None:
    Path("b.json").write_bytes(key_evidence().bundles["v1-message:p256"])
    if text is not None:
        Path("key.pub").write_text(text)
    begin = ["verify-bundle", "--bundle", "b.json", "--key", "key.pub"]
    assert main([*begin, "--trusted-root", "root.json", "a.txt"]) == 2


def test_a_key_on_staging() -> None:
    words = command(["verify-bundle", "--staging", "--bundle", "b.json", "--key", "k", "a.txt"])
    assert {"--instance=staging", "--key=k"} <= set(words)


@needs_real_bundles
@pytest.mark.parametrize("how", ["path", "digest"])
def test_the_real_bundle_of_a_managed_key(how: str) -> None:
    case = RealCase.read("managed-key-happy-path")
    artifact = str(case.artifact) if how == "path" else f"sha256:{case.sha256.hex()}"
    begin = ["verify-bundle", "--bundle", str(case.bundle)]
    assert main([*begin, "--key", str(case.folder / "key.pub"), artifact]) == 0
    Path("key.pub").write_text(pem_of("p256"))
    assert main([*begin, "--key", "key.pub", artifact]) == 1
