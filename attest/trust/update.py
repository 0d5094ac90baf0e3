"""Fetching signed metadata: `tuf` is the client, our own HTTP its transport.

`tuf` works in a temporary folder on a copy of what is cached. Only what it accepted, and what
our own replay accepts again, comes back; whoever called decides where it is kept.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tuf.api.exceptions import (
    BadVersionNumberError,
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    ExpiredMetadataError,
    RepositoryError,
)
from tuf.ngclient import FetcherInterface, Updater

from attest.connections import download
from attest.errors import NetworkError, TrustError, UsageError
from attest.http import redact_url, require_https
from attest.trust.replay import TARGETS, TIMESTAMP, Reader, Replayed, replay

_FOUND = range(200, 300)
_LATER = "try again later; if it stays so, ask whoever runs the instance"
_ASK = "do not trust this server: ask whoever runs the instance"


def fetch(url: str, anchor: bytes, before: Replayed | None, *, deadline: float) -> Replayed:
    """Fetch the current state of a repository and check it from the anchor.

    Args:
        url: base address of the repository's metadata; its targets lie in `targets/` below it.
        anchor: the TUF root that is trusted already.
        before: the cached state, if there is a sound one; it saves downloads, and shows what may
            not be gone back on.
        deadline: when to give up, on the clock of `time.monotonic`.

    Raises:
        NetworkError: `insecure_scheme`, `network_unreachable`, `server_not_trusted`,
            `unexpected_answer`.
        TrustError: `trust_metadata_expired`, `trust_metadata_invalid`, `trust_rollback`.
        UsageError: `unwritable_file` where there is no temporary folder.
    """
    require_https(url)
    logging.getLogger("tuf").setLevel(logging.CRITICAL)  # it tells by exceptions all the same
    with _told(url), tempfile.TemporaryDirectory(prefix="attest-trust-") as name:
        folder = Path(name)
        (folder / "root_history").mkdir()
        (folder / "targets").mkdir()
        if before is not None:
            _lay_out(folder, before)
        base = url.rstrip("/")
        updater = Updater(
            str(folder),
            f"{base}/",
            target_dir=str(folder / "targets"),
            target_base_url=f"{base}/targets/",
            fetcher=_Fetcher(deadline),
            bootstrap=anchor,
        )
        updater.refresh()
        for target in TARGETS:
            described = updater.get_targetinfo(target)
            if described is not None and updater.find_cached_target(described) is None:
                updater.download_target(described)
        return replay(anchor, _laid(folder))


class _Fetcher(FetcherInterface):
    """Downloads by our own HTTP, all of them together until one deadline."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline

    def _fetch(self, url: str) -> Iterator[bytes]:
        with download(url, deadline=self._deadline) as answer:
            if answer.status not in _FOUND:
                raise DownloadHTTPError(f"answers with status {answer.status}", answer.status)
            yield from answer.body


def _lay_out(folder: Path, before: Replayed) -> None:
    """Put what is cached where `tuf` looks for it; it checks everything again."""
    for name, data in before.kept.items():
        if name.endswith(".root.json"):
            (folder / "root_history" / name).write_bytes(data)
    for role, version in (
        ("snapshot", before.versions.snapshot),
        ("targets", before.versions.targets),
    ):
        (folder / f"{role}.json").write_bytes(before.kept[f"{version}.{role}.json"])
    (folder / TIMESTAMP).write_bytes(before.kept[TIMESTAMP])
    for name, data in before.files.items():
        (folder / "targets" / name).write_bytes(data)


def _laid(folder: Path) -> Reader:
    """What `tuf` left in its folder, by the names of a repository with consistent snapshots."""

    def read(name: str) -> bytes | None:
        _, _, rest = name.partition(".")
        if rest == "root.json":
            path = folder / "root_history" / name
        elif rest in ("snapshot.json", "targets.json"):
            path = folder / rest
        elif name == TIMESTAMP:
            path = folder / name
        else:
            path = folder / "targets" / rest
        return path.read_bytes() if path.is_file() else None

    return read


@contextmanager
def _told(url: str) -> Iterator[None]:
    """Tell of what `tuf` refuses by our own codes; failures of the network pass through."""
    where = redact_url(url)
    try:
        yield
    except ExpiredMetadataError as error:
        raise TrustError("trust_metadata_expired", _text(error), where=where, hint=_LATER) from None
    except BadVersionNumberError as error:
        raise TrustError("trust_rollback", _text(error), where=where, hint=_ASK) from None
    except RepositoryError as error:
        raise TrustError("trust_metadata_invalid", _text(error), where=where, hint=_ASK) from None
    except DownloadLengthMismatchError as error:
        raise TrustError("trust_metadata_invalid", _text(error), where=where, hint=_ASK) from None
    except DownloadError as error:
        raise NetworkError("unexpected_answer", _text(error), where=where) from None
    except OSError as error:  # the network's own have become ours already
        raise UsageError(
            "unwritable_file",
            f"no temporary folder to work in: {error.strerror or error}",
            hint="make room, or set TMPDIR",
        ) from None


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__
