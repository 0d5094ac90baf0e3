"""The verdict of `@sigstore/verify`, Sigstore's verifier for JavaScript, on the same evidence."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from base64 import b64encode
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("node")
FILES = ("package.json", "package-lock.json", "verdicts.js")


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """Is this bundle the named signer's, of this content?

    `artifact` is None where only the digest is known: enough for envelopes. `key` is the PEM of
    the public key that must have signed; then nobody's identity is asked for.
    """

    bundle: bytes
    trusted_root: bytes
    sha256: bytes
    artifact: bytes | None = None
    identity: str | None = None
    issuer: str | None = None
    key: str | None = None

    def line(self) -> str:
        """As the program reads it."""
        artifact = None if self.artifact is None else b64encode(self.artifact).decode()
        return json.dumps(
            {
                "bundle": self.bundle.decode(),
                "trustedRoot": self.trusted_root.decode(),
                "artifact": artifact,
                "digest": self.sha256.hex(),
                "identity": self.identity,
                "issuer": self.issuer,
                "key": self.key,
            }
        )


class JavaScript:
    """The program, installed in a folder of its own."""

    def __init__(self, node: str, folder: Path) -> None:
        self._command = [node, str(folder / "verdicts.js")]

    def objections(self, questions: Iterable[Question]) -> list[str | None]:
        """Why it rejects each of the bundles, or None where it does not."""
        lines = "".join(f"{question.line()}\n" for question in questions)
        done = subprocess.run(
            self._command, input=lines.encode(), stdout=subprocess.PIPE, check=True, timeout=300
        )
        return [json.loads(line)["objection"] for line in done.stdout.splitlines()]

    def objection(self, question: Question) -> str | None:
        """The same of one."""
        (found,) = self.objections([question])
        return found


@contextmanager
def installed() -> Iterator[JavaScript]:
    """The program with exactly the packages of its lock file; skips where Node is missing."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node and npm are not installed")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in FILES:
            shutil.copyfile(PROGRAM / file, folder / file)
        subprocess.run(
            # What npm has in its cache is enough: every file is held to the hash of the lock.
            [
                npm,
                "ci",
                "--prefer-offline",
                "--ignore-scripts",
                "--no-audit",
                "--no-fund",
                "--silent",
            ],
            cwd=folder,
            check=True,
            timeout=300,
        )
        yield JavaScript(node, folder)
