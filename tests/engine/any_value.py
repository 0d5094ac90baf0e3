"""Any JSON value, and every place of a document that one can be put into."""

from __future__ import annotations

import copy

from hypothesis import strategies as st

from tests.engine.virtual_instance import Json, b64

Place = tuple[str | int, ...]

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**70), max_value=2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["AA==", "", "0", "-1", "9" * 30, b64(bytes(32))]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)

#: Changed at will without effect, because nothing signs them; no report prints them.
UNBOUND = {
    "keyid",
    "envelopeHash",
    "inclusionPromise",
    "messageDigest",
    "timestampVerificationData",
}


def places(value: object, path: Place = ()) -> list[Place]:
    """The path of every value inside a document."""
    items: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    return [path] * bool(path) + [p for key, item in items for p in places(item, (*path, key))]


def put(document: Json, place: Place, value: object) -> tuple[Json, object]:
    """A copy with another value in one place, and the value that was there."""
    changed = copy.deepcopy(document)
    *parents, last = place
    inner = changed
    for key in parents:
        inner = inner[key]  # type: ignore[index]  # a key or a position
    before, inner[last] = inner[last], value  # type: ignore[index]  # a key or a position
    return changed, before


def says_the_same(value: object, before: object) -> bool:
    """Whether protobuf JSON reads both alike: numbers as text, and absent as zero."""
    return value == before or str(value) == str(before) or (not value and not before)
