"""What a caller names as target: a pack, a file or a digest, opened with one clear error."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from attest.digest import Algorithm, Digests, digest_of_stream, parse_target
from attest.errors import MalformedEvidence, UsageError
from attest.files import open_file, read_file, reading

PACK_SUFFIX = ".epack"
BUNDLE_SUFFIX = ".sigstore.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedTarget:
    """A target by its kind: `path` for packs and files, `digests` for digests."""

    kind: Literal["pack", "file", "digest"]
    name: str
    path: Path | None = None
    digests: Digests | None = None


def name_target(target: str | os.PathLike[str]) -> NamedTarget:
    """Say what kind of target a text names; a path that exists wins over a digest's spelling.

    Raises:
        UsageError: `invalid_digest`, `invalid_usage`.
    """
    name = os.fspath(target)
    if not name:
        raise UsageError("invalid_usage", "an empty name is no target")
    path = Path(name)
    # `Path.exists` raises for names that are too long and folders that are closed to us.
    is_path = isinstance(target, os.PathLike) or os.path.exists(name)  # noqa: PTH110
    digests = None if is_path else parse_target(name)
    if digests is not None:
        return NamedTarget(kind="digest", name=name, digests=digests)
    # `.EPACK` is refused as a pack, not taken for some other file.
    kind: Literal["pack", "file"] = "pack" if path.suffix.lower() == PACK_SUFFIX else "file"
    return NamedTarget(kind=kind, name=name, path=path)


def require_target(target: str | os.PathLike[str]) -> None:
    """Refuse a target that names no digest and no regular file.

    Raises:
        UsageError: `invalid_digest`, `invalid_usage`, `file_not_found`, `unreadable_file`.
    """
    named = name_target(target)
    if named.path is not None:
        with open_file(named.path):
            pass


def read_bundle(path: Path, *, limit: int) -> bytes:
    """Read a bundle file in one piece.

    Args:
        path: the file.
        limit: most bytes that it may have.

    Raises:
        UsageError: `file_not_found`, `unreadable_file`.
        MalformedEvidence: `bundle_too_large`.
    """
    data = read_file(path, limit=limit)
    if len(data) > limit:
        raise MalformedEvidence("bundle_too_large", f"larger than {limit} bytes", where=str(path))
    return data


@dataclass(frozen=True, kw_only=True, slots=True)
class FileDigests:
    """Digests of a file, each computed when first asked for."""

    path: Path
    _known: dict[Algorithm, bytes] = field(default_factory=dict)

    def __call__(self, algorithm: Algorithm) -> bytes:
        """The raw digest of the file.

        Raises:
            UsageError: `file_not_found`, `unreadable_file`.
        """
        if algorithm not in self._known:
            with reading(self.path) as stream:
                self._known[algorithm] = digest_of_stream(stream, algorithm)
        return self._known[algorithm]

    def know(self, algorithm: Algorithm, digest: bytes) -> None:
        """Take a raw digest that was computed before."""
        self._known[algorithm] = digest

    def hex(self) -> dict[str, str]:
        """The digests known so far, as hex."""
        return {name: value.hex() for name, value in self._known.items()}


def require_writable(folder: Path) -> None:
    """Refuse before anything is logged what could not be written afterwards.

    Raises:
        UsageError: `unwritable_file`.
    """
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(
            "unwritable_file",
            "the folder does not exist or may not be written to",
            where=str(folder),
            hint="choose a folder that can be written to; nothing was signed",
        )
