"""What we write and what `sigstore`'s own signer writes: one shape, and both verifiers accept."""

from __future__ import annotations

import gc
import hashlib
import json
import warnings
from collections.abc import Iterator

import pytest
from sigstore.dsse import Statement
from sigstore.hashes import Hashed
from sigstore.models import ClientTrustConfig
from sigstore.oidc import IdentityToken as PeerToken
from sigstore.sign import Signer as PeerSigner
from sigstore.sign import SigningContext
from sigstore_models.common.v1 import HashAlgorithm

from attest.bundle import parse_bundle
from attest.digest import Digests
from attest.engine.content import ArtifactContent, PackContent
from attest.engine.trace import Trace
from attest.engine.verify import verify_bundle
from attest.oidc import IdentityToken
from attest.sandbox import Sandbox
from attest.signing import Signer
from attest.signing.instance import SigningInstance
from attest.signing.keyless import open_keyless_signer
from attest.statement import pack_statement
from attest.strictjson import JSON
from attest.trust.root import TrustRoot
from tests.peer import Peer

DIGEST = hashlib.sha256(b"content").digest()
#: Whatever differs between two signatures of one thing; all else must be equal.
VALUES = {
    *("canonicalizedBody", "integratedTime", "logIndex", "rawBytes", "rootHash", "sig"),
    *("signature", "signedEntryTimestamp", "signedTimestamp", "treeSize", "envelope", "hashes"),
}
CONFIGS = ["trust_config", "trust_config_v1_only", "trust_config_v2"]


def shape(value: JSON, name: str = "") -> JSON:
    """A bundle with the type in the place of every value that must differ."""
    if name in VALUES:
        return type(value).__name__
    if isinstance(value, dict):
        return {key: shape(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    return value


@pytest.fixture(params=CONFIGS)
def signers(
    request: pytest.FixtureRequest, sandbox: Sandbox
) -> Iterator[tuple[Signer, PeerSigner]]:
    """Ours and the peer's, of one person, on one instance."""
    path, token = getattr(sandbox, request.param), sandbox.person_token("ana@acme.example")
    context = SigningContext.from_trust_config(ClientTrustConfig.from_json(path.read_text()))
    with (
        open_keyless_signer(
            IdentityToken.from_text(token), SigningInstance.from_file(path)
        ) as ours,
        context.signer(PeerToken(token), cache=True) as theirs,
    ):
        yield ours, theirs
    # The peer never closes its sessions; whoever runs when they are collected would be blamed.
    del context, theirs
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.mark.parametrize("what", ["statement", "digest"])
def test_both_bundles_have_one_shape_and_both_verifiers_accept_both(
    sandbox: Sandbox, signers: tuple[Signer, PeerSigner], what: str
) -> None:
    ours, theirs = signers
    payload = pack_statement(DIGEST)
    content: PackContent | ArtifactContent
    if what == "statement":
        content = PackContent(manifest_digest=DIGEST)
        pair = ours.sign_statement(payload), theirs.sign_dsse(Statement(payload)).to_json().encode()
    else:
        content = ArtifactContent(digest_of=Digests(sha256=DIGEST))
        hashed = Hashed(algorithm=HashAlgorithm.SHA2_256, digest=DIGEST)
        pair = ours.sign_digest(DIGEST), theirs.sign_artifact(hashed).to_json().encode()
    assert shape(json.loads(pair[0])) == shape(json.loads(pair[1]))

    root = TrustRoot.from_file(sandbox.trusted_root)
    peer = Peer(root.document, identity="ana@acme.example", issuer="https://accounts.google.com")
    for data in pair:
        verify_bundle(parse_bundle(data), content, root, Trace())
        assert peer.objection(data, DIGEST) is None
