"""What differs between two packs: artifacts, manifest fields, attestations."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from attest.limits import DEFAULT_LIMITS, Limits
from attest.pack.manifest import EmbeddedArtifact, load_manifest
from attest.pack.reader import Pack
from attest.strictjson import JSON

How: TypeAlias = Literal["added", "removed", "changed"]
_Parts: TypeAlias = tuple[dict[str, JSON], dict[str, dict[str, JSON]]]

#: Fields of an artifact that are told as a change of the artifact itself.
_OF_CONTENT = frozenset({"type", "path", "digest", "size"})


@dataclass(frozen=True, kw_only=True, slots=True)
class ArtifactPair:
    """An artifact as it is in the first pack and in the second."""

    before: EmbeddedArtifact
    after: EmbeddedArtifact


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldChange:
    """A manifest field, by its JSON path; the side on which it is missing is None.

    In the path an embedded artifact is named by its path in the second pack.
    """

    field: str
    how: How
    before: JSON = None
    after: JSON = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AttestationChange:
    """An attestation by its entry name; changed means other bytes under the same name."""

    name: str
    how: How


@dataclass(frozen=True, kw_only=True, slots=True)
class PackDiff:
    """All differences between two packs; `moved` has equal digests under different paths.

    `reordered` says that the manifests list the same things in another order and that nothing
    else of them differs. Digests of manifests are 32 raw bytes.
    """

    manifest_digests: tuple[bytes, bytes]
    added: tuple[EmbeddedArtifact, ...]
    removed: tuple[EmbeddedArtifact, ...]
    changed: tuple[ArtifactPair, ...]
    moved: tuple[ArtifactPair, ...]
    fields: tuple[FieldChange, ...]
    attestations: tuple[AttestationChange, ...]
    reordered: bool

    @property
    def same(self) -> bool:
        """Whether manifests (by their JCS form), artifacts and attestations are all equal."""
        return self.manifest_digests[0] == self.manifest_digests[1] and not self.attestations


def compare_packs(first: Pack, second: Pack, *, limits: Limits = DEFAULT_LIMITS) -> PackDiff:
    """Compare two packs by what their manifests say, and their attestations byte by byte.

    Args:
        first: a pack whose integrity was checked.
        second: another.
        limits: those that both were opened with.

    Raises:
        MalformedEvidence: the codes of `Pack.read_attestation`.
    """
    old = {item.path: item for item in first.manifest.embedded}
    new = {item.path: item for item in second.manifest.embedded}
    moved = tuple(_moved(old, new))
    gone, come = {pair.before.path for pair in moved}, {pair.after.path for pair in moved}
    kept = sorted(old.keys() & new.keys())
    added = tuple(new[path] for path in sorted(new.keys() - old.keys() - come))
    removed = tuple(old[path] for path in sorted(old.keys() - new.keys() - gone))
    changed = tuple(
        ArtifactPair(before=old[path], after=new[path])
        for path in kept
        if old[path].digest != new[path].digest
    )
    paths = dict(zip(kept, kept, strict=True))
    paths |= {pair.before.path: pair.after.path for pair in moved}
    sides = (_split(first, limits), _split(second, limits))
    fields = tuple(_fields(*sides, paths))
    digests = (first.manifest_digest, second.manifest_digest)
    return PackDiff(
        manifest_digests=digests,
        added=added,
        removed=removed,
        changed=changed,
        moved=moved,
        fields=fields,
        attestations=tuple(_attestations(first, second)),
        reordered=digests[0] != digests[1] and not (added or removed or changed or moved or fields),
    )


def _moved(
    old: Mapping[str, EmbeddedArtifact], new: Mapping[str, EmbeddedArtifact]
) -> Iterator[ArtifactPair]:
    """Pair what is only in one pack by digest; among equal contents in the order of the paths."""
    left: defaultdict[str, list[EmbeddedArtifact]] = defaultdict(list)
    right: defaultdict[str, list[EmbeddedArtifact]] = defaultdict(list)
    for path in sorted(old.keys() - new.keys()):
        left[old[path].digest].append(old[path])
    for path in sorted(new.keys() - old.keys()):
        right[new[path].digest].append(new[path])
    pairs = [
        ArtifactPair(before=before, after=after)
        for digest in left.keys() & right.keys()
        # Copies that one pack has more of are added or removed.
        for before, after in zip(left[digest], right[digest], strict=False)
    ]
    yield from sorted(pairs, key=lambda pair: pair.before.path)


def _fields(first: _Parts, second: _Parts, paths: Mapping[str, str]) -> Iterator[FieldChange]:
    old, old_embedded = first
    new, new_embedded = second
    yield from _differences("", old, new)
    for before, after in paths.items():
        where = f"artifacts[{after}]"
        yield from _differences(where, old_embedded[before], new_embedded[after])


def _split(pack: Pack, limits: Limits) -> _Parts:
    """The manifest as JSON without what only follows from the artifacts; those by path, alone."""
    value = load_manifest(pack.manifest_bytes, limits=limits)
    members = dict(value) if isinstance(value, dict) else {}
    listed = members.pop("artifacts", None)
    members.pop("pack_digest", None)
    embedded: dict[str, dict[str, JSON]] = {}
    references: list[JSON] = []
    for item in listed if isinstance(listed, list) else ():
        path = item.get("path") if isinstance(item, dict) else None
        if isinstance(item, dict) and isinstance(path, str):
            embedded[path] = {key: item[key] for key in item if key not in _OF_CONTENT}
        else:
            references.append(item)
    return {**members, "references": references}, embedded


def _differences(where: str, old: JSON, new: JSON) -> Iterator[FieldChange]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            inner = f"{where}.{key}" if where else key
            if key not in old:
                yield FieldChange(field=inner, how="added", after=new[key])
            elif key not in new:
                yield FieldChange(field=inner, how="removed", before=old[key])
            else:
                yield from _differences(inner, old[key], new[key])
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            inner = f"{where}[{index}]"
            if index >= len(old):
                yield FieldChange(field=inner, how="added", after=new[index])
            elif index >= len(new):
                yield FieldChange(field=inner, how="removed", before=old[index])
            else:
                yield from _differences(inner, old[index], new[index])
    # Python takes true for 1.
    elif old != new or isinstance(old, bool) != isinstance(new, bool):
        yield FieldChange(field=where, how="changed", before=old, after=new)


def _attestations(first: Pack, second: Pack) -> Iterator[AttestationChange]:
    old, new = set(first.attestation_names), set(second.attestation_names)
    for name in sorted(old | new):
        if name not in old:
            yield AttestationChange(name=name, how="added")
        elif name not in new:
            yield AttestationChange(name=name, how="removed")
        elif _digest(first, name) != _digest(second, name):
            yield AttestationChange(name=name, how="changed")


def _digest(pack: Pack, name: str) -> bytes:
    return hashlib.sha256(pack.read_attestation(name)).digest()
