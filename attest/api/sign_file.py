"""What signing means for files and digests: a bundle file, of one of them or of all together."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from attest.api import earlier
from attest.api.earlier import Identity
from attest.api.ready_statement import ReadyStatement
from attest.api.signed import Signed, SignedSubject
from attest.api.target import BUNDLE_SUFFIX, FileDigests, NamedTarget, require_writable
from attest.api.trusted import Trusted
from attest.atomic import create_file, replace_file
from attest.digest import Algorithm, Digests, digest_of_stream
from attest.dsse import PAE_START
from attest.engine.content import ArtifactContent
from attest.errors import SigningError, UsageError
from attest.files import read_file, reading
from attest.limits import Limits
from attest.signing.work import Content, DigestContent, EnvelopeContent
from attest.verified import VerifiedAttestation

#: What services take in one request, and a reasonable share of memory.
_LARGEST_MESSAGE = 16 * 1_048_576
#: What tells one version of a file from another: device, inode, size, time of change.
_Stamp = tuple[int, int, int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadTarget:
    """A file or digest to sign: a digest (raw), and the file's stamp before reading."""

    named: NamedTarget
    digest: bytes
    stamp: _Stamp | None
    algorithm: Algorithm = "sha256"

    @classmethod
    def read(cls, named: NamedTarget, algorithm: Algorithm = "sha256") -> ReadTarget:
        """Hash a file, or take a digest as it is.

        Args:
            named: the target.
            algorithm: by which the key signs.

        Raises:
            UsageError: `unsupported_digest`, `looks_like_envelope`; it cannot be read.
        """
        digest, stamp = _digest_of(named, algorithm)
        return cls(named=named, digest=digest, stamp=stamp, algorithm=algorithm)

    @property
    def content(self) -> ArtifactContent:
        """It, as whoever verifies it will ask for it."""
        if self.named.path is not None:  # a statement may list other digests too
            known = FileDigests(path=self.named.path)
            known.know(self.algorithm, self.digest)
            return ArtifactContent(digest_of=known)
        return ArtifactContent(digest_of=Digests(**{self.algorithm: self.digest}))

    @property
    def subject(self) -> SignedSubject:
        """Its name as given, and its digest."""
        return SignedSubject(name=self.named.name, digest=f"{self.algorithm}:{self.digest.hex()}")

    def require_unchanged(self) -> None:
        """Require that the file is still the one that was read.

        Raises:
            SigningError: `target_changed`.
        """
        if self.stamp != _stamp(self.named):
            raise SigningError(
                "target_changed",
                "the file changed while it was signed",
                where=self.named.name,
                hint="sign it again; no bundle was written",
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class FileTask:
    """Files and digests that one signature speaks of, and the bundle file for it.

    Without a statement there is one of them, whose bytes are signed.
    """

    targets: Sequence[ReadTarget]
    out: Path
    pending: Path
    statement: ReadyStatement | None
    trusted: Trusted
    limits: Limits
    replace: bool

    def __post_init__(self) -> None:
        """Refuse a bundle file that is one of the targets."""
        for target in self.targets:
            _refuse_target_as_bundle(target.named, self.out)

    @property
    def name(self) -> str:
        """The first target's name as given."""
        return self.targets[0].named.name

    @property
    def content(self) -> Content:
        """What is signed."""
        if self.statement is not None:
            return EnvelopeContent(payload=self.statement.payload)
        return DigestContent(digest=self.targets[0].digest, algorithm=self.targets[0].algorithm)

    @property
    def message(self) -> Callable[[], bytes] | None:
        """Reads the file that is signed, for a key that takes no digests."""
        path = self.targets[0].named.path
        if self.statement is not None or path is None:
            return None
        return partial(_message, path)

    @property
    def contents(self) -> tuple[ArtifactContent, ...]:
        """What the signature must speak of: all of them."""
        return tuple(target.content for target in self.targets)

    def earlier(self, who: Identity) -> Signed | None:
        """The valid bundle of this identity that stands, unless it is to be replaced.

        Raises:
            UsageError: `bundle_exists` if another stands there.
        """
        if self.replace or not os.path.lexists(self.out):
            return None
        found = [
            earlier.beside(self.out, item, self.trusted, self.limits) for item in self.contents
        ]
        first = found[0]
        # A statement about a file says something else of it than a signature over its bytes.
        asked = None if self.statement is None else self.statement.statement
        if (
            first is not None
            and None not in found
            and asked == first.statement
            and Identity.of(first) == who
        ):
            return self.result(first, kept=True)
        raise UsageError(
            "bundle_exists",
            "the bundle file exists and is not this identity's for this content",
            where=str(self.out),
            hint="name another file with --bundle, or use --replace",
        )

    def require_writable(self) -> None:
        """Refuse before anything is logged what could not be written afterwards.

        Raises:
            UsageError: `unwritable_file`.
        """
        require_writable(self.out.parent)

    def write(self, data: bytes, made: VerifiedAttestation) -> Signed:
        """Write the bundle, if the files are still those that were signed.

        Args:
            data: the bundle.
            made: what the engine verified of it.

        Raises:
            SigningError: `target_changed`.
            UsageError: `bundle_exists`, `unwritable_file`.
        """

        def write(file: BinaryIO) -> None:
            file.write(data)

        for target in self.targets:
            target.require_unchanged()
        try:
            (replace_file if self.replace else create_file)(self.out, write)
        except UsageError as error:
            if error.code == "file_exists" and (kept := self.earlier(Identity.of(made))):
                return kept
            raise
        return self.result(made)

    def result(self, made: VerifiedAttestation | None, *, kept: bool = False) -> Signed:
        """What became of them."""
        subjects = tuple(target.subject for target in self.targets)
        return Signed(
            target=self.name,
            kind=self.targets[0].named.kind,
            digest=subjects[0].digest,
            path=self.out,
            entry=None,
            attestation=made,
            subjects=subjects,
            kept=kept,
        )

    def dry(self) -> Signed:
        """What becomes of them on a dry run."""
        return self.result(None)


def bundle_for(named: NamedTarget, bundle: Path | None) -> tuple[Path, Path]:
    """Where the bundle of a file or digest goes, and where a signature waits for its log.

    Args:
        named: the target.
        bundle: the file that was asked for; it decides.

    Raises:
        UsageError: `bundle_needed`.
    """
    if bundle is not None:
        return bundle, Path(f"{bundle}.pending.json")
    if named.path is None:
        raise UsageError(
            "bundle_needed",
            "a digest has no place of its own for the bundle",
            where=named.name,
            hint="name the bundle file with --bundle",
        )
    return Path(f"{named.path}{BUNDLE_SUFFIX}"), Path(f"{named.path}.pending.json")


def _refuse_target_as_bundle(named: NamedTarget, out: Path) -> None:
    if named.path is not None and out.exists() and out.samefile(named.path):
        raise UsageError(
            "invalid_usage",
            "the bundle would take the place of the very file that it signs",
            where=str(out),
            hint="name another file with --bundle",
        )


def _stamp(named: NamedTarget) -> _Stamp | None:
    if named.path is None:
        return None
    with reading(named.path) as file:
        return _stamp_of(file)


def _stamp_of(file: BinaryIO) -> _Stamp:
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _message(path: Path) -> bytes:
    data = read_file(path, limit=_LARGEST_MESSAGE)
    if len(data) > _LARGEST_MESSAGE:
        raise UsageError(
            "message_too_large",
            f"is larger than {_LARGEST_MESSAGE} bytes, and this key takes no digests",
            where=str(path),
            hint="put it into a pack, or sign a statement about it (--predicate)",
        )
    return data


def _digest_of(named: NamedTarget, algorithm: Algorithm) -> tuple[bytes, _Stamp | None]:
    if named.path is None:
        known = named.digests(algorithm) if named.digests else None
        if known is None:
            raise UsageError(
                "unsupported_digest",
                f"only {algorithm} digests can be signed",
                where=named.name,
                hint="give the file itself"
                if algorithm == "sha384"  # which no target can be named by
                else f"give {algorithm}:HEX, or the file itself",
            )
        return known, None
    with reading(named.path) as file:
        # Signing these bytes and signing the envelope that they encode gives one signature: who
        # gets somebody to sign such a file could show it as that person's attestation.
        if file.read(len(PAE_START)) == PAE_START:
            raise UsageError(
                "looks_like_envelope",
                "starts like the encoding of a DSSE envelope, and its signature would pass for one",
                where=named.name,
            )
        file.seek(0)
        stamp = _stamp_of(file)
        return digest_of_stream(file, algorithm), stamp
