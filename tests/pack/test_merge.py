"""Merging: nothing is lost and nothing is mixed up."""

from __future__ import annotations

import base64
import json
import random
import tempfile
import tracemalloc
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attest.errors import AttestError, UsageError, VerificationFailed
from attest.pack.reader import open_pack
from attest.pack.writer import add_attestation
from tests.evidence import sandbox_evidence
from tests.pack.merging import (
    DIGEST,
    JSON,
    WHEN,
    digest_of,
    made,
    merged,
    read,
    refused,
    source_packs,
)


def test_every_artifact_lies_in_the_folder_of_its_stream(tmp_path: Path, a: Path, b: Path) -> None:
    done = merged(tmp_path / "m.epack", a, b, merged_by="ana@acme.example")
    manifest, found = read(tmp_path / "m.epack")
    assert found == {
        "artifacts/org/a/data.json": b"{}",
        "artifacts/org/a/x/y.txt": b"from a",
        "artifacts/org/b/data.json": b"[]",
    }
    assert (manifest.stream, manifest.generated_at) == ("acme/all", WHEN)
    assert manifest.provenance is not None
    assert manifest.provenance.type == "merged"
    assert manifest.provenance.merged_at == WHEN
    assert manifest.provenance.merged_by == "ana@acme.example"
    first, second = source_packs(manifest)
    assert (first.stream, first.artifacts) == ("org/a", 2)
    assert (second.stream, second.artifacts) == ("org/b", 1)
    assert first.manifest_digest == digest_of(a)
    assert second.manifest_digest == digest_of(b)
    assert first.pack_digest == read(a)[0].pack_digest
    assert first.embedded_attestations is None
    assert done.built.manifest_digest == digest_of(tmp_path / "m.epack").hex()
    assert [item.stream for item in done.sources] == ["org/a", "org/b"]


def test_a_merged_pack_is_merged_by_its_parts(tmp_path: Path, a: Path, b: Path, c: Path) -> None:
    inner, outer, flat = (tmp_path / f"{name}.epack" for name in ("inner", "outer", "flat"))
    merged(inner, a, b, stream="org/inner")
    merged(outer, inner, c)
    merged(flat, a, b, c)
    assert outer.read_bytes() == flat.read_bytes()


def test_an_older_merge_of_the_same_stream_can_be_merged_on(
    tmp_path: Path, a: Path, b: Path, c: Path
) -> None:
    merged(tmp_path / "old.epack", a, b)
    merged(tmp_path / "new.epack", tmp_path / "old.epack", c)
    assert [item.stream for item in source_packs(read(tmp_path / "new.epack")[0])] == [
        "org/a",
        "org/b",
        "org/c",
    ]


def test_the_order_of_the_packs_does_not_matter(tmp_path: Path, a: Path, b: Path, c: Path) -> None:
    results = set()
    for number, order in enumerate(permutations([a, b, c])):
        out = tmp_path / f"{number}.epack"
        merged(out, *order)
        results.add(out.read_bytes())
    assert len(results) == 1


def test_what_is_said_of_artifacts_and_packs_is_kept(tmp_path: Path, b: Path) -> None:
    reference: JSON = {"name": "soc2", "uri": "https://x.example/a", "access": {"policy": "public"}}
    said: JSON = {
        "artifacts": [
            {
                "match": "x",
                "content_type": "text/csv",
                "display_name": "X",
                "description": "d",
                "collected_at": "2026-01-20T14:00:00Z",
                "schema": "s/v1",
                "semantic_type": "t/x@v1",
                "metadata": {"region": "eu", "deep": [1, {"n": 1.5}]},
                "controls": ["AC-2"],
            }
        ]
    }
    source: JSON = {"name": "ci", "version": "1", "commit": "c0", "artifacts": 1}
    rich = made(
        tmp_path / "rich.epack",
        "rich",
        {"x": b"1"},
        sources=[source],
        references=[reference | {"digest": DIGEST}],
        describe=said,
    )
    other = made(
        tmp_path / "o.epack", "o", {"x": b"2"}, sources=[("ci", "2")], references=[reference]
    )
    merged(tmp_path / "m.epack", b, rich, other)
    before, after = read(rich)[0], read(tmp_path / "m.epack")[0]
    (kept,) = (item for item in after.embedded if item.path == "artifacts/rich/x")
    (original,) = before.embedded
    assert {name: getattr(kept, name) for name in kept.__slots__ if name != "path"} == {
        name: getattr(original, name) for name in original.__slots__ if name != "path"
    }
    assert after.sources == (*read(other)[0].sources, *before.sources)
    assert after.references == (*read(other)[0].references, *before.references)


def test_what_all_packs_declare_is_kept(tmp_path: Path) -> None:
    declared: JSON = {
        "profile": "acme/soc2@v1",
        "overlays": ["acme/eu@v1"],
        "profile_lock": [{"id": "acme/soc2@v1", "digest": DIGEST}],
    }
    packs = [made(tmp_path / f"{n}.epack", n, {"x": b""}, describe=declared) for n in "ab"]
    merged(tmp_path / "m.epack", *packs)
    manifest, original = read(tmp_path / "m.epack")[0], read(packs[0])[0]
    assert manifest.profile == "acme/soc2@v1"
    assert (manifest.overlays, manifest.profile_lock) == (original.overlays, original.profile_lock)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"profile": "p@v1"}, {}),
        ({}, {"profile": "p@v1"}),
        ({"profile": "p@v1"}, {"profile": "p@v2"}),
        ({"overlays": ["o@v1"]}, {"overlays": ["o@v1", "q@v1"]}),
        ({"overlays": []}, {}),
        (
            {"profile_lock": [{"id": "p@v1", "digest": DIGEST}]},
            {"profile_lock": [{"id": "p@v1", "digest": "sha256:" + "00" * 32}]},
        ),
    ],
)
def test_no_declared_profile_is_dropped_or_replaced(
    tmp_path: Path, first: JSON, second: JSON
) -> None:
    packs = [
        made(tmp_path / f"{n}.epack", n, {"x": b""}, describe=said)
        for n, said in (("a", first), ("b", second))
    ]
    with pytest.raises(UsageError) as caught:
        merged(tmp_path / "m.epack", *packs)
    assert (caught.value.code, caught.value.rule) == ("profiles_differ", "R-028e")
    assert caught.value.where == str(packs[1])


def test_packs_without_artifacts_merge(tmp_path: Path, a: Path) -> None:
    empty = made(tmp_path / "e.epack", "any thing: at all//", {})
    merged(tmp_path / "m.epack", a, empty)
    assert [item.artifacts for item in source_packs(read(tmp_path / "m.epack")[0])] == [0, 2]


def test_progress_ends_where_all_is_done(tmp_path: Path, a: Path, b: Path) -> None:
    told: list[tuple[int, int]] = []
    merged(tmp_path / "m.epack", a, b, progress=lambda done, total: told.append((done, total)))
    everything = 3 * sum(len(data) for data in read(tmp_path / "m.epack")[1].values())
    assert {total for _, total in told} == {everything}
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1][0] == everything


def test_memory_does_not_grow_with_the_artifacts(tmp_path: Path, a: Path) -> None:
    noise = random.Random(1).randbytes(12_000_000)
    big = made(tmp_path / "big.epack", "big", {"noise": noise, "zeros": bytes(12_000_000)})
    del noise
    tracemalloc.start()
    try:
        merged(tmp_path / "m.epack", big, a)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 6_000_000


@pytest.fixture(scope="module")
def signed() -> tuple[bytes, dict[str, bytes], bytes]:
    evidence = sandbox_evidence()
    return evidence.pack, evidence.bundles, evidence.manifest_digest


def with_attestations(
    path: Path, signed: tuple[bytes, dict[str, bytes], bytes], *kinds: str
) -> Path:
    pack, bundles, digest = signed
    path.write_bytes(pack)
    for number, kind in enumerate(kinds):
        name = f"{number:08x}.sigstore.json"
        add_attestation(path, name, bundles[kind], expect_manifest_digest=digest)
    return path


def test_attestations_are_carried_whole_and_through_nested_merges(
    tmp_path: Path, a: Path, b: Path, signed: tuple[bytes, dict[str, bytes], bytes]
) -> None:
    source = with_attestations(tmp_path / "s.epack", signed, "v1-tsa-pack", "v2-tsa-pack")
    done = merged(tmp_path / "m.epack", source, a)
    assert [item.attestations for item in done.sources] == [2, 0]
    merged(tmp_path / "n.epack", tmp_path / "m.epack", b, stream="acme/outer")
    for name in ("m", "n"):
        first = source_packs(read(tmp_path / f"{name}.epack")[0])[0]
        assert first.stream == "acme/test"
        assert first.manifest_digest == signed[2]
        assert first.embedded_attestations is not None
        assert [dict(bundle) for bundle in first.embedded_attestations] == [
            json.loads(signed[1][kind]) for kind in ("v1-tsa-pack", "v2-tsa-pack")
        ]
        with open_pack(tmp_path / f"{name}.epack") as pack:
            assert pack.attestation_names == ()


def test_a_signature_over_a_merged_pack_is_said_to_be_left_out(
    tmp_path: Path, a: Path, b: Path, c: Path
) -> None:
    inner = tmp_path / "inner.epack"
    merged(inner, a, b, stream="org/inner")
    assert merged(tmp_path / "plain.epack", inner, c).left_out == ()
    bundle = json.loads(sandbox_evidence().bundles["v1-tsa-pack"])
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "manifest.json", "digest": {"sha256": digest_of(inner).hex()}}],
        "predicateType": "https://evidencepack.org/attestation/v1",
        "predicate": {},
    }
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()
    add_attestation(
        inner,
        "0.sigstore.json",
        json.dumps(bundle).encode(),
        expect_manifest_digest=digest_of(inner),
    )
    assert merged(tmp_path / "m.epack", inner, c).left_out == (inner,)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "invalid_json"),
        (b"{}", "invalid_bundle_media_type"),
        (b'{"mediaType": "x", "mediaType": "x"}', "duplicate_keys"),
        ("v1-tsa-message", "missing_dsse_envelope"),
        ("v1-tsa-statement", "invalid_predicate_type"),
    ],
)
def test_an_attestation_that_cannot_be_of_its_pack_is_not_carried(
    tmp_path: Path,
    b: Path,
    signed: tuple[bytes, dict[str, bytes], bytes],
    data: bytes | str,
    code: str,
) -> None:
    pack, bundles, digest = signed
    path = tmp_path / "s.epack"
    path.write_bytes(pack)
    raw = bundles[data] if isinstance(data, str) else data
    add_attestation(path, "0.sigstore.json", raw, expect_manifest_digest=digest)
    refused(
        tmp_path, code, b, path, kind=AttestError, where="s.epack: attestations/0.sigstore.json"
    )


def test_an_attestation_of_another_pack_is_not_carried(tmp_path: Path, a: Path, b: Path) -> None:
    bundle = sandbox_evidence().bundles["v1-tsa-pack"]
    add_attestation(a, "0.sigstore.json", bundle, expect_manifest_digest=digest_of(a))
    refused(
        tmp_path,
        "manifest_digest_mismatch",
        b,
        a,
        kind=VerificationFailed,
        where="a.epack: attestations/0.sigstore.json",
    )


names = st.text("abcXYZ01-_", min_size=1, max_size=4)
files = st.dictionaries(
    st.lists(names, min_size=1, max_size=3).map("/".join), st.binary(max_size=300), max_size=4
)
COLLISIONS = {"duplicate_stream", "ambiguous_stream", "duplicate_path", "reserved_name"}
streams = st.lists(names, min_size=1, max_size=3).map("/".join)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    packs=st.dictionaries(streams, files, min_size=3, max_size=4),
    inner=st.integers(2, 3),
    stream=streams,
)
def test_any_merge_keeps_every_byte_and_every_stream_or_says_why_not(
    packs: dict[str, dict[str, bytes]], inner: int, stream: str
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sources: dict[str, Path] = {}
        for number, (one, content) in enumerate(packs.items()):
            try:
                sources[one] = made(folder / f"{number}.epack", one, content)
            except (UsageError, OSError):
                return  # the files alone are no pack, or no folder
        paths = list(sources.values())
        try:
            merged(folder / "inner.epack", *paths[:inner], stream="inner stream")
            rest = paths[inner:] or [made(folder / "last.epack", "last one", {"z": b""})]
            merged(folder / "outer.epack", folder / "inner.epack", *rest, stream=stream)
        except UsageError as error:
            if error.code in COLLISIONS:
                return
            raise
        manifest, found = read(folder / "outer.epack")
        records = {record.stream: record for record in source_packs(manifest)}
        assert len(records) == len(source_packs(manifest))
        assert stream not in records
        for one, path in sources.items():
            original, content = read(path)
            prefix = f"artifacts/{one}/"
            for inside, data in content.items():
                assert found.pop(prefix + inside.removeprefix("artifacts/")) == data
            assert records[one].manifest_digest == digest_of(path)
            assert records[one].pack_digest == original.pack_digest
            assert records[one].artifacts == len(content)
        assert set(found) <= {"artifacts/last one/z"}
