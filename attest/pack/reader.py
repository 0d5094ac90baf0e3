"""Opening a pack and checking that it is intact."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from attest.errors import AttestError, MalformedEvidence, UsageError, VerificationFailed
from attest.files import open_file
from attest.limits import DEFAULT_LIMITS, Limits
from attest.pack.archive import SMALL, Archive
from attest.pack.integrity import Keep, Progress, check_artifacts, keep_artifacts
from attest.pack.local import Entry
from attest.pack.manifest import (
    ARTIFACTS,
    ATTESTATION_SUFFIX,
    ATTESTATIONS,
    MANIFEST_NAME,
    EmbeddedArtifact,
    Manifest,
    canonical_digest,
    load_both_forms,
    pack_digest,
    read_manifest,
)

EXTENSION = ".epack"


@dataclass(frozen=True, kw_only=True, slots=True)
class IntactPack:
    """A pack whose every byte is what its manifest says; who says so is another question.

    `pack_digest` is `sha256:` and lowercase hex, `manifest_digest` 32 raw bytes, `bytes` the sum
    of all embedded artifacts, `generated_at` UTC.
    """

    stream: str
    pack_digest: str
    manifest_digest: bytes
    artifacts: int
    bytes: int
    generated_at: datetime
    manifest: Manifest


class Pack:
    """An open pack of sound structure; its content is UNTRUSTED until a signature covers it.

    Args:
        path: its name, for people.
        file: the open archive.
        limits: bounds that hold for everything read from it.

    Raises:
        MalformedEvidence: the codes of `open_pack`.
    """

    __slots__ = (
        "_archive",
        "_artifacts",
        "_attestations",
        "_limits",
        "manifest",
        "manifest_bytes",
        "manifest_digest",
        "path",
    )

    def __init__(self, path: Path, file: BinaryIO, *, limits: Limits) -> None:
        self.path = path
        self._limits = limits
        self._archive = Archive(file, limits=limits)
        self._artifacts: dict[str, Entry] = {}
        self._attestations: dict[str, Entry] = {}
        manifest = self._sort_entries()
        self.manifest_bytes: bytes = self._archive.read(
            manifest, limit=limits.max_manifest_bytes, code="manifest_too_large"
        )
        value, canonical = load_both_forms(self.manifest_bytes, limits=limits)
        self.manifest: Manifest = read_manifest(value, limits=limits)
        #: SHA-256 of the JCS form, 32 raw bytes: what attestations sign.
        self.manifest_digest: bytes = canonical_digest(value, canonical)

    @property
    def archive(self) -> Archive:
        """The archive, for those who copy it."""
        return self._archive

    @property
    def attestation_names(self) -> tuple[str, ...]:
        """Entry names of all attestations, sorted."""
        return tuple(sorted(self._attestations))

    def read_attestation(self, name: str) -> bytes:
        """The bytes of one attestation.

        Args:
            name: entry name, as in `attestation_names`.

        Raises:
            UsageError: `unknown_entry`.
            MalformedEvidence: `bundle_too_large`, `invalid_zip_format`, `crc_mismatch`.
        """
        entry = self._attestations.get(name)
        if entry is None:
            raise UsageError("unknown_entry", "the pack has no such attestation", where=name)
        return self._archive.read(
            entry, limit=self._limits.max_bundle_bytes, code="bundle_too_large"
        )

    def artifact_entry(self, artifact: EmbeddedArtifact) -> Entry:
        """Where an artifact lies in the archive.

        Raises:
            MalformedEvidence: `missing_embedded_artifact`.
        """
        entry = self._artifacts.get(artifact.path)
        if entry is None:
            raise _missing(artifact)
        return entry

    def artifact_chunks(self, artifact: EmbeddedArtifact) -> Iterator[bytes]:
        """The bytes of an artifact, piece by piece; judged when the iterator ends.

        A caller must not use what it has read before the iterator has ended. A small artifact is
        one piece, and judged before this returns.

        Raises:
            MalformedEvidence: `missing_embedded_artifact`, `size_mismatch`, `digest_mismatch`,
                `crc_mismatch`, `invalid_zip_format`.

        Source: Evidence Pack R-012, R-035, R-036, R-048.
        """
        entry = self.artifact_entry(artifact)
        if entry.size != artifact.size:
            raise MalformedEvidence(
                "size_mismatch",
                f"has {entry.size} bytes, the manifest says {artifact.size}",
                where=artifact.path,
                rule="R-036",
            )
        pieces = self._archive.chunks(entry)
        if artifact.size > SMALL:
            return _hashed(artifact, pieces)
        data = b"".join(pieces)
        _check_digest(artifact, hashlib.sha256(data).hexdigest())
        return iter((data,))

    def check_integrity(
        self, *, progress: Progress | None = None, keep: Keep | None = None
    ) -> IntactPack:
        """Read every artifact and compare it with the manifest, in memory that does not grow.

        Large artifacts are read on all cores; of several bad ones the first in the manifest is
        reported, always.

        Args:
            progress: told bytes done and bytes in all while artifacts are read.
            keep: gets every artifact and its bytes on the way, in the order of the manifest; what
                it got counts for nothing unless this returns.

        Raises:
            MalformedEvidence: `extra_artifact_not_in_manifest`, `pack_digest_mismatch`, and the
                codes of `artifact_chunks`.

        Source: Evidence Pack R-035, R-036, R-042 to R-050.
        """
        embedded = self.manifest.embedded
        for artifact in embedded:  # before any hashing: the cheap answers first
            if artifact.path not in self._artifacts:
                raise _missing(artifact)
        unlisted = self._artifacts.keys() - {artifact.path for artifact in embedded}
        if unlisted:
            raise MalformedEvidence(
                "extra_artifact_not_in_manifest",
                "the archive has it, the manifest does not list it",
                where=min(unlisted),
                rule="R-047",
            )
        if keep is None:
            check_artifacts(embedded, self.artifact_chunks, progress=progress)
        else:
            keep_artifacts(embedded, self.artifact_chunks, keep, progress=progress)
        digest = pack_digest(embedded)
        if digest != self.manifest.pack_digest:
            raise MalformedEvidence(
                "pack_digest_mismatch",
                f"the artifacts give {digest}, the manifest says {self.manifest.pack_digest}",
                where="manifest.pack_digest",
                rule="R-050",
            )
        return IntactPack(
            stream=self.manifest.stream,
            pack_digest=digest,
            manifest_digest=self.manifest_digest,
            artifacts=len(embedded),
            bytes=sum(artifact.size for artifact in embedded),
            generated_at=self.manifest.generated_at,
            manifest=self.manifest,
        )

    def _sort_entries(self) -> Entry:
        """Give every entry its place (R-004 to R-008); folders need no entries (R-023)."""
        manifest: Entry | None = None
        has_artifacts = False
        for entry in self._archive.directory.entries:
            if entry.name == MANIFEST_NAME:
                manifest = entry
            elif entry.name.startswith(ARTIFACTS):
                has_artifacts = True
                if not entry.is_folder:
                    self._artifacts[entry.name] = entry
            elif entry.name.startswith(ATTESTATIONS):
                check_attestation_name(entry.name)
                if not entry.is_folder:
                    self._attestations[entry.name] = entry
            else:
                raise _misplaced(entry.name)
        if manifest is None:
            raise MalformedEvidence(
                "missing_manifest", "the archive has no manifest.json", rule="R-004"
            )
        if not has_artifacts:
            raise MalformedEvidence(
                "missing_artifacts_directory", "the archive has no artifacts/", rule="R-005"
            )
        self._check_counts()
        return manifest

    def _check_counts(self) -> None:
        for code, found, most in (
            ("too_many_artifacts", self._artifacts, self._limits.max_artifacts),
            ("too_many_attestations", self._attestations, self._limits.max_attestations),
        ):
            if len(found) > most:
                raise MalformedEvidence(
                    code, f"the archive has {len(found)}, more than {most}", rule="R-051"
                )


def check_attestation_name(name: str) -> None:
    """Refuse an entry below `attestations/` that is not a direct `*.sigstore.json` child.

    Raises:
        MalformedEvidence: `attestation_wrong_location`, `invalid_attestation_extension`.

    Source: Evidence Pack R-006, R-007.
    """
    child = name.removeprefix(ATTESTATIONS)
    if "/" in child:
        raise MalformedEvidence(
            "attestation_wrong_location",
            "attestations are direct children of attestations/",
            where=name,
            rule="R-006",
        )
    if child and (not child.endswith(ATTESTATION_SUFFIX) or child == ATTESTATION_SUFFIX):
        raise MalformedEvidence(
            "invalid_attestation_extension",
            f"attestations are named *{ATTESTATION_SUFFIX}",
            where=name,
            rule="R-007",
        )


def _hashed(artifact: EmbeddedArtifact, pieces: Iterator[bytes]) -> Iterator[bytes]:
    hasher = hashlib.sha256()
    for piece in pieces:
        hasher.update(piece)
        yield piece
    _check_digest(artifact, hasher.hexdigest())


def _check_digest(artifact: EmbeddedArtifact, found: str) -> None:
    if f"sha256:{found}" != artifact.digest:
        raise MalformedEvidence(
            "digest_mismatch",
            "its bytes do not have the digest that the manifest gives",
            where=artifact.path,
            rule="R-035",
        )


def _missing(artifact: EmbeddedArtifact) -> MalformedEvidence:
    return MalformedEvidence(
        "missing_embedded_artifact",
        "the manifest lists it, the archive lacks it",
        where=artifact.path,
        rule="R-048",
    )


def _misplaced(name: str) -> MalformedEvidence:
    last = name.rsplit("/", 1)[-1]
    if last == MANIFEST_NAME:
        return MalformedEvidence(
            "manifest_not_at_root", "manifest.json belongs at the root", where=name, rule="R-004"
        )
    if last.endswith(ATTESTATION_SUFFIX):
        return MalformedEvidence(
            "attestation_wrong_location",
            "attestations belong in attestations/",
            where=name,
            rule="R-006",
        )
    return MalformedEvidence(
        "artifact_outside_directory",
        "only manifest.json, artifacts/ and attestations/ may be at the root",
        where=name,
        rule="R-008",
    )


@contextmanager
def open_pack(path: str | os.PathLike[str], *, limits: Limits | None = None) -> Iterator[Pack]:
    """Open a pack: its structure and manifest are checked, its artifacts not yet hashed.

    Args:
        path: a file whose name ends in `.epack`.
        limits: bounds that hold for everything read from it.

    Raises:
        UsageError: `file_not_found`, `unreadable_file`.
        MalformedEvidence: `invalid_extension`, `missing_manifest`, `missing_artifacts_directory`,
            `manifest_not_at_root`, `artifact_outside_directory`, `attestation_wrong_location`,
            `invalid_attestation_extension`, `too_many_artifacts`, `too_many_attestations`,
            `manifest_too_large`, and the codes of `directory.read_directory`, `strictjson.loads`
            and `manifest_fields.read_manifest`.

    Source: Evidence Pack R-001 to R-034a, R-046 to R-059.
    """
    path = Path(path)
    with open_file(path) as file:
        if path.suffix != EXTENSION:
            raise MalformedEvidence(
                "invalid_extension",
                f"the name of a pack ends in {EXTENSION}",
                where=str(path),
                rule="R-001",
                hint=f"if it is a pack, rename it to *{EXTENSION}",
            )
        try:
            pack = Pack(path, file, limits=limits or DEFAULT_LIMITS)
        except AttestError as error:
            # What concerns the archive as a whole names no entry: then it names the file.
            error.where = error.where or str(path)
            raise
        yield pack


def expect_manifest(pack: Pack, digest: bytes) -> None:
    """Refuse a pack whose manifest is not the one that was signed.

    Args:
        pack: the pack as it is now.
        digest: manifest digest that was signed, 32 raw bytes.

    Raises:
        VerificationFailed: `pack_changed`.
    """
    if pack.manifest_digest != digest:
        raise VerificationFailed(
            "pack_changed",
            "the manifest is not the one that was signed",
            where=str(pack.path),
            hint="verify the pack and sign it again",
        )
