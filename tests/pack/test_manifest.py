from __future__ import annotations

import copy
import json
from datetime import UTC, datetime

import pytest

from attest.errors import MalformedEvidence
from attest.limits import Limits
from attest.pack.manifest import (
    manifest_digest,
    pack_digest,
    parse_manifest,
    to_bytes,
)
from tests.pack.zipbytes import JSON, manifest

DIGEST = "sha256:" + "1" * 64
GOOD: JSON = manifest({"artifacts/a.json": b"a", "artifacts/b/c.txt": b"c"})
REFERENCE: JSON = {
    "type": "reference",
    "name": "soc2",
    "uri": "https://trust.vendor.example/portal?id=1",
    "access": {"policy": "nda_required"},
}
BUNDLE: JSON = {
    "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
    "verificationMaterial": {},
    "dsseEnvelope": {"anything": [1.5, None]},
}
SOURCE_PACK: JSON = {
    "stream": "acme/dev",
    "pack_digest": DIGEST,
    "manifest_digest": "2" * 64,
    "artifacts": 3,
    "embedded_attestations": [BUNDLE],
}
PROVENANCE: JSON = {
    "type": "merged",
    "merged_at": "2026-01-22T14:00:00Z",
    "merged_by": "security@acme.example",
    "source_packs": [SOURCE_PACK],
}
FULL: JSON = GOOD | {
    "sources": [
        {
            "name": "github",
            "version": "1.0.0",
            "source": "github.com/acme/collector",
            "commit": "a1b2c3",
            "binary_digest": DIGEST,
            "artifacts": 5,
        }
    ],
    "artifacts": [
        {
            "type": "embedded",
            "path": "artifacts/iam.json",
            "digest": DIGEST,
            "size": 48213,
            "content_type": "application/json",
            "display_name": "IAM policies",
            "description": "All of them",
            "collected_at": "2026-01-20T14:00:00Z",
            "schema": "evidencepack/iam",
            "semantic_type": "evidencepack/iam-policies@v1",
            "metadata": {"region": "us-east-1", "nested": [{"ratio": 0.25}, None]},
            "controls": ["AC-2", "AC-6"],
        },
        REFERENCE | {"digest": DIGEST},
    ],
    "provenance": PROVENANCE,
    "profile": "evidencepack/soc2-basic@v1",
    "overlays": ["evidencepack/hipaa-overlay@v1"],
    "profile_lock": [{"id": "evidencepack/soc2-basic@v1", "digest": DIGEST}],
}

MISSING = Ellipsis


def changed(*path: str | int, to: object, base: JSON = FULL) -> bytes:
    """The JSON of a manifest with one value replaced, added or removed."""
    value = copy.deepcopy(base)
    at: object = value
    for key in path[:-1]:
        at = at[key]  # type: ignore[index]  # a path into our own document
    if to is MISSING:
        del at[path[-1]]  # type: ignore[attr-defined]  # as above
    else:
        at[path[-1]] = to  # type: ignore[index]  # as above
    return json.dumps(value).encode()


A = ("artifacts", 0)
R = ("artifacts", 1)
S = ("sources", 0)
P = ("provenance",)
SP = ("provenance", "source_packs", 0)
BAD: list[tuple[tuple[str | int, ...], object, str]] = [
    (("spec_version",), MISSING, "missing_spec_version"),
    (("spec_version",), "1.1", "unsupported_spec_version"),
    (("spec_version",), 1.0, "invalid_type"),
    (("spec_version",), None, "invalid_type"),
    (("stream",), MISSING, "missing_stream"),
    (("stream",), "", "invalid_stream"),
    (("stream",), ["a"], "invalid_type"),
    (("generated_at",), MISSING, "missing_generated_at"),
    (("generated_at",), "2026-01-20T12:00:00+00:00", "invalid_timestamp"),
    (("generated_at",), "2026-01-20T12:00:00.000Z", "invalid_timestamp"),
    (("generated_at",), "2026-01-20T12:00:00z", "invalid_timestamp"),
    (("generated_at",), "2026-01-20T12:00:00Z\n", "invalid_timestamp"),
    (("generated_at",), "2026-02-29T12:00:00Z", "invalid_timestamp"),
    (("generated_at",), "2026-01-20T24:00:00Z", "invalid_timestamp"),
    (("generated_at",), "2026-01-20T23:59:60Z", "invalid_timestamp"),
    (("generated_at",), "0000-01-01T00:00:00Z", "invalid_timestamp"),
    (("generated_at",), "٢٠٢٦-01-20T12:00:00Z", "invalid_timestamp"),
    (("generated_at",), 1640000000, "invalid_type"),
    (("pack_digest",), MISSING, "missing_pack_digest"),
    (("pack_digest",), "1" * 64, "invalid_digest_format"),
    (("pack_digest",), "sha256:" + "A" * 64, "invalid_digest_format"),
    (("pack_digest",), "sha256:" + "1" * 63, "invalid_digest_format"),
    (("pack_digest",), "sha256:" + "1" * 64 + "\n", "invalid_digest_format"),
    (("pack_digest",), "sha512:" + "1" * 128, "invalid_digest_format"),
    (("sources",), MISSING, "missing_sources"),
    (("sources",), None, "invalid_type"),
    (("sources",), {}, "invalid_type"),
    (("sources", 0), "github", "invalid_type"),
    ((*S, "name"), MISSING, "missing_name"),
    ((*S, "name"), "", "invalid_name"),
    ((*S, "version"), None, "invalid_type"),
    ((*S, "binary_digest"), "1" * 64, "invalid_digest_format"),
    ((*S, "artifacts"), -1, "invalid_number"),
    ((*S, "url"), "x", "unknown_field"),
    (("artifacts",), MISSING, "missing_artifacts"),
    (("artifacts",), None, "invalid_type"),
    (("artifacts", 0), [], "invalid_type"),
    ((*A, "type"), MISSING, "missing_type"),
    ((*A, "type"), "external", "invalid_type"),
    ((*A, "type"), "reference", "unknown_field"),
    ((*A, "path"), MISSING, "missing_path"),
    ((*A, "path"), "artifacts/", "invalid_path"),
    ((*A, "path"), "artifacts", "artifact_outside_directory"),
    ((*A, "path"), "data/x", "artifact_outside_directory"),
    ((*A, "path"), "manifest.json", "artifact_outside_directory"),
    ((*A, "path"), "Artifacts/x", "artifact_outside_directory"),
    ((*A, "path"), "artifacts/../x", "path_traversal"),
    ((*A, "digest"), MISSING, "missing_digest"),
    ((*A, "digest"), "sha256:1", "invalid_digest_format"),
    ((*A, "size"), MISSING, "missing_size"),
    ((*A, "size"), 2**53, "invalid_number"),
    ((*A, "size"), -1, "invalid_number"),
    ((*A, "size"), 1.5, "invalid_number"),
    ((*A, "size"), 1e100, "invalid_number"),
    ((*A, "size"), "100", "invalid_number"),
    ((*A, "size"), True, "invalid_number"),
    ((*A, "size"), None, "invalid_number"),
    ((*A, "content_type"), 1, "invalid_type"),
    ((*A, "collected_at"), "yesterday", "invalid_timestamp"),
    ((*A, "metadata"), [], "invalid_type"),
    ((*A, "metadata"), None, "invalid_type"),
    ((*A, "controls"), "AC-2", "invalid_type"),
    ((*A, "controls"), ["AC-2", 3], "invalid_type"),
    ((*A, "uri"), "https://x.example", "unknown_field"),
    ((*A, "Path"), "artifacts/x", "unknown_field"),
    ((*R, "name"), MISSING, "missing_name"),
    ((*R, "uri"), MISSING, "missing_uri"),
    ((*R, "uri"), "http://x.example/a", "insecure_scheme"),
    ((*R, "uri"), "//x.example/a", "insecure_scheme"),
    ((*R, "uri"), "", "insecure_scheme"),
    ((*R, "uri"), "https://u:p@x.example/a", "userinfo_not_allowed"),
    ((*R, "uri"), "https://@x.example/a", "userinfo_not_allowed"),
    ((*R, "uri"), "https://x.example/a#b", "fragment_not_allowed"),
    ((*R, "uri"), "https://x.example/a#", "fragment_not_allowed"),
    ((*R, "uri"), "https:///a", "invalid_uri"),
    ((*R, "uri"), "https://x.example:99999/", "invalid_uri"),
    ((*R, "uri"), "https://x.exa\nmple/", "invalid_uri"),
    ((*R, "uri"), "https://[::1/", "invalid_uri"),
    ((*R, "uri"), "https://x.example\\@evil.example/", "invalid_uri"),
    ((*R, "access"), MISSING, "missing_access"),
    ((*R, "access"), {}, "missing_policy"),
    ((*R, "access"), "public", "invalid_type"),
    ((*R, "access", "policy"), "PUBLIC", "invalid_access_policy"),
    ((*R, "access", "until"), "2027", "unknown_field"),
    ((*R, "digest"), "", "invalid_digest_format"),
    ((*R, "size"), 1, "unknown_field"),
    (P, None, "invalid_type"),
    ((*P, "type"), MISSING, "missing_type"),
    ((*P, "type"), "unknown", "invalid_type"),
    ((*P, "type"), "single", "invalid_type"),
    ((*P, "merged_at"), MISSING, "missing_merged_at"),
    ((*P, "merged_at"), "2026", "invalid_timestamp"),
    ((*P, "source_packs"), MISSING, "missing_source_packs"),
    ((*P, "source_packs"), [], "missing_source_packs"),
    ((*P, "by"), "x", "unknown_field"),
    ((*SP, "stream"), MISSING, "missing_stream"),
    ((*SP, "pack_digest"), MISSING, "missing_pack_digest"),
    ((*SP, "manifest_digest"), MISSING, "missing_manifest_digest"),
    ((*SP, "manifest_digest"), DIGEST, "invalid_digest_format"),
    ((*SP, "artifacts"), MISSING, "missing_artifacts"),
    ((*SP, "artifacts"), -1, "invalid_number"),
    ((*SP, "name"), "x", "unknown_field"),
    ((*SP, "embedded_attestations"), {}, "invalid_type"),
    ((*SP, "embedded_attestations", 0), "x", "invalid_type"),
    ((*SP, "embedded_attestations", 0, "mediaType"), MISSING, "invalid_bundle_media_type"),
    ((*SP, "embedded_attestations", 0, "mediaType"), "text/html", "invalid_bundle_media_type"),
    (
        (*SP, "embedded_attestations", 0, "verificationMaterial"),
        MISSING,
        "missing_verification_material",
    ),
    ((*SP, "embedded_attestations", 0, "dsseEnvelope"), None, "missing_dsse_envelope"),
    (("profile",), "", "invalid_profile"),
    (("profile",), None, "invalid_type"),
    (("overlays",), "x", "invalid_type"),
    (("overlays",), [""], "invalid_type"),
    (("overlays",), [1], "invalid_type"),
    (("profile_lock",), {}, "invalid_type"),
    (("profile_lock", 0), "x", "invalid_type"),
    (("profile_lock", 0, "id"), MISSING, "missing_id"),
    (("profile_lock", 0, "digest"), "sha256:abc", "invalid_digest_format"),
    (("profile_lock", 0, "more"), 1, "unknown_field"),
    (("extra",), 1, "unknown_field"),
    (("Stream",), "x", "unknown_field"),
]


@pytest.mark.parametrize(
    ("path", "to", "code"), BAD, ids=[f"{'.'.join(map(str, p))}={t!r}"[:60] for p, t, _ in BAD]
)
def test_a_manifest_that_breaks_a_rule_is_refused(
    path: tuple[str | int, ...], to: object, code: str
) -> None:
    with pytest.raises(MalformedEvidence) as caught:
        parse_manifest(changed(*path, to=to))
    assert caught.value.code == code
    assert caught.value.where


RAW = json.dumps(GOOD).encode()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "invalid_json"),
        (b"{ invalid json }", "invalid_json"),
        (b"null", "invalid_type"),
        (b"[]", "invalid_type"),
        (b"\xef\xbb\xbf" + RAW, "invalid_json"),
        (RAW.decode().encode("utf-16"), "invalid_json"),
        (RAW + b"{}", "invalid_json"),
        (RAW.replace(b"acme", b"ac\xffme"), "invalid_json"),
        (RAW.replace(b"acme", b"\\ud800"), "invalid_json"),
        (RAW.replace(b'{"spec', b'{"stream": "x", "spec'), "duplicate_keys"),
        (RAW.replace(b'{"spec', b'{"str\\u0065am": "x", "spec'), "duplicate_keys"),
        (RAW.replace(b'{"type', b'{"size": 1, "type'), "duplicate_keys"),
        (RAW.replace(b'"size": 1', b'"size": NaN'), "non_finite_number"),
        (RAW.replace(b'"size": 1', b'"size": -Infinity'), "non_finite_number"),
        (RAW.replace(b'"size": 1', b'"size": 1e999'), "non_finite_number"),
        (changed(*A, "metadata", to={"a": 2**53 + 1}), "jcs_invalid"),
    ],
)
def test_json_that_readers_could_disagree_about_is_refused(data: bytes, code: str) -> None:
    def read() -> None:
        parse_manifest(data)
        manifest_digest(data)

    with pytest.raises(MalformedEvidence) as caught:
        read()
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("number", "value"),
    [("0", 0), ("-0", 0), ("1e3", 1000), ("1.5E+3", 1500), ("9007199254740991", 2**53 - 1)],
)
def test_whole_numbers_count_in_any_notation(number: str, value: int) -> None:
    data = RAW.replace(b'"size": 1', f'"size": {number}'.encode(), 1)
    assert parse_manifest(data).embedded[0].size == value


def test_every_field_survives_reading_and_writing() -> None:
    data = json.dumps(FULL).encode()
    read = parse_manifest(data)
    assert json.loads(to_bytes(read)) == FULL
    assert parse_manifest(to_bytes(read)) == read
    assert manifest_digest(to_bytes(read)) == manifest_digest(data)


def test_single_provenance_needs_nothing_else() -> None:
    read = parse_manifest(changed("provenance", to={"type": "single"}))
    assert read.provenance is not None
    assert read.provenance.source_packs is None


def test_times_are_utc() -> None:
    assert parse_manifest(RAW).generated_at == datetime(2026, 1, 20, 15, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("artifacts/a.json", "artifacts/a.json"),
        ("artifacts/a.json", "artifacts/A.JSON"),
        ("artifacts/AWS/a", "artifacts/aws/a"),
        ("artifacts/Ärger", "artifacts/ärger"),
        ("artifacts/a", "artifacts/A/b"),
    ],
)
def test_paths_that_windows_would_confuse_are_refused(one: str, other: str) -> None:
    entries = [
        {"type": "embedded", "path": path, "digest": DIGEST, "size": 1} for path in (one, other)
    ]
    with pytest.raises(MalformedEvidence) as caught:
        parse_manifest(json.dumps(GOOD | {"artifacts": entries}).encode())
    assert (caught.value.code, caught.value.rule) == ("duplicate_path", "R-034")


def test_the_number_of_artifacts_is_limited() -> None:
    for count, code in ((100, None), (101, "too_many_artifacts")):
        data = json.dumps(GOOD | {"artifacts": [REFERENCE] * count}).encode()
        found = None
        try:
            parse_manifest(data, limits=Limits(max_artifacts=100))
        except MalformedEvidence as error:
            found = error.code
        assert found == code


def test_an_error_never_repeats_a_uri() -> None:
    for uri in ("https://u:hunter2@x.example/", "http://x.example/?token=hunter2"):
        with pytest.raises(MalformedEvidence) as caught:
            parse_manifest(changed(*R, "uri", to=uri))
        assert "hunter2" not in f"{caught.value!s}{caught.value.hint}{caught.value.where}"


def test_the_pack_digest_sorts_bytes_and_leaves_references_out() -> None:
    read = parse_manifest(json.dumps(FULL).encode())
    assert pack_digest(read.artifacts) == pack_digest(read.embedded)
    assert pack_digest(()) == (
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )
    good = parse_manifest(RAW)
    assert pack_digest(reversed(good.artifacts)) == good.pack_digest
