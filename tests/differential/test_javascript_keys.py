"""`@sigstore/verify` and `attest` agree on bundles that keys signed and on `intoto` entries."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from attest.bundle import parse_bundle
from attest.digest import Digests
from attest.engine.content import ArtifactContent
from attest.engine.trace import Trace
from attest.engine.verify import verify_bundle
from attest.errors import AttestError
from attest.keys import PublicKey
from tests.differential.javascript import JavaScript, Question
from tests.differential.javascript_cases import BY_KEY, is_listed, listed
from tests.evidence import ARTIFACT, ARTIFACT_DIGEST, PERSON, PERSON_ISSUER
from tests.key_evidence import KEY_SIGNED, key_evidence, pem_of, public_key
from tests.mutation.mutants import mutants
from tests.real_bundles import REAL, RealCase

pytestmark = pytest.mark.extra

SEED, EVERY = 20261121, 64
CONTENT = ArtifactContent(
    digest_of=Digests(
        sha256=ARTIFACT_DIGEST,
        sha384=hashlib.sha384(ARTIFACT).digest(),
        sha512=hashlib.sha512(ARTIFACT).digest(),
    )
)
#: The name in the document for each kind that this version of it does not verify.
UNSUPPORTED = {
    name: "envelopes-in-v2" if name.startswith("v2-dsse") else BY_KEY
    for name in KEY_SIGNED
    if name.startswith("v2-dsse") or name.endswith((":p384", ":p521"))
}
SUPPORTED = [name for name in KEY_SIGNED if name not in UNSUPPORTED]
#: One of each form of entry and each kind of key.
CHANGED = ("v1-message:p256", "v1-dsse:ed25519", "v1-intoto:rsa2048", "v2-message:p256")


def code_of(data: bytes, keys: Sequence[PublicKey]) -> str | None:
    """Our verdict: the code of the rejection, or None."""
    try:
        verify_bundle(parse_bundle(data), CONTENT, key_evidence().root(), Trace(), keys=keys)
    except AttestError as error:
        return error.code
    return None


def question(data: bytes, key: str | None) -> Question:
    """By the key of that name; or by the person, who must have a certificate."""
    return Question(
        bundle=data,
        trusted_root=key_evidence().trusted_root,
        sha256=ARTIFACT_DIGEST,
        artifact=ARTIFACT,
        identity=PERSON if key is None else None,
        issuer=PERSON_ISSUER if key is None else None,
        key=None if key is None else pem_of(key),
    )


def key_of(name: str) -> str:
    return name.partition(":")[2]


@pytest.mark.parametrize("name", KEY_SIGNED)
def test_both_accept_what_keys_signed_or_it_is_listed(javascript: JavaScript, name: str) -> None:
    bundle = key_evidence().bundles[name]
    assert code_of(bundle, [public_key(key_of(name))]) is None
    objection = javascript.objection(question(bundle, key_of(name)))
    if name in SUPPORTED:
        assert objection is None
    else:
        assert objection is not None
        assert UNSUPPORTED[name] in listed()[1]


@pytest.mark.parametrize("name", SUPPORTED)
def test_both_reject_it_by_another_signer(javascript: JavaScript, name: str) -> None:
    bundle = key_evidence().bundles[name]
    other = "rsa3072" if key_of(name) == "p256" else "p256"
    assert code_of(bundle, [public_key(other)]) is not None
    assert code_of(bundle, []) == "untrusted_key"
    asked = [question(bundle, other), question(bundle, None)]
    assert None not in javascript.objections(asked)


def test_both_accept_an_intoto_entry_with_a_certificate(javascript: JavaScript) -> None:
    bundle = key_evidence().by_certificate
    assert code_of(bundle, []) is None
    asked = [question(bundle, None), question(bundle, "p256")]
    accepted, by_key = javascript.objections(asked)
    assert accepted is None
    assert by_key is not None


@pytest.mark.parametrize("name", [*CHANGED, "certificate"])
def test_of_each_single_change_both_say_the_same_or_it_is_listed(
    javascript: JavaScript, name: str
) -> None:
    evidence = key_evidence()
    key = None if name == "certificate" else key_of(name)
    bundle = evidence.by_certificate if key is None else evidence.bundles[name]
    keys = [] if key is None else [public_key(key)]
    changed = list(mutants(bundle, seed=SEED, every=EVERY))
    ours = [code_of(item.data, keys) for item in changed]
    theirs = javascript.objections(question(item.data, key) for item in changed)
    agreed = 0
    for item, code, objection in zip(changed, ours, theirs, strict=True):
        if (code is None) == (objection is None):
            agreed += 1
        elif code is None:
            assert item.place == "messageSignature.messageDigest", (item.place, objection)
        else:
            assert is_listed(item, code), (item.place, item.change, code)
    assert agreed > len(changed) // 2


if REAL.is_dir():  # where they are missing nothing is skipped, which `make test-extra` forbids

    def test_both_accept_the_real_bundle_of_a_managed_key(javascript: JavaScript) -> None:
        case = RealCase.read("managed-key-happy-path")
        pem = (case.folder / "key.pub").read_text(encoding="utf-8")
        loaded = load_pem_public_key(pem.encode())
        content = ArtifactContent(digest_of=Digests(sha256=case.sha256))
        bundle = parse_bundle(case.bundle.read_bytes())
        # Raises where it does not verify.
        verify_bundle(bundle, content, case.root(), Trace(), keys=[PublicKey(loaded)])
        asked = Question(
            bundle=case.bundle.read_bytes(),
            trusted_root=case.trusted_root_bytes(),
            sha256=case.sha256,
            artifact=case.artifact.read_bytes(),
            key=pem,
        )
        assert javascript.objection(asked) is None
        assert javascript.objection(question(case.bundle.read_bytes(), "p256")) is not None
