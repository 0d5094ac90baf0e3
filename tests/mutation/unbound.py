"""What nothing binds in a bundle: every place where a change has no effect, with its reason."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass

from tests.mutation.kinds import WITNESS, WITNESS_LINE, bundle_of, root
from tests.mutation.mutants import Mutant

MATERIAL = "verificationMaterial\\."
_TOKEN = MATERIAL + r"timestampVerificationData\.rfc3161Timestamps.signedTimestamp"
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


def in_signer_name(kind: str, mutant: Mutant) -> bool:
    token = _token(bundle_of(kind))
    name = root().timestamp_authorities[0].certificates[0].issuer.public_bytes()
    return _in(mutant, token.rindex(name), len(name))


def _in(mutant: Mutant, start: int, length: int) -> bool:
    at = int(mutant.change.split()[1])
    return start <= at < start + length


def _in_witness_line(kind: str, mutant: Mutant) -> bool:
    entry = json.loads(bundle_of(kind))["verificationMaterial"]["tlogEntries"][0]
    note: str = entry["inclusionProof"]["checkpoint"]["envelope"]
    return int(mutant.change.split()[1]) >= note.index(WITNESS_LINE)


#: Every member whose change is accepted. The report is then that of the unchanged bundle.
UNBOUND = (
    Unbound(
        place="messageSignature.messageDigest",
        change="null|removed",
        why="optional: the digest that counts is the artifact's own",
    ),
    Unbound(
        place=MATERIAL + "tlogEntries.inclusionProof.checkpoint.envelope",
        change="line 4 doubled",
        why="signature lines lie outside what a note's signatures cover",
    ),
    Unbound(
        place=MATERIAL + "tlogEntries.inclusionProof.checkpoint.envelope",
        change="line 5 (dropped|doubled)",
        why="lines of other signers, such as witnesses, count for nothing",
        kind="witnessed:.*",
    ),
    Unbound(
        place=MATERIAL + "tlogEntries.inclusionProof.checkpoint.envelope",
        change=r"character \d+",
        why="as above",
        kind="witnessed:.*",
        applies=_in_witness_line,
    ),
    Unbound(
        place=MATERIAL + "tlogEntries.inclusionProof.checkpoint.envelope/signature",
        change=rf"byte \d+ by {re.escape(WITNESS)}",
        why="as above",
        kind="witnessed:.*",
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
        applies=in_signer_name,
    ),
    Unbound(
        place=MATERIAL + "tlogEntries.logIndex",
        change=".*",
        why="a global index without a SET; the report shows none",
        kind="unpromised:.*",
    ),
    Unbound(
        place=MATERIAL + "tlogEntries.integratedTime",
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
        place=MATERIAL + "x509CertificateChain.certificates.rawBytes",
        change=".*",
        why="certificates behind the leaf are superfluous: trust comes from the trusted root",
        kind="chain:.*",
    ),
    Unbound(
        place=MATERIAL + "x509CertificateChain.certificates",
        change="element (dropped|repeated)|reversed",
        why="as above",
        kind="(chain|promise):.*",
    ),
)

#: Evidence that may go missing because other evidence proves enough: the report then says less.
DROPPABLE = (
    Unbound(
        place=MATERIAL + "timestampVerificationData",
        change="null|removed|emptied",
        why="the SET still proves the time",
        kind=".*v1-tsa-.*",
    ),
    Unbound(
        place=MATERIAL + r"timestampVerificationData\.rfc3161Timestamps",
        change="null|removed|emptied|element dropped",
        why="the SET still proves the time",
        kind=".*v1-tsa-.*",
    ),
    Unbound(
        place=MATERIAL + "tlogEntries.inclusionPromise",
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
