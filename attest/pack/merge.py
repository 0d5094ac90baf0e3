"""Merging packs into one that says where every artifact came from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

from attest.errors import AttestError, MalformedEvidence, UsageError
from attest.limits import DEFAULT_LIMITS, Limits
from attest.pack.assemble import (
    PackWriter,
    assemble,
    check_output,
    manifest_time,
    refusing,
)
from attest.pack.carried import carried
from attest.pack.integrity import Progress
from attest.pack.manifest import (
    ARTIFACTS,
    EmbeddedArtifact,
    Manifest,
    Provenance,
    SourcePack,
    pack_digest,
)
from attest.pack.paths import check_path, check_unique, windows_canonical
from attest.pack.reader import IntactPack, Pack, open_pack
from attest.strictjson import JSON, loads

#: Judges an attestation of a source pack: its entry name, its bytes, the pack's manifest digest.
CheckAttestation: TypeAlias = Callable[[str, bytes, bytes], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class MergedPack:
    """A merged pack, and the packs whose own attestations it does not carry.

    Those are merged packs themselves: their manifest is not part of the new pack, so a signature
    over it would say nothing; the attestations that they carry are carried on.
    """

    pack: IntactPack
    left_out: tuple[Path, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Source:
    """A pack to merge: what provenance will say of it, and its artifacts with their new paths."""

    path: Path
    pack: Pack
    source_packs: tuple[SourcePack, ...]
    artifacts: tuple[tuple[EmbeddedArtifact, str], ...]

    @property
    def is_merged(self) -> bool:
        provenance = self.pack.manifest.provenance
        return provenance is not None and provenance.type == "merged"


def merge_packs(
    out: Path,
    packs: Sequence[Path],
    *,
    stream: str,
    check_attestation: CheckAttestation,
    merged_by: str | None = None,
    merged_at: datetime | None = None,
    replace_out: bool = False,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> MergedPack:
    """Merge intact packs; the order in which they are named does not matter.

    An artifact of stream S comes to lie in `artifacts/S/`. A pack that is merged already keeps
    its paths, and its source packs are named instead of it, so that neither paths nor provenance
    ever nest. Of every stream the artifacts still give the pack digest that provenance names.
    Artifacts stay compressed as they are, so that the bytes of the new pack depend on the bytes of
    the packs; it is read back and checked like any new pack.

    Args:
        out: where to write; the name ends in `.epack`.
        packs: two or more packs.
        stream: identifier of the new stream.
        check_attestation: judges each attestation before it is carried; raises `AttestError`.
        merged_by: who merges, in the merger's own words.
        merged_at: time of merge and manifest, aware, cut to seconds; now if not given.
        replace_out: overwrite an existing pack.
        limits: bounds that hold for every pack.
        progress: told bytes done and bytes in all; each counts thrice: checked, written, read back.

    Raises:
        MalformedEvidence: the codes of `open_pack` and `check_integrity` for a source;
            `provenance_mismatch`; those of `strictjson.loads` for an attestation.
        UsageError: `too_few_packs`, `duplicate_stream`, `ambiguous_stream`, `profiles_differ`,
            `output_inside_input`, the codes of `check_path` and `check_unique` for the new
            paths, `too_many_artifacts`, `too_many_attestations`, and those of `assemble`.

    Source: Evidence Pack "Provenance (Merged Packs)", R-018 to R-020a, R-028e, R-028f, R-034.
    """
    taken = check_output(out, replace=replace_out)
    time = manifest_time(merged_at)
    if len(packs) < 2:
        raise UsageError("too_few_packs", "a merge needs at least two packs")
    with ExitStack() as stack:
        opened: list[Pack] = []
        for path in packs:
            with _naming(path):
                opened.append(stack.enter_context(open_pack(path, limits=limits)))
                if taken and out.samefile(path):
                    raise UsageError("output_inside_input", "a pack cannot be merged into itself")
        meter = _Meter(progress, opened)
        sources: list[_Source] = []
        for path, pack in zip(packs, opened, strict=True):
            with _naming(path):
                intact = pack.check_integrity(progress=meter.from_here())
                meter.add(intact.bytes)
                sources.append(_read_source(path, pack, intact, check_attestation, limits))
        sources.sort(key=lambda source: source.pack.manifest.stream)
        _check_streams(stream, sources)
        _check_profiles(sources)
        _check_counts(sources, limits)
        _check_paths(sources)
        _check_accounts(sources)

        def fill(writer: PackWriter) -> Manifest:
            return _fill(writer, sources, meter, stream=stream, merged_by=merged_by, time=time)

        merged = assemble(out, fill, replace=replace_out, limits=limits, progress=meter.from_here())
        left_out = [item.path for item in sources if item.is_merged and item.pack.attestation_names]
        return MergedPack(pack=merged, left_out=tuple(left_out))


class _Meter:
    """How far a merge has come, over checking the sources, writing and reading back."""

    def __init__(self, progress: Progress | None, packs: Sequence[Pack]) -> None:
        self._progress = progress
        self._total = 3 * sum(item.size for pack in packs for item in pack.manifest.embedded)
        self._done = 0

    def add(self, size: int) -> None:
        """Tell that so many bytes more are done."""
        self._done += size
        if self._progress is not None:
            self._progress(self._done, self._total)

    def from_here(self) -> Progress:
        """What a part is told to tell, which counts from zero."""

        def tell(done: int, _: int) -> None:
            if self._progress is not None:
                self._progress(self._done + done, self._total)

        return tell


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Say of which pack an error speaks."""
    try:
        yield
    except AttestError as error:
        if error.where != str(path):
            error.where = str(path) if error.where is None else f"{path}: {error.where}"
        raise


def _read_source(
    path: Path, pack: Pack, intact: IntactPack, check: CheckAttestation, limits: Limits
) -> _Source:
    attestations = tuple(
        _read_attestation(pack, name, check, limits) for name in pack.attestation_names
    )
    provenance = intact.manifest.provenance
    if provenance is not None and provenance.type == "merged":
        records = provenance.source_packs or ()
        for item in carried(intact.manifest):
            check(item.place, item.data, item.manifest_digest)
        return _Source(
            path=path,
            pack=pack,
            source_packs=records,
            artifacts=tuple((item, item.path) for item in intact.manifest.embedded),
        )
    record = SourcePack(
        stream=intact.stream,
        pack_digest=intact.pack_digest,
        manifest_digest=intact.manifest_digest,
        artifacts=intact.artifacts,
        embedded_attestations=attestations or None,
    )
    return _Source(
        path=path,
        pack=pack,
        source_packs=(record,),
        artifacts=tuple(
            (item, _folder(intact.stream) + item.path.removeprefix(ARTIFACTS))
            for item in intact.manifest.embedded
        ),
    )


def _folder(stream: str) -> str:
    return f"{ARTIFACTS}{stream}/"


def _read_attestation(
    pack: Pack, name: str, check: CheckAttestation, limits: Limits
) -> dict[str, JSON]:
    data = pack.read_attestation(name)
    check(name, data, pack.manifest_digest)
    value = loads(data, where=name, max_depth=limits.max_json_depth)
    if not isinstance(value, dict):
        raise MalformedEvidence("invalid_type", "must be an object", where=name)
    return value


def _check_streams(stream: str, sources: list[_Source]) -> None:
    """Refuse a stream that appears twice, through nested merges too."""
    seen: dict[str, str] = {}
    for source in sources:
        named = [record.stream for record in source.source_packs]
        for found in [source.pack.manifest.stream, *named] if source.is_merged else named:
            # Two streams that share a folder on Windows could not be told apart there.
            canonical = windows_canonical(found)
            if canonical in seen:
                raise _duplicate(f"{found!r} is also a stream of {seen[canonical]}", source.path)
            seen[canonical] = str(source.path)
        if windows_canonical(stream) in map(windows_canonical, named):
            raise _duplicate(f"{stream!r} is to be the stream of the merged pack", source.path)


def _duplicate(message: str, path: Path) -> UsageError:
    return UsageError(
        "duplicate_stream",
        message,
        where=str(path),
        hint="every stream appears once, those inside merged packs included",
    )


def _check_profiles(sources: list[_Source]) -> None:
    """Refuse packs that declare different things: one manifest cannot keep them all (R-028e)."""
    first = sources[0]
    for source in sources[1:]:
        if _declared(source) != _declared(first):
            raise UsageError(
                "profiles_differ",
                f"it does not declare the same profile, overlays and profile_lock as {first.path},"
                " and none may be dropped or replaced",
                where=str(source.path),
                rule="R-028e",
                hint="merge packs that declare the same, or none",
            )


def _declared(source: _Source) -> tuple[object, ...]:
    manifest = source.pack.manifest
    return manifest.profile, manifest.overlays, manifest.profile_lock


def _check_counts(sources: list[_Source], limits: Limits) -> None:
    artifacts = sum(len(source.pack.manifest.artifacts) for source in sources)
    records = [record for source in sources for record in source.source_packs]
    embedded = sum(len(record.embedded_attestations or ()) for record in records)
    for code, what, found, most in (
        ("too_many_artifacts", "artifacts", artifacts, limits.max_artifacts),
        ("too_many_attestations", "attestations", embedded, limits.max_attestations),
    ):
        if found > most:
            raise UsageError(code, f"{found} {what} together are more than {most}", rule="R-051")


def _check_paths(sources: list[_Source]) -> None:
    paths: list[str] = []
    for source in sources:
        for artifact, path in source.artifacts:
            with refusing(f"{source.path}: {artifact.path} as {path}"):
                check_path(path)
            paths.append(path)
    with refusing():
        check_unique(paths, [], rule="R-034")


def _check_accounts(sources: list[_Source]) -> None:
    """Hold every artifact to the stream whose folder it lies in, and that to its pack digest."""
    streams = {
        windows_canonical(_folder(record.stream)): record.stream
        for source in sources
        for record in source.source_packs
    }
    for source in sources:
        found: dict[str, list[EmbeddedArtifact]] = {
            record.stream: [] for record in source.source_packs
        }
        for artifact, path in source.artifacts:
            stream = _owner(path, streams)
            if stream is None or (stream in found and not path.startswith(_folder(stream))):
                raise MalformedEvidence(
                    "provenance_mismatch",
                    "the artifact lies in the folder of no source pack",
                    where=f"{source.path}: {path}",
                )
            if stream not in found:
                raise UsageError(
                    "ambiguous_stream",
                    f"the artifact would pass for one of stream {stream!r}",
                    where=f"{source.path}: {path}",
                    hint="rename the folder, or merge these two packs separately",
                )
            original = ARTIFACTS + path[len(_folder(stream)) :]
            found[stream].append(replace(artifact, path=original))
        for record in source.source_packs:
            if pack_digest(found[record.stream]) != record.pack_digest:
                raise MalformedEvidence(
                    "provenance_mismatch",
                    f"the artifacts of stream {record.stream!r} do not give the pack digest that"
                    " provenance names",
                    where=f"{source.path}: manifest.provenance.source_packs",
                )


def _owner(path: str, streams: dict[str, str]) -> str | None:
    """The stream with the longest folder that a path lies in."""
    folder = windows_canonical(path)
    while folder:
        folder = folder[: folder.rfind("/", 0, -1) + 1]
        if folder in streams:
            return streams[folder]
    return None


def _fill(
    writer: PackWriter,
    sources: list[_Source],
    meter: _Meter,
    *,
    stream: str,
    merged_by: str | None,
    time: datetime,
) -> Manifest:
    placed = [(source, item, path) for source in sources for item, path in source.artifacts]
    placed.sort(key=lambda entry: entry[2].encode("utf-8"))
    artifacts = tuple(_copy(writer, source, item, path, meter) for source, item, path in placed)
    records = [record for source in sources for record in source.source_packs]
    manifests = [source.pack.manifest for source in sources]
    return Manifest(
        stream=stream,
        generated_at=time,
        pack_digest=pack_digest(artifacts),
        sources=tuple(item for manifest in manifests for item in manifest.sources),
        artifacts=(*artifacts, *(item for manifest in manifests for item in manifest.references)),
        provenance=Provenance(
            type="merged",
            merged_at=time,
            merged_by=merged_by,
            source_packs=tuple(sorted(records, key=lambda record: record.stream)),
        ),
        profile=manifests[0].profile,
        overlays=manifests[0].overlays,
        profile_lock=manifests[0].profile_lock,
    )


def _copy(
    writer: PackWriter, source: _Source, artifact: EmbeddedArtifact, path: str, meter: _Meter
) -> EmbeddedArtifact:
    """Copy an artifact, compressed as it is where that may stay, and keep all that was said."""
    pack, where = source.pack, artifact.path
    with _naming(source.path):
        entry = pack.artifact_entry(artifact)
        if not writer.copy_artifact(path, pack.archive, entry, where=where):
            writer.add_artifact(
                path, artifact.size, lambda: pack.artifact_chunks(artifact), where=where
            )
    meter.add(artifact.size)
    return replace(artifact, path=path)
