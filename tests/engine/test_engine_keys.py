"""Signatures by keys: whose they are, what the log must bind, and no mixing with certificates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from attest.digest import Digests
from attest.engine.content import ArtifactContent, PackContent
from attest.engine.trace import Trace
from attest.errors import AttestError, Untrusted, UsageError, VerificationFailed
from attest.keys import PublicKey
from attest.trust.root import TrustRoot
from attest.verified import KeyIdentity
from tests.engine.log_edits import ENTRY, MALFORMED_ENTRY, Verdict, set_at
from tests.engine.virtual_evidence import (
    FILE,
    INTOTO,
    PACK,
    PACK_EVIDENCE,
    V1_DSSE,
    V1_MESSAGE,
    V2_DSSE,
    V2_MESSAGE,
    Evidence,
    SigningKey,
    entry_of,
    spki,
    stamp,
    verify,
)
from tests.engine.virtual_instance import (
    ELSEWHERE,
    HERE,
    MINUTE,
    NOW,
    ROOT,
    Json,
    b64,
    p256,
    parse_root,
    root_json,
)

KEY = p256("leaf")
OTHER = p256("another signer")
SIGNATURE = (VerificationFailed, "signature_invalid")
STRANGER = (Untrusted, "untrusted_key")

KINDS = {
    "hashedrekord 0.0.1": replace(V1_MESSAGE, by_key=True),
    "dsse 0.0.1": replace(V1_DSSE, by_key=True),
    "intoto 0.0.2": replace(INTOTO, by_key=True),
    "hashedrekord 0.0.2 of an envelope": replace(V2_DSSE, by_key=True),
    "hashedrekord 0.0.2 of an artifact": replace(V2_MESSAGE, by_key=True),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def public(*keys: SigningKey) -> list[PublicKey]:
    return [PublicKey(key.public_key()) for key in keys]


def verdict(
    data: bytes,
    keys: Sequence[SigningKey] = (KEY,),
    root: TrustRoot = ROOT,
    content: PackContent | ArtifactContent = FILE,
) -> Verdict:
    with pytest.raises(AttestError) as caught:
        verify(data, content, root, keys=public(*keys))
    return type(caught.value), caught.value.code


# Good ones


@every_kind
def test_a_given_key_verifies_and_is_the_signer(kind: str) -> None:
    attestation = verify(KINDS[kind].build(), keys=public(KEY))
    (key,) = public(KEY)
    assert attestation.signer == KeyIdentity(key_id=key.key_id.hex())
    assert attestation.identity is None
    assert attestation.certificate_sha256 is None
    assert attestation.level2


@every_kind
def test_one_of_several_given_keys_will_do(kind: str) -> None:
    attestation = verify(KINDS[kind].build(), keys=public(OTHER, p256("third"), KEY))
    assert attestation.signer.principal == f"key:{public(KEY)[0].key_id.hex()}"


def test_a_pack_may_be_signed_by_a_key() -> None:
    data = replace(PACK_EVIDENCE, by_key=True).build()
    assert isinstance(verify(data, PACK, keys=public(KEY)).signer, KeyIdentity)


def test_the_trace_leaves_out_what_only_certificates_have() -> None:
    trace = Trace()
    verify(KINDS["dsse 0.0.1"].build(), trace=trace, keys=public(KEY))
    names = [item.check for item in trace.checks]
    assert names == ["3 key", "6 signature", "5 log", "5 log", "7 statement"]
    assert {item.status for item in trace.checks} == {"pass"}


# Whose key it is


@every_kind
def test_without_a_given_key_it_counts_for_nothing(kind: str) -> None:
    data = KINDS[kind].build()
    assert verdict(data, []) == STRANGER
    assert verdict(data, [OTHER]) == STRANGER


def hint_of(key: SigningKey, form: str) -> str:
    key_id = public(key)[0].key_id
    return {
        "base64": b64(key_id),
        "base64 without padding": b64(key_id).rstrip("="),
        "hex": key_id.hex(),
        "HEX": key_id.hex().upper(),
        "as npm writes it": f"SHA256:{b64(key_id).rstrip('=')}",
    }[form]


FORMS = ["base64", "base64 without padding", "hex", "HEX", "as npm writes it"]


@every_kind
@pytest.mark.parametrize("form", FORMS)
def test_a_hint_at_a_given_key_attributes_what_it_did_not_sign(kind: str, form: str) -> None:
    data = replace(KINDS[kind], key=OTHER, hint=hint_of(KEY, form)).build()
    assert verdict(data, [KEY]) == SIGNATURE


@every_kind
@pytest.mark.parametrize("hint", ["", "x", "SHA256:", "AAAA", "\u2028", "key"])
def test_any_other_hint_attributes_nothing_and_harms_nothing(kind: str, hint: str) -> None:
    assert verdict(replace(KINDS[kind], key=OTHER, hint=hint).build(), [KEY]) == STRANGER
    verify(replace(KINDS[kind], hint=hint).build(), keys=public(KEY))


@every_kind
def test_a_hint_at_another_given_key_does_not_hide_who_signed(kind: str) -> None:
    data = replace(KINDS[kind], hint=hint_of(OTHER, "base64")).build()
    signer = verify(data, keys=public(OTHER, KEY)).signer
    assert signer == KeyIdentity(key_id=public(KEY)[0].key_id.hex())


@every_kind
def test_a_log_entry_with_a_given_key_attributes_what_it_did_not_sign(kind: str) -> None:
    data = replace(KINDS[kind], signing_key=OTHER, hint="").build()
    assert verdict(data, [KEY]) == SIGNATURE


@every_kind
def test_another_artifact_is_no_strangers(kind: str) -> None:
    other = ArtifactContent(digest_of=Digests(sha256=bytes(32), sha384=bytes(48), sha512=bytes(64)))
    data = KINDS[kind].build()
    assert verdict(data, content=other) == (VerificationFailed, "digest_mismatch")
    assert verdict(data, [OTHER], content=other) == STRANGER


def test_a_digest_that_the_key_does_not_cover_gives_no_verdict() -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    data = replace(KINDS["hashedrekord 0.0.1"], key=key).build()
    only = ArtifactContent(digest_of=Digests(sha256=FILE.digest_of("sha256")))
    assert verdict(data, [key], content=only) == (UsageError, "digest_algorithm_needed")
    assert verdict(data, [KEY], content=only) == STRANGER


# What the log entry must bind


def pem_of(key: SigningKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


PATHS: dict[str, list[str | int]] = {
    "hashedrekord 0.0.1": ["spec", "signature", "publicKey", "content"],
    "dsse 0.0.1": ["spec", "signatures", 0, "verifier"],
    "intoto 0.0.2": ["spec", "content", "envelope", "signatures", 0, "publicKey"],
}
V2_PATH: list[str | int] = ["spec", "hashedRekordV002", "signature", "verifier"]


def holding(kind: str, value: str) -> bytes:
    return replace(KINDS[kind], body=lambda body: set_at(body, PATHS[kind], value)).build()


@pytest.mark.parametrize("kind", PATHS)
def test_the_entry_must_hold_this_very_key(kind: str) -> None:
    for wrong in (
        pem_of(OTHER),
        pem_of(OTHER) + pem_of(KEY),
        pem_of(KEY) + pem_of(OTHER),
        pem_of(KEY) + pem_of(KEY),
        pem_of(KEY).replace(b"PUBLIC KEY", b"CERTIFICATE"),
        pem_of(KEY)[:-40],
        spki(KEY),
        b"junk",
    ):
        assert verdict(holding(kind, b64(wrong))) == ENTRY
    assert verdict(holding(kind, "")) == MALFORMED_ENTRY
    assert verdict(holding(kind, "*")) == MALFORMED_ENTRY


@pytest.mark.parametrize("kind", PATHS)
def test_the_same_key_in_another_layout_is_the_same_key(kind: str) -> None:
    pem = pem_of(KEY)
    for same in (pem.rstrip(), pem.replace(b"\n", b"\r\n")):
        assert verify(holding(kind, b64(same)), keys=public(KEY)).level2


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in PATHS])
def test_a_v2_entry_must_hold_this_very_key(kind: str) -> None:
    def changed(value: object) -> bytes:
        return replace(KINDS[kind], body=lambda body: set_at(body, V2_PATH, value)).build()

    details = "PKIX_ECDSA_P256_SHA_256"
    raw = {"rawBytes": b64(spki(KEY))}
    assert verify(changed({"publicKey": raw, "keyDetails": details}), keys=public(KEY)).level2
    for wrong, expected in (
        ({"publicKey": {"rawBytes": b64(spki(OTHER))}, "keyDetails": details}, ENTRY),
        ({"publicKey": {"rawBytes": b64(pem_of(KEY))}, "keyDetails": details}, ENTRY),
        ({"publicKey": raw, "keyDetails": "PKIX_ECDSA_P384_SHA_384"}, ENTRY),
        ({"x509Certificate": raw, "keyDetails": details}, ENTRY),
        ({"publicKey": raw, "x509Certificate": raw, "keyDetails": details}, MALFORMED_ENTRY),
        ({"publicKey": {**raw, "hint": "x"}, "keyDetails": details}, MALFORMED_ENTRY),
        ({"publicKey": raw}, MALFORMED_ENTRY),
        ({"keyDetails": details}, ENTRY),
    ):
        assert verdict(changed(wrong)) == expected


# Certificates and keys do not mix, though the key be the same


@every_kind
def test_an_entry_with_a_certificate_is_not_one_with_its_key(kind: str) -> None:
    assert verdict(replace(KINDS[kind], logs_key=False).build()) == ENTRY


@every_kind
def test_an_entry_with_the_key_is_not_one_with_a_certificate(kind: str) -> None:
    evidence = replace(KINDS[kind], by_key=False, logs_key=True)
    assert verdict(evidence.build()) == ENTRY


@every_kind
def test_a_keyless_bundle_is_never_taken_for_the_keys(kind: str) -> None:
    data = replace(KINDS[kind], by_key=False).build()
    attestation = verify(data, keys=public(KEY))  # the very key that its certificate certifies
    assert attestation.identity is not None
    stranger = replace(KINDS[kind], by_key=False, parts=ELSEWHERE, ctlog=ELSEWHERE.ctlog)
    assert verdict(stranger.build()) == (Untrusted, "untrusted_certificate")


def with_both(bundle: Json) -> None:
    bundle["verificationMaterial"]["publicKey"] = {"hint": "x"}


def test_a_bundle_has_a_certificate_or_a_key() -> None:
    assert verdict(replace(V1_DSSE, bundle=with_both).build())[1] == "missing_verification_material"


# The log and the time are needed of keys too


RELAXED = replace(
    ROOT, profile=replace(ROOT.profile, min_scts=0, min_log_entries=0, min_timestamps=1)
)


@pytest.mark.parametrize("root", [ROOT, RELAXED])
def test_a_key_needs_a_log_entry_under_every_profile(root: TrustRoot) -> None:
    evidence = replace(V1_DSSE, by_key=True, log=None, timestamps=[stamp()])
    assert verdict(evidence.build(), root=root) == (VerificationFailed, "not_enough_log_entries")
    keyless = replace(evidence, by_key=False)
    if root is not ROOT:
        assert not verify(keyless.build(), root=root).level2


@dataclass(frozen=True, kw_only=True)
class Case:
    """A change that must not verify, and its code."""

    change: Callable[[Evidence], Evidence]
    verdict: Verdict


def entry_edit(edit: Callable[[Json], object]) -> Callable[[Evidence], Evidence]:
    return lambda it: replace(it, bundle=lambda bundle: edit(entry_of(bundle)))


ELSEWHERES_LOGS = replace(HERE, rekor1=ELSEWHERE.rekor1, rekor2=ELSEWHERE.rekor2)
CASES: dict[str, Case] = {
    "signed by another key": Case(
        change=lambda it: replace(it, signing_key=OTHER), verdict=SIGNATURE
    ),
    "a log that nobody knows": Case(
        change=lambda it: replace(it, parts=ELSEWHERES_LOGS),
        verdict=(Untrusted, "untrusted_log"),
    ),
    "no log entry": Case(
        change=lambda it: replace(it, log=None, timestamps=[stamp()]),
        verdict=(VerificationFailed, "not_enough_log_entries"),
    ),
    "a broken proof": Case(
        change=entry_edit(lambda e: set_at(e, ["inclusionProof", "hashes", 0], b64(bytes(32)))),
        verdict=(VerificationFailed, "invalid_inclusion_proof"),
    ),
    "another kind": Case(
        change=entry_edit(lambda e: set_at(e, ["kindVersion", "kind"], "rfc3161")), verdict=ENTRY
    ),
    "a timestamp over something else": Case(
        change=lambda it: replace(it, timestamps=[stamp(over=b"x")]),
        verdict=(VerificationFailed, "invalid_timestamp"),
    ),
    "a timestamp by nobody known": Case(
        change=lambda it: replace(
            it, timestamps=[stamp(ELSEWHERE.tsa)], bundle=without_promise, log=it.log
        ),
        verdict=(Untrusted, "untrusted_timestamp"),
    ),
    "no time": Case(
        change=lambda it: replace(it, timestamps=[], bundle=without_promise),
        verdict=(VerificationFailed, "not_enough_times"),
    ),
    "before the log began": Case(
        change=lambda it: replace(
            it, logged_at=NOW - 400 * 24 * 60 * MINUTE, timestamps=[], log="v1"
        ),
        verdict=(VerificationFailed, "log_not_valid_at_time"),
    ),
}


def without_promise(bundle: Json) -> None:
    entry_of(bundle).pop("inclusionPromise", None)
    entry_of(bundle).pop("integratedTime", None)


@pytest.mark.parametrize("name", CASES)
@every_kind
def test_what_must_not_verify_by_key(kind: str, name: str) -> None:
    case = CASES[name]
    assert verdict(case.change(KINDS[kind]).build(), root=DATED) == case.verdict
    verify(KINDS[kind].build(), root=DATED, keys=public(KEY))


def _dated(root: Json) -> None:
    for log in root["tlogs"]:
        log["publicKey"]["validFor"] = {"start": "2026-01-01T00:00:00Z"}


DATED = parse_root(root_json(_dated))
