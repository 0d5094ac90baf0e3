"""What is interrupted: `python -m tests.interruption.operations NAME FOLDER` does it once.

Each operation starts from a folder that `prepare` filled and changes one path in it.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from attest.formats.sei.artefact import Artefact
from attest.formats.sei.layout import RECONSTRUCT, keyless_path
from attest.formats.sei.store import sign_existing, write_artefact
from attest.pack.builder import build_pack
from attest.pack.extract import extract_pack
from attest.pack.merge import merge_packs
from attest.pack.reader import open_pack
from attest.pack.writer import add_attestation
from attest.signing.keyfile import FileKey
from tests.sei.second import private_key

OUT = "out.epack"
#: The streams that are merged.
SOURCES = ("one", "two")
#: Made when everything is imported: what is done after it counts.
BEGIN = "begin"
_WHEN = datetime(2026, 11, 21, tzinfo=UTC)
#: Larger than any buffer, and nothing that deflates.
_NOISE = bytes((at * at * 31 + at // 256) % 251 for at in range(100_000))


def prepare(name: str, folder: Path) -> None:
    """Make the folder that an operation starts from."""
    inputs = folder / "in"
    (inputs / "below").mkdir(parents=True)
    (inputs / "a.txt").write_bytes(b"all is well\n" * 1000)
    (inputs / "below" / "noise.bin").write_bytes(_NOISE)
    if name == "merge":
        for stream, path in zip(SOURCES, sorted(inputs.rglob("*.*")), strict=True):
            build_pack(folder / f"{stream}.epack", [path], stream=stream, generated_at=_WHEN)
    if name in ("resei", "signsei"):
        write_artefact(folder, Artefact(kind="reconstruct", system="old", payload={}), _key("old"))
        (folder / keyless_path(RECONSTRUCT)).write_bytes(b"a Sigstore bundle")
    elif name not in ("build", "sei"):
        build_pack(folder / OUT, [inputs / "a.txt"], stream="old", generated_at=_WHEN)


def _build(folder: Path) -> None:
    build_pack(
        folder / OUT, [folder / "in"], stream="new", generated_at=_WHEN, replace=_exists(folder)
    )


def _attest(folder: Path) -> None:
    with open_pack(folder / OUT) as pack:
        digest = pack.manifest_digest
    add_attestation(
        folder / OUT, "a.sigstore.json", b"{}", expect_manifest_digest=digest, replace=True
    )


def _merge(folder: Path) -> None:
    merge_packs(
        folder / OUT,
        [folder / f"{stream}.epack" for stream in SOURCES],
        stream="new",
        check_attestation=lambda *_: None,
        merged_at=_WHEN,
        replace_out=True,
    )


def _extract(folder: Path) -> None:
    extract_pack(folder / OUT, folder / "extracted")


def _key(name: str) -> FileKey:
    return FileKey(private_key(name))


def _write_sei(folder: Path) -> None:
    artefact = Artefact(kind="reconstruct", system="new", payload={"x": "y" * 100_000})
    write_artefact(folder, artefact, _key("new"))


def _sign_sei(folder: Path) -> None:
    sign_existing(folder, RECONSTRUCT, _key("new"))


def _exists(folder: Path) -> bool:
    return (folder / OUT).exists()


@dataclass(frozen=True, kw_only=True)
class Operation:
    """Something that must happen wholly or not at all; it can be done again at any time.

    With `in_steps`, files may be missing meanwhile, and hidden ones of ours stand in the target.
    """

    run: Callable[[Path], None]
    target: str = OUT
    in_steps: bool = False


OPERATIONS = {
    "build": Operation(run=_build),
    "rebuild": Operation(run=_build),
    "attest": Operation(run=_attest),
    "merge": Operation(run=_merge),
    "extract": Operation(run=_extract, target="extracted"),
    "sei": Operation(run=_write_sei, target=".sei", in_steps=True),
    "resei": Operation(run=_write_sei, target=".sei", in_steps=True),
    "signsei": Operation(run=_sign_sei, target=".sei", in_steps=True),
}


def warm_up(name: str, folder: Path) -> None:
    """Do it once elsewhere, so that nothing is imported while it counts."""
    prepare(name, folder)
    OPERATIONS[name].run(folder)
    shutil.rmtree(folder)


if __name__ == "__main__":
    _, asked, place = sys.argv
    warm_up(asked, Path(place) / "warm")
    (Path(place) / BEGIN).mkdir()
    OPERATIONS[asked].run(Path(place))
