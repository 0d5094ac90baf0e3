"""Where `.sei` artefacts lie in a repository, and what their paths say of them."""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath
from typing import Literal, TypeAlias

from attest.errors import AttestError, MalformedEvidence, UsageError, VerificationFailed
from attest.formats.sei.artefact import Artefact, Kind
from attest.strictjson import JSON

#: What a path may hold: an artefact of a kind, or the bundle that the artefacts refer to.
PathKind: TypeAlias = Kind | Literal["bundle"]

FOLDER = PurePosixPath(".sei")
BUNDLE = FOLDER / "bundle.json"
RECONSTRUCT = FOLDER / "reconstruct.json"
CONFORMANCE = FOLDER / "conformance"
SUFFIX = ".json"
#: Appended to an artefact's name: its signature by a key, and its Sigstore bundle.
SIGNATURE_SUFFIX = ".sig"
KEYLESS_SUFFIX = ".sigstore.json"

#: With every suffix and what a temporary file adds, a name stays below the 255 bytes of most
#: file systems.
_LONGEST_SLUG = 200
_SEPARATORS = str.maketrans("/@", "__")
_UNSAFE = frozenset('\\:*?"<>|')
#: Names that Windows gives to devices, with whatever extension (learn.microsoft.com, "Naming
#: Files, Paths, and Namespaces").
_DEVICES = frozenset(
    {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}
    | {f"{port}{digit}" for port in ("COM", "LPT") for digit in "0123456789¹²³"}
)


def slug_of(standard: str) -> str:
    """The file name, without `.json`, of a standard's conformance artefact.

    Args:
        standard: the standard's id, such as `eu/pren-18228@2026`.

    Raises:
        UsageError: `invalid_standard_id` where the name would be unsafe on some system.

    Source: "The .sei/* artefacts", `standard_slug`; learn.microsoft.com, "Naming Files".
    """
    if any(part in ("", ".", "..") for part in standard.split("/")):
        raise _invalid("has an empty, `.` or `..` part", standard)
    slug = standard.translate(_SEPARATORS)
    if not slug.isprintable():
        raise _invalid("has a control or invisible character", standard)
    if unsafe := sorted(_UNSAFE.intersection(slug)):
        raise _invalid(f"has {unsafe[0]!r}, which no file name on Windows may have", standard)
    if slug[0] in ". " or slug[-1] in ". ":
        raise _invalid("begins or ends with a dot or space", standard)
    if f"{slug}{SUFFIX}".lower().endswith(f"{SUFFIX}{KEYLESS_SUFFIX}"):
        raise _invalid("has the ending of another artefact's Sigstore bundle", standard)
    if slug.partition(".")[0].rstrip().upper() in _DEVICES:
        raise _invalid("is the name of a device on Windows", standard)
    if not unicodedata.is_normalized("NFC", slug):
        raise _invalid("is not in Unicode's form NFC, to which some systems change names", standard)
    if len(slug.encode("utf-8")) > _LONGEST_SLUG:
        raise _invalid(f"is longer than {_LONGEST_SLUG} bytes", standard)
    return slug


def only_id_of(slug: str) -> str | None:
    """The one id of a slug, if all ids are as the document's; None where several could be meant.

    Args:
        slug: as `slug_of` makes it; `eu_pren-18228_2026` comes of `eu/pren-18228@2026`.
    """
    match slug.split("_"):
        case [whole]:
            return whole
        case [body, name, version] if body and name and version:
            return f"{body}/{name}@{version}"
        case _:
            return None


def _invalid(message: str, standard: str) -> UsageError:
    return UsageError(
        "invalid_standard_id",
        message,
        where=standard,
        hint="an id such as eu/pren-18228@2026 becomes a file name, with _ for / and @",
    )


def standard_of(payload: dict[str, JSON]) -> str | None:
    """The standard id that a payload states: its member `standard` or `standard_id`, if a string.

    Raises:
        MalformedEvidence: `standard_mismatch` if both are strings and differ.
    """
    found = [payload.get(name) for name in ("standard", "standard_id")]
    stated = [item for item in found if isinstance(item, str)]
    if len(set(stated)) > 1:
        raise MalformedEvidence(
            "standard_mismatch",
            f"standard is {stated[0]!r}, standard_id is {stated[1]!r}",
            where="payload",
        )
    return stated[0] if stated else None


def path_of(artefact: Artefact, standard: str | None = None) -> PurePosixPath:
    """Where an artefact belongs, relative to the repository.

    Args:
        artefact: what is to be written.
        standard: the standard's id; needed for conformance where the payload states none.

    Raises:
        UsageError: `standard_needed`, `invalid_standard_id`; `slug_collision` for an id of which
            neither the payload nor the file's name says that it is this one.
        MalformedEvidence: `standard_mismatch`.
    """
    if artefact.kind == "reconstruct":
        if standard is not None:
            raise UsageError(
                "invalid_standard_id",
                "a reconstruct artefact is of no standard",
                where=standard,
                hint="leave the standard out",
            )
        return RECONSTRUCT
    stated = standard_of(artefact.payload)
    if standard is None:
        standard = stated
    if standard is None:
        raise UsageError(
            "standard_needed",
            "the payload names no standard, after which its file would be called",
            where="payload.standard",
            hint="give the standard's id, such as eu/pren-18228@2026",
        )
    if stated not in (None, standard):
        raise MalformedEvidence(
            "standard_mismatch",
            f"the payload is of {stated!r}, not of {standard!r}",
            where="payload.standard",
        )
    slug = slug_of(standard)
    if stated is None and only_id_of(slug) != standard:
        raise UsageError(
            "slug_collision",
            f"other ids lead to {slug}{SUFFIX} too, and the payload does not say that it is this",
            where=standard,
            hint="write the id into the payload, as its `standard`",
        )
    return CONFORMANCE / f"{slug}{SUFFIX}"


def kind_of(path: PurePosixPath) -> PathKind | None:
    """What a path relative to the repository holds, or None if no artefact belongs there.

    Its signatures' paths are no artefacts'.
    """
    if path == BUNDLE:
        return "bundle"
    if path == RECONSTRUCT:
        return "reconstruct"
    slug = path.name.removesuffix(SUFFIX)
    if path.parent != CONFORMANCE or slug == path.name:
        return None
    try:
        return "conformance" if slug_of(slug) == slug else None
    except UsageError:
        return None


def signature_path(path: PurePosixPath) -> PurePosixPath:
    """The path of an artefact's signature by a key."""
    return path.with_name(path.name + SIGNATURE_SUFFIX)


def keyless_path(path: PurePosixPath) -> PurePosixPath:
    """The path of an artefact's Sigstore bundle."""
    return path.with_name(path.name + KEYLESS_SUFFIX)


def check_place(artefact: Artefact, path: PurePosixPath) -> None:
    """Check that an artefact is what its path says: its kind, and its standard if it states one.

    Args:
        artefact: as parsed.
        path: relative to the repository.

    Raises:
        VerificationFailed: `kind_mismatch`, `standard_mismatch`.
        MalformedEvidence: `standard_mismatch`.
    """
    kind = kind_of(path)
    if artefact.kind != kind:
        raise VerificationFailed(
            "kind_mismatch",
            f"is of kind {artefact.kind!r}, and its path is of kind {kind!r}",
            where=str(path),
            hint="an artefact of another kind was put in its place",
        )
    if kind == "conformance":
        _check_standard(artefact, path)


def _check_standard(artefact: Artefact, path: PurePosixPath) -> None:
    stated = standard_of(artefact.payload)
    if stated is None:
        return
    try:
        name = f"{slug_of(stated)}{SUFFIX}"
    except AttestError as error:
        raise VerificationFailed(
            "standard_mismatch", f"standard {stated!r} {error.message}", where=str(path)
        ) from None
    if name != path.name:
        raise VerificationFailed(
            "standard_mismatch",
            f"is of the standard {stated!r}, which belongs into {name}",
            where=str(path),
            hint="an artefact of another standard was put in its place",
        )
