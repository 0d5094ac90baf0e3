"""What `inspect` shows of a pack: all of it, as a tree, and nothing that commands a terminal."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest.api.build import build
from attest.api.inspect import inspect
from attest.api.merge import merge
from attest.pack.manifest import EmbeddedArtifact, Manifest, ReferencedArtifact, Source, to_bytes
from attest.pack.reader import open_pack
from attest.pack.writer import add_attestation
from attest.report.inspection import render_json, render_text
from attest.report.manifest import manifest_lines
from tests.evidence import PERSON, sandbox_evidence

WHEN = datetime(2026, 11, 21, tzinfo=UTC)
DIGEST = "sha256:" + "ab" * 32


def manifest(*paths: str, **fields: Any) -> Manifest:  # noqa: ANN401 - any field
    artifacts = tuple(EmbeddedArtifact(path=path, digest=DIGEST, size=7) for path in paths)
    return Manifest(
        stream="s", generated_at=WHEN, pack_digest=DIGEST, artifacts=artifacts, **fields
    )


def tree(*paths: str) -> list[str]:
    lines = list(manifest_lines(manifest(*paths)))
    start = next(index for index, line in enumerate(lines) if line.startswith("artifacts: "))
    return [line.removesuffix(f"  7 bytes  {DIGEST}") for line in lines[start + 1 :]]


def test_every_folder_appears_once_and_holds_what_lies_in_it() -> None:
    assert tree(
        "artifacts/b/c/2",
        "artifacts/a.txt",
        "artifacts/b/d",
        "artifacts/b/c/1",
        "artifacts/a/x",
        "artifacts/bb/c/1",
    ) == [
        "  a/",
        "    x",
        "  a.txt",
        "  b/",
        "    c/",
        "      1",
        "      2",
        "    d",
        "  bb/",
        "    c/",
        "      1",
    ]


@given(
    st.lists(
        st.lists(st.sampled_from(["a", "b", "c.d"]), min_size=1, max_size=5).map("/".join),
        unique=True,
        max_size=12,
    )
)
def test_the_paths_can_be_read_back_from_the_tree(paths: list[str]) -> None:
    files = {path for path in paths if not any(one.startswith(path + "/") for one in paths)}
    found: list[str] = []
    folders: list[str] = []
    for line in tree(*(f"artifacts/{path}" for path in files)):
        name = line.lstrip(" ")
        depth = (len(line) - len(name)) // 2 - 1
        folders = folders[:depth]
        if name.endswith("/"):
            folders.append(name)
        else:
            found.append("".join(folders) + name)
    assert sorted(found) == sorted(files)
    assert len(found) == len(set(found))


def test_the_json_is_the_manifest_with_every_field(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"1")
    said: dict[str, Any] = {
        "sources": [{"name": "ci", "commit": "c0", "artifacts": 1}],
        "references": [
            {"name": "soc2", "uri": "https://x.example/?t=1", "access": {"policy": "public"}}
        ],
        "artifacts": [{"match": "x", "metadata": {"n": [1, None]}, "controls": ["AC-2"]}],
        "profile": "p@v1",
        "overlays": [],
        "profile_lock": [{"id": "p@v1", "digest": DIGEST}],
    }
    build(tmp_path / "a.epack", [tmp_path / "x"], stream="a", describe=said)
    build(
        tmp_path / "b.epack",
        [],
        stream="b",
        describe={k: said[k] for k in ("profile", "overlays", "profile_lock")},
    )
    merge(tmp_path / "m.epack", [tmp_path / "a.epack", tmp_path / "b.epack"], stream="m")
    with open_pack(tmp_path / "m.epack") as pack:
        original = json.loads(to_bytes(pack.manifest))
    shown = json.loads(render_json(inspect(tmp_path / "m.epack")))
    assert shown["verified"] is False

    def without_nulls(value: Any) -> Any:  # noqa: ANN401 - any JSON
        if isinstance(value, dict):
            keep = {k: v for k, v in value.items() if v is not None}
            return {k: v if k == "metadata" else without_nulls(v) for k, v in keep.items()}
        return [without_nulls(item) for item in value] if isinstance(value, list) else value

    del original["spec_version"]
    assert without_nulls(shown["manifest"]) == original
    assert set(shown["manifest"]["artifacts"][0]) == {
        "type", "path", "size", "digest", "content_type", "display_name", "description",
        "collected_at", "schema", "semantic_type", "metadata", "controls",
    }  # fmt: skip


def test_the_text_shows_who_is_said_to_have_signed_the_parts(tmp_path: Path) -> None:
    evidence = sandbox_evidence()
    signed = tmp_path / "s.epack"
    signed.write_bytes(evidence.pack)
    bundle = evidence.bundles["v1-tsa-pack"]
    add_attestation(
        signed, "0.sigstore.json", bundle, expect_manifest_digest=evidence.manifest_digest
    )
    build(tmp_path / "b.epack", [], stream="b")
    merge(tmp_path / "m.epack", [signed, tmp_path / "b.epack"], stream="m", merged_by="bo")
    found = inspect(tmp_path / "m.epack")
    assert found.bundles == ()
    (carried,) = found.carried
    assert carried.identity is not None
    assert carried.identity.subject == PERSON
    lines = render_text(found).splitlines()
    assert lines[0].startswith("UNVERIFIED: ")
    assert any(
        line.startswith("  provenance: merged at ") and line.endswith(" by bo") for line in lines
    )
    assert "    acme/test: 1 artifacts, 1 attestations" in lines
    assert f"      manifest digest {evidence.manifest_digest.hex()}" in lines
    assert f"    claims to be signed by: {PERSON}" in lines
    (shown,) = json.loads(render_json(found))["carried_attestations"]
    assert shown["file"] == "provenance.source_packs[0].embedded_attestations[0]"
    assert shown["claimed_identity"] == PERSON


HOSTILE = "a\x1b[2Jb\u202ec\nd"


@pytest.mark.parametrize(
    "fields",
    [
        {"sources": (Source(name=HOSTILE, version=HOSTILE, source=HOSTILE, commit=HOSTILE),)},
        {"profile": HOSTILE, "overlays": (HOSTILE,)},
    ],
)
def test_what_a_manifest_says_cannot_command_a_terminal(fields: dict[str, Any]) -> None:
    said = EmbeddedArtifact(
        path=f"artifacts/{HOSTILE}/{HOSTILE}",
        digest=DIGEST,
        size=0,
        content_type=HOSTILE,
        display_name=HOSTILE,
        description=HOSTILE,
        schema=HOSTILE,
        semantic_type=HOSTILE,
        metadata={HOSTILE: HOSTILE},
        controls=(HOSTILE,),
    )
    reference = ReferencedArtifact(
        name=HOSTILE, uri="https://x.example/" + HOSTILE, access_policy="public"
    )
    whole = Manifest(
        stream=HOSTILE,
        generated_at=WHEN,
        pack_digest=DIGEST,
        artifacts=(said, reference),
        **fields,
    )
    for line in manifest_lines(whole):
        assert line.isprintable(), line


def test_the_query_of_a_reference_is_not_shown_as_text() -> None:
    reference = ReferencedArtifact(
        name="x",
        uri="https://x.example/a?token=s3cret",
        access_policy="nda_required",
        digest=DIGEST,
    )
    whole = Manifest(stream="s", generated_at=WHEN, pack_digest=DIGEST, artifacts=(reference,))
    lines = list(manifest_lines(whole))
    assert "  x  nda_required  https://x.example/a?…" in lines
    assert "s3cret" not in "\n".join(lines)
