"""The published test vectors of the Evidence Pack specification, read where they lie."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeAlias

import pytest

from attest.errors import AttestError
from attest.limits import Limits
from attest.pack.manifest import manifest_digest, pack_digest, parse_manifest
from attest.pack.paths import check_path
from attest.pack.reader import open_pack
from tests.pack.zipbytes import GOOD, Item, Zip, manifest, manifest_item, with_more

Case: TypeAlias = dict[str, object]

SHARED = Path(os.environ.get("ATTEST_SHARED", Path(__file__).resolve().parents[3] / "shared"))
VECTORS = SHARED / "vectors" / "evidence-pack"
pytestmark = pytest.mark.skipif(
    not VECTORS.is_dir(), reason="the published vectors are not beside the project"
)

DIGEST = "sha256:" + "1" * 64
EMPTY = {
    "spec_version": "1.0",
    "stream": "test",
    "generated_at": "2026-01-20T12:00:00Z",
    "pack_digest": DIGEST,
    "sources": [],
    "artifacts": [],
}

#: Where a vector contradicts the document or the design: the reason stands beside the name.
CONTRADICTIONS = {
    "Complete merged provenance": "the document requires manifest_digest of a source pack",
    "Merged provenance with embedded Sigstore attestation": "as above",
}


def load(name: str) -> Case:
    value = json.loads((VECTORS / name).read_text(encoding="utf-8"))
    assert isinstance(value, dict)
    return value


def cases(value: object) -> list[Case]:
    assert isinstance(value, list)
    assert value
    return value


def code_of(call: Callable[[], object]) -> str | None:
    try:
        call()
    except AttestError as error:
        return error.code
    return None


def expect(case: Case, code: str | None, name: object) -> None:
    """Valid cases pass; invalid ones fail, with the published code where there is one."""
    if case.get("valid", case.get("expected") == "accept"):
        assert code is None, name
    else:
        assert code is not None, name
        assert code == case.get("expected_error", code), name


def test_paths() -> None:
    files = sorted((VECTORS / "path-validation").glob("*.json"))
    judged = 0
    for file in files:
        for case in cases(load(f"path-validation/{file.name}")["tests"]):
            if "valid" in case:
                path = str(case["path"])
                expect(case, code_of(partial(check_path, path)), (file.name, path))
                judged += 1
    assert judged > 80
    for case in cases(load("zip-safety/path-traversal.json")["tests"]):
        entry = str(case["entry_path"])
        assert code_of(partial(check_path, entry)) == "path_traversal"


def _with(*path: str | int, value: object) -> bytes:
    changed = json.loads(json.dumps(EMPTY))
    at = changed
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return json.dumps(changed).encode()


def _listed(*, valid: bool) -> Iterator[tuple[str, Case, bytes]]:
    known: Case = {"valid": valid}
    word = "valid" if valid else "invalid"
    for case in cases(load("manifest/digest-format.json")[f"{word}_digests"]):
        yield str(case["description"]), known, _with("pack_digest", value=case["value"])
    for case in cases(load("manifest/timestamp-formats.json")[f"{word}_timestamps"]):
        yield str(case["description"]), known, _with("generated_at", value=case["value"])
    for case in cases(load("manifest/integer-validation.json")[f"{word}_integers"]):
        data = _with("sources", value=[{"name": "x", "artifacts": 77}])
        data = data.replace(b"77", str(case["json"]).encode())
        yield str(case["description"]), known, data
    for case in cases(load("manifest/access-policy.json")[f"{word}_policies"]):
        reference = {
            "type": "reference",
            "name": "x",
            "uri": "https://x.example/",
            "access": {"policy": case["policy"]},
        }
        yield str(case["description"]), known, _with("artifacts", value=[reference])
    for case in cases(load("manifest/provenance-validation.json")[f"{word}_provenance"]):
        data = _with("provenance", value=case["provenance"])
        yield str(case["description"]), known, data


def _manifests() -> Iterator[tuple[str, Case, bytes]]:
    fields = load("manifest/artifact-fields.json")
    for group in ("embedded_artifact_tests", "referenced_artifact_tests"):
        for case in cases(fields[group]):
            yield str(case["name"]), case, _with("artifacts", value=[case["input"]])
    for name in ("required-fields", "duplicate-artifact-paths"):
        for case in cases(load(f"manifest/{name}.json")["tests"]):
            source = case["input"]
            data = source.encode() if isinstance(source, str) else json.dumps(source).encode()
            yield str(case["name"]), case, data
    yield from _listed(valid=True)
    yield from _listed(valid=False)
    for name in ("invalid-exponent", "invalid-numbers", "valid-integer-exponent"):
        case = load(f"manifest-digest/{name}.json")
        source = case["input"]
        assert isinstance(source, dict)
        data = json.dumps(source["manifest"]).encode()
        yield name, case | {"expected_error": case.get("reason", "")}, data


def test_manifests() -> None:
    judged = 0
    for name, case, data in _manifests():
        code = code_of(partial(parse_manifest, data))
        if name in CONTRADICTIONS:
            assert code == "missing_manifest_digest"
        else:
            expect(case, code, name)
        judged += 1
    assert judged > 80


def test_reference_uris() -> None:
    later = {"loopback_rejected", "link_local_rejected", "private_network_rejected"}
    judged = 0
    for case in cases(load("manifest/referenced-uri-handling.json")["uri_safety_tests"]):
        reference = case["reference"]
        assert isinstance(reference, dict)
        # Addresses are judged when something is fetched, after resolution and each redirect.
        if "redirect_to" in case or "valid" not in case or case["expected_error"] in later:
            continue
        full = {"type": "reference", "name": "x", "access": {"policy": "public"}} | reference
        data = _with("artifacts", value=[full])
        expect(case, code_of(partial(parse_manifest, data)), case["name"])
        judged += 1
    assert judged == 3


def test_manifest_digests() -> None:
    for name in ("basic-manifest", "with-artifacts"):
        case = load(f"manifest-digest/{name}.json")
        source, expected = case["input"], case["expected"]
        assert isinstance(source, dict)
        assert isinstance(expected, dict)
        data = json.dumps(source["manifest"], indent=2).encode()
        assert manifest_digest(data).hex() == expected["sha256"]
    for case in cases(load("manifest-digest/known-answer.json")["tests"]):
        data = json.dumps(case["manifest"]).encode()
        assert f"sha256:{manifest_digest(data).hex()}" == case["expected_digest"]
    for case in cases(load("manifest-digest/invariance.json")["tests"]):
        variants = cases(case["variants"])
        assert len({manifest_digest(str(item["json"]).encode()) for item in variants}) == 1
    for case in cases(load("manifest-digest/malformed-json.json")["tests"]):
        data = (
            bytes.fromhex(str(case["input_hex"]))
            if "input_hex" in case
            else str(case["input"]).encode()
        )
        expect(case, code_of(partial(manifest_digest, data)), case["name"])


def test_pack_digests() -> None:
    judged = 0
    for file in sorted((VECTORS / "pack-digest").glob("*.json")):
        case = load(f"pack-digest/{file.name}")
        source, expected = case["input"], case["expected"]
        assert isinstance(source, dict)
        assert isinstance(expected, dict)
        read = parse_manifest(_with("artifacts", value=source["artifacts"]))
        if "pack_digest" in expected:
            assert pack_digest(read.artifacts) == expected["pack_digest"]
            judged += 1
    assert judged >= 2


def _open(tmp_path: Path, archive: Zip | bytes, *, name: str = "a.epack") -> str | None:
    path = tmp_path / name
    path.write_bytes(archive if isinstance(archive, bytes) else archive.build())

    def read() -> None:
        with open_pack(path) as pack:
            pack.check_integrity()

    return code_of(read)


def _structure(names: list[str]) -> Zip:
    files = [name for name in names if name != "manifest.json"]
    listed = [name for name in files if name.startswith("artifacts/") and name[-1] != "/"]
    items = [manifest_item(manifest(dict.fromkeys(listed, b"")))] if len(files) < len(names) else []
    return Zip(items=(*items, *(Item(name=name.encode()) for name in files)))


def test_structure(tmp_path: Path) -> None:
    for case in cases(load("structure/pack-structure.json")["tests"]):
        if "structure" in case:
            archive: Zip | bytes = _structure([str(name) for name in cases(case["structure"])])
        else:
            archive = str(case.get("content", "")).encode()
        code = _open(tmp_path, archive, name=str(case.get("filename", "a.epack")))
        expect(case, code, case["name"])
    for name in (
        "attestation-subdirectory",
        "attestation-wrong-extension",
        "extra-top-level-files",
    ):
        for case in cases(load(f"structure/{name}.json")["tests"]):
            entry = Item(name=str(case["entry_path"]).encode())
            assert _open(tmp_path, with_more(entry)) is not None, case
    for case in cases(load("structure/attestation-subdirectory.json")["valid_entries"]):
        assert _open(tmp_path, with_more(Item(name=str(case["entry_path"]).encode()))) is None
    for case in cases(load("attestation/attestation-placement.json")["tests"]):
        found = case.get("attestations", [case.get("path")])
        assert isinstance(found, list)
        items = [Item(name=str(name).encode()) for name in found]
        expect(case, _open(tmp_path, with_more(*items)), case["name"])


def test_listed_and_present_artifacts(tmp_path: Path) -> None:
    single = load("structure/extra-artifact-in-zip.json")
    source = single["input"]
    assert isinstance(source, dict)
    for case, value, entries in [
        (single, source["manifest"], source["zip_entries"]),
        *(
            (case, EMPTY | {"artifacts": case["manifest_artifacts"]}, case["zip_entries"])
            for case in cases(load("structure/missing-artifact.json")["tests"])
        ),
    ]:
        names = [str(name) for name in cases(entries) if str(name) != "manifest.json"]
        items = [manifest_item(value), *(Item(name=name.encode()) for name in names)]
        code = _open(tmp_path, Zip(items=tuple(items)))
        expect(case, code, case["name"])
    assert single["reason"] == _open(
        tmp_path,
        replace(GOOD, items=(*GOOD.items, Item(name=b"artifacts/unlisted.json"))),
    )


def test_zip_safety(tmp_path: Path) -> None:
    for name, code in (
        ("duplicate-paths", "duplicate_path"),
        ("high-compression", "zip_bomb"),
        ("symlink", "zip_symlink"),
    ):
        data = (VECTORS / "zip-safety" / "fixtures" / f"{name}.zip").read_bytes()
        assert _open(tmp_path, data) == code
    for case in cases(load("zip-safety/macos-metadata.json")["tests"]):
        found = _open(tmp_path, with_more(Item(name=str(case["entry_path"]).encode())))
        assert found == case["reason"]
    for case in cases(load("zip-safety/special-files.json")["tests"]):
        if "unix_mode" in case:  # hard links cannot be told in a ZIP
            attributes = int(str(case["unix_mode"]), 8) << 16
            found = _open(tmp_path, with_more(Item(name=b"artifacts/x", attributes=attributes)))
            assert found == ("zip_symlink" if case["reason"] == "symlink" else "zip_special_file")


def test_directory_entries(tmp_path: Path) -> None:
    for case in cases(load("zip-safety/directory-entries.json")["tests"]):
        entry = case["entry"]
        assert isinstance(entry, dict)
        name, mode = str(entry["name"]).encode(), entry["external_attrs"]
        sizes = {"compressed": entry["compressed_size"], "size": entry["uncompressed_size"]}
        item = Item(
            name=name,
            attributes=int(mode["unix_mode"], 8) << 16 if mode else 0,
            raw=bytes(sizes["compressed"]),
            method=8 if sizes["compressed"] else 0,
            **sizes,
        )
        expect(case, _opened(tmp_path, Zip(items=(GOOD.items[0], item))), case["name"])


def _opened(tmp_path: Path, archive: Zip) -> str | None:
    path = tmp_path / "a.epack"
    path.write_bytes(archive.build())

    def read() -> None:
        with open_pack(path):
            pass

    return code_of(read)


def test_limits() -> None:
    names = {
        "max_artifact_size": "max_artifact_bytes",
        "max_pack_size": "max_pack_bytes",
        "max_artifact_count": "max_artifacts",
    }
    for case in cases(load("limits/minimum-limits.json")["tests"]):
        config = case["config"]
        assert isinstance(config, dict)
        values = {names[key]: value for key, value in config.items()}
        code = code_of(partial(Limits, **values))
        assert code == case.get("reason")
