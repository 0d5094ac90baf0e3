"""Step 1: bundles that two readers could read differently, or that are none."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attest.bundle import parse_bundle
from attest.engine.trace import Trace
from attest.engine.verify import verify_bundle
from attest.errors import AttestError, MalformedEvidence, Untrusted, UsageError
from attest.limits import Limits
from tests.engine.any_value import JSON_VALUES, UNBOUND, Place, places, put, says_the_same
from tests.engine.virtual_evidence import (
    FILE,
    PACK,
    PACK_EVIDENCE,
    V1_DSSE,
    V1_MESSAGE,
    V2_DSSE,
    entry_of,
    verify,
)
from tests.engine.virtual_instance import ROOT, Json, b64

GOOD = json.loads(V2_DSSE.build())
MESSAGE = json.loads(V1_MESSAGE.build())
MALFORMED = "malformed_bundle"


def code_of(data: bytes, *, in_pack: bool = False, limits: Limits | None = None) -> str:
    with pytest.raises(MalformedEvidence) as caught:
        parse_bundle(data, in_pack=in_pack, limits=limits or Limits())
    return caught.value.code


def changed(edit: Callable[[Json], object], source: Json = GOOD) -> bytes:
    bundle = json.loads(json.dumps(source))
    edit(bundle)
    return json.dumps(bundle).encode()


@pytest.mark.parametrize(
    "media_type",
    [
        "application/vnd.dev.sigstore.bundle.v0.3+json",
        "application/vnd.dev.sigstore.bundle+json;version=0.3",
    ],
)
def test_both_spellings_of_the_media_type(media_type: str) -> None:
    data = changed(lambda it: it.update(mediaType=media_type))
    assert parse_bundle(data).version == "0.3"
    assert parse_bundle(data, in_pack=True).version == "0.3"


@pytest.mark.parametrize(
    "media_type",
    [
        None,
        "",
        3,
        [],
        {"a": []},
        "application/json",
        "application/vnd.dev.sigstore.bundle.v0.1+json",
        "application/vnd.dev.sigstore.bundle.v0.4+json",
        "application/vnd.dev.sigstore.bundle.v0.3+json\n",
        "application/vnd.dev.sigstore.bundle+json;version=0.4",
        "application/vnd.dev.sigstore.bundle+json; version=0.3",
        "application/vnd.dev.sigstore.bundle+json",
        "APPLICATION/vnd.dev.sigstore.bundle.v0.3+json",
        "application/vndXdev.sigstore.bundle.v0.3+json",
    ],
)
def test_other_media_types(media_type: object) -> None:
    data = changed(lambda it: it.update(mediaType=media_type))
    assert code_of(data) == "invalid_bundle_media_type"


def material(bundle: Json) -> Json:
    found: Json = bundle["verificationMaterial"]
    return found


def signatures(bundle: Json) -> list[Json]:
    found: list[Json] = bundle["dsseEnvelope"]["signatures"]
    return found


def tokens(bundle: Json) -> list[Json]:
    found: list[Json] = material(bundle)["timestampVerificationData"]["rfc3161Timestamps"]
    return found


CERTIFICATE = GOOD["verificationMaterial"]["certificate"]
CHAIN = {"certificates": [CERTIFICATE]}
ENVELOPES: dict[str, tuple[Callable[[Json], object], str]] = {
    "no content": (lambda it: it.pop("dsseEnvelope"), MALFORMED),
    "two contents": (
        lambda it: it.update(messageSignature=MESSAGE["messageSignature"]),
        MALFORMED,
    ),
    "content is null": (lambda it: it.update(dsseEnvelope=None), MALFORMED),
    "content is a list": (lambda it: it.update(dsseEnvelope=[]), MALFORMED),
    "no material": (lambda it: it.pop("verificationMaterial"), "missing_verification_material"),
    "material is null": (
        lambda it: it.update(verificationMaterial=None),
        "missing_verification_material",
    ),
    "material is a list": (lambda it: it.update(verificationMaterial=[]), MALFORMED),
    "unknown member": (lambda it: it.update(x=1), MALFORMED),
    "unknown member that is null": (lambda it: it.update(x=None), MALFORMED),
    "unknown member of material": (lambda it: material(it).update(x=1), MALFORMED),
    "unknown member of an envelope": (lambda it: it["dsseEnvelope"].update(x=1), MALFORMED),
    "unknown member of a signature": (lambda it: signatures(it)[0].update(x=1), MALFORMED),
    "no signature": (lambda it: signatures(it).clear(), MALFORMED),
    "two signatures": (lambda it: signatures(it).append(dict(signatures(it)[0])), MALFORMED),
    "an empty signature": (lambda it: signatures(it)[0].update(sig=""), MALFORMED),
    "a signature that is none": (
        lambda it: it["dsseEnvelope"].update(signatures=[None]),
        MALFORMED,
    ),
    "keyid is a number": (lambda it: signatures(it)[0].update(keyid=1), MALFORMED),
    "payload type is a number": (lambda it: it["dsseEnvelope"].update(payloadType=1), MALFORMED),
    "payload in the URL alphabet": (
        lambda it: it["dsseEnvelope"].update(payload="_-__"),
        MALFORMED,
    ),
    "payload with a line end": (lambda it: it["dsseEnvelope"].update(payload="e30=\n"), MALFORMED),
    "payload with a space": (lambda it: it["dsseEnvelope"].update(payload="e3 0="), MALFORMED),
    "payload with trailing bits": (lambda it: it["dsseEnvelope"].update(payload="e31="), MALFORMED),
    "payload with junk": (lambda it: it["dsseEnvelope"].update(payload="e30=e30="), MALFORMED),
    "payload of other letters": (
        lambda it: it["dsseEnvelope"].update(payload="\uff4530="),
        MALFORMED,
    ),
    "payload with NUL": (lambda it: it["dsseEnvelope"].update(payload="e30\x00"), MALFORMED),
    "no certificate": (
        lambda it: material(it).pop("certificate"),
        "missing_verification_material",
    ),
    "certificate and chain": (
        lambda it: material(it).update(x509CertificateChain=CHAIN),
        "missing_verification_material",
    ),
    "certificate and key": (
        lambda it: material(it).update(publicKey={"hint": "x"}),
        "missing_verification_material",
    ),
    "certificate is empty": (
        lambda it: material(it).update(certificate={"rawBytes": ""}),
        MALFORMED,
    ),
    "certificate is a list": (lambda it: material(it).update(certificate=[]), MALFORMED),
    "log entries are an object": (lambda it: material(it).update(tlogEntries={}), MALFORMED),
    "a log entry is null": (lambda it: material(it).update(tlogEntries=[None]), MALFORMED),
    "unknown member of an entry": (lambda it: entry_of(it).update(x=1), MALFORMED),
    "an entry without log id": (lambda it: entry_of(it).pop("logId"), MALFORMED),
    "an entry without kind": (lambda it: entry_of(it).pop("kindVersion"), MALFORMED),
    "an entry without body": (lambda it: entry_of(it).pop("canonicalizedBody"), MALFORMED),
    "33 entries": (
        lambda it: material(it).update(tlogEntries=[entry_of(it)] * 33),
        MALFORMED,
    ),
    "33 timestamps": (
        lambda it: tokens(it).extend({"signedTimestamp": b64(bytes([n]))} for n in range(32)),
        MALFORMED,
    ),
    "an empty timestamp": (lambda it: tokens(it).append({"signedTimestamp": ""}), MALFORMED),
    "unknown member of a timestamp": (lambda it: tokens(it)[0].update(x=1), MALFORMED),
    "unknown kind of timestamp": (
        lambda it: material(it)["timestampVerificationData"].update(x=[]),
        MALFORMED,
    ),
}


@pytest.mark.parametrize("name", ENVELOPES)
def test_a_bundle_of_another_shape(name: str) -> None:
    edit, code = ENVELOPES[name]
    assert code_of(changed(edit)) == code


def single_to_chain(bundle: Json, *certificates: object) -> None:
    del material(bundle)["certificate"]
    material(bundle)["x509CertificateChain"] = {"certificates": list(certificates)}


@pytest.mark.parametrize(
    "certificates",
    [(), (None,), ({},), ({"rawBytes": ""},), (CERTIFICATE, {}), (CERTIFICATE, {"rawBytes": "?"})],
)
def test_a_chain_of_another_shape(certificates: tuple[object, ...]) -> None:
    assert code_of(changed(lambda it: single_to_chain(it, *certificates))) == MALFORMED


def test_a_single_certificate_belongs_to_version_03() -> None:
    media_type = "application/vnd.dev.sigstore.bundle+json;version=0.2"
    assert code_of(changed(lambda it: it.update(mediaType=media_type))) == MALFORMED


MESSAGES: dict[str, Callable[[Json], object]] = {
    "unknown hash": lambda it: it["messageDigest"].update(algorithm="SHA1"),
    "digest of another length": lambda it: it["messageDigest"].update(digest=b64(bytes(20))),
    "no digest": lambda it: it["messageDigest"].pop("digest"),
    "unknown member of a digest": lambda it: it["messageDigest"].update(x=1),
    "no signature": lambda it: it.pop("signature"),
    "unknown member": lambda it: it.update(x=1),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_signature_of_another_shape(name: str) -> None:
    data = changed(lambda it: MESSAGES[name](it["messageSignature"]), MESSAGE)
    assert code_of(data) == MALFORMED


TEXT = json.dumps(GOOD).encode()
DOCUMENTS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "invalid_json"),
    "null": (b"null", MALFORMED),
    "a list": (b"[]", MALFORMED),
    "a number": (b"1", MALFORMED),
    "cut off": (TEXT[:-20], "invalid_json"),
    "trailing data": (TEXT + b"{}", "invalid_json"),
    "byte order mark": (b"\xef\xbb\xbf" + TEXT, "invalid_json"),
    "not UTF-8": (TEXT.replace(b"PKIX", b"\xff\xfe"), "invalid_json")
    if b"PKIX" in TEXT
    else (b"\xff" + TEXT, "invalid_json"),
    "UTF-16": (TEXT.decode().encode("utf-16"), "invalid_json"),
    "control character": (TEXT.replace(b'"mediaType"', b'"media\nType"'), "invalid_json"),
    "duplicate keys": (TEXT[:-1] + b',"mediaType":"x"}', "duplicate_keys"),
    "duplicate keys, one escaped": (TEXT[:-1] + b',"media\\u0054ype":"x"}', "duplicate_keys"),
    "lone surrogate": (TEXT[:-1] + b',"x":"\\ud800"}', "invalid_json"),
    "lone surrogate as a key": (TEXT[:-1] + b',"\\udfff":1}', "invalid_json"),
    "NaN": (TEXT[:-1] + b',"x":NaN}', "non_finite_number"),
    "too large a number": (TEXT[:-1] + b',"x":1e999}', "non_finite_number"),
    "5000 digits": (TEXT[:-1] + b',"x":' + b"9" * 5000 + b"}", "invalid_number"),
    "deep": (TEXT[:-1] + b',"x":' + b"[" * 200_000 + b"]" * 200_000 + b"}", "json_too_deep"),
    "100 deep": (TEXT[:-1] + b',"x":' + b"[" * 100 + b"]" * 100 + b"}", "json_too_deep"),
    "JavaScript": (TEXT + b"// comment", "invalid_json"),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_that_is_no_strict_json(name: str) -> None:
    data, code = DOCUMENTS[name]
    assert code_of(data) == code


def test_a_bundle_beyond_its_limit() -> None:
    padding = b" " * 65_536
    assert code_of(TEXT + padding, limits=Limits(max_bundle_bytes=65_536)) == "bundle_too_large"


def test_unpadded_base64_and_absent_defaults_are_read() -> None:
    def loosen(bundle: Json) -> None:
        bundle["dsseEnvelope"]["payload"] = bundle["dsseEnvelope"]["payload"].rstrip("=")
        del signatures(bundle)[0]["keyid"]
        entry_of(bundle)["inclusionPromise"] = None

    assert parse_bundle(changed(loosen)) == parse_bundle(TEXT)


PACK_SHAPES: dict[str, tuple[Callable[[Json], object], str]] = {
    "no envelope": (lambda it: it.pop("dsseEnvelope"), "missing_dsse_envelope"),
    "no entries": (lambda it: material(it).pop("tlogEntries"), "missing_tlog_entry"),
    "no proof": (lambda it: entry_of(it).pop("inclusionProof"), "missing_inclusion_proof"),
    "no material": (lambda it: it.pop("verificationMaterial"), "missing_verification_material"),
}


@pytest.mark.parametrize("name", PACK_SHAPES)
def test_a_bundle_that_a_pack_must_not_hold(name: str) -> None:
    edit, code = PACK_SHAPES[name]
    assert code_of(changed(edit), in_pack=True) == code


def key_signed(bundle: Json) -> None:
    del material(bundle)["certificate"]
    material(bundle)["publicKey"] = {"hint": "a key"}


@pytest.mark.parametrize("in_pack", [True, False])
def test_what_a_key_signed_is_not_trusted_and_not_broken(*, in_pack: bool) -> None:
    evidence = replace(PACK_EVIDENCE if in_pack else V1_DSSE, bundle=key_signed)
    trace = Trace()
    with pytest.raises(Untrusted) as caught:
        verify(evidence.build(), PACK if in_pack else FILE, trace=trace)
    assert caught.value.code == "untrusted_key"
    assert [item.status for item in trace.checks] == ["skip"]


SOURCES = [json.loads(evidence.build()) for evidence in (V1_DSSE, V1_MESSAGE, V2_DSSE)]
PLACES = [(source, path) for source in SOURCES for path in places(source)]


@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
@given(place=st.sampled_from(PLACES), value=JSON_VALUES)
def test_any_value_in_any_place_ends_in_a_verdict(place: tuple[Json, Place], value: object) -> None:
    source, path = place
    bundle, before = put(source, path, value)
    data = json.dumps(bundle).encode()
    try:
        verify_bundle(parse_bundle(data), FILE, ROOT, Trace())
    except UsageError as error:
        pytest.fail(f"no verdict: {error}")
    except AttestError:
        return
    assert says_the_same(value, before) or path[-1] in UNBOUND
