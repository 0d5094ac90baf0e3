"""Evidence on which `attest` and `sigstore` deliberately differ, by its name in the document."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass

from tests.evidence import sandbox_evidence


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A bundle of the artifact, the trusted root it is judged under, and our code if rejected."""

    bundle: bytes
    trusted_root: bytes
    code: str | None


def _bundle(kind: str) -> bytes:
    return sandbox_evidence().bundles[f"{kind}-message"]


def _text(kind: str, code: str | None, change: Callable[[str], str]) -> Case:
    """A case made by editing the text of a bundle."""
    before = _bundle(kind).decode()
    after = change(before)
    assert after != before
    return Case(bundle=after.encode(), trusted_root=sandbox_evidence().trusted_root, code=code)


def _ended(member: str, key: str | None, code: str) -> Case:
    """A case in which part of the trusted root ended before anything was signed."""
    root = json.loads(sandbox_evidence().trusted_root)
    for item in root[member]:
        window = (item[key] if key else item)["validFor"]
        window["end"] = window["start"]
    return Case(bundle=_bundle("v1-tsa"), trusted_root=json.dumps(root).encode(), code=code)


class _Edit:
    """A bundle opened for editing: the parts that cases change."""

    def __init__(self, kind: str) -> None:
        self.document = json.loads(_bundle(kind))
        self.material = self.document["verificationMaterial"]
        self.entry = self.material["tlogEntries"][0]
        stamps = self.material.get("timestampVerificationData", {}).get("rfc3161Timestamps")
        self.timestamp = stamps[0] if stamps else {}
        self.message = self.document["messageSignature"]

    def case(self, code: str | None) -> Case:
        return Case(
            bundle=json.dumps(self.document).encode(),
            trusted_root=sandbox_evidence().trusted_root,
            code=code,
        )

    def as_chain(self, version: str, *others: bytes) -> None:
        """Put the certificate first in a chain of an older bundle version."""
        leaf = self.material.pop("certificate")
        more = [{"rawBytes": b64encode(item).decode()} for item in others]
        self.material["x509CertificateChain"] = {"certificates": [leaf, *more]}
        if version != "0.3":
            media_type = f"application/vnd.dev.sigstore.bundle+json;version={version}"
            self.document["mediaType"] = media_type


def duplicate_keys() -> Case:
    return _text("v1", "duplicate_keys", lambda text: text.replace("{", '{"mediaType":"x",', 1))


def base64_junk() -> Case:
    edit = _Edit("v1")
    edit.message["signature"] = "*" + edit.message["signature"]
    return edit.case("malformed_bundle")


def base64_spare_bits() -> Case:
    edit = _Edit("v1")
    digest = edit.message["messageDigest"]["digest"]  # 32 bytes: two spare bits before one "="
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    edit.message["messageDigest"]["digest"] = (
        digest[:-2] + alphabet[alphabet.index(digest[-2]) + 1] + "="
    )
    return edit.case("malformed_bundle")


def integer_spelling() -> Case:
    edit = _Edit("v1")
    edit.entry["logIndex"] = " +" + edit.entry["logIndex"]
    return edit.case("malformed_bundle")


def message_digest_algorithm() -> Case:
    edit = _Edit("v1")
    edit.message["messageDigest"]["algorithm"] = "SHA2_512"
    return edit.case("malformed_bundle")


def broken_timestamp() -> Case:
    edit = _Edit("v1-tsa")
    token = bytearray(b64decode(edit.timestamp["signedTimestamp"]))
    token[-1] ^= 1
    edit.timestamp["signedTimestamp"] = b64encode(token).decode()
    return edit.case("invalid_timestamp")


def timestamp_cms_version() -> Case:
    edit = _Edit("v2-tsa")
    token = bytearray(b64decode(edit.timestamp["signedTimestamp"]))
    token[token.index(b"\x02\x01\x03") + 2] = 1  # the first INTEGER 3 is SignedData's version
    edit.timestamp["signedTimestamp"] = b64encode(token).decode()
    return edit.case("malformed_timestamp")


def set_without_time() -> Case:
    edit = _Edit("v1-tsa")
    del edit.entry["integratedTime"]
    return edit.case("invalid_set")


def log_id() -> Case:
    edit = _Edit("v2-tsa")
    key_id = b64decode(edit.entry["logId"]["keyId"])
    # The first four bytes are also the key hint in the checkpoint.
    edit.entry["logId"]["keyId"] = b64encode(key_id[:4] + bytes(28)).decode()
    return edit.case("untrusted_log")


def v2_log_index() -> Case:
    edit = _Edit("v2-tsa")
    edit.entry["logIndex"] = str(int(edit.entry["logIndex"]) + 1)
    return edit.case("invalid_tlog_entry")


def checkpoint_signer_name() -> Case:
    edit = _Edit("v1")
    note = edit.entry["inclusionProof"]["checkpoint"]
    note["envelope"] = note["envelope"].replace("\u2014 rekor", "\u2014 other")
    return edit.case("invalid_checkpoint")


def checkpoint_blank_lines() -> Case:
    edit = _Edit("v1")
    note = edit.entry["inclusionProof"]["checkpoint"]
    note["envelope"] = note["envelope"].replace("\n\n", "\n\n\n")
    return edit.case("invalid_checkpoint")


def log_ended() -> Case:
    return _ended("tlogs", "publicKey", "log_not_valid_at_time")


def ct_log_ended() -> Case:
    return _ended("ctlogs", "publicKey", "invalid_sct")


def certificate_authority_ended() -> Case:
    return _ended("certificateAuthorities", None, "invalid_certificate_chain")


def timestamp_authority_ended() -> Case:
    return _ended("timestampAuthorities", None, "invalid_timestamp")


def unpadded_base64() -> Case:
    edit = _Edit("v1")
    digest = edit.message["messageDigest"]
    digest["digest"] = digest["digest"].rstrip("=")
    return edit.case(None)


def integers_as_numbers() -> Case:
    edit = _Edit("v1")
    edit.entry["logIndex"] = int(edit.entry["logIndex"])
    return edit.case(None)


def null_members() -> Case:
    edit = _Edit("v1")
    edit.material["timestampVerificationData"] = {"rfc3161Timestamps": None}
    return edit.case(None)


def absent_is_zero() -> Case:
    edit = _Edit("v1-tsa")
    del edit.entry["inclusionPromise"], edit.entry["logIndex"]
    return edit.case(None)


def chain_in_v03() -> Case:
    edit = _Edit("v1")
    edit.as_chain("0.3")
    return edit.case(None)


def superfluous_certificates() -> Case:
    edit = _Edit("v1")
    edit.as_chain("0.2", b"not a certificate")
    return edit.case(None)


def promise_alone() -> Case:
    edit = _Edit("v1")
    edit.as_chain("0.1")
    del edit.entry["inclusionProof"]
    return edit.case(None)


def proof_without_promise() -> Case:
    edit = _Edit("v1-tsa")
    edit.as_chain("0.1")
    del edit.entry["inclusionPromise"]
    return edit.case(None)


def several_log_entries() -> Case:
    evidence = sandbox_evidence()
    return Case(bundle=evidence.twice_logged, trusted_root=evidence.trusted_root, code=None)


#: Every difference, by its heading in docs/differences.md.
DIFFERENCES: dict[str, Callable[[], Case]] = {
    function.__name__.replace("_", "-"): function
    for function in (
        duplicate_keys,
        base64_junk,
        base64_spare_bits,
        integer_spelling,
        message_digest_algorithm,
        broken_timestamp,
        timestamp_cms_version,
        set_without_time,
        log_id,
        v2_log_index,
        checkpoint_signer_name,
        checkpoint_blank_lines,
        log_ended,
        ct_log_ended,
        certificate_authority_ended,
        timestamp_authority_ended,
        unpadded_base64,
        integers_as_numbers,
        null_members,
        absent_is_zero,
        chain_in_v03,
        superfluous_certificates,
        promise_alone,
        proof_without_promise,
        several_log_entries,
    )
}
