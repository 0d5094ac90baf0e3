"""Fetching what a reference points to: asked for by name, from hosts allowed by name."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urljoin, urlsplit

from attest import addresses, http
from attest.addresses import Address, read_host
from attest.atomic import create_file
from attest.errors import (
    AttestError,
    MalformedEvidence,
    NetworkError,
    UsageError,
    VerificationFailed,
)
from attest.limits import Limits
from attest.pack.integrity import Progress
from attest.pack.manifest import ReferencedArtifact
from attest.pack.manifest_fields import check_uri
from attest.pack.paths import check_path
from attest.pack.reader import Pack

_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 5
#: However slowly a server sends, it keeps nobody longer than this.
_MOST_SECONDS = 3600


@dataclass(frozen=True, kw_only=True, slots=True)
class Internet:
    """How host names become addresses, which of these may be reached, and who vouches for servers.

    `refusal` gives an error, or None for an address that may be reached; `authorities` is a
    PEM file, or None for the public ones.
    """

    resolve: Callable[[str, int], Sequence[Address]] = http.resolve
    refusal: Callable[[Address], NetworkError | None] = addresses.refusal
    authorities: Path | None = None


PUBLIC = Internet()


@dataclass(frozen=True, kw_only=True, slots=True)
class FetchedReference:
    """A fetched file; `uri` is redacted, the digests are `sha256:` and lowercase hex.

    `expected` is the digest that the manifest gives, which the file then has; None means that
    nothing says what the file should be.
    """

    reference: ReferencedArtifact
    uri: str
    bytes: int
    digest: str
    expected: str | None


def find_reference(pack: Pack, name: str) -> ReferencedArtifact:
    """The one reference of a name.

    Raises:
        UsageError: `unknown_reference`, `ambiguous_reference`.
    """
    found = [item for item in pack.manifest.references if item.name == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(
            "ambiguous_reference", f"the pack has {len(found)} references of this name", where=name
        )
    names = ", ".join(item.name for item in pack.manifest.references[:10])
    raise UsageError(
        "unknown_reference",
        "the pack has no such reference",
        where=name,
        hint=f"there are: {names}" if names else "the pack has no references at all",
    )


def own_name(reference: ReferencedArtifact) -> Path:
    """The reference's name as a file of the working folder, if it is a plain file name.

    Raises:
        UsageError: `output_needed`.
    """
    try:
        check_path(reference.name)
    except MalformedEvidence:
        plain = False
    else:
        plain = "/" not in reference.name and not reference.name.startswith((".", "-"))
    if not plain:
        raise UsageError(
            "output_needed", "its name is no plain file name", where=reference.name, hint="--out"
        )
    return Path(reference.name)


def fetch_reference(
    reference: ReferencedArtifact,
    out: Path,
    *,
    allow: Iterable[str],
    limits: Limits,
    internet: Internet = PUBLIC,
    progress: Progress | None = None,
) -> FetchedReference:
    """Fetch the bytes of a reference into a new file, wholly or not at all.

    Args:
        reference: of a checked manifest.
        out: the file to write, which must not exist.
        allow: hosts that may be asked, as `HOST` or `HOST:PORT`; the port is 443 if not given.
        limits: bounds on the size.
        internet: how servers are found and judged.
        progress: told bytes done and bytes in all, if the server tells how many there are.

    Raises:
        VerificationFailed: `digest_mismatch`.
        UsageError: `host_not_allowed`, `invalid_host`, `artifact_too_large`, `file_exists`,
            `unwritable_file`.
        NetworkError: `redirect_to_private_rejected`, `too_many_redirects`, `fetch_refused`, the
            codes of `addresses.refusal` and `http.get`, and, for a redirect, those of
            `manifest_fields.check_uri`.

    Source: Evidence Pack R-037 to R-041e, R-051 to R-053.
    """
    way = _Way(
        allowed=frozenset(read_allowed(text) for text in allow),
        internet=internet,
        deadline=time.monotonic() + _MOST_SECONDS,
    )
    fetched: list[FetchedReference] = []

    def write(file: BinaryIO) -> None:
        with way.follow(reference.uri) as (answer, where):
            body = answer.body if progress is None else _told(answer, progress)
            _check_size(answer.length or 0, limits, where)
            fetched.append(_received(body, file, reference, where, limits))

    create_file(out, write)
    return fetched[0]


def _told(answer: http.Answer, progress: Progress) -> Iterator[bytes]:
    done = 0
    for piece in answer.body:
        done += len(piece)
        if answer.length is not None:
            progress(done, answer.length)
        yield piece


def _received(
    body: Iterator[bytes],
    file: BinaryIO,
    reference: ReferencedArtifact,
    where: str,
    limits: Limits,
) -> FetchedReference:
    hasher = hashlib.sha256()
    size = 0
    for piece in body:
        size += len(piece)
        _check_size(size, limits, where)
        hasher.update(piece)
        file.write(piece)
    digest = f"sha256:{hasher.hexdigest()}"
    _check_digest(digest, reference)
    return FetchedReference(
        reference=reference, uri=where, bytes=size, digest=digest, expected=reference.digest
    )


def read_allowed(text: str) -> tuple[str, int]:
    """A host that may be asked, and its port, in the spelling that is compared.

    Raises:
        UsageError: `invalid_host`.

    Source: Evidence Pack R-038, R-041b.
    """
    host, port = None, None
    if not any(mark in text for mark in "@/?#"):
        try:
            parts = urlsplit(f"//{text}")
            host, port = http.ascii_host(parts.hostname or ""), parts.port
        except ValueError:
            host = None
    canonical = read_host(host or "")
    if canonical is None or port == 0:
        raise UsageError(
            "invalid_host",
            f"'{text}' is not HOST or HOST:PORT",
            where="allow",
            hint="name the host alone, as in reports.acme.example",
        )
    return str(canonical), port or http.HTTPS


@dataclass(frozen=True, kw_only=True, slots=True)
class _Way:
    """A way through redirects, each hop judged before anything is sent to it."""

    allowed: frozenset[tuple[str, int]]
    internet: Internet
    deadline: float

    @contextmanager
    def follow(self, uri: str) -> Iterator[tuple[http.Answer, str]]:
        """What stands at the end of the way, with its redacted URI."""
        for redirects in range(_MOST_REDIRECTS + 1):
            where = http.redact_url(uri)
            host, found = self._judged(uri, where, redirected=redirects > 0)
            with http.get(
                uri,
                host=host,
                addresses=found,
                deadline=self.deadline,
                authorities=self.internet.authorities,
            ) as answer:
                if answer.status == 200:
                    yield answer, where
                    return
                if answer.status not in _REDIRECTS or not answer.location:
                    raise NetworkError(
                        "fetch_refused", f"the server answered {answer.status}", where=where
                    )
                uri = _redirected(uri, answer.location, where)
        raise NetworkError(
            "too_many_redirects",
            f"more than {_MOST_REDIRECTS} redirects",
            where=http.redact_url(uri),
        )

    def _judged(self, uri: str, where: str, *, redirected: bool) -> tuple[str, Sequence[Address]]:
        """The canonical host of a URI and its addresses, every one of which may be reached."""
        parts = urlsplit(uri)
        host = read_host(parts.hostname or "")
        port = http.HTTPS if parts.port is None else parts.port
        if host is None or port == 0:
            raise NetworkError("invalid_uri", "names no host that can exist", where=where)
        found: Sequence[Address] = () if isinstance(host, str) else (host,)
        # Before the list is asked: it allows a name, never an address of our own.
        self._check(found, where, redirected=redirected)
        if (str(host), port) not in self.allowed:
            place = str(host) if port == http.HTTPS else f"{host}:{port}"
            raise UsageError(
                "host_not_allowed",
                f"{'a redirect leads to' if redirected else 'the reference points to'} {place},"
                " which was not allowed",
                where=where,
                rule="R-038",
                hint=f"if you trust that host: --allow {place}",
            )
        if isinstance(host, str):
            found = self.internet.resolve(host, port)
            self._check(found, where, redirected=redirected)
        return str(host), found

    def _check(self, found: Sequence[Address], where: str, *, redirected: bool) -> None:
        for address in found:
            error = self.internet.refusal(address)
            if error is None:
                continue
            if redirected:
                raise NetworkError(
                    "redirect_to_private_rejected", error.message, where=where, rule="R-041c"
                )
            error.where = where
            raise error


def _redirected(uri: str, location: str, where: str) -> str:
    """Where a redirect leads, held to the rules of a reference's URI."""
    # What `urljoin` would drop silently, so that others are led elsewhere, is shown to the check.
    plain = location.isascii() and location.isprintable()
    try:
        target = urljoin(uri, location) if plain else location
        check_uri(target, where)
    except (ValueError, MalformedEvidence) as error:
        code = error.code if isinstance(error, AttestError) else "invalid_uri"
        raise NetworkError(
            code, "redirects to what is not an allowed https URI", where=where, rule="R-041c"
        ) from None
    return target


def _check_size(size: int, limits: Limits, where: str) -> None:
    if size > limits.max_artifact_bytes:
        raise UsageError(
            "artifact_too_large",
            f"has more than {limits.max_artifact_bytes} bytes",
            where=where,
            rule="R-053",
            hint="raise max_artifact_bytes if you expect it",
        )


def _check_digest(digest: str, reference: ReferencedArtifact) -> None:
    if reference.digest is not None and digest != reference.digest:
        raise VerificationFailed(
            "digest_mismatch",
            f"what was fetched has {digest}, the manifest says {reference.digest}",
            where=reference.name,
            hint="nothing was written; ask whoever made the pack",
        )
