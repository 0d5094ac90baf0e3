"""The conformance client does what the suite's protocol says, on a sandbox and on real bundles."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance.protocol import command, main
from tests.evidence import (
    ARTIFACT,
    KINDS,
    PERSON,
    PERSON_ISSUER,
    sandbox_evidence,
)
from tests.real_bundles import CASES, RealCase, needs_real_bundles

CLIENT = Path(__file__).with_name("client")
#: What a bundle of the shared evidence speaks of, unless it speaks of a pack.
ABOUT_ARTIFACT = [kind for kind in KINDS if not kind.endswith("-pack")]
IDENTITY = ["--certificate-identity", PERSON, "--certificate-oidc-issuer", PERSON_ISSUER]


@pytest.fixture(autouse=True)
def _workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shared evidence, its artifact and root in a folder of its own, as the suite has them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ATTEST_OFFLINE", "1")  # no test asks the public instances for anything
    found = sandbox_evidence()
    Path("a.txt").write_bytes(ARTIFACT)
    Path("root.json").write_bytes(found.trusted_root)
    for kind in KINDS:
        Path(f"{kind}.json").write_bytes(found.bundles[kind])


BY_IDENTITY = [name for name, code in CASES.items() if code != "untrusted_key"]


def verify(kind: str, *words: str, artifact: str = "a.txt", root: str = "root.json") -> int:
    who = list(words) or IDENTITY
    bundle = f"{kind}.json"
    return main(["verify-bundle", "--bundle", bundle, *who, "--trusted-root", root, artifact])


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@pytest.mark.parametrize("kind", ABOUT_ARTIFACT)
def test_a_good_bundle_verifies_by_path_and_by_digest(kind: str) -> None:
    assert verify(kind) == 0
    assert verify(kind, artifact=sha256(ARTIFACT)) == 0
    assert verify(kind, artifact=sha256(ARTIFACT).upper().replace("SHA", "sha")) == 0


@pytest.mark.parametrize("kind", ABOUT_ARTIFACT)
def test_each_wrong_answer_is_a_failure(kind: str) -> None:
    Path("b.txt").write_bytes(ARTIFACT + b"more")
    root = json.loads(Path("root.json").read_bytes())
    Path("other.json").write_text(json.dumps({**root, "certificateAuthorities": []}))
    other_person = ["--certificate-identity", "bo@acme.example", *IDENTITY[2:]]
    other_issuer = [*IDENTITY[:3], "https://accounts.example"]
    assert verify(kind, *other_person) == 1
    assert verify(kind, *other_issuer) == 1
    assert verify(kind, artifact="b.txt") == 1
    assert verify(kind, artifact=sha256(b"")) == 1
    assert verify(kind, root="other.json") != 0


def test_a_path_wins_over_the_digest_that_it_spells() -> None:
    name = sha256(b"")
    Path(name).write_bytes(ARTIFACT)
    assert verify("v1-message", artifact=name) == 0


@pytest.mark.parametrize(
    "artifact", ["sha256:00", "sha512:" + "0" * 128, "sha256:" + "g" * 64, "no.txt"]
)
def test_what_is_no_digest_is_a_path(artifact: str) -> None:
    words = command(["verify-bundle", "--bundle", "b", *IDENTITY, artifact])
    assert words[-1] == str(Path.cwd() / artifact)
    assert verify("v1-message", artifact=artifact) == 2


def test_staging_is_the_instance_unless_a_root_is_given() -> None:
    asked = ["verify-bundle", "--staging", "--bundle", "b.json", *IDENTITY]
    assert "--instance=staging" in command([*asked, "a.txt"])
    words = command([*asked, "--trusted-root", "root.json", "a.txt"])
    assert "--trusted-root=root.json" in words
    assert not any(word.startswith("--instance") for word in words)
    signing = ["sign-bundle", "--staging", "--identity-token", "T", "--bundle", "b.json", "a.txt"]
    assert "--instance=staging" in command(signing)


def test_a_bundle_of_another_instance_does_not_verify_on_staging() -> None:
    asked = ["verify-bundle", "--staging", "--bundle", "v1-message.json", *IDENTITY, "a.txt"]
    assert main(asked) == 1


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["verify"],
        ["verify-bundle", "a.txt"],
        ["verify-bundle", "--bundle", "b.json", "a.txt"],
        ["verify-bundle", "--bundle", "b.json", *IDENTITY],
        ["verify-bundle", "--bundle", "b.json", *IDENTITY, "--key", "key.pub", "a.txt"],
        ["verify-bundle", "--bundle", "b.json", "--key", "k", *IDENTITY[2:], "a.txt"],
        ["sign-bundle", "--bundle", "b.json", "a.txt"],
        ["sign-bundle", "--identity-token", "T", "a.txt"],
    ],
)
def test_a_command_outside_the_protocol_is_a_failure(words: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code != 0


def test_nobody_named_is_a_failure() -> None:
    assert verify("v1-message", "--certificate-identity", PERSON) == 2


def test_the_program_itself_runs_and_tells_by_its_exit_code() -> None:
    asked = ["verify-bundle", "--bundle", "v1-tsa-message.json", *IDENTITY]
    asked += ["--trusted-root", "root.json"]
    for artifact, code in ((sha256(ARTIFACT), 0), (sha256(b"other"), 1)):
        done = subprocess.run(
            [sys.executable, CLIENT, *asked, artifact], capture_output=True, check=False
        )
        assert done.returncode == code, done.stderr
    assert CLIENT.stat().st_mode & 0o111


@needs_real_bundles
@pytest.mark.parametrize("how", ["path", "digest"])
@pytest.mark.parametrize("name", [name for name, code in CASES.items() if code != "untrusted_key"])
def test_real_bundles_through_the_client(name: str, how: str) -> None:
    case = RealCase.read(name)
    root = [] if case.trusted_root is None else ["--trusted-root", str(case.trusted_root)]
    artifact = str(case.artifact) if how == "path" else f"sha256:{case.sha256.hex()}"
    who = ["--certificate-identity", case.identity, "--certificate-oidc-issuer", case.issuer]
    code = main(["verify-bundle", "--bundle", str(case.bundle), *who, *root, artifact])
    assert code == (0 if case.code is None else 1)
