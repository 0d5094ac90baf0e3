"""A folder with the files that the documents speak of, and the sandbox that signed them."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import attest
from attest.sandbox import Sandbox

#: What the machine that runs the tests may have set and must not matter.
_FOREIGN = re.compile("(ATTEST|GITHUB|ACTIONS|SIGSTORE|CI$|NO_COLOR|SOURCE_DATE|GITLAB|BUILDKITE)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Desk:
    """A working folder with signed evidence, and its running sandbox."""

    folder: Path
    sandbox: Sandbox


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if _FOREIGN.match(name)]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def signed_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("desk")
    (folder / "logs").mkdir()
    (folder / "logs" / "deploy.log").write_text("deployed\n")
    (folder / "report.pdf").write_bytes(b"%PDF-1.7\nall is well\n")
    (folder / "notes.txt").write_text("nothing to add\n")
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    (folder / "release.pub").write_bytes(
        key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    attest.build(
        folder / "evidence.epack",
        [folder / "report.pdf", folder / "logs"],
        stream="acme/prod",
    )
    with Sandbox.start(tmp_path_factory.mktemp("sandbox")) as sandbox:
        token = attest.IdentityToken.from_text(sandbox.person_token())
        instance = attest.SigningInstance.from_file(sandbox.trust_config)
        for name in ("evidence.epack", "report.pdf"):
            attest.sign(folder / name, token=token, instance=instance)
        shutil.copy(sandbox.trusted_root, folder / "trusted_root.json")
        shutil.copy(sandbox.trust_config, folder / "trust_config.json")
        (folder / "token.jwt").write_text(token.reveal())
        yield Desk(folder=folder, sandbox=sandbox)


@pytest.fixture
def desk(signed_desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A copy of the signed desk to work at, as the current folder."""
    folder = tmp_path / "desk"
    shutil.copytree(signed_desk.folder, folder)
    monkeypatch.chdir(folder)
    return Desk(folder=folder, sandbox=signed_desk.sandbox)
