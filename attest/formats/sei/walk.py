"""What lies in a repository's `.sei`: every artefact with what is beside it, and every stranger.

Nothing is followed that could lead out of the repository, and nothing is passed over in silence.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from attest.errors import AttestError, MalformedEvidence, UsageError, VerificationFailed
from attest.formats.sei.layout import (
    CONFORMANCE,
    FOLDER,
    KEYLESS_SUFFIX,
    SIGNATURE_SUFFIX,
    keyless_path,
    kind_of,
    signature_path,
)
from attest.limits import Limits

#: What `attest.atomic` leaves where it was cut off: it is no evidence, and the next write removes
#: it.
_LEFTOVER = re.compile(r"\..+\.([0-9a-f]{16}\.tmp|lock)")
#: An artefact has two files beside it.
_FILES_OF_ONE = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """An artefact, or with an `error` what is none or may not be read; `path` is as layout's.

    `signed` and `keyless` say whether a signature by a key and a Sigstore bundle lie beside it.
    """

    path: PurePosixPath
    signed: bool = False
    keyless: bool = False
    error: AttestError | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Walked:
    """Everything below `.sei` by path, and what interrupted writes left."""

    found: tuple[Found, ...]
    leftovers: tuple[PurePosixPath, ...] = ()


def walk(repository: Path, *, limits: Limits) -> Walked:
    """List what lies below `.sei`; nothing is read.

    Args:
        repository: the folder that holds `.sei`; links that lead to it are followed, none below.
        limits: bounds the number of files.

    Raises:
        UsageError: `no_sei_folder`, `unreadable_file`.
        MalformedEvidence: `symlink_refused`, `unexpected_file` of `.sei` itself,
            `too_many_artifacts`.
    """
    _require_folder(repository / FOLDER)
    files: dict[PurePosixPath, os.stat_result] = {}
    for folder in (FOLDER, CONFORMANCE):
        if folder == FOLDER or _is_folder(files.get(CONFORMANCE)):
            _list(repository, folder, files, limits)
    if _is_folder(files.get(CONFORMANCE)):
        del files[CONFORMANCE]
    leftovers = [path for path in files if _LEFTOVER.fullmatch(path.name) and _is_file(files[path])]
    for path in leftovers:
        del files[path]
    found = (_found(path, files) for path in sorted(files))
    return Walked(
        found=tuple(item for item in found if item is not None),
        leftovers=tuple(sorted(leftovers)),
    )


def _require_folder(folder: Path) -> None:
    try:
        mode = folder.lstat().st_mode
    except FileNotFoundError:
        raise UsageError(
            "no_sei_folder",
            "there is no such folder",
            where=str(folder),
            hint="name the repository with --repo DIR; `attest sei write` makes the folder",
        ) from None
    except (OSError, ValueError) as error:
        raise _unreadable(folder, error) from None
    if stat.S_ISLNK(mode):
        raise _refused_link(str(FOLDER))
    if not stat.S_ISDIR(mode):
        raise MalformedEvidence("unexpected_file", "is not a folder", where=str(FOLDER))


def _list(
    repository: Path,
    folder: PurePosixPath,
    files: dict[PurePosixPath, os.stat_result],
    limits: Limits,
) -> None:
    try:
        with os.scandir(repository / folder) as entries:
            for entry in entries:
                if len(files) >= limits.max_artifacts * _FILES_OF_ONE:
                    raise MalformedEvidence(
                        "too_many_artifacts",
                        f"holds more than {limits.max_artifacts} artefacts",
                        where=str(FOLDER),
                    )
                files[folder / entry.name] = entry.stat(follow_symlinks=False)
    except OSError as error:
        raise _unreadable(repository / folder, error) from None


def _is_folder(found: os.stat_result | None) -> bool:
    return found is not None and stat.S_ISDIR(found.st_mode)


def _is_file(found: os.stat_result | None) -> bool:
    return found is not None and stat.S_ISREG(found.st_mode)


def _found(path: PurePosixPath, files: dict[PurePosixPath, os.stat_result]) -> Found | None:
    """What a path is; None for what the artefact that it belongs to tells of."""
    if stat.S_ISLNK(files[path].st_mode):
        return Found(path=path, error=_refused_link(str(path)))
    artefact = _artefact_of(path)
    if artefact is None or not _is_file(files[path]):
        return Found(path=path, error=_unexpected(path))
    if artefact == path:
        return Found(
            path=path,
            signed=_is_file(files.get(signature_path(path))),
            keyless=_is_file(files.get(keyless_path(path))),
        )
    return None if artefact in files else Found(path=path, error=_orphan(path, artefact))


def _artefact_of(path: PurePosixPath) -> PurePosixPath | None:
    """The artefact that a file is or belongs to, by its name; None for any other."""
    for suffix in ("", SIGNATURE_SUFFIX, KEYLESS_SUFFIX):
        name = path.name.removesuffix(suffix)
        if path.name.endswith(suffix) and name and kind_of(path.with_name(name)) is not None:
            return path.with_name(name)
    return None


def _refused_link(where: str) -> MalformedEvidence:
    return MalformedEvidence(
        "symlink_refused",
        "is a symbolic link, which could lead out of the repository",
        where=where,
        hint="put the file or folder itself there",
    )


def _unexpected(path: PurePosixPath) -> MalformedEvidence:
    return MalformedEvidence(
        "unexpected_file",
        "is neither an artefact nor the signature of one",
        where=str(path),
        hint="artefacts are .sei/bundle.json, .sei/reconstruct.json, .sei/conformance/*.json;"
        " keep other files elsewhere",
    )


def _orphan(path: PurePosixPath, artefact: PurePosixPath) -> VerificationFailed:
    return VerificationFailed(
        "orphan_signature",
        f"signs {artefact.name}, which is not there",
        where=str(path),
        hint="the artefact was removed or renamed: restore it, or remove its signature too",
    )


def _unreadable(path: Path, error: Exception) -> UsageError:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return UsageError("unreadable_file", f"cannot be read: {reason}", where=str(path))
