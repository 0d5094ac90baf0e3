"""Bundles of public Sigstore instances, read from the shared folder beside the project."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import pytest

from attest.trust.root import TrustRoot

SHARED = Path(os.environ.get("ATTEST_SHARED", Path(__file__).resolve().parents[2] / "shared"))
REAL = SHARED / "real"

IDENTITY = (
    "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/"
    ".github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main"
)
ISSUER = "https://token.actions.githubusercontent.com"

#: Name of every case, and the code with which it must be rejected; None where it verifies.
CASES: dict[str, str | None] = {
    "bundle-with-sct-with-extensions": None,
    "happy-path-intoto-in-dsse-v3": None,
    "happy-path-v0.3": None,
    "rekor2-dsse-happy-path": None,
    "rekor2-happy-path": None,
    "inclusion-proof-corrupted-hash_fail": "invalid_inclusion_proof",
    "signature-mismatch_fail": "signature_invalid",
    "managed-key-happy-path": "untrusted_key",  # named by no identity; see the tests of its key
}

needs_real_bundles = pytest.mark.skipif(
    not REAL.is_dir(), reason="the shared folder with real bundles is not beside the project"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class RealCase:
    """One real bundle: its files, who signed, and the code of its rejection."""

    folder: Path
    code: str | None

    @classmethod
    def read(cls, name: str) -> RealCase:
        return cls(folder=REAL / name, code=CASES[name])

    @property
    def bundle(self) -> Path:
        return self.folder / "bundle.sigstore.json"

    @property
    def artifact(self) -> Path:
        own = self.folder / "artifact"
        return own if own.exists() else REAL / "a.txt"

    @property
    def sha256(self) -> bytes:
        return hashlib.sha256(self.artifact.read_bytes()).digest()

    @property
    def identity(self) -> str:
        return self._text("identity", IDENTITY)

    @property
    def issuer(self) -> str:
        return self._text("issuer", ISSUER)

    @property
    def trusted_root(self) -> Path | None:
        """Its own trusted root; None where the embedded one of the public instance serves."""
        path = self.folder / "trusted_root.json"
        return path if path.exists() else None

    def trusted_root_bytes(self) -> bytes:
        """The JSON of the trusted root that it is judged under."""
        embedded = resources.files("attest").joinpath("trust/embedded/sigstore/trusted_root.json")
        return (self.trusted_root or embedded).read_bytes()

    def root(self) -> TrustRoot:
        path = self.trusted_root
        return TrustRoot.embedded("sigstore") if path is None else TrustRoot.from_file(path)

    def _text(self, name: str, default: str) -> str:
        path = self.folder / name
        return path.read_text(encoding="utf-8").strip() if path.exists() else default
