"""What the conformance client signs on a sandbox verifies, with it and with `sigstore`."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from attest.bundle import parse_bundle
from attest.dsse import UntrustedEnvelope
from attest.sandbox import Sandbox
from tests.conformance.protocol import command, main
from tests.evidence import ARTIFACT, ARTIFACT_DIGEST, PERSON, PERSON_ISSUER
from tests.peer import Peer

IDENTITY = ["--certificate-identity", PERSON, "--certificate-oidc-issuer", PERSON_ISSUER]
STATEMENT = {
    "_type": "https://in-toto.io/Statement/v1",
    "subject": [{"name": "a.txt", "digest": {"sha256": ARTIFACT_DIGEST.hex()}}],
    "predicateType": "https://cosign.sigstore.dev/attestation/v1",
    "predicate": {"größe": 1},
}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox.start(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture(autouse=True)
def _workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ATTEST_OFFLINE", raising=False)
    Path("a.txt").write_bytes(ARTIFACT)
    Path("statement.json").write_text(json.dumps(STATEMENT, ensure_ascii=False), encoding="utf-8")


def sign(sandbox: Sandbox, config: str, *words: str, artifact: str = "a.txt") -> int:
    trust = json.loads((sandbox.directory / config).read_bytes())
    Path("signing.json").write_text(json.dumps(trust["signingConfig"]))
    token = sandbox.person_token(PERSON)
    services = ["--trusted-root", str(sandbox.trusted_root), "--signing-config", "signing.json"]
    begin = ["sign-bundle", *words, "--identity-token", token, "--bundle", "b.json"]
    return main([*begin, *services, artifact])


def verify(sandbox: Sandbox, artifact: str = "a.txt") -> int:
    root = str(sandbox.trusted_root)
    return main(
        ["verify-bundle", "--bundle", "b.json", *IDENTITY, "--trusted-root", root, artifact]
    )


def objection(sandbox: Sandbox) -> str | None:
    peer = Peer(sandbox.trusted_root.read_bytes(), identity=PERSON, issuer=PERSON_ISSUER)
    return peer.objection(Path("b.json").read_bytes(), ARTIFACT_DIGEST)


def entry_version() -> str:
    bundle = json.loads(Path("b.json").read_bytes())
    version = bundle["verificationMaterial"]["tlogEntries"][0]["kindVersion"]["version"]
    assert isinstance(version, str)
    return version


@pytest.mark.parametrize(
    ("config", "version"),
    [
        ("trust_config.json", "0.0.1"),
        ("trust_config.v1-only.json", "0.0.1"),
        ("trust_config.v2.json", "0.0.2"),
    ],
)
def test_a_file_is_signed_in_the_log_of_the_config(
    sandbox: Sandbox, config: str, version: str
) -> None:
    assert sign(sandbox, config) == 0
    assert "messageSignature" in json.loads(Path("b.json").read_bytes())
    assert entry_version() == version
    assert (verify(sandbox), objection(sandbox)) == (0, None)
    Path("a.txt").write_bytes(b"something else")
    assert verify(sandbox) == 1


@pytest.mark.parametrize("config", ["trust_config.json", "trust_config.v2.json"])
def test_a_statement_is_signed_as_it_is(sandbox: Sandbox, config: str) -> None:
    assert sign(sandbox, config, "--in-toto", artifact="statement.json") == 0
    content = parse_bundle(Path("b.json").read_bytes()).content
    assert isinstance(content, UntrustedEnvelope)
    assert content.payload == Path("statement.json").read_bytes()
    assert (verify(sandbox), objection(sandbox)) == (0, None)
    assert verify(sandbox, artifact="statement.json") == 1


def test_of_several_logs_the_newest_is_taken(sandbox: Sandbox) -> None:
    trust = json.loads(sandbox.trust_config.read_bytes())
    newer = json.loads(sandbox.trust_config_v2.read_bytes())
    trust["signingConfig"]["rekorTlogUrls"] += newer["signingConfig"]["rekorTlogUrls"]
    both = sandbox.directory / "both.json"
    both.write_text(json.dumps(trust))
    assert sign(sandbox, both.name) == 0
    assert entry_version() == "0.0.2"


def test_what_stands_there_is_signed_anew(sandbox: Sandbox) -> None:
    Path("b.json").write_text("something")
    assert sign(sandbox, "trust_config.json") == 0
    first = Path("b.json").read_bytes()
    assert sign(sandbox, "trust_config.json") == 0
    assert Path("b.json").read_bytes() != first


@pytest.mark.parametrize("words", [["--in-toto"], []])
def test_a_file_that_is_missing_is_a_failure(sandbox: Sandbox, words: list[str]) -> None:
    with contextlib.suppress(SystemExit):
        assert sign(sandbox, "trust_config.json", *words, artifact="missing") == 2
    assert not Path("b.json").exists()


def test_a_token_that_is_none_is_a_failure(sandbox: Sandbox) -> None:
    services = ["--trusted-root", str(sandbox.trusted_root)]
    services += ["--signing-config", str(sandbox.signing_config)]
    asked = ["sign-bundle", "--identity-token", "none", "--bundle", "b.json", *services, "a.txt"]
    assert main(asked) == 2
    assert not Path("b.json").exists()


@pytest.mark.parametrize(
    "options",
    [
        ["--trusted-root", "root.json"],
        ["--signing-config", "missing.json"],
        ["--signing-config", "statement.json"],
        ["--in-toto", "--signing-config", "a.txt"],
    ],
)
def test_a_place_to_sign_that_is_none_is_a_failure(options: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        command(["sign-bundle", "--identity-token", "T", "--bundle", "b.json", *options, "a.txt"])
    assert caught.value.code != 0


def test_a_signing_config_without_a_root_is_a_failure(sandbox: Sandbox) -> None:
    config = str(sandbox.signing_config)
    begin = ["sign-bundle", "--identity-token", "T", "--bundle", "b.json"]
    assert main([*begin, "--signing-config", config, "a.txt"]) == 2
