"""What is inside a pack or bundle, by its own word: nothing here is verified."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from attest.api.bundles import NamedBundle, read_bundles
from attest.api.target import BUNDLE_SUFFIX, name_target
from attest.bundle import UntrustedBundle, UntrustedLogEntry
from attest.claims import read_identity
from attest.dsse import UntrustedEnvelope
from attest.engine.chain import load_leaf
from attest.errors import AttestError, UsageError
from attest.limits import DEFAULT_LIMITS, Limits
from attest.pack.carried import carried
from attest.pack.reader import Pack, open_pack
from attest.report.inspection import ClaimedBundle, ClaimedLogEntry, Inspection
from attest.statement import parse_statement


def inspect(target: str | os.PathLike[str], *, limits: Limits | None = None) -> Inspection:
    """Say what is inside a pack, a bundle, or the bundle beside a file, without judging it.

    Args:
        target: a pack (`*.epack`), a bundle (`*.json`), or a file with `FILE.sigstore.json`.
        limits: bounds on what is read.

    Raises:
        MalformedEvidence: the pack's structure or manifest is broken.
        UsageError: `file_not_found`, `bundle_not_found`, `unreadable_file`, `inspect_digest`.
    """
    limits = limits or DEFAULT_LIMITS
    named = name_target(target)
    if named.path is None:
        raise UsageError("inspect_digest", "a digest has nothing inside", where=named.name)
    if named.kind == "pack":
        with open_pack(named.path, limits=limits) as pack:
            return _pack(pack, named.name, limits)
    beside = Path(f"{named.path}{BUNDLE_SUFFIX}")
    # `Path.exists` raises for names that are too long and folders that are closed to us.
    path = beside if os.path.exists(beside) else named.path  # noqa: PTH110
    bundles = tuple(_claimed(item, limits) for item in read_bundles(path, limits))
    return Inspection(target=named.name, manifest=None, manifest_digest=None, bundles=bundles)


def _pack(pack: Pack, name: str, limits: Limits) -> Inspection:
    bundles = tuple(
        _claimed(NamedBundle(name=entry, source=pack.read_attestation(entry)), limits)
        for entry in pack.attestation_names
    )
    return Inspection(
        target=name,
        manifest=pack.manifest,
        manifest_digest=pack.manifest_digest,
        bundles=bundles,
        carried=tuple(
            _claimed(NamedBundle(name=item.place, source=item.data), limits)
            for item in carried(pack.manifest)
        ),
    )


def _claimed(item: NamedBundle, limits: Limits) -> ClaimedBundle:
    try:
        return _read(item.name, item.parse(limits), limits)
    except AttestError as error:
        return ClaimedBundle(file=item.name, problem=error)


def _read(file: str, bundle: UntrustedBundle, limits: Limits) -> ClaimedBundle:
    leaf = None if bundle.certificate is None else load_leaf(bundle.certificate)
    enveloped = isinstance(bundle.content, UntrustedEnvelope)
    return ClaimedBundle(
        file=file,
        version=bundle.version,
        identity=None if leaf is None else read_identity(leaf),
        certificate_from=None if leaf is None else leaf.not_valid_before_utc,
        certificate_to=None if leaf is None else leaf.not_valid_after_utc,
        entries=tuple(_entry(entry) for entry in bundle.entries),
        timestamps=len(bundle.timestamps),
        content="dsseEnvelope" if enveloped else "messageSignature",
        statement=parse_statement(bundle.content.payload, max_depth=limits.max_json_depth)
        if isinstance(bundle.content, UntrustedEnvelope)
        else None,
    )


def _entry(entry: UntrustedLogEntry) -> ClaimedLogEntry:
    time: datetime | None = None
    if 0 < entry.integrated_time < 2**33:  # beyond it no calendar has a date for it
        time = datetime.fromtimestamp(entry.integrated_time, tz=UTC)
    return ClaimedLogEntry(kind=f"{entry.kind} {entry.version}", index=entry.index, time=time)
