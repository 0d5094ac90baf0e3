"""Embedded artifacts of the usual form, checked all at once: there may be ten thousand.

What this accepts, `manifest_fields` accepts and reads alike; whatever it does not know to be good
it leaves to that, which says what is wrong.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from datetime import datetime
from itertools import chain, repeat
from operator import itemgetter
from typing import cast

from attest.limits import MAX_SAFE_INTEGER
from attest.pack.fields import read_time
from attest.pack.manifest_model import ARTIFACTS, EmbeddedArtifact
from attest.pack.paths import are_plain
from attest.strictjson import JSON

_REQUIRED = itemgetter("path", "digest", "size", "type")
_DIGESTS = re.compile(r"(?:sha256:[0-9a-f]{64}\n)+")
_TEXTS = ("content_type", "display_name", "description", "schema", "semantic_type")

# A frozen value is made field by field through its slots, as its own `__init__` does it, but for
# one field of all values in turn: that takes a third of the time.
_SETTERS = {
    field.name: cast(
        "Callable[[EmbeddedArtifact, object], None]",
        getattr(EmbeddedArtifact, field.name).__set__,
    )
    for field in fields(EmbeddedArtifact)
}
_KNOWN = frozenset({"type", *_SETTERS})


def read_columns(items: Sequence[dict[str, JSON]]) -> tuple[EmbeddedArtifact, ...] | None:
    """Artifacts of the usual form; None where one of them has to be looked at for itself.

    Args:
        items: objects of the manifest.

    Source: Evidence Pack R-027 to R-033.
    """
    shapes = Counter(map(tuple, items))
    if not all(_KNOWN.issuperset(shape) for shape in shapes):
        return None
    try:
        paths, digests, sizes, kinds = zip(*map(_REQUIRED, items), strict=True)
    except (KeyError, ValueError):
        return None
    if not (
        _are(str, kinds)
        and set(kinds) == {"embedded"}
        and _are(str, paths)
        and _are_paths(paths)
        and _are(str, digests)
        and _are_digests(digests)
        and _are(int, sizes)
        and min(sizes) >= 0
        and max(sizes) <= MAX_SAFE_INTEGER
    ):
        return None
    columns: dict[str, Iterable[object]] = {"path": paths, "digest": digests, "size": sizes}
    for name in _SETTERS.keys() - columns.keys():
        having = sum(count for shape, count in shapes.items() if name in shape)
        column = _optional(name, [item.get(name) for item in items], having) if having else ()
        if column is None:
            return None
        columns[name] = column or repeat(None)
    made = [object.__new__(EmbeddedArtifact) for _ in items]
    for name, values in columns.items():
        deque(map(_SETTERS[name], made, values), maxlen=0)
    return tuple(made)


def _are(kind: type, values: Iterable[object]) -> bool:
    """Whether all values are of one type, not of one derived from it as `bool` is from `int`."""
    return set(map(type, values)) <= {kind}


def _are_paths(paths: Sequence[str]) -> bool:
    below = sum(map(str.startswith, paths, repeat(ARTIFACTS)))
    return below == len(paths) and are_plain(paths)


def _are_digests(digests: Sequence[str]) -> bool:
    text = "\n".join(digests) + "\n"
    return len(text) == 72 * len(digests) and _DIGESTS.fullmatch(text) is not None


def _optional(name: str, values: Sequence[JSON], having: int) -> Sequence[object] | None:
    """A column in which `having` artifacts have a value; None if one is not what it must be."""
    given = [value for value in values if value is not None]
    if len(given) < having:  # null is a value, and never one of these
        return None
    if name in _TEXTS:
        return values if _are(str, given) else None
    if name == "metadata":
        return values if _are(dict, given) else None
    if name == "controls":
        lists = [value for value in given if isinstance(value, list)]
        texts = list(chain.from_iterable(lists))
        if len(lists) < len(given) or not _are(str, texts) or "" in texts:
            return None
        return [tuple(value) if isinstance(value, list) else None for value in values]
    times = _times(given) if name == "collected_at" and _are(str, given) else None
    return None if times is None else [times.get(str(value)) for value in values]


def _times(texts: Iterable[JSON]) -> dict[str, datetime] | None:
    found: dict[str, datetime] = {}
    for text in {str(text) for text in texts}:
        time = read_time(text)
        if time is None:
            return None
        found[text] = time
    return found
