"""One change at a time to a valid bundle: rejected with a verdict, or provably without effect."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from attest.api.verify import examine
from attest.bundle import parse_bundle
from attest.errors import AttestError
from attest.pack.writer import add_attestation
from attest.policy.model import Policy
from attest.report.json import to_json
from attest.strictjson import JSON
from attest.trust.root import TrustRoot
from tests.evidence import (
    ARTIFACT,
    ARTIFACT_DIGEST,
    KINDS,
    PERSON,
    PERSON_ISSUER,
    sandbox_evidence,
    verify,
)
from tests.mutation.mutants import Mutant, mutants
from tests.peer import Peer

SEED = 20261121
EVERY = 16

#: Kinds in which some members are bound by nothing, made from the kind after the colon.
DERIVED = ("unpromised:v1-tsa-message", "chain:v1-tsa-statement", "promise:v1-message")

_MATERIAL = "verificationMaterial\\."
_TOKEN = _MATERIAL + r"timestampVerificationData\.rfc3161Timestamps.signedTimestamp"
#: ecdsa-with-SHA256 (1.2.840.10045.4.3.2) as its DER contents.
_ECDSA_SHA256 = bytes.fromhex("2a8648ce3d040302")


@dataclass(frozen=True, kw_only=True, slots=True)
class Unbound:
    """Changes without effect: where, which, and why nothing binds them."""

    place: str
    change: str
    why: str
    kind: str = ".*"
    applies: Callable[[str, Mutant], bool] = lambda _kind, _mutant: True

    def covers(self, kind: str, mutant: Mutant) -> bool:
        return (
            re.fullmatch(self.kind, kind) is not None
            and re.fullmatch(self.place, mutant.place) is not None
            and re.fullmatch(self.change, mutant.change) is not None
            and self.applies(kind, mutant)
        )


def _in_signature_algorithm(kind: str, mutant: Mutant) -> bool:
    token = _token(bundle_of(kind))
    return _in(mutant, token.rindex(_ECDSA_SHA256), len(_ECDSA_SHA256))


def _in_signer_name(kind: str, mutant: Mutant) -> bool:
    token = _token(bundle_of(kind))
    name = _tsa_issuer().public_bytes()
    return _in(mutant, token.rindex(name), len(name))


def _in(mutant: Mutant, start: int, length: int) -> bool:
    at = int(mutant.change.split()[1])
    return start <= at < start + length


#: Every member whose change is accepted. The report is then that of the unchanged bundle.
UNBOUND = (
    Unbound(
        place="messageSignature.messageDigest",
        change="null|removed",
        why="optional: the digest that counts is the artifact's own",
    ),
    Unbound(
        place=_MATERIAL + "tlogEntries.inclusionProof.checkpoint.envelope",
        change="line 4 doubled",
        why="signature lines lie outside what a note's signatures cover",
    ),
    Unbound(
        place=_TOKEN,
        change=r"byte \d+ of \d+",
        why="signatureAlgorithm of the CMS: the authority's key decides how it signs",
        applies=_in_signature_algorithm,
    ),
    Unbound(
        place=_TOKEN,
        change=r"byte \d+ of \d+",
        why="string type of the signer's name: the same name to X.509 name matching",
        applies=_in_signer_name,
    ),
    Unbound(
        place=_MATERIAL + "tlogEntries.logIndex",
        change=".*",
        why="a global index without a SET; the report shows none",
        kind="unpromised:.*",
    ),
    Unbound(
        place=_MATERIAL + "tlogEntries.integratedTime",
        change=".*",
        why="a time without a SET; the report shows only the timestamp's",
        kind="unpromised:.*",
    ),
    Unbound(
        place="dsseEnvelope.signatures.keyid",
        change=".*",
        why="DSSE does not sign it, and the certificate says whose key it is",
        kind="chain:.*",
    ),
    Unbound(
        place=_MATERIAL + "x509CertificateChain.certificates.rawBytes",
        change=".*",
        why="certificates behind the leaf are superfluous: trust comes from the trusted root",
        kind="chain:.*",
    ),
    Unbound(
        place=_MATERIAL + "x509CertificateChain.certificates",
        change="element (dropped|repeated)|reversed",
        why="as above",
        kind="(chain|promise):.*",
    ),
)

#: Evidence that may go missing because other evidence proves enough: the report then says less.
DROPPABLE = (
    Unbound(
        place=_MATERIAL + "timestampVerificationData",
        change="null|removed|emptied",
        why="the SET still proves the time",
        kind=".*v1-tsa-.*",
    ),
    Unbound(
        place=_MATERIAL + r"timestampVerificationData\.rfc3161Timestamps",
        change="null|removed|emptied|element dropped",
        why="the SET still proves the time",
        kind=".*v1-tsa-.*",
    ),
    Unbound(
        place=_MATERIAL + "tlogEntries.inclusionPromise",
        change="null|removed",
        why="the timestamp still proves the time, and the proof the inclusion",
        kind=".*v1-tsa-.*",
    ),
)

#: Other spellings of the same bundle: what is parsed is equal, so nothing can tell them apart.
SPELLINGS = {
    "padding stripped": "base64 without padding",
    "shorter": "as above, where one sign of padding was the last character",
    "as number": "protobuf JSON reads 64-bit integers as numbers too",
    "null": "protobuf JSON: null is absent",
    "removed": "protobuf JSON: absent is the default value",
    "emptied": "as above",
}


def _token(bundle: bytes) -> bytes:
    material = json.loads(bundle)["verificationMaterial"]
    return b64decode(
        material["timestampVerificationData"]["rfc3161Timestamps"][0]["signedTimestamp"]
    )


def _tsa_issuer() -> x509.Name:
    return root().timestamp_authorities[0].certificates[0].issuer


@cache
def root() -> TrustRoot:
    return sandbox_evidence().root()


@cache
def bundle_of(kind: str) -> bytes:
    """A valid bundle of a kind, or one made from it by leaving out or adding."""
    derivation, _, base = kind.rpartition(":")
    document = json.loads(sandbox_evidence().bundles[base])
    material = document["verificationMaterial"]
    if derivation == "unpromised":
        del material["tlogEntries"][0]["inclusionPromise"]
    if derivation in {"chain", "promise"}:
        leaf = material.pop("certificate")
        issuers = root().authorities[0].certificates
        others = [{"rawBytes": x509_base64(item)} for item in issuers if derivation == "chain"]
        material["x509CertificateChain"] = {"certificates": [leaf, *others]}
        version = "0.2" if derivation == "chain" else "0.1"
        document["mediaType"] = f"application/vnd.dev.sigstore.bundle+json;version={version}"
    if derivation == "chain":
        document["dsseEnvelope"]["signatures"][0]["keyid"] = "made up"
    if derivation == "promise":
        del material["tlogEntries"][0]["inclusionProof"]
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def x509_base64(certificate: x509.Certificate) -> str:
    return b64encode(certificate.public_bytes(Encoding.DER)).decode()


@dataclass(frozen=True, kw_only=True, slots=True)
class Accepted:
    """What became of a kind's mutants: those that verified, and how many did not."""

    mutants: tuple[Mutant, ...]
    rejected: int


def judge(kind: str, every: int) -> Accepted:
    """Verify every mutant; anything but an `AttestError` escapes and fails the test."""
    content = sandbox_evidence().content(kind)
    accepted: list[Mutant] = []
    rejected = unjudged = 0
    bundle = bundle_of(kind)
    print(f"seed {SEED}, one byte in {every}")  # noqa: T201  # shown where a test fails
    for mutant in mutants(bundle, seed=SEED, every=every):
        try:
            verify(mutant.data, content, root())
        except AttestError as error:
            rejected += error.exit_code == 1
            unjudged += error.exit_code != 1
        except BaseException as error:
            error.add_note(f"{kind}: {mutant.place}, {mutant.change}")
            raise
        else:
            accepted.append(mutant)
    assert unjudged == 0
    return Accepted(mutants=tuple(accepted), rejected=rejected)


@cache
def judged(kind: str) -> Accepted:
    return judge(kind, EVERY)


def respelled(kind: str, mutant: Mutant) -> bool:
    """Whether the mutant is the same bundle in another spelling, once parsed."""
    return parse_bundle(mutant.data) == parse_bundle(bundle_of(kind))


def report(kind: str, data: bytes, folder: Path) -> dict[str, JSON]:
    """The JSON report on a bundle of a kind, beside its artifact or inside its pack."""
    evidence = sandbox_evidence()
    target: Path = folder / "what.txt"
    bundle: Path | None = None
    if kind.endswith("-pack"):
        target = folder / "evidence.epack"
        target.write_bytes(evidence.pack)
        digest = evidence.manifest_digest
        add_attestation(target, "a.sigstore.json", data, expect_manifest_digest=digest)
    else:
        target.write_bytes(ARTIFACT)
        bundle = folder / "bundle.json"
        bundle.write_bytes(data)
    return to_json(
        examine(target, policy=Policy.unsafe_any_identity(), trust=root(), bundle=bundle)
    )


def facts(document: dict[str, JSON]) -> dict[str, JSON]:
    """A report without what a lack of evidence may change: checks, times, the log's index."""
    copy = deepcopy(document)
    attestations = copy["attestations"]
    assert isinstance(attestations, list)
    for item in attestations:
        assert isinstance(item, dict)
        log = item["log"]
        assert isinstance(log, dict)
        del item["checks"], item["signed_at"], log["index"]
    return copy


def times(document: dict[str, JSON]) -> list[str]:
    attestations = document["attestations"]
    assert isinstance(attestations, list)
    return [
        json.dumps(time)
        for item in attestations
        if isinstance(item, dict)
        for time in _list(item["signed_at"])
    ]


def _list(value: JSON) -> list[JSON]:
    assert isinstance(value, list)
    return value


def check_accepted(kind: str, accepted: Accepted, folder: Path) -> None:
    """Every accepted mutant is another spelling, unbound, or less evidence; reports agree."""
    plain = report(kind, bundle_of(kind), folder)
    assert plain["result"] == "pass"
    for mutant in accepted.mutants:
        found = report(kind, mutant.data, folder)
        where = (kind, mutant.place, mutant.change)
        if any(item.covers(kind, mutant) for item in DROPPABLE):
            assert facts(found) == facts(plain), where
            assert set(times(found)) <= set(times(plain)), where
            continue
        assert found == plain, where
        unbound = any(item.covers(kind, mutant) for item in UNBOUND)
        assert unbound or (respelled(kind, mutant) and mutant.change in SPELLINGS), where


@pytest.mark.parametrize("kind", [*KINDS, *DERIVED])
def test_every_change_is_rejected_or_without_effect(kind: str, tmp_path: Path) -> None:
    accepted = judged(kind)
    assert accepted.rejected > 600
    check_accepted(kind, accepted, tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("kind", [*KINDS, *DERIVED])
def test_every_byte_changed_is_rejected_or_without_effect(kind: str, tmp_path: Path) -> None:
    check_accepted(kind, judge(kind, 1), tmp_path)


@pytest.mark.full
def test_every_listed_place_is_needed() -> None:
    """An entry of the lists that nothing uses any more would hide a later mistake."""
    accepted = [(kind, m) for kind in (*KINDS, *DERIVED) for m in judge(kind, 1).mutants]
    for item in (*UNBOUND, *DROPPABLE):
        if item.applies is not _in_signer_name:  # its few bytes are hit only by chance
            assert any(item.covers(kind, mutant) for kind, mutant in accepted), item
    respellings = {mutant.change for kind, mutant in accepted if respelled(kind, mutant)}
    assert set(SPELLINGS) <= respellings


#: `sigstore` needs an inclusion proof in every bundle: docs/differences.md, `promise-alone`.
PEER_KINDS = tuple(kind for kind in (*KINDS, *DERIVED) if not kind.startswith("promise:"))


#: What `sigstore` rejects and `attest` does not; each has its reason in docs/differences.md,
#: under the name that stands here as `why`. Other spellings of the same bundle are such too.
DIFFERENT = (
    Unbound(place=".*", change="null", why="null-members"),
    Unbound(place=".*(Index|Time)", change="(as|incremented) number", why="integers-as-numbers"),
    Unbound(place=".*Index", change="removed", why="absent-is-zero"),
    Unbound(place=".*certificates.rawBytes", change=".*", why="superfluous-certificates"),
)


@cache
def peer() -> Peer:
    return Peer(sandbox_evidence().trusted_root, identity=PERSON, issuer=PERSON_ISSUER)


@pytest.mark.parametrize("kind", PEER_KINDS)
def test_whatever_is_accepted_the_peer_accepts(kind: str) -> None:
    """On everything that is accepted, which is more than a sample."""
    evidence = sandbox_evidence()
    digest = evidence.manifest_digest if kind.endswith("-pack") else ARTIFACT_DIGEST
    assert peer().objection(bundle_of(kind), digest) is None
    for mutant in judged(kind).mutants:
        if any(item.covers(kind, mutant) for item in DIFFERENT) or respelled(kind, mutant):
            continue
        objection = peer().objection(mutant.data, digest)
        assert objection is None, (mutant.place, mutant.change, objection)
