"""Sign packs, files and digests: checked first, signed, verified, and only then written."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import BinaryIO, Literal

from attest.api import earlier
from attest.api.earlier import Identity
from attest.api.ready_statement import read_statement
from attest.api.target import BUNDLE_SUFFIX, FileDigests, NamedTarget, name_target
from attest.atomic import create_file, replace_file
from attest.digest import Digests, digest_of_stream
from attest.dsse import PAE_START
from attest.engine.content import ArtifactContent, PackContent
from attest.errors import SigningError, UsageError
from attest.files import reading
from attest.limits import DEFAULT_LIMITS, Limits
from attest.oidc import IdentityToken
from attest.pack.integrity import Progress
from attest.pack.reader import open_pack
from attest.pack.writer import add_attestation
from attest.signing import Signer
from attest.signing.instance import SigningInstance
from attest.statement import pack_statement
from attest.trust.root import TrustRoot
from attest.verified import VerifiedAttestation, VerifiedLogEntry


@dataclass(frozen=True, kw_only=True, slots=True)
class Signed:
    """What became of one target.

    `digest` is what the signature covers, `sha256:` and hex: of a pack the manifest digest.
    `path` is the pack or the bundle file, `entry` the attestation's name in the pack.
    `attestation` is what the engine verified, None only on a dry run. `kept` says that an
    earlier valid attestation of this identity stands and nothing was written.
    """

    target: str
    kind: Literal["pack", "file", "digest"]
    digest: str
    path: Path
    entry: str | None
    attestation: VerifiedAttestation | None
    kept: bool = False

    @property
    def identity(self) -> str | None:
        """The subject that the certificate names."""
        identity = self.attestation and self.attestation.identity
        return identity.subject if identity else None

    @property
    def issuer(self) -> str | None:
        """The OIDC issuer that the certificate names."""
        identity = self.attestation and self.attestation.identity
        return identity.issuer if identity else None

    @property
    def log_entries(self) -> tuple[VerifiedLogEntry, ...]:
        """Where the signature is logged, as far as signatures bind it."""
        return self.attestation.log_entries if self.attestation else ()

    @property
    def signed_at(self) -> tuple[datetime, ...]:
        """The verified times (UTC) of the signature."""
        return tuple(item.time for item in self.attestation.times) if self.attestation else ()


def sign(
    target: str | os.PathLike[str],
    *,
    token: IdentityToken,
    instance: SigningInstance,
    bundle: str | os.PathLike[str] | None = None,
    statement: str | os.PathLike[str] | None = None,
    replace: bool = False,
    dry_run: bool = False,
    limits: Limits | None = None,
) -> Signed:
    """Sign one target; see `Session.sign`, which signs many with one certificate.

    Args:
        target: a pack, any other file, or `sha256:HEX` with a bundle.
        token: whose identity signs.
        instance: which Sigstore instance certifies and logs it.
        bundle: the bundle file to write for a file or digest.
        statement: an in-toto statement of which the file or digest is a subject; it is signed.
        replace: sign again where this identity has signed already.
        dry_run: check everything that can be checked without signing.
        limits: bounds on what is read.

    Raises:
        MalformedEvidence, VerificationFailed: the pack is invalid; it is never signed.
        UsageError, SigningError, NetworkError, TrustError: nothing was signed or written.
    """
    with open_session(token=token, instance=instance, limits=limits) as session:
        return session.sign(
            target, bundle=bundle, statement=statement, replace=replace, dry_run=dry_run
        )


@contextmanager
def open_session(
    *, token: IdentityToken, instance: SigningInstance, limits: Limits | None = None
) -> Iterator[Session]:
    """Sign many targets under one identity; the certificate is requested when first needed.

    Args:
        token: whose identity signs.
        instance: which Sigstore instance certifies and logs it.
        limits: bounds on what is read.
    """
    with ExitStack() as stack:

        @cache
        def signer() -> Signer:
            from attest.signing.keyless import open_keyless_signer

            return stack.enter_context(open_keyless_signer(token, instance))

        yield Session(
            # What the token says of itself decides only whether to sign again.
            expected=Identity(subject=token.identity, issuer=token.issuer),
            root=instance.root,
            signer=signer,
            limits=limits or DEFAULT_LIMITS,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """Signs any number of targets with one certificate; made by `open_session`."""

    expected: Identity
    root: TrustRoot
    signer: Callable[[], Signer]
    limits: Limits

    def sign(
        self,
        target: str | os.PathLike[str],
        *,
        bundle: str | os.PathLike[str] | None = None,
        statement: str | os.PathLike[str] | None = None,
        replace: bool = False,
        dry_run: bool = False,
        progress: Progress | None = None,
    ) -> Signed:
        """Sign one target.

        A pack gets the attestation inside, atomically; of any other file the bundle is written
        beside it, or where `bundle` says.

        Args:
            target: as for `sign`.
            bundle: as for `sign`.
            statement: as for `sign`.
            replace: as for `sign`.
            dry_run: as for `sign`.
            progress: told bytes done and bytes in all while the artifacts of a pack are read.

        Raises:
            MalformedEvidence: the pack or one of its attestations breaks its format.
            VerificationFailed: an attestation of the pack does not verify; `pack_changed`.
            UsageError: `bundle_exists`, `bundle_needed`, `bundle_with_pack`,
                `invalid_statement`, `invalid_usage`, `looks_like_envelope`,
                `unsupported_digest`, and files that cannot be read or written.
            SigningError: `signed_bundle_invalid`, `target_changed`, and the codes of
                `open_keyless_signer` and `Signer`.
            NetworkError: `network_unreachable`.
        """
        named = name_target(target)
        out = None if bundle is None else Path(bundle)
        if named.kind == "pack":
            if statement is not None:
                raise UsageError("invalid_usage", "a pack is signed with the statement of packs")
            return self._pack(named, out, progress, replace=replace, dry_run=dry_run)
        return self._artifact(named, out, statement, replace=replace, dry_run=dry_run)

    def _pack(
        self,
        named: NamedTarget,
        out: Path | None,
        progress: Progress | None,
        *,
        replace: bool,
        dry_run: bool,
    ) -> Signed:
        path = Path(named.name)
        if out is not None:
            raise UsageError(
                "bundle_with_pack",
                "a pack carries its attestations inside",
                where=str(out),
                hint="leave --bundle out",
            )
        with open_pack(path, limits=self.limits) as pack:
            digest = pack.check_integrity(progress=progress).manifest_digest
            existing = earlier.in_pack(pack, self.root, self.limits)
            names = set(pack.attestation_names)

        def result(entry: str | None, made: VerifiedAttestation | None, *, kept: bool) -> Signed:
            return Signed(
                target=named.name,
                kind="pack",
                digest=f"sha256:{digest.hex()}",
                path=path,
                entry=entry,
                attestation=made,
                kept=kept,
            )

        mine = {Identity.of(item): name for name, item in existing.items()}
        own = mine.get(self.expected)
        if own is not None and not replace:
            return result(own, existing[own], kept=True)
        _require_writable(Path(os.path.realpath(path)).parent)
        if dry_run:
            return result(None, None, kept=False)
        data = self.signer().sign_statement(pack_statement(digest))
        content = PackContent(manifest_digest=digest)
        made = earlier.confirm(data, content, self.root, self.limits)
        signer = Identity.of(made)
        own = mine.get(signer)
        if own is not None and not replace:  # the token had not told whom the authority names
            return result(own, existing[own], kept=True)
        entry = own or earlier.entry_name(signer.subject, names)
        add_attestation(
            path,
            entry,
            data,
            expect_manifest_digest=digest,
            replace=own is not None,
            limits=self.limits,
        )
        return result(entry, made, kept=False)

    def _artifact(
        self,
        named: NamedTarget,
        out: Path | None,
        statement: str | os.PathLike[str] | None,
        *,
        replace: bool,
        dry_run: bool,
    ) -> Signed:
        out = out or _default_bundle(named)
        digest, stamp = _digest_of(named)
        _refuse_target_as_bundle(named, out)

        def result(made: VerifiedAttestation | None, *, kept: bool) -> Signed:
            return Signed(
                target=named.name,
                kind=named.kind,
                digest=f"sha256:{digest.hex()}",
                path=out,
                entry=None,
                attestation=made,
                kept=kept,
            )

        content = ArtifactContent(digest_of=Digests(sha256=digest))
        if statement is not None and named.path is not None:  # it may list other digests too
            content = ArtifactContent(digest_of=FileDigests(path=named.path))
        ready = None if statement is None else read_statement(statement, content, self.limits)
        if not replace and os.path.lexists(out):
            existing = earlier.beside(out, content, self.root, self.limits)
            same = existing and (ready is None or ready.statement == existing.statement)
            if existing is not None and same and Identity.of(existing) == self.expected:
                return result(existing, kept=True)
            raise UsageError(
                "bundle_exists",
                "the bundle file exists and is not this identity's for this content",
                where=str(out),
                hint="name another file with --bundle, or use --replace",
            )
        _require_writable(out.parent)
        if dry_run:
            return result(None, kept=False)
        signer = self.signer()
        data = signer.sign_statement(ready.payload) if ready else signer.sign_digest(digest)
        made = earlier.confirm(data, content, self.root, self.limits)
        if stamp != _stamp(named):
            raise SigningError(
                "target_changed",
                "the file changed while it was signed",
                where=named.name,
                hint="sign it again; no bundle was written",
            )
        _write(out, data, replace=replace)
        return result(made, kept=False)


def _write(out: Path, data: bytes, *, replace: bool) -> None:
    def write(file: BinaryIO) -> None:
        file.write(data)

    (replace_file if replace else create_file)(out, write)


def _default_bundle(named: NamedTarget) -> Path:
    if named.path is None:
        raise UsageError(
            "bundle_needed",
            "a digest has no place of its own for the bundle",
            where=named.name,
            hint="name the bundle file with --bundle",
        )
    return Path(f"{named.path}{BUNDLE_SUFFIX}")


def _refuse_target_as_bundle(named: NamedTarget, out: Path) -> None:
    if named.path is not None and out.exists() and out.samefile(named.path):
        raise UsageError(
            "invalid_usage",
            "the bundle would take the place of the very file that it signs",
            where=str(out),
            hint="name another file with --bundle",
        )


#: What tells one version of a file from another: device, inode, size, time of change.
_Stamp = tuple[int, int, int, int]


def _stamp(named: NamedTarget) -> _Stamp | None:
    if named.path is None:
        return None
    with reading(named.path) as file:
        return _stamp_of(file)


def _stamp_of(file: BinaryIO) -> _Stamp:
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _digest_of(named: NamedTarget) -> tuple[bytes, _Stamp | None]:
    """The SHA-256 digest of what is to be signed, and the file's stamp before it was read."""
    if named.path is None:
        known = named.digests.sha256 if named.digests else None
        if known is None:
            raise UsageError(
                "unsupported_digest",
                "only SHA-256 digests can be signed",
                where=named.name,
                hint="give sha256:HEX, or the file itself",
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
        return digest_of_stream(file, "sha256"), stamp


def _require_writable(folder: Path) -> None:
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
