"""Level 2, rule by rule: what keeps it verifies in a pack, what breaks it fails with its code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from attest.api.verify import examine
from attest.errors import UsageError
from attest.policy.model import Policy
from attest.sandbox import LeafProfile
from attest.sandbox import Signer as CaSigner
from attest.statement import pack_statement
from attest.strictjson import encode_base64
from tests.engine.merged_evidence import (
    LATER,
    Make,
    edited,
    good,
    impostor,
    judge,
    naming,
    other_manifest,
    sign_whole,
    signed,
    stranger,
)
from tests.engine.virtual_evidence import V1_MESSAGE, entry_of, sign, stamp
from tests.engine.virtual_instance import HERE, ROOT, Json, b64, p256, unb64
from tests.pack.merging import made

ANA = naming("ana")
MALFORMED = "malformed_bundle"
MEDIA_TYPE = "invalid_bundle_media_type"
NO_MATERIAL = "missing_verification_material"
BUNDLE = "application/vnd.dev.sigstore.bundle"
IN_TOTO = "https://in-toto.io/Statement"


def pack_with(folder: Path, *makes: Make) -> Path:
    return sign_whole(made(folder / "a.epack", "acme/prod", {"data": b"1"}), *makes)


def code_of(path: Path, policy: Policy = ANA) -> str | None:
    error = judge(path, policy).error
    return None if error is None else error.code


def material(bundle: Json) -> Json:
    found: Json = bundle["verificationMaterial"]
    return found


def envelope(bundle: Json) -> Json:
    found: Json = bundle["dsseEnvelope"]
    return found


def media_type(value: object) -> Make:
    return edited(lambda it: it.update(mediaType=value))


def statement(**changes: object) -> Make:
    """A signed statement whose members are replaced; None leaves one out."""

    def make(digest: bytes) -> bytes:
        members = json.loads(pack_statement(digest)) | changes
        kept = {name: value for name, value in members.items() if value is not None}
        return signed(digest, payload=json.dumps(kept).encode())

    return make


def subject(**changes: object) -> Make:
    """As `statement`, of the members of its one subject."""

    def make(digest: bytes) -> bytes:
        known = {"name": "manifest.json", "digest": {"sha256": digest.hex()}}
        return statement(subject=[known | changes])(digest)

    return make


def payload(data: bytes) -> Make:
    return lambda digest: signed(digest, payload=data)


def strings(value: object, change: Callable[[str], str]) -> object:
    """Every base64 of a bundle, spelled otherwise."""
    base64 = {"rawBytes", "keyId", "rootHash", "canonicalizedBody", "payload", "sig",
              "signedEntryTimestamp"}  # fmt: skip
    if isinstance(value, dict):
        return {
            key: change(item) if key in base64 and isinstance(item, str) else strings(item, change)
            for key, item in value.items()
        }
    return [strings(item, change) for item in value] if isinstance(value, list) else value


def spelled(change: Callable[[str], str]) -> Make:
    def make(digest: bytes) -> bytes:
        bundle = json.loads(good(digest))
        other = strings(bundle, change)
        assert other != bundle
        return json.dumps(other).encode()

    return make


def to_chain(bundle: Json) -> None:
    """As the document's example has it: the leaf first, and what follows is not trusted."""
    leaf = material(bundle).pop("certificate")
    material(bundle)["x509CertificateChain"] = {"certificates": [leaf]}


def one_bit(text: str) -> str:
    return b64(bytes([unb64(text)[0] ^ 1]) + unb64(text)[1:])


def trailing_bits(text: str) -> str:
    """The next letter carries bits that no byte holds, where there is padding."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    body = text.rstrip("=")
    if body == text:
        return text
    return body[:-1] + alphabet[alphabet.index(body[-1]) + 1] + text[len(body) :]


def false_authority(digest: bytes) -> bytes:
    """A leaf under the name and key identifier of a known authority, signed by another key."""
    false = CaSigner(key=p256("impostor"), certificate=HERE.ca.intermediate.certificate)
    return signed(digest, leaf=LeafProfile(issuer=false))


def resigned_checkpoint(bundle: Json) -> None:
    checkpoint = entry_of(bundle)["inclusionProof"]["checkpoint"]
    note, _, signatures = checkpoint["envelope"].rpartition("\n\n")
    name, line = signatures.strip().rsplit(" ", 1)
    forged = unb64(line)[:4] + sign(p256("impostor"), (note + "\n").encode())
    checkpoint["envelope"] = f"{note}\n\n{name} {b64(forged)}\n"


KEPT: dict[str, Make] = {
    "R-062a: v0.3": good,
    "R-062a: v0.3 in its older spelling": media_type(f"{BUNDLE}+json;version=0.3"),
    "R-063a: a single certificate": good,
    "R-063a: a chain, as the document shows": lambda digest: signed(digest, bundle=to_chain),
    "R-065c: without padding": spelled(lambda text: text.rstrip("=")),
    "R-068a: members in any order and with white space": lambda digest: signed(
        digest,
        payload=json.dumps(
            dict(reversed(json.loads(pack_statement(digest)).items())), indent=2
        ).encode(),
    ),
    "R-076b: with a timestamp beside": lambda digest: signed(digest, timestamps=[stamp()]),
    "R-076b: in a log of the second version": lambda digest: signed(
        digest, log="v2", timestamps=[stamp()]
    ),
}

BROKEN: dict[str, tuple[Make, str]] = {
    "R-062a: no media type": (media_type(None), MEDIA_TYPE),
    "R-062a: another": (media_type("application/json"), MEDIA_TYPE),
    "R-062a: v0.1": (media_type(f"{BUNDLE}+json;version=0.1"), MEDIA_TYPE),
    "R-062a: v0.2": (media_type(f"{BUNDLE}+json;version=0.2"), MEDIA_TYPE),
    "R-062a: a version that there is not": (media_type(f"{BUNDLE}.v0.4+json"), MEDIA_TYPE),
    "R-063a: no material": (edited(lambda it: it.pop("verificationMaterial")), NO_MATERIAL),
    "R-063a: no certificate": (edited(lambda it: material(it).pop("certificate")), NO_MATERIAL),
    "R-063a: a chain of none": (
        edited(lambda it: material(it).update(certificate=None, x509CertificateChain={})),
        MALFORMED,
    ),
    "R-063a: no log entry": (
        edited(lambda it: material(it).update(tlogEntries=[])), "missing_tlog_entry",
    ),
    "R-064a: no envelope": (edited(lambda it: it.pop("dsseEnvelope")), "missing_dsse_envelope"),
    "R-064a: what cosign sign-blob makes": (
        lambda _: V1_MESSAGE.build(), "missing_dsse_envelope",
    ),
    "R-064a: another payload type": (
        lambda digest: signed(digest, payload_type="application/json"), "invalid_payload_type",
    ),
    "R-065e: no signature": (edited(lambda it: envelope(it)["signatures"].clear()), MALFORMED),
    "R-065e: two signatures": (
        edited(lambda it: envelope(it)["signatures"].append(envelope(it)["signatures"][0])),
        MALFORMED,
    ),
    "R-065a: a line end": (spelled(lambda text: text + "\n"), MALFORMED),
    "R-065a: junk between": (spelled(lambda text: text[:4] + " " + text[4:]), MALFORMED),
    "R-065a: more padding than needed": (spelled(lambda text: text + "="), MALFORMED),
    "R-065b: the URL alphabet": (
        spelled(lambda text: text.replace("+", "-").replace("/", "_")), MALFORMED,
    ),
    "R-065d: bits that no byte holds": (spelled(trailing_bits), MALFORMED),
    "R-067: v0.1": (statement(_type=f"{IN_TOTO}/v0.1"), "invalid_statement_type"),
    "R-067: another": (statement(_type=f"{IN_TOTO}/v2"), "invalid_statement_type"),
    "R-067: none": (statement(_type=None), "invalid_statement"),
    "R-068a: no subject": (statement(subject=[]), "invalid_subject"),
    "R-068a: two": (
        lambda digest: statement(
            subject=[{"name": "manifest.json", "digest": {"sha256": digest.hex()}}] * 2
        )(digest),
        "invalid_subject",
    ),
    "R-068b: another name": (subject(name="artifacts/data"), "invalid_subject"),
    "R-068b: another case": (subject(name="Manifest.json"), "invalid_subject"),
    "R-068b: no name": (subject(name=""), "invalid_subject"),
    "R-068c: a prefix": (
        lambda digest: subject(digest={"sha256": f"sha256:{digest.hex()}"})(digest),
        "invalid_subject",
    ),
    "R-068c: capitals": (
        lambda digest: subject(digest={"sha256": digest.hex().upper()})(digest), "invalid_subject",
    ),
    "R-068c: another algorithm beside": (
        lambda digest: subject(digest={"sha256": digest.hex(), "sha512": "0" * 128})(digest),
        "invalid_subject",
    ),
    "R-068d: another": (
        statement(predicateType="https://slsa.dev/provenance/v1"), "invalid_predicate_type",
    ),
    "R-068d: of the other domain": (
        statement(predicateType="https://evidencepack.dev/attestation/v1"),
        "invalid_predicate_type",
    ),
    "R-068e: not empty": (statement(predicate={"pack_digest": "x"}), "invalid_predicate"),
    "R-068e: none": (statement(predicate=None), "invalid_predicate"),
    "R-068e: a list": (statement(predicate=[]), "invalid_predicate"),
    "R-072: a key twice in the statement": (
        lambda digest: payload(
            pack_statement(digest)[:-1] + b',"predicate":{}}'
        )(digest),
        "duplicate_keys",
    ),
    "R-072: a key twice in the bundle": (
        lambda digest: good(digest)[:-1] + b',"mediaType":"x"}', "duplicate_keys",
    ),
    "R-071: no number in the bundle": (
        lambda digest: good(digest)[:-1] + b',"x":NaN}', "non_finite_number",
    ),
    "R-075: no inclusion proof": (
        edited(lambda it: entry_of(it).pop("inclusionProof")), "missing_inclusion_proof",
    ),
    "R-075: no checkpoint": (
        edited(lambda it: entry_of(it)["inclusionProof"].pop("checkpoint")),
        "missing_inclusion_proof",
    ),
    "R-076: no JSON": (lambda _: b"-----BEGIN", "invalid_json"),
    "R-076: cut off": (lambda digest: good(digest)[:-9], "invalid_json"),
    "R-076a: signed by nobody's authority": (false_authority, "invalid_certificate_chain"),
    "R-076a: of an instance that is not trusted": (stranger, "untrusted_certificate"),
    "R-076b: another root": (
        edited(lambda it: entry_of(it)["inclusionProof"].update(rootHash=b64(bytes(32)))),
        "invalid_inclusion_proof",
    ),
    "R-076b: a root that the log did not sign": (edited(resigned_checkpoint), "invalid_checkpoint"),
    "R-077: another manifest": (other_manifest, "manifest_digest_mismatch"),
    "R-079: signed by another key": (impostor, "signature_invalid"),
    "R-079: a bit of the signature": (
        edited(lambda it: envelope(it)["signatures"][0].update(
            sig=one_bit(envelope(it)["signatures"][0]["sig"]))),
        "signature_invalid",
    ),
    "R-079: another payload under the signature": (
        edited(lambda it: envelope(it).update(payload=b64(pack_statement(bytes(32))))),
        "signature_invalid",
    ),
    "R-084: an unknown member": (edited(lambda it: it.update(verified=True)), MALFORMED),
    "R-084: nothing": (lambda _: b"", "invalid_json"),
    "R-084: a list": (lambda digest: b"[" + good(digest) + b"]", MALFORMED),
    "R-086: an entry about something else": (
        edited(lambda it: entry_of(it).update(canonicalizedBody=b64(b"{}"))), "invalid_tlog_entry",
    ),
    "R-088d: no JSON": (payload(b"manifest.json"), "invalid_json"),
    "R-088d: not UTF-8": (payload(b'"\xff"'), "invalid_json"),
    "R-088d: no object": (payload(b"[]"), "invalid_statement"),
}  # fmt: skip


@pytest.mark.parametrize("name", KEPT)
def test_what_keeps_a_rule_verifies(tmp_path: Path, name: str) -> None:
    report = judge(pack_with(tmp_path, KEPT[name]), ANA)
    assert (report.result, report.error) == ("pass", None)
    assert report.attestations[0].verified is not None
    assert report.attestations[0].verified.level2


@pytest.mark.parametrize("name", BROKEN)
def test_what_breaks_a_rule_fails_the_pack(tmp_path: Path, name: str) -> None:
    make, code = BROKEN[name]
    assert code_of(pack_with(tmp_path, make)) == code
    # Nobody's good signature beside it makes up for it, but that of a stranger counts for nothing.
    beside = tmp_path / "beside"
    beside.mkdir()
    expected = None if code.startswith("untrusted") else code
    assert code_of(pack_with(beside, good, make)) == expected


# R-080, R-088b to R-090: whom to trust is said, and nothing stands in for saying it


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        (naming("ana"), None),
        (naming("bo", "ana"), None),
        (naming("bo"), "certificate_identity_mismatch"),
        (naming("Ana"), "certificate_identity_mismatch"),
        (naming("xana"), "certificate_identity_mismatch"),
    ],
)
def test_the_certificate_names_an_expected_identity(
    tmp_path: Path, policy: Policy, code: str | None
) -> None:
    assert code_of(pack_with(tmp_path, good), policy) == code


def test_a_valid_signature_alone_is_no_trusted_identity(tmp_path: Path) -> None:
    path = pack_with(tmp_path, good)
    with pytest.raises(UsageError) as caught:
        Policy.any_of()
    assert caught.value.code == "empty_policy"
    # Without a policy only integrity is looked at; with the unsafe one the report says so.
    assert examine(path, policy=None).assurance == "integrity"
    report = examine(path, policy=Policy.unsafe_any_identity(), trust=ROOT, now=LATER)
    assert report.assurance == "any_identity"


@pytest.mark.parametrize("length", range(7))
def test_base64_is_written_canonically(length: int) -> None:
    text = encode_base64(bytes(range(0xF8, 0xF8 + length)))
    assert len(text) % 4 == 0
    assert not set(text) & set("-_\n")
    assert unb64(text) == bytes(range(0xF8, 0xF8 + length))
