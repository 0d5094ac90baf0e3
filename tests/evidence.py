"""Signed evidence that several test folders share: bundles of one sandbox, made once a process."""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import requests

from attest.bundle import UntrustedBundle, parse_bundle
from attest.digest import Digests
from attest.engine.content import ArtifactContent, PackContent
from attest.engine.trace import Trace
from attest.engine.verify import verify_bundle
from attest.oidc import IdentityToken
from attest.pack.builder import build_pack
from attest.sandbox import Sandbox
from attest.signing.instance import SigningInstance
from attest.signing.keyless import open_keyless_signer
from attest.statement import pack_statement
from attest.trust.instance import InstanceProfile
from attest.trust.root import TrustRoot
from attest.verified import VerifiedAttestation

ARTIFACT = b"what was signed\n"
ARTIFACT_DIGEST = hashlib.sha256(ARTIFACT).digest()
PERSON = "ana@acme.example"
PERSON_ISSUER = "https://accounts.google.com"
KEY_DETAILS = "PKIX_ECDSA_P256_SHA_256"

#: Log and timestamps of a bundle, by the trust config that asks for them.
LOGS = {"v1": "trust_config_v1_only", "v1-tsa": "trust_config", "v2-tsa": "trust_config_v2"}
CONTENTS = ("pack", "statement", "message")
KINDS = tuple(f"{log}-{content}" for log in LOGS for content in CONTENTS)


@dataclass(frozen=True, kw_only=True, slots=True)
class SandboxEvidence:
    """Everything that the sandbox signed: bundles by kind, the pack, and what to trust."""

    bundles: dict[str, bytes]
    pack: bytes
    manifest_digest: bytes
    trusted_root: bytes
    twice_logged: bytes

    def root(self) -> TrustRoot:
        """The sandbox's own root."""
        return root_of(self.trusted_root)

    def content(self, kind: str) -> PackContent | ArtifactContent:
        """What the bundle of a kind speaks of."""
        if kind.endswith("-pack"):
            return PackContent(manifest_digest=self.manifest_digest)
        return artifact_content(ARTIFACT_DIGEST)


@cache
def sandbox_evidence() -> SandboxEvidence:
    """One sandbox's evidence; the sandbox is stopped before anything is verified."""
    bundles: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "report.txt").write_bytes(b"all tests passed\n")
        pack = folder / "evidence.epack"
        digest = build_pack(pack, [folder / "report.txt"], stream="acme/test").manifest_digest
        with Sandbox.start(folder / "sandbox") as sandbox:
            root = sandbox.trusted_root.read_bytes()
            for log, config in LOGS.items():
                token = IdentityToken.from_text(sandbox.person_token(PERSON))
                instance = SigningInstance.from_file(getattr(sandbox, config))
                with open_keyless_signer(token, instance) as signer:
                    bundles[f"{log}-pack"] = signer.sign_statement(pack_statement(digest))
                    bundles[f"{log}-statement"] = signer.sign_statement(artifact_statement())
                    bundles[f"{log}-message"] = signer.sign_digest(ARTIFACT_DIGEST)
            twice = logged_again(bundles["v1-tsa-message"], sandbox)
        return SandboxEvidence(
            bundles=bundles,
            pack=pack.read_bytes(),
            manifest_digest=digest,
            trusted_root=root,
            twice_logged=twice,
        )


def logged_again(bundle: bytes, sandbox: Sandbox) -> bytes:
    """A message signature's bundle with a second entry, in the sandbox's v2 log."""
    document = json.loads(bundle)
    material = document["verificationMaterial"]
    verifier = {"x509Certificate": material["certificate"], "keyDetails": KEY_DETAILS}
    request = {
        "digest": document["messageSignature"]["messageDigest"]["digest"],
        "signature": {"content": document["messageSignature"]["signature"], "verifier": verifier},
    }
    answer = requests.post(
        f"{sandbox.url}/api/v2/log/entries",
        json={"hashedRekordRequestV002": request},
        timeout=10,
    )
    answer.raise_for_status()
    material["tlogEntries"].append(answer.json())
    return json.dumps(document).encode()


def artifact_statement() -> bytes:
    """A statement about the artifact, with a predicate and a second subject."""
    other = hashlib.sha256(b"another artifact").hexdigest()
    return json.dumps(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [
                {"name": "other.bin", "digest": {"sha256": other}},
                {"name": "what.txt", "digest": {"sha256": ARTIFACT_DIGEST.hex()}},
            ],
            "predicateType": "https://acme.example/tested/v1",
            "predicate": {"passed": 12, "suite": "größe"},
        }
    ).encode()


def artifact_content(sha256: bytes) -> ArtifactContent:
    """An artifact known by its SHA-256 alone."""
    return ArtifactContent(digest_of=Digests(sha256=sha256))


def root_of(trusted_root: bytes) -> TrustRoot:
    """A trusted root as a private instance would be given."""
    return TrustRoot.from_bytes(
        trusted_root, profile=InstanceProfile.private("test"), where="trusted_root.json"
    )


def verify(
    data: bytes, content: PackContent | ArtifactContent, root: TrustRoot
) -> VerifiedAttestation:
    """Steps 1 to 7 on the bytes of a bundle."""
    bundle: UntrustedBundle = parse_bundle(data, in_pack=isinstance(content, PackContent))
    return verify_bundle(bundle, content, root, Trace())
