"""What the tests of merging share: packs made, merged, read, rewritten and refused."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from attest.api.build import build
from attest.api.merge import Merged, merge
from attest.errors import AttestError, UsageError
from attest.pack.manifest import Manifest, SourcePack
from attest.pack.reader import Pack, open_pack

WHEN = datetime(2026, 11, 21, tzinfo=UTC)
DIGEST = "sha256:" + "ab" * 32
JSON = dict[str, Any]


def made(path: Path, stream: str, files: dict[str, bytes], **options: object) -> Path:
    folder = path.with_suffix(".in")
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    arguments: dict[str, object] = {"stream": stream, "generated_at": WHEN} | options
    build(path, [folder] if files else [], **arguments)  # type: ignore[arg-type]  # any argument
    return path


def merged(out: Path, *packs: Path, stream: str = "acme/all", **options: object) -> Merged:
    arguments: dict[str, object] = {"stream": stream, "merged_at": WHEN} | options
    return merge(out, packs, **arguments)  # type: ignore[arg-type]  # any argument


def contents(pack: Pack) -> dict[str, bytes]:
    return {item.path: b"".join(pack.artifact_chunks(item)) for item in pack.manifest.embedded}


def read(path: Path) -> tuple[Manifest, dict[str, bytes]]:
    with open_pack(path) as pack:
        pack.check_integrity()
        return pack.manifest, contents(pack)


def source_packs(manifest: Manifest) -> tuple[SourcePack, ...]:
    assert manifest.provenance is not None
    assert manifest.provenance.source_packs is not None
    return manifest.provenance.source_packs


def digest_of(path: Path) -> bytes:
    with open_pack(path) as pack:
        return pack.manifest_digest


def rewritten(
    path: Path,
    change: Callable[[JSON, dict[str, bytes]], None],
    *,
    attestations: dict[str, bytes] | None = None,
    consistent: bool = True,
) -> Path:
    """The pack with another manifest and other artifacts; its pack digest follows if wanted."""
    with zipfile.ZipFile(path) as archive:
        manifest: JSON = json.loads(archive.read("manifest.json"))
        files = {n: archive.read(n) for n in archive.namelist() if n.startswith("artifacts/")}
    change(manifest, files)
    if consistent:
        lines = sorted(f"{i['path']}\t{i['digest']}\n" for i in manifest["artifacts"])
        manifest["pack_digest"] = "sha256:" + hashlib.sha256("".join(lines).encode()).hexdigest()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", json.dumps(manifest))
        for name, data in (files | (attestations or {})).items():
            archive.writestr(name, data)
    return path


def refused(
    folder: Path,
    code: str,
    *packs: Path,
    kind: type[AttestError] = UsageError,
    where: str | None = None,
    **options: object,
) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    with pytest.raises(kind) as caught:
        merged(folder / "refused.epack", *packs, **options)  # type: ignore[arg-type]  # any argument
    assert caught.value.code == code
    if where is not None:
        assert (caught.value.where or "").startswith(f"{folder}/{where}")
    after = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert after == before
