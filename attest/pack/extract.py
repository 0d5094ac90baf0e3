"""Writing the content of a pack into a new folder, checked before the folder appears."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from attest.limits import DEFAULT_LIMITS, Limits
from attest.pack.folder import new_folder
from attest.pack.integrity import Progress
from attest.pack.manifest import ARTIFACTS, MANIFEST_NAME, EmbeddedArtifact
from attest.pack.reader import IntactPack, open_pack


@dataclass(frozen=True, kw_only=True, slots=True)
class ExtractedPack:
    """What was written: the intact pack, and every file below the folder, in order of writing."""

    pack: IntactPack
    files: tuple[str, ...]


def extract_pack(
    path: Path,
    folder: Path,
    *,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> ExtractedPack:
    """Write manifest, artifacts and attestations of an intact pack; on any failure, nothing.

    Only paths and bytes come from the archive: permissions are 0644 and 0755, whatever it says,
    and folders that hold no file are not written, `artifacts/` excepted.

    Args:
        path: the pack.
        folder: must not exist; its parent must.
        limits: bounds that hold for everything read from the pack.
        progress: told bytes done and bytes in all.

    Raises:
        MalformedEvidence: the codes of `open_pack`, `Pack.check_integrity` and
            `Pack.read_attestation`.
        UsageError: `file_exists`, `unwritable_file`, `file_not_found`, `unreadable_file`.

    Source: Evidence Pack R-003, R-035, R-036, R-046 to R-059, R-060, R-061.
    """
    with open_pack(path, limits=limits) as pack, new_folder(folder) as new:
        files: list[str] = []

        def write(artifact: EmbeddedArtifact, pieces: Iterator[bytes]) -> None:
            new.write(artifact.path, pieces)
            files.append(artifact.path)

        new.write(MANIFEST_NAME, [pack.manifest_bytes])
        files.append(MANIFEST_NAME)
        new.make(ARTIFACTS.rstrip("/"))
        intact = pack.check_integrity(keep=write, progress=progress)
        for name in pack.attestation_names:
            new.write(name, [pack.read_attestation(name)])
            files.append(name)
    return ExtractedPack(pack=intact, files=tuple(files))
