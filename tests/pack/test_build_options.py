"""What `build` records besides the files: descriptions, sources, references, reserved fields."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from attest.api.build import build
from attest.errors import MalformedEvidence, UsageError
from attest.limits import Limits
from attest.pack.description import ArtifactRule, parse_description
from attest.pack.manifest import EmbeddedArtifact, LockedProfile, Manifest, Source
from attest.pack.reader import open_pack

WHEN = datetime(2026, 11, 21, tzinfo=UTC)
DIGEST = "sha256:" + "ab" * 32
REFERENCE: dict[str, Any] = {
    "name": "soc2",
    "uri": "https://trust.example/soc2,uri=x?token=s3cret",
    "access": {"policy": "nda_required"},
    "digest": DIGEST,
}
FULL: dict[str, Any] = {
    "sources": [
        {
            "name": "scanner",
            "version": "2.1",
            "source": "github.com/acme/scanner",
            "commit": "a1b2",
            "binary_digest": DIGEST,
            "artifacts": 2,
        }
    ],
    "references": [REFERENCE],
    "artifacts": [
        {"match": "**", "collected_at": "2026-01-20T14:00:00Z", "controls": ["AC-1"]},
        {"match": "aws/*.json", "controls": ["AC-2", "AC-6"], "metadata": {"region": "eu", "n": 1}},
        {
            "match": "readme",
            "content_type": "text/plain",
            "display_name": "Read me",
            "description": "What this is",
            "schema": "acme/readme/v1",
            "semantic_type": "acme/readme@v1",
        },
    ],
    "profile": "acme/soc2@v1",
    "overlays": ["acme/eu@v1"],
    "profile_lock": [{"id": "acme/soc2@v1", "digest": DIGEST}],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in" / "aws" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "aws" / "iam.json").write_text("{}")
    (tmp_path / "in" / "aws" / "deep" / "s3.json").write_text("[]")
    (tmp_path / "in" / "readme").write_text("hello")
    return tmp_path


def made(folder: Path, **options: object) -> Manifest:
    arguments: dict[str, object] = {"stream": "s", "generated_at": WHEN} | options
    build(folder / "out.epack", [folder / "in"], **arguments)  # type: ignore[arg-type]  # any argument
    with open_pack(folder / "out.epack") as pack:
        pack.check_integrity()
        return pack.manifest


def by_path(manifest: Manifest) -> dict[str, EmbeddedArtifact]:
    return {item.path.removeprefix("artifacts/"): item for item in manifest.embedded}


def test_everything_that_a_description_says_is_in_the_manifest(folder: Path) -> None:
    (folder / "say.json").write_text(json.dumps(FULL))
    manifest = made(folder, describe=folder / "say.json")
    assert manifest.sources == (
        Source(
            name="scanner",
            version="2.1",
            source="github.com/acme/scanner",
            commit="a1b2",
            binary_digest=DIGEST,
            artifacts=2,
        ),
    )
    assert [item.uri for item in manifest.references] == [REFERENCE["uri"]]
    assert manifest.profile == "acme/soc2@v1"
    assert manifest.overlays == ("acme/eu@v1",)
    assert manifest.profile_lock == (LockedProfile(id="acme/soc2@v1", digest=DIGEST),)
    artifacts = by_path(manifest)
    assert {item.collected_at for item in artifacts.values()} == {
        datetime(2026, 1, 20, 14, tzinfo=UTC)
    }
    assert artifacts["aws/iam.json"].controls == ("AC-2", "AC-6")
    assert artifacts["aws/iam.json"].metadata == {"region": "eu", "n": 1}
    assert artifacts["aws/iam.json"].content_type == "application/json"
    assert artifacts["aws/deep/s3.json"].controls == ("AC-1",)
    assert artifacts["aws/deep/s3.json"].metadata is None
    readme = artifacts["readme"]
    assert (readme.content_type, readme.display_name) == ("text/plain", "Read me")
    assert (readme.description, readme.schema) == ("What this is", "acme/readme/v1")
    assert readme.semantic_type == "acme/readme@v1"


def test_an_object_a_file_and_another_order_of_its_members_give_the_same_bytes(
    folder: Path,
) -> None:
    made(folder, describe=FULL)
    first = (folder / "out.epack").read_bytes()
    (folder / "say.json").write_text(json.dumps(dict(reversed(FULL.items())), indent=4))
    made(folder, describe=folder / "say.json", replace=True)
    assert (folder / "out.epack").read_bytes() == first


def test_arguments_come_before_what_the_description_says(folder: Path) -> None:
    manifest = made(
        folder,
        sources=[("hand", None), {"name": "ci", "commit": "c0ffee"}],
        references=[REFERENCE | {"name": "pentest"}],
        describe=FULL,
    )
    assert [item.name for item in manifest.sources] == ["hand", "ci", "scanner"]
    assert [item.name for item in manifest.references] == ["pentest", "soc2"]


def test_nothing_said_leaves_nothing_behind(folder: Path) -> None:
    assert made(folder, describe={}) == made(folder, replace=True)
    assert made(folder, replace=True).profile is None


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*", "readme", True),
        ("*", "aws/iam.json", False),
        ("**", "aws/deep/s3.json", True),
        ("aws/*", "aws/deep/s3.json", False),
        ("aws/**", "aws/deep/s3.json", True),
        ("**/s3.json", "aws/deep/s3.json", True),
        ("**/s3.json", "s3.json", False),
        ("a.c", "abc", False),
        ("readm", "readme", False),
        ("eadme", "readme", False),
        ("[ab]", "a", False),
        ("?", "a", False),
        ("README", "readme", False),
        ("artifacts/readme", "readme", False),
    ],
)
def test_a_pattern_matches_whole_paths(pattern: str, path: str, matches: bool) -> None:  # noqa: FBT001 - a row of the table
    assert ArtifactRule(match=pattern).matches(f"artifacts/{path}") is matches


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"artifact": []}, "unknown_field", "$"),
    ({"sources": {}}, "invalid_type", "$.sources"),
    ({"sources": [{}]}, "missing_name", "$.sources[0].name"),
    ({"sources": [{"name": ""}]}, "invalid_name", "$.sources[0].name"),
    ({"sources": [{"name": "x", "digest": DIGEST}]}, "unknown_field", "$.sources[0]"),
    (
        {"sources": [{"name": "x", "binary_digest": "ab" * 32}]},
        "invalid_digest_format",
        "$.sources[0].binary_digest",
    ),
    ({"sources": [{"name": "x", "artifacts": -1}]}, "invalid_number", "$.sources[0].artifacts"),
    ({"sources": [{"name": "x", "artifacts": 2**53}]}, "invalid_number", "$.sources[0].artifacts"),
    ({"references": [{"name": "x"}]}, "missing_uri", "$.references[0].uri"),
    ({"references": [REFERENCE | {"type": "reference"}]}, "unknown_field", "$.references[0]"),
    (
        {"references": [REFERENCE | {"uri": "http://x.example"}]},
        "insecure_scheme",
        "$.references[0].uri",
    ),
    (
        {"references": [REFERENCE | {"uri": "https://a:b@x.example"}]},
        "userinfo_not_allowed",
        "$.references[0].uri",
    ),
    (
        {"references": [REFERENCE | {"uri": "https://x.example/#a"}]},
        "fragment_not_allowed",
        "$.references[0].uri",
    ),
    (
        {"references": [REFERENCE | {"access": {"policy": "secret"}}]},
        "invalid_access_policy",
        "$.references[0].access.policy",
    ),
    ({"artifacts": [{"controls": []}]}, "missing_match", "$.artifacts[0].match"),
    ({"artifacts": [{"match": ""}]}, "invalid_match", "$.artifacts[0].match"),
    ({"artifacts": [{"match": "*", "size": 1}]}, "unknown_field", "$.artifacts[0]"),
    ({"artifacts": [{"match": "*", "path": "x"}]}, "unknown_field", "$.artifacts[0]"),
    (
        {"artifacts": [{"match": "*", "collected_at": "2026-02-30T00:00:00Z"}]},
        "invalid_timestamp",
        "$.artifacts[0].collected_at",
    ),
    (
        {"artifacts": [{"match": "*", "collected_at": "2026-01-01T00:00:00+01:00"}]},
        "invalid_timestamp",
        "$.artifacts[0].collected_at",
    ),
    (
        {"artifacts": [{"match": "*", "controls": "AC-2"}]},
        "invalid_type",
        "$.artifacts[0].controls",
    ),
    (
        {"artifacts": [{"match": "*", "controls": [""]}]},
        "invalid_type",
        "$.artifacts[0].controls[0]",
    ),
    (
        {"artifacts": [{"match": "*", "content_type": None}]},
        "invalid_type",
        "$.artifacts[0].content_type",
    ),
    (
        {"artifacts": [{"match": "*", "metadata": []}]},
        "invalid_type",
        "$.artifacts[0].metadata",
    ),
    ({"profile": ""}, "invalid_profile", "$.profile"),
    ({"overlays": "x"}, "invalid_type", "$.overlays"),
    ({"overlays": [""]}, "invalid_type", "$.overlays[0]"),
    ({"profile_lock": {}}, "invalid_type", "$.profile_lock"),
    ({"profile_lock": [{"id": "a"}]}, "missing_digest", "$.profile_lock[0].digest"),
    (
        {"profile_lock": [{"id": "a", "digest": "sha256:abc"}]},
        "invalid_digest_format",
        "$.profile_lock[0].digest",
    ),
]


@pytest.mark.parametrize(("value", "code", "place"), BAD, ids=lambda value: str(value)[:48])
def test_a_wrong_description_is_refused_with_its_place(
    folder: Path, value: dict[str, Any], code: str, place: str
) -> None:
    (folder / "say.json").write_text(json.dumps(value))
    before = sorted(folder.iterdir())
    with pytest.raises(UsageError) as caught:
        made(folder, describe=folder / "say.json")
    assert caught.value.code == code
    assert caught.value.where == f"{folder / 'say.json'}: {place}"
    assert "s3cret" not in str(caught.value)
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "invalid_json"),
        (b"[]", "invalid_type"),
        (b'{"profile": "a", "profile": "b"}', "duplicate_keys"),
        (b'{"profile": "a", "pro\\u0066ile": "b"}', "duplicate_keys"),
        (b'\xef\xbb\xbf{"profile": "a"}', "invalid_json"),
        (b'{"profile": "\xff"}', "invalid_json"),
        (b'{"profile": "\\ud800"}', "invalid_json"),
        (b'{"artifacts": [{"match": "*", "metadata": {"x": NaN}}]}', "non_finite_number"),
        (b"{} {}", "invalid_json"),
        (b'{"artifacts": [{"match": "*", "metadata": ' + b'{"x":' * 70, "invalid_json"),
        (
            b'{"artifacts": [{"match": "*", "metadata": {"x":' + b"[" * 70 + b"]" * 70 + b"}}]}",
            "json_too_deep",
        ),
    ],
)
def test_a_description_is_read_as_strictly_as_a_manifest(data: bytes, code: str) -> None:
    with pytest.raises(MalformedEvidence) as caught:
        parse_description(data, where="say.json")
    assert caught.value.code == code


def test_a_description_that_is_missing_or_too_large_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError) as caught:
        made(folder, describe=folder / "say.json")
    assert caught.value.code == "file_not_found"
    (folder / "say.json").write_text(" " * 65_536 + "{}")
    with pytest.raises(UsageError) as caught:
        made(folder, describe=folder / "say.json", limits=Limits(max_manifest_bytes=65_536))
    assert caught.value.code == "description_too_large"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"describe": {"profile": object()}}, "invalid_description"),
        ({"describe": {"profile": "\ud800"}}, "invalid_json"),
        ({"sources": [("", None)]}, "invalid_name"),
        ({"sources": [{"version": "1"}]}, "missing_name"),
        ({"sources": [("x", 1)]}, "invalid_type"),
        ({"references": [{"name": "x"}]}, "missing_uri"),
        ({"describe": {"artifacts": [{"match": "aws/*.txt"}]}}, "unmatched_pattern"),
        ({"describe": {"artifacts": [{"match": "*"}, {"match": "nope"}]}}, "unmatched_pattern"),
        (
            {"describe": {"artifacts": [{"match": "*", "metadata": {"n": 2**60}}]}},
            "jcs_invalid",
        ),
    ],
)
def test_a_wrong_argument_is_refused_and_nothing_is_left(
    folder: Path, options: dict[str, Any], code: str
) -> None:
    before = sorted(folder.iterdir())
    with pytest.raises(UsageError) as caught:
        made(folder, **options)
    assert caught.value.code == code
    assert sorted(folder.iterdir()) == before


def test_references_count_against_the_limit_of_artifacts(folder: Path) -> None:
    many = [REFERENCE | {"name": f"r{index}"} for index in range(98)]
    with pytest.raises(UsageError) as caught:
        made(folder, references=many, limits=Limits(max_artifacts=100))
    assert caught.value.code == "too_many_artifacts"
    assert (
        len(made(folder, references=many[:97], limits=Limits(max_artifacts=100)).artifacts) == 100
    )
