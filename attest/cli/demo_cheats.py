"""Five ways to cheat with a signed pack, made with a ZIP library and a JSON editor."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from attest.api.build import build

STREAM = "acme/prod"
PACK = "evidence.epack"
EVIDENCE = "evidence"
#: The reviewer decided to revoke a contractor's access; whoever cheats writes `retain`, which has
#: as many letters, so that even the size is right.
TAMPERED = "access-review.csv"
_DECIDED = b"alice@acme.example,2026-11-19,revoke"
_WANTED = b"alice@acme.example,2026-11-19,retain"
MALLORY = "mallory@evil.example"
SIGNED_BY_MALLORY = "signed-by-mallory.epack"


@dataclass(frozen=True, kw_only=True, slots=True)
class Cheat:
    """One way to cheat: what it is, the pack it makes, and the code that must reject it.

    `make` writes the pack into the folder that is given; None where it is there already.
    """

    name: str
    story: str
    pack: str
    expected: str
    make: Callable[[Path], None] | None


def cheats() -> tuple[Cheat, ...]:
    """The five, in the order in which they are shown."""
    return (
        Cheat(
            name="changed artifact",
            story="An artifact is edited inside the pack: the review says of a contractor's\n"
            "access `retain` now, where the reviewer decided `revoke`.",
            pack="changed-artifact.epack",
            expected="digest_mismatch",
            make=_change_artifact,
        ),
        Cheat(
            name="changed manifest",
            story="The same, but the manifest is made to match and the signatures are kept:\n"
            "the pack is intact in itself, only nobody signed it like this.",
            pack="changed-manifest.epack",
            expected="manifest_digest_mismatch",
            make=_change_manifest,
        ),
        Cheat(
            name="stripped attestations",
            story="Every signature is taken out. Nothing in the pack is wrong now, and nobody\n"
            "vouches for it either.",
            pack="stripped.epack",
            expected="no_attestations",
            make=_strip,
        ),
        Cheat(
            name="wrong identity",
            story=f"{MALLORY} signs the pack instead: a perfect signature, from the\n"
            "same Sigstore, by somebody we do not trust.",
            pack=SIGNED_BY_MALLORY,
            expected="certificate_identity_mismatch",
            make=None,
        ),
        Cheat(
            name="edited log proof",
            story="One character is changed in the proof that the signature stands in the\n"
            "transparency log, as if the log had been rewritten.",
            pack="edited-log-proof.epack",
            expected="invalid_inclusion_proof",
            make=_edit_log_proof,
        ),
    )


def strip(folder: Path, out: str) -> None:
    """Write the pack without its attestations."""
    kept = {
        name: data
        for name, data in _entries(folder / PACK).items()
        if not name.startswith("attestations/")
    }
    _write(folder / out, kept)


def _strip(folder: Path) -> None:
    strip(folder, "stripped.epack")


def _change_artifact(folder: Path) -> None:
    entries = _entries(folder / PACK)
    name = f"artifacts/{TAMPERED}"
    _write(folder / "changed-artifact.epack", entries | {name: _tampered(entries[name])})


def _change_manifest(folder: Path) -> None:
    file = folder / EVIDENCE / TAMPERED
    honest = file.read_bytes()
    file.write_bytes(_tampered(honest))
    try:
        out = folder / "changed-manifest.epack"
        build(out, [folder / EVIDENCE], stream=STREAM)
    finally:
        file.write_bytes(honest)
    signatures = {
        name: data
        for name, data in _entries(folder / PACK).items()
        if name.startswith("attestations/")
    }
    _write(out, _entries(out) | signatures)


def _edit_log_proof(folder: Path) -> None:
    entries = _entries(folder / PACK)
    name = max(name for name in entries if name.startswith("attestations/"))
    bundle = json.loads(entries[name])
    proof = bundle["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]
    first: str = proof["hashes"][0]
    proof["hashes"][0] = ("B" if first[0] == "A" else "A") + first[1:]
    edited = json.dumps(bundle).encode()
    _write(folder / "edited-log-proof.epack", entries | {name: edited})


def _tampered(data: bytes) -> bytes:
    if _DECIDED not in data:
        raise ValueError("the evidence has no line to tamper with")
    return data.replace(_DECIDED, _WANTED)


def _entries(pack: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(pack) as archive:
        return {item.filename: archive.read(item) for item in archive.infolist()}


def _write(pack: Path, entries: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(pack, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(zipfile.ZipInfo(name), data)
