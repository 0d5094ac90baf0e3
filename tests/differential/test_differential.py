"""On valid evidence of every kind, and on real bundles, `sigstore` gives the same verdict."""

from __future__ import annotations

import json
from importlib import resources

import pytest

from attest.engine.content import ArtifactContent, PackContent
from attest.errors import AttestError
from attest.trust.root import TrustRoot
from tests.evidence import (
    ARTIFACT_DIGEST,
    KINDS,
    PERSON,
    PERSON_ISSUER,
    artifact_content,
    sandbox_evidence,
    verify,
)
from tests.peer import Peer
from tests.real_bundles import CASES, RealCase, needs_real_bundles

#: Where `sigstore` supports the kind: it knows no bundles signed with keys.
SUPPORTED = [name for name, code in CASES.items() if code != "untrusted_key"]
EMBEDDED = "trust/embedded/sigstore/trusted_root.json"


def rejected(bundle: bytes, content: PackContent | ArtifactContent, root: TrustRoot) -> bool:
    try:
        verify(bundle, content, root)
    except AttestError:
        return True
    return False


def digest_of(kind: str) -> bytes:
    return sandbox_evidence().manifest_digest if kind.endswith("-pack") else ARTIFACT_DIGEST


@pytest.mark.parametrize("kind", KINDS)
def test_both_accept_what_the_sandbox_signed(kind: str) -> None:
    evidence = sandbox_evidence()
    assert not rejected(evidence.bundles[kind], evidence.content(kind), evidence.root())
    peer = Peer(evidence.trusted_root, identity=PERSON, issuer=PERSON_ISSUER)
    assert peer.objection(evidence.bundles[kind], digest_of(kind)) is None


@pytest.mark.parametrize("kind", KINDS)
def test_both_reject_it_for_other_content(kind: str) -> None:
    evidence = sandbox_evidence()
    other = bytes(32)
    content: PackContent | ArtifactContent = artifact_content(other)
    if kind.endswith("-pack"):
        content = PackContent(manifest_digest=other)
    assert rejected(evidence.bundles[kind], content, evidence.root())
    peer = Peer(evidence.trusted_root, identity=PERSON, issuer=PERSON_ISSUER)
    assert peer.objection(evidence.bundles[kind], other) is not None


@pytest.mark.parametrize("kind", KINDS)
def test_both_reject_it_under_another_root(kind: str) -> None:
    evidence = sandbox_evidence()
    bundle = evidence.bundles[kind]
    assert rejected(bundle, evidence.content(kind), TrustRoot.embedded("sigstore"))
    public = resources.files("attest").joinpath(EMBEDDED).read_bytes()
    peer = Peer(public, identity=PERSON, issuer=PERSON_ISSUER)
    assert peer.objection(bundle, digest_of(kind)) is not None


def in_version(bundle: bytes, version: str) -> bytes:
    """The bundle as clients of that version wrote it: the certificate in a chain."""
    document = json.loads(bundle)
    material = document["verificationMaterial"]
    material["x509CertificateChain"] = {"certificates": [material.pop("certificate")]}
    document["mediaType"] = f"application/vnd.dev.sigstore.bundle+json;version={version}"
    return json.dumps(document).encode()


@pytest.mark.parametrize("version", ["0.1", "0.2"])
@pytest.mark.parametrize("kind", ["v1-message", "v1-statement", "v1-tsa-message"])
def test_both_agree_on_older_bundles(kind: str, version: str) -> None:
    evidence = sandbox_evidence()
    peer = Peer(evidence.trusted_root, identity=PERSON, issuer=PERSON_ISSUER)
    good = in_version(evidence.bundles[kind], version)
    content = evidence.content(kind)
    assert not rejected(good, content, evidence.root())
    assert peer.objection(good, digest_of(kind)) is None
    unproven = json.loads(good)
    del unproven["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]
    cases = [good.replace(b";version=0.", b";version=1.")]
    if version != "0.1":  # docs/differences.md, `promise-alone`
        cases.append(json.dumps(unproven).encode())
    for bad in cases:
        assert rejected(bad, content, evidence.root())
        assert peer.objection(bad, digest_of(kind)) is not None


@needs_real_bundles
@pytest.mark.parametrize("name", SUPPORTED)
def test_both_agree_on_real_bundles(name: str) -> None:
    case = RealCase.read(name)
    bundle = case.bundle.read_bytes()
    peer = Peer(case.trusted_root_bytes(), identity=case.identity, issuer=case.issuer)
    objection = peer.objection(bundle, case.sha256)
    assert (objection is not None) == rejected(bundle, artifact_content(case.sha256), case.root())
    assert (objection is not None) == (case.code is not None)
