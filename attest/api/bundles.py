"""The bundles in a file beside an artifact: one, a line each, or as registries list them."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from pathlib import Path

from attest.api.target import read_bundle
from attest.bundle import UntrustedBundle, parse_bundle, parse_bundle_json
from attest.errors import MalformedEvidence
from attest.limits import Limits
from attest.strictjson import JSON, loads

_LINES_SUFFIX = ".jsonl"


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedBundle:
    """One bundle of a file, not read further: its name in reports, and its bytes or JSON."""

    name: str
    source: bytes | JSON

    def parse(self, limits: Limits) -> UntrustedBundle:
        """Parse it (step 1).

        Raises:
            MalformedEvidence: a code of `parse_bundle`.
        """
        if isinstance(self.source, bytes):
            return parse_bundle(self.source, where=self.name, limits=limits)
        return parse_bundle_json(self.source, where=self.name, limits=limits)


def read_bundles(path: Path, limits: Limits) -> tuple[NamedBundle, ...]:
    """Read a file of bundles: one bundle, JSON Lines, or `{"attestations": [{"bundle": …}]}`.

    Members beside `attestations` and `bundle` are whoever's who serves such lists, and not read.

    Args:
        path: the file.
        limits: bounds on its size, depth and number of bundles.

    Raises:
        UsageError: `file_not_found`, `unreadable_file`.
        MalformedEvidence: `bundle_too_large`, `too_many_bundles`.
    """
    # The other limit is for one bundle, and may have been set above this one.
    limit = max(limits.max_bundle_file_bytes, limits.max_bundle_bytes)
    data = read_bundle(path, limit=limit)
    name = str(path)
    if path.suffix == _LINES_SUFFIX:
        return _of_lines(_lines(data, limits), name, limits)
    one = NamedBundle(name=name, source=data)
    try:
        value = loads(data, where=name, max_depth=limits.max_json_depth)
    except MalformedEvidence:
        lines = _lines(data, limits)
        # Any line of it may be broken, the first one too: their order decides nothing.
        if len(lines) > 1 and any(_is_object(line, limits) for _, line in lines):
            return _of_lines(lines, name, limits)
        return (one,)  # judged as a bundle, it says the same
    if not isinstance(value, dict) or "mediaType" in value:
        too_large = len(data) > limits.max_bundle_bytes
        return (one if too_large else NamedBundle(name=name, source=value),)
    listed = value.get("attestations")
    if not isinstance(listed, list):
        return (one,)
    _require_few(len(listed), name, limits)
    return tuple(
        NamedBundle(
            name=f"{name}#attestations[{at}]",
            source=item.get("bundle") if isinstance(item, dict) else None,
        )
        for at, item in enumerate(listed)
    )


def _of_lines(lines: list[tuple[int, bytes]], name: str, limits: Limits) -> tuple[NamedBundle, ...]:
    _require_few(len(lines), name, limits)
    return tuple(NamedBundle(name=f"{name}:{number}", source=line) for number, line in lines)


def _lines(data: bytes, limits: Limits) -> list[tuple[int, bytes]]:
    """The lines that hold something, numbered from 1; of too many, enough to see that."""
    numbered = enumerate(BytesIO(data), 1)
    lines = ((at, line.removesuffix(b"\n")) for at, line in numbered if line.strip())
    return list(islice(lines, limits.max_bundles + 1))


def _is_object(line: bytes, limits: Limits) -> bool:
    """Whether a line is complete in itself, as none of a document laid out over several is."""
    try:
        value = loads(line, where="line", max_depth=limits.max_json_depth)
    except MalformedEvidence:
        return False
    return isinstance(value, dict)


def _require_few(count: int, name: str, limits: Limits) -> None:
    if count > limits.max_bundles:
        raise MalformedEvidence(
            "too_many_bundles", f"holds more than {limits.max_bundles} bundles", where=name
        )
