"""Signatures that wait for a log which is down: kept without any secret, and completed later."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from attest.atomic import locked, replace_file
from attest.bundle import PENDING_MEDIA_TYPE, parse_bundle
from attest.claims import read_identity
from attest.digest import Algorithm
from attest.engine.chain import load_leaf
from attest.engine.content import ArtifactContent, PackContent
from attest.engine.trace import Trace
from attest.engine.verify import verify_bundle
from attest.errors import (
    AttestError,
    MalformedEvidence,
    NetworkError,
    SigningError,
    TrustError,
    Untrusted,
    UsageError,
)
from attest.files import read_file
from attest.keys import PublicKey
from attest.limits import DEFAULT_LIMITS, Limits
from attest.signing.assemble import assemble_bundle
from attest.signing.config import Services
from attest.signing.instance import SigningInstance
from attest.signing.work import DigestContent, SignedWork, Verifier
from attest.strictjson import Members, canonicalize, loads
from attest.trust.root import TrustRoot
from attest.verified import VerifiedAttestation

_CODE = "malformed_pending"


def may_wait(error: AttestError, work: SignedWork) -> bool:
    """Whether a signature is worth keeping: the log is down, and it has timestamps."""
    down = isinstance(error, NetworkError) or error.code == "log_unavailable"
    return down and bool(work.timestamps)


def keep(path: Path, work: SignedWork, why: AttestError) -> AttestError:
    """Keep a signature for `resume`, in place of one of the same signer that was kept before.

    Args:
        path: where.
        work: the signature and its timestamps.
        why: what the log said.

    Returns:
        The error that tells of it: `signature_pending`, or that of the log where nothing can be
        kept.
    """
    data = canonicalize({"mediaType": PENDING_MEDIA_TYPE, "signed": work.to_json()})

    def write(file: BinaryIO) -> None:
        file.write(data)

    try:
        with locked(path):
            _require_free(path, work)
            replace_file(path, write)
    except UsageError as error:
        return type(why)(
            why.code,
            f"{why.message}; and the signature cannot be kept: {error.code}: {error.message}"
            f" ({error.where})",
            hint="sign again when the log answers; nothing was written",
            where=why.where,
        )
    return SigningError(
        "signature_pending",
        f"signed and timestamped, but not logged: {why.message} ({why.code})",
        where=str(path),
        hint="it proves nothing yet; when the log answers, run the same command with --resume",
    )


def _require_free(path: Path, work: SignedWork) -> None:
    """Require that nothing is lost when a signature takes this place.

    Raises:
        UsageError: `file_exists`.
    """
    if not os.path.lexists(path):
        return
    try:
        if _signer(read(path, DEFAULT_LIMITS)) == _signer(work):
            return
    except AttestError:  # whatever it is, it is not ours
        pass
    raise UsageError("file_exists", "something else is kept there", where=str(path))


def _signer(work: SignedWork) -> tuple[str, str] | bytes:
    if work.verifier.certificate is None:
        return work.verifier.spki
    identity = read_identity(load_leaf(work.verifier.certificate))
    return identity.subject, identity.issuer


def read(path: Path, limits: Limits) -> SignedWork:
    """Read a kept signature strictly; nothing of it is verified here.

    Args:
        path: the file.
        limits: bounds on its size and nesting.

    Raises:
        SigningError: `malformed_pending`.
        UsageError: it cannot be read.
    """
    where = str(path)
    data = read_file(path, limit=limits.max_bundle_bytes)
    if len(data) > limits.max_bundle_bytes:
        raise _malformed(f"is larger than {limits.max_bundle_bytes} bytes", where)
    try:
        value = loads(data, where=where, max_depth=limits.max_json_depth)
        members = Members(value, where=where, code=_CODE)
        if members.raw("mediaType") != PENDING_MEDIA_TYPE:
            raise members.fail("mediaType", f"is not {PENDING_MEDIA_TYPE}")
        signed, place = members.raw("signed"), members.path("signed")
        members.no_others()
    except MalformedEvidence as error:
        raise _malformed(error.message, error.where or where) from None
    return SignedWork.from_json(signed, where=place)


def algorithm_of(path: Path, usual: Algorithm, limits: Limits) -> Algorithm:
    """By which a file is hashed that has a kept signature: as the key wanted that made it.

    Args:
        path: where it is kept, if it is.
        usual: by which it is hashed otherwise.
        limits: bounds on what is read.

    Raises:
        SigningError, UsageError: as `read`.
    """
    if not os.path.lexists(path):
        return usual
    content = read(path, limits).content
    return content.algorithm if isinstance(content, DigestContent) else usual


def forget(path: Path) -> None:
    """Remove a kept signature that is no longer needed."""
    # What it stands for is written; that the name is still there harms nobody.
    with contextlib.suppress(OSError):
        path.unlink()


def check(
    work: SignedWork,
    contents: Sequence[PackContent | ArtifactContent],
    root: TrustRoot,
    limits: Limits,
    *,
    where: Path,
) -> VerifiedAttestation:
    """Verify everything of a kept signature that there is before it is logged.

    Args:
        work: as read.
        contents: what it must speak of.
        root: of the instance that is to log it.
        limits: bounds on its statement.
        where: its file, for errors.

    Returns:
        What it would prove, but for the log.

    Raises:
        SigningError: `pending_invalid`.
    """
    unlogged = replace(root, profile=replace(root.profile, min_log_entries=0))
    first: VerifiedAttestation | None = None
    try:
        bundle = parse_bundle(assemble_bundle(work, ()), where=str(where), limits=limits)
        for content in contents:
            verified = verify_bundle(
                bundle,
                content,
                unlogged,
                Trace(),
                keys=keys_of(work),
                key_log=False,
                limits=limits,
            )
            first = first or verified
    except AttestError as error:
        foreign = isinstance(error, Untrusted)
        raise SigningError(
            "pending_invalid",
            f"the kept signature does not verify for this target: {error.code}: {error.message}",
            where=str(where),
            hint="name the instance with which it was signed"
            if foreign
            else "if the target was changed on purpose, sign it again without --resume",
        ) from None
    if first is None:
        raise ValueError("nothing was asked of it")
    return first


def require_by(key: PublicKey, work: SignedWork, *, where: Path) -> None:
    """Require that a kept signature is by the key that signs in this run.

    Raises:
        SigningError: `pending_mismatch`.
    """
    if work.verifier != Verifier(spki=key.spki):
        raise SigningError(
            "pending_mismatch",
            "the kept signature is by another signer, not by this key",
            where=str(where),
            hint="leave out --key to complete it, or --resume to sign with this key",
        )


def keys_of(work: SignedWork) -> tuple[PublicKey, ...]:
    """The key that verifies a signature where no certificate names it."""
    return () if work.verifier.certificate is not None else (work.verifier.key,)


def services_for(work: SignedWork, instance: SigningInstance, *, where: Path) -> Services:
    """The logs that can still take a kept signature; its timestamps are those that it has.

    Once the certificate has expired that is a v2 log alone: a v1 log would prove a later time.

    Args:
        work: as read.
        instance: which logs it.
        where: its file, for errors.

    Raises:
        SigningError: `certificate_expired`.
        TrustError: `trust_config_invalid`.

    Source: design, section 8.
    """
    now, version, window = datetime.now(UTC), instance.rekor_version, work.verifier.window
    expired = window is not None and now > window[1]
    if not expired:
        return replace(
            instance.services.submission(now, rekor_version=version), timestamp_authorities=()
        )
    try:
        if version != 1:
            services = instance.services.submission(now, rekor_version=2)
            return replace(services, timestamp_authorities=())
        why = "another log was asked for"
    except TrustError as error:
        why = error.message
    raise SigningError(
        "certificate_expired",
        "the certificate has expired since, and only a Rekor v2 log could still take the kept "
        f"signature: {why}",
        where=str(where),
        hint="sign the target again without --resume; the kept file is then of no use",
    )


def _malformed(what: str, where: str) -> SigningError:
    return SigningError(
        _CODE, f"the kept signature cannot be read: {what}", where=where, hint="sign again"
    )
