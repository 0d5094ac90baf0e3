"""One change at a time to a bundle that a key signed, or with an `intoto` entry: as for others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from attest.bundle import parse_bundle
from attest.digest import Digests
from attest.engine.content import ArtifactContent
from attest.engine.trace import Trace
from attest.engine.verify import verify_bundle
from attest.errors import AttestError, UsageError
from attest.keys import PublicKey
from attest.verified import VerifiedAttestation
from tests.evidence import ARTIFACT, ARTIFACT_DIGEST
from tests.key_evidence import key_evidence, public_key
from tests.mutation.mutants import Mutant, mutants
from tests.mutation.unbound import DROPPABLE, MATERIAL, SPELLINGS, UNBOUND, Unbound

SEED = 20261121
EVERY = 24

#: One of each form of entry, with and without a timestamp, and each kind of key.
KINDS = (
    "v1-message:p256",
    "v1-dsse:ed25519",
    "v1-intoto:rsa2048",
    "v2-message:p384",
    "v2-dsse:p521",
)
CERTIFIED = "v1-intoto by certificate"
CONTENT = ArtifactContent(
    digest_of=Digests(
        sha256=ARTIFACT_DIGEST,
        sha384=hashlib.sha384(ARTIFACT).digest(),
        sha512=hashlib.sha512(ARTIFACT).digest(),
    )
)

#: Kinds as the lists of what nothing binds name them: logs, times and contents alone.
PLAIN = {
    "v1-message:p256": "v1-message",
    "v1-dsse:ed25519": "v1-tsa-statement",
    "v1-intoto:rsa2048": "v1-statement",
    "v2-message:p384": "v2-tsa-message",
    "v2-dsse:p521": "v2-tsa-statement",
    CERTIFIED: "v1-statement",
}
HINT = Unbound(
    place=MATERIAL + r"publicKey\.hint",
    change=".*",
    why="nothing signs the hint: the keys that were given decide",
)
NO_HINT = Unbound(place=MATERIAL + "publicKey", change="emptied", why="as above")


def bundle_of(kind: str) -> bytes:
    evidence = key_evidence()
    return evidence.by_certificate if kind == CERTIFIED else evidence.bundles[kind]


def keys_of(kind: str) -> list[PublicKey]:
    """The key, and one that signed nothing here: neither may be taken for the other."""
    if kind == CERTIFIED:
        return [public_key("p256")]  # the key that the certificate certifies
    return [public_key("rsa3072"), public_key(kind.partition(":")[2])]


def judge(kind: str, data: bytes) -> VerifiedAttestation:
    return verify_bundle(
        parse_bundle(data), CONTENT, key_evidence().root(), Trace(), keys=keys_of(kind)
    )


def accepted(kind: str, every: int) -> Iterator[tuple[Mutant, VerifiedAttestation]]:
    """What still verifies; anything but an `AttestError` escapes and fails the test."""
    for mutant in mutants(bundle_of(kind), seed=SEED, every=every):
        try:
            attestation = judge(kind, mutant.data)
        except UsageError as error:
            error.add_note(f"no verdict: {kind}: {mutant.place}, {mutant.change}")
            raise
        except AttestError:
            continue
        except BaseException as error:
            error.add_note(f"{kind}: {mutant.place}, {mutant.change}")
            raise
        yield mutant, attestation


def check(kind: str, every: int) -> None:
    plain = judge(kind, bundle_of(kind))
    every_one = sum(1 for _ in mutants(bundle_of(kind), seed=SEED, every=every))
    accepted_ones = list(accepted(kind, every))
    assert every_one - len(accepted_ones) > 500
    for mutant, attestation in accepted_ones:
        where = (kind, mutant.place, mutant.change)
        assert attestation.signer == plain.signer, where
        assert attestation.statement == plain.statement, where
        if any(item.covers(PLAIN[kind], mutant) for item in DROPPABLE):
            assert set(attestation.times) <= set(plain.times), where
            continue
        assert attestation == plain, where
        unbound = any(item.covers(PLAIN[kind], mutant) for item in (*UNBOUND[:2], HINT, NO_HINT))
        same = parse_bundle(mutant.data) == parse_bundle(bundle_of(kind))
        listed = TOKEN.covers(kind, mutant)
        assert unbound or listed or (same and mutant.change in SPELLINGS), where


#: What the timestamp's own fields leave open is tried byte by byte on the other kinds.
TOKEN = Unbound(
    place=MATERIAL + r"timestampVerificationData\.rfc3161Timestamps.signedTimestamp",
    change=r"byte \d+ of \d+",
    why="signatureAlgorithm, and the string type of the signer's name",
)


@pytest.mark.parametrize("kind", [*KINDS, CERTIFIED])
def test_every_change_is_rejected_or_without_effect(kind: str) -> None:
    check(kind, EVERY)


@pytest.mark.full
@pytest.mark.parametrize("kind", [*KINDS, CERTIFIED])
def test_every_byte_changed_is_rejected_or_without_effect(kind: str) -> None:
    check(kind, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_no_change_makes_it_somebody_elses(kind: str) -> None:
    """Whatever is changed, a key that did not sign is never the signer, and nobody is keyless."""
    strangers = [public_key(name) for name in ("rsa3072",)]
    for mutant in mutants(bundle_of(kind), seed=SEED, every=200):
        with pytest.raises(AttestError):
            verify_bundle(
                parse_bundle(mutant.data), CONTENT, key_evidence().root(), Trace(), keys=strangers
            )
