"""The published cases about paths, archives and the structure of packs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from attest.errors import AttestError
from attest.pack.manifest import parse_manifest
from attest.pack.paths import check_path
from attest.pack.reader import open_pack
from tests.conformance.case import Case, Members, listed, members
from tests.conformance.manifests import EMPTY, codes, dumps, is_valid
from tests.pack.zipbytes import GOOD, Item, Zip, manifest, manifest_item, with_more

DIGEST = "sha256:" + "1" * 64


def opening(archive: Zip | bytes, name: str = "a.epack", *, whole: bool = True) -> dict[str, str]:
    """Open an archive as a pack; where asked, read all of it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(archive if isinstance(archive, bytes) else archive.build())
        with open_pack(path) as pack:
            if whole:
                pack.check_integrity()
    return {}


def paths(document: Members) -> Iterator[Case]:
    def checked(path: str) -> dict[str, str]:
        check_path(path)
        return {}

    for case in listed(document["tests"]):
        if "are_equal" in case:
            one, other = str(case["path1"]), str(case["path2"])
            # Two paths are equal exactly if a manifest that lists both names one path twice.
            yield Case(
                name=str(case["description"]),
                valid=True,
                run=partial(_compared, one, other),
                expected={"equal": str(case["are_equal"])},
            )
        else:
            path = str(case["path"])
            yield Case(
                name=str(case.get("name", case["description"])),
                valid=is_valid(case),
                run=partial(checked, path),
                codes=codes(case),
            )


def _compared(one: str, other: str) -> dict[str, str]:
    entries = [
        {"type": "embedded", "path": path, "digest": DIGEST, "size": 1} for path in (one, other)
    ]
    try:
        parse_manifest(dumps(EMPTY | {"artifacts": entries}))
    except AttestError as error:
        return {"equal": str(error.code == "duplicate_path")}
    return {"equal": "False"}


def structure(document: Members) -> Iterator[Case]:
    for case in listed(document["tests"]):
        if "structure" in case:
            names = [str(name) for name in listed(case["structure"])]
            archive: Zip | bytes = _of_names(names)
        else:
            archive = str(case.get("content", "")).encode()
        name = str(case.get("filename", "a.epack"))
        yield Case(
            name=str(case["name"]),
            valid=is_valid(case),
            run=partial(opening, archive, name),
            codes=codes(case),
        )


def _of_names(names: list[str]) -> Zip:
    files = [name for name in names if name != "manifest.json"]
    inside = [name for name in files if name.startswith("artifacts/") and name[-1] != "/"]
    first = [manifest_item(manifest(dict.fromkeys(inside, b"")))] if len(files) < len(names) else []
    return Zip(items=(*first, *(Item(name=name.encode()) for name in files)))


def entries(document: Members) -> Iterator[Case]:
    """One entry more in a sound pack; valid entries stand as texts or objects."""
    allowed = document.get("valid_entries", [])
    assert isinstance(allowed, list)
    for case in [*listed(document["tests"]), *allowed]:
        value = members(case) if isinstance(case, dict) else {"entry_path": case, "valid": True}
        name = str(value["entry_path"])
        kept = {item.name.decode() for item in GOOD.items}
        # An artifact must be listed to be valid, and a valid entry may be there already.
        listing = manifest({"artifacts/test.json": b""})
        sound = Zip(items=(manifest_item(listing), Item(name=b"artifacts/test.json")))
        if name in ("manifest.json", "artifacts/test.json"):
            archive = sound
        else:
            archive = with_more(Item(name=name.encode())) if name not in kept else GOOD
        yield Case(
            name=name,
            valid=is_valid(value),
            run=partial(opening, archive),
            codes=codes(value),
        )


def placement(document: Members) -> Iterator[Case]:
    for case in listed(document["tests"]):
        found = case.get("attestations", [case.get("path")])
        assert isinstance(found, list)
        archive = with_more(*(Item(name=str(name).encode()) for name in found))
        yield Case(
            name=str(case["name"]),
            valid=is_valid(case),
            run=partial(opening, archive),
            codes=codes(case),
        )


def listing(document: Members) -> Iterator[Case]:
    """What the manifest lists against what the archive has."""
    if "input" in document:
        source = members(document["input"])
        yield _listing_case(document, source["manifest"], source["zip_entries"])
        return
    for case in listed(document["tests"]):
        value = EMPTY | {"artifacts": case["manifest_artifacts"]}
        yield _listing_case(case, value, case["zip_entries"])


def _listing_case(case: Members, value: object, names: object) -> Case:
    assert isinstance(names, list)
    files = [str(name) for name in names if name != "manifest.json"]
    archive = Zip(items=(manifest_item(value), *(Item(name=name.encode()) for name in files)))
    # The published entries have no content, so only a missing or an unlisted file can be judged.
    return Case(
        name=str(case["name"]),
        valid=is_valid(case),
        run=partial(opening, archive),
        codes=codes(case),
    )


def fixture(document: Members, root: Path) -> Iterator[Case]:
    data = (root / "zip-safety" / str(document["fixture"])).read_bytes()
    yield Case(
        name=str(document["name"]),
        valid=is_valid(document),
        run=partial(opening, data),
        codes=codes(document),
    )


def special_files(document: Members) -> Iterator[Case]:
    for case in listed(document["tests"]):
        # A ZIP says nothing of hard links: such an entry is a regular file.
        mode = int(str(case.get("unix_mode", "0100644")), 8)
        archive = Zip(
            items=(
                manifest_item(manifest({"artifacts/x": b""})),
                Item(name=b"artifacts/x", attributes=mode << 16),
            )
        )
        yield Case(
            name=str(case["entry_type"]),
            valid=is_valid(case),
            run=partial(opening, archive),
            codes=codes(case),
        )


def directory_entries(document: Members) -> Iterator[Case]:
    for case in listed(document["tests"]):
        entry = members(case["entry"])
        mode = entry["external_attrs"]
        packed, size = entry["compressed_size"], entry["uncompressed_size"]
        assert isinstance(packed, int)
        assert isinstance(size, int)
        item = Item(
            name=str(entry["name"]).encode(),
            attributes=int(str(members(mode)["unix_mode"]), 8) << 16 if mode else 0,
            raw=bytes(packed),
            method=8 if packed else 0,
            compressed=packed,
            size=size,
        )
        # The content is not published: the entry is judged, not read.
        run = partial(opening, Zip(items=(GOOD.items[0], item)), whole=False)
        yield Case(name=str(case["name"]), valid=is_valid(case), run=run, codes=codes(case))


ARCHIVES: Mapping[str, Callable[[Members], Iterator[Case]]] = {
    "structure/pack-structure.json": structure,
    "structure/attestation-subdirectory.json": entries,
    "structure/attestation-wrong-extension.json": entries,
    "structure/extra-top-level-files.json": entries,
    "structure/extra-artifact-in-zip.json": listing,
    "structure/missing-artifact.json": listing,
    "attestation/attestation-placement.json": placement,
    "zip-safety/path-traversal.json": entries,
    "zip-safety/macos-metadata.json": entries,
    "zip-safety/special-files.json": special_files,
    "zip-safety/directory-entries.json": directory_entries,
}
