"""Fetch what a reference of a pack points to, from hosts that the caller allows."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from attest.limits import DEFAULT_LIMITS, Limits
from attest.pack.fetch import PUBLIC, Internet, fetch_reference, find_reference, own_name
from attest.pack.integrity import Progress
from attest.pack.reader import open_pack


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetched:
    """A file that was fetched because the pack's manifest refers to it.

    `uri` is where it came from in the end, redacted; `digest` is that of its bytes, `sha256:` and
    lowercase hex; `expected` is the manifest's, equal to it, or None where the manifest gives none
    and so nothing vouches for the bytes. The manifest itself is not verified here.
    """

    name: str
    path: Path
    uri: str
    access_policy: str
    bytes: int
    digest: str
    expected: str | None


def fetch(
    pack: str | os.PathLike[str],
    name: str,
    *,
    allow: Iterable[str],
    out: str | os.PathLike[str] | None = None,
    limits: Limits | None = None,
    internet: Internet = PUBLIC,
    progress: Progress | None = None,
) -> Fetched:
    """Fetch one reference over https into a new file; nothing is written if anything is wrong.

    Args:
        pack: the pack whose manifest has the reference.
        name: of the reference.
        allow: hosts that may be asked, as `HOST` or `HOST:PORT`.
        out: the file to write; named as the reference, in the working folder, if not given.
        limits: bounds on the pack and on the file.
        internet: how servers are found and judged; for tests and closed networks.
        progress: told bytes done and bytes in all, if the server tells how many there are.

    Raises:
        MalformedEvidence: the codes of `attest.pack.reader.open_pack`.
        VerificationFailed: `digest_mismatch`.
        UsageError, NetworkError: `unknown_reference`, `ambiguous_reference`, `output_needed`, and
            the codes of `attest.pack.fetch.fetch_reference`.
    """
    limits = limits or DEFAULT_LIMITS
    with open_pack(pack, limits=limits) as opened:
        reference = find_reference(opened, name)
    path = own_name(reference) if out is None else Path(out)
    fetched = fetch_reference(
        reference, path, allow=allow, limits=limits, internet=internet, progress=progress
    )
    return Fetched(
        name=reference.name,
        path=path,
        uri=fetched.uri,
        access_policy=reference.access_policy,
        bytes=fetched.bytes,
        digest=fetched.digest,
        expected=fetched.expected,
    )
