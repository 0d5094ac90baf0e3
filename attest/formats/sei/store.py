"""Writing artefacts with their signatures into a repository, in an order that no crash can harm.

An interruption leaves the old pair, an unsigned artefact or the new pair, never a signature beside
bytes that it does not sign; the next write repairs what it left.
"""

from __future__ import annotations

import stat
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from attest.atomic import locked, remove_file, remove_leftovers, replace_file
from attest.errors import AttestError, UsageError
from attest.files import read_file
from attest.formats.sei.artefact import Artefact, check_bundle, encode_artefact, parse_artefact
from attest.formats.sei.layout import (
    BUNDLE,
    SUFFIX,
    check_place,
    keyless_path,
    kind_of,
    only_id_of,
    path_of,
    signature_path,
    standard_of,
)
from attest.formats.sei.signature import SeiKey, sign_artefact
from attest.limits import DEFAULT_LIMITS, Limits


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """An artefact and its signature as they stand in the repository; `path` is relative to it."""

    path: PurePosixPath
    data: bytes
    signature: bytes


def write_artefact(
    repository: Path,
    artefact: Artefact,
    key: SeiKey,
    *,
    standard: str | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Stored:
    """Write an artefact and its signature; what stood in its place is replaced.

    Args:
        repository: the folder that holds `.sei`, which is made as needed.
        artefact: what to write.
        key: signs, before anything is touched.
        standard: the standard's id; needed for conformance where the payload states none.
        limits: bounds on its size and nesting.

    Raises:
        MalformedEvidence: a code of `encode_artefact`, `standard_mismatch`.
        UsageError: a code of `path_of` or `sign_artefact`, `slug_collision`, `symlink_refused`,
            `not_a_repository`, `unwritable_file`.
        SigningError: a code of `sign_artefact`.

    Source: "The .sei/* artefacts", `write_sei_artifact`.
    """
    path = path_of(artefact, standard)
    data = encode_artefact(artefact, limits=limits)
    signature = sign_artefact(data, str(path), key)
    with _writing(repository, path) as file:
        _refuse_collision(file, standard or standard_of(artefact.payload), limits)
        _replace_pair(file, data, signature)
    return Stored(path=path, data=data, signature=signature)


def write_bundle(repository: Path, data: bytes, key: SeiKey) -> Stored:
    """Write `.sei/bundle.json` exactly as given, and its signature; as `write_artefact`.

    Raises:
        MalformedEvidence, VerificationFailed: a code of `check_bundle`.
        UsageError: a code of `sign_artefact`, `symlink_refused`, `not_a_repository`,
            `unwritable_file`.
        SigningError: a code of `sign_artefact`.
    """
    check_bundle(data, str(BUNDLE))
    signature = sign_artefact(data, str(BUNDLE), key)
    with _writing(repository, BUNDLE) as file:
        _replace_pair(file, data, signature)
    return Stored(path=BUNDLE, data=data, signature=signature)


def sign_existing(
    repository: Path, path: PurePosixPath, key: SeiKey, *, limits: Limits = DEFAULT_LIMITS
) -> Stored:
    """Sign an artefact that stands in the repository; it is not changed, its signature is replaced.

    Args:
        repository: the folder that holds `.sei`.
        path: the artefact's, relative to it.
        key: signs, before anything is touched.
        limits: bounds on its size and nesting.

    Raises:
        MalformedEvidence, VerificationFailed: a code of `check_placed`.
        UsageError: `not_an_artefact`, `artefact_changed`, `symlink_refused`, `not_a_repository`,
            `file_not_found`, `unreadable_file`, `unwritable_file`, a code of `sign_artefact`.
        SigningError: a code of `sign_artefact`.
    """
    if kind_of(path) is None:
        raise UsageError(
            "not_an_artefact",
            "is no place of an artefact",
            where=str(path),
            hint="artefacts are .sei/bundle.json, .sei/reconstruct.json, .sei/conformance/*.json",
        )
    data = read_artefact(repository, path, limits=limits)
    check_placed(data, path, limits=limits)
    signature = sign_artefact(data, str(path), key)
    with _writing(repository, path) as file:
        if read_artefact(repository, path, limits=limits) != data:
            raise UsageError(
                "artefact_changed",
                "was changed while it was being signed",
                where=str(path),
                hint="sign it again",
            )
        _put(_signature_of(file), signature)
    return Stored(path=path, data=data, signature=signature)


def check_placed(
    data: bytes, path: PurePosixPath, *, limits: Limits = DEFAULT_LIMITS
) -> Artefact | None:
    """Check that bytes are an artefact, and of their place; None for the bundle, which is none.

    Args:
        data: the file's bytes.
        path: an artefact's, relative to the repository.
        limits: bounds on its size and nesting.

    Raises:
        MalformedEvidence: a code of `parse_artefact` or `check_bundle`, `standard_mismatch`.
        VerificationFailed: a code of `check_place` or `check_bundle`.
    """
    if kind_of(path) == "bundle":
        check_bundle(data, str(path), limits=limits)
        return None
    artefact = parse_artefact(data, str(path), limits=limits)
    check_place(artefact, path)
    return artefact


def read_artefact(
    repository: Path, path: PurePosixPath, *, limits: Limits = DEFAULT_LIMITS
) -> bytes:
    """The bytes of a file below the repository, to which no symbolic link may lead.

    Args:
        repository: the folder that holds `.sei`.
        path: the file's, relative to it.
        limits: of its bytes, so many are read as one artefact may have, and one more.

    Raises:
        UsageError: `symlink_refused`, `file_not_found`, `unreadable_file`.
    """
    for parent in (*reversed(path.parents[:-1]), path):
        _is_there(repository / parent)
    return read_file(repository / path, limit=limits.max_artifact_bytes)


@contextmanager
def _writing(repository: Path, path: PurePosixPath) -> Iterator[Path]:
    """Make an artefact's folders and hold its lock; without it two writers' files could mix."""
    if not repository.is_dir():
        raise UsageError(
            "not_a_repository",
            "is not a folder",
            where=str(repository),
            hint="name the folder that is to hold .sei",
        )
    for parent in reversed(path.parents[:-1]):
        folder = repository / parent
        if not _is_there(folder):
            _make(folder)
        elif not folder.is_dir():
            raise UsageError("unwritable_file", "is not a folder", where=str(folder))
    file = repository / path
    with locked(file):
        for item in (file, _signature_of(file), _keyless_of(file)):
            _is_there(item)
            remove_leftovers(item)
        yield file


def _make(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise UsageError(
            "unwritable_file", error.strerror or str(error), where=str(folder)
        ) from None


def _is_there(path: Path) -> bool:
    """Whether something is there that is no symbolic link, which could lead out of the repository.

    Raises:
        UsageError: `symlink_refused`, `unreadable_file`.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise UsageError("unreadable_file", error.strerror or str(error), where=str(path)) from None
    if stat.S_ISLNK(found.st_mode):
        raise UsageError(
            "symlink_refused",
            "is a symbolic link, which could lead out of the repository",
            where=str(path),
            hint="put the file or folder itself there",
        )
    return True


def _replace_pair(file: Path, data: bytes, signature: bytes) -> None:
    """Each step is on the disk before the next: no signature is ever beside other bytes."""
    remove_file(_signature_of(file))
    remove_file(_keyless_of(file))
    _put(file, data)
    _put(_signature_of(file), signature)


def _put(path: Path, data: bytes) -> None:
    def write(file: BinaryIO) -> None:
        file.write(data)

    replace_file(path, write)


def _signature_of(file: Path) -> Path:
    return file.with_name(signature_path(PurePosixPath(file.name)).name)


def _keyless_of(file: Path) -> Path:
    return file.with_name(keyless_path(PurePosixPath(file.name)).name)


def _refuse_collision(file: Path, standard: str | None, limits: Limits) -> None:
    """Refuse to write over another standard's artefact, or beside one that some systems mix up.

    Raises:
        UsageError: `slug_collision`.
    """
    for other in _beside(file):
        if other.name != file.name and _seen_alike(other.name) == _seen_alike(file.name):
            raise _collision(f"is the same file as {other.name} on some systems", file)
    if standard is None or not _is_there(file):
        return
    data = read_file(file, limit=limits.max_artifact_bytes)
    try:
        stated = standard_of(parse_artefact(data, str(file), limits=limits).payload)
    except AttestError:
        return  # what cannot be read is of no standard, and this write repairs it
    found = stated or only_id_of(file.name.removesuffix(SUFFIX))
    if found is None:
        raise _collision("holds an artefact that does not say of which standard it is", file)
    if found != standard:
        raise _collision(f"holds the artefact of {found!r} already, not of {standard!r}", file)


def _beside(file: Path) -> list[Path]:
    try:
        return list(file.parent.iterdir())
    except OSError as error:
        raise UsageError(
            "unreadable_file", error.strerror or str(error), where=str(file.parent)
        ) from None


def _seen_alike(name: str) -> str:
    """One text for all names that are one to a system which ignores case or Unicode's form."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _collision(message: str, file: Path) -> UsageError:
    return UsageError(
        "slug_collision",
        message,
        where=str(file),
        hint="two standards' ids lead to one file name; rename one, or remove the other artefact",
    )
