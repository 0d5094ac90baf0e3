"""Where `@sigstore/verify` and `attest` differ, by the names in docs/differences.md."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.differential.differences import DIFFERENCES, Case
from tests.evidence import sandbox_evidence
from tests.mutation.mutants import Mutant

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "differences.md"

#: JSON that is taken apart and put together wrongly; typing its every level would hide the cases.
Json = dict[str, Any]


def edited(kind: str, change: Callable[[Json], object], code: str | None) -> Case:
    document = json.loads(sandbox_evidence().bundles[kind])
    change(document)
    return Case(
        bundle=json.dumps(document).encode(),
        trusted_root=sandbox_evidence().trusted_root,
        code=code,
    )


def proof(document: Json) -> Json:
    found = document["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]
    assert isinstance(found, dict)
    return found


def claimed_root() -> Case:
    return edited(
        "v1-message",
        lambda bundle: proof(bundle).update(rootHash=b64encode(bytes(32)).decode()),
        "invalid_inclusion_proof",
    )


def checkpoint_lines() -> Case:
    def change(bundle: Json) -> None:
        proof(bundle)["checkpoint"]["envelope"] += "no signature\n"

    return edited("v1-message", change, "invalid_checkpoint")


def media_type_prefix() -> Case:
    def change(bundle: Json) -> None:
        bundle["mediaType"] += "-not"

    return edited("v1-message", change, "invalid_bundle_media_type")


def trailing_bytes() -> Case:
    def change(bundle: Json) -> None:
        certificate = bundle["verificationMaterial"]["certificate"]
        longer = b64decode(certificate["rawBytes"]) + b"\0"
        certificate["rawBytes"] = b64encode(longer).decode()

    return edited("v1-message", change, "invalid_certificate")


def timestamp_certificates() -> Case:
    def change(bundle: Json) -> None:
        data = bundle["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"][0]
        token = bytearray(b64decode(data["signedTimestamp"]))
        # A date in the certificate that the token carries for convenience.
        date = re.search(rb"\x17\x0d\d{12}Z", token)
        assert date is not None
        token[date.start() + 3] ^= 1
        data["signedTimestamp"] = b64encode(token).decode()

    return edited("v1-tsa-message", change, "invalid_timestamp")


def no_message_digest() -> Case:
    def change(bundle: Json) -> None:
        del bundle["messageSignature"]["messageDigest"]

    return edited("v1-message", change, None)


def envelopes_in_v2() -> Case:
    evidence = sandbox_evidence()
    bundle = evidence.bundles["v2-tsa-statement"]
    return Case(bundle=bundle, trusted_root=evidence.trusted_root, code=None)


OWN: dict[str, Callable[[], Case]] = {
    function.__name__.replace("_", "-"): function
    for function in (
        claimed_root,
        checkpoint_lines,
        media_type_prefix,
        trailing_bytes,
        timestamp_certificates,
        no_message_digest,
        envelopes_in_v2,
    )
}
CASES_ALSO = {**DIFFERENCES, **OWN}
#: The one difference that only keys show; test_javascript_keys has its cases.
BY_KEY = "longer-curves"

#: Where a mutant that only `attest` rejects was changed, and our code; its name in the document.
STRICTER_AT = {
    ("inclusionProof.rootHash", "invalid_inclusion_proof"): "claimed-root",
    ("inclusionProof.treeSize", "invalid_inclusion_proof"): "claimed-root",
    ("checkpoint.envelope", "invalid_checkpoint"): "checkpoint-lines",
    ("mediaType", "invalid_bundle_media_type"): "media-type-prefix",
    ("rawBytes", "invalid_certificate"): "trailing-bytes",
    ("signedTimestamp", "malformed_timestamp"): "timestamp-certificates",
    ("signedTimestamp", "invalid_timestamp"): "timestamp-certificates",
    ("logId.keyId", "untrusted_log"): "log-id",
    ("tlogEntries.logIndex", "invalid_tlog_entry"): "v2-log-index",
}


def listed() -> list[list[str]]:
    """The names in the document's two lists: what only `attest` rejects, what only it accepts."""
    text = DOCUMENT.read_text(encoding="utf-8")
    sections = re.findall(r"(?ms)^## [^\n]*@sigstore/verify[^\n]*\n(.*?)(?=^## |\Z)", text)
    entries = [re.findall(r"(?m)^- ([^:]+):", section) for section in sections]
    return [re.findall("`(.+?)`", " ".join(names)) for names in entries]


def is_listed(item: Mutant, code: str) -> bool:
    """Whether it is a spelling that `attest` alone refuses, or a difference of the document."""
    return code == "malformed_bundle" or any(
        item.place.endswith(place) and code == known for place, known in STRICTER_AT
    )
