"""Write and sign `.sei` artefacts: signed first, and only then stored."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from attest.api.signed import Signed, SignedSubject
from attest.errors import AttestError, UsageError
from attest.formats.sei.artefact import Artefact, is_kind
from attest.formats.sei.layout import FOLDER, kind_of, signature_path
from attest.formats.sei.signature import (
    DigestOf,
    SeiKey,
    digests_of,
    key_id_of,
    parse_signature,
    verify_signature,
)
from attest.formats.sei.store import Stored, check_placed, read_artefact, sign_existing
from attest.formats.sei.store import write_artefact as _write
from attest.formats.sei.walk import walk
from attest.keys import PublicKey
from attest.limits import DEFAULT_LIMITS, Limits
from attest.signing.sei_backend import checked_key, needs_network, open_backend
from attest.strictjson import JSON
from attest.verified import VerifiedAttestation

if TYPE_CHECKING:  # the work of signing with one is not done here
    from attest.signing.keyed import SigningKey as SigningKey  # noqa: PLC0414

__all__ = [
    "artefact_path",
    "artefact_paths",
    "checked_key",
    "needs_network",
    "open_backend",
    "public_point",
    "sign_artefact",
    "write_artefact",
]


def write_artefact(
    repository: str | os.PathLike[str],
    *,
    kind: str,
    system: str,
    payload: Mapping[str, JSON],
    key: SeiKey,
    standard: str | None = None,
    limits: Limits | None = None,
) -> Signed:
    """Write an artefact below `.sei` and its signature beside it; what was there is replaced.

    Args:
        repository: the folder that holds `.sei`, which is made as needed.
        kind: `conformance` or `reconstruct`.
        system: name of the system that it belongs to.
        payload: what it says; members keep their order.
        key: a P-256 key, which signs before anything is touched.
        standard: the standard's id, as `eu/pren-18228@2026`; needed for conformance where the
            payload's `standard` does not say it.
        limits: bounds on its size and nesting.

    Raises:
        MalformedEvidence: a code of `encode_artefact`, `standard_mismatch`.
        UsageError: `invalid_kind`, and the codes of `attest.formats.sei.store.write_artefact`.
        SigningError: the key failed; nothing was written.
    """
    if not is_kind(kind):
        raise UsageError(
            "invalid_kind",
            f"there is no kind {kind!r} of artefact",
            hint="there are: conformance, reconstruct",
        )
    artefact = Artefact(kind=kind, system=system, payload=dict(payload))
    folder = Path(repository)
    stored = _write(folder, artefact, key, standard=standard, limits=limits or DEFAULT_LIMITS)
    return _signed(folder, stored, key)


def sign_artefact(
    repository: str | os.PathLike[str],
    path: str | PurePosixPath,
    *,
    key: SeiKey,
    limits: Limits | None = None,
) -> Signed:
    """Sign an artefact that is there already, `bundle.json` among them; it is not changed.

    One that this key has signed already is left as it is (`kept`).

    Args:
        repository: the folder that holds `.sei`.
        path: the artefact's, relative to the repository.
        key: a P-256 key, which signs before anything is touched.
        limits: bounds on its size and nesting.

    Raises:
        MalformedEvidence, VerificationFailed: it is no artefact of its path; it is never signed.
        UsageError: the codes of `attest.formats.sei.store.sign_existing`.
        SigningError: the key failed; nothing was written.
    """
    folder, place, limits = Path(repository), PurePosixPath(path), limits or DEFAULT_LIMITS
    kept = None if kind_of(place) is None else _kept(folder, place, key, limits)
    if kept is not None:
        return kept
    return _signed(folder, sign_existing(folder, place, key, limits=limits), key)


def public_point(key: PublicKey) -> tuple[str, str]:
    """A P-256 key as `.sei` users register it (its uncompressed SEC1 point), and its `keyid`; hex.

    Raises:
        UsageError: `unsupported_key`.
    """
    keyid = key_id_of(key)
    point = key.point
    assert point is not None  # it has an id
    return point.hex(), keyid


def artefact_path(repository: Path, name: str) -> PurePosixPath:
    """Where a file lies below the repository, as artefacts are named.

    Args:
        repository: the folder that holds `.sei`.
        name: a path, as a person types it.

    Raises:
        UsageError: `not_an_artefact`.
    """
    # Not `resolve`: a link is refused where the file is read, not followed here.
    full, top = os.path.abspath(name), os.path.abspath(repository)  # noqa: PTH100
    below = Path(full).relative_to(top) if Path(full).is_relative_to(top) else Path()
    path = PurePosixPath(below.as_posix())
    if kind_of(path) is None:
        raise UsageError(
            "not_an_artefact",
            "is no place of an artefact",
            where=name,
            hint=f"artefacts are {FOLDER}/bundle.json, {FOLDER}/reconstruct.json and"
            f" {FOLDER}/conformance/*.json of the repository; name that with --repo",
        )
    return path


def artefact_paths(repository: Path, *, limits: Limits) -> tuple[PurePosixPath, ...]:
    """The artefacts that lie in a repository, signed or not, whatever else does.

    Raises:
        UsageError, MalformedEvidence: the codes of `walk`.
    """
    found = walk(repository, limits=limits).found
    return tuple(item.path for item in found if item.error is None)


def _kept(repository: Path, path: PurePosixPath, key: SeiKey, limits: Limits) -> Signed | None:
    """The valid signature of this key that stands already; None if there is none."""
    try:
        data = read_artefact(repository, path, limits=limits)
        check_placed(data, path, limits=limits)
        signature = read_artefact(repository, signature_path(path), limits=limits)
        stored = Stored(path=path, data=data, signature=signature)
        return _signed(repository, stored, key, kept=True)
    except AttestError:
        return None  # whatever is wrong with it, signing says so or repairs it


def _signed(repository: Path, stored: Stored, key: SeiKey, *, kept: bool = False) -> Signed:
    """What became of an artefact, read back as whoever verifies it will read it."""
    digest_of = digests_of(stored.data)
    made = _verified(stored, key.public, digest_of)
    sha256 = digest_of("sha256").hex()
    subject = SignedSubject(name=str(stored.path), digest=f"sha256:{sha256}")
    return Signed(
        target=subject.name,
        kind="artefact",
        digest=subject.digest,
        path=repository / signature_path(stored.path),
        entry=None,
        attestation=made,
        subjects=(subject,),
        kept=kept,
    )


def _verified(stored: Stored, key: PublicKey, digest_of: DigestOf) -> VerifiedAttestation:
    where = str(signature_path(stored.path))
    return verify_signature(parse_signature(stored.signature, where), digest_of, [key])
