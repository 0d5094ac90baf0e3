"""The JSON of a manifest: strictly parsed, and put in canonical form on the way."""

from __future__ import annotations

import json
import re
from typing import Never

from attest.strictjson import JSON, check_depth, loads

#: Where the order of code points and that of UTF-16 units may differ.
_FAR = re.compile("[\ud800-\U0010ffff]")


def load_with_canonical(data: bytes, *, where: str, max_depth: int) -> tuple[JSON, bytes | None]:
    """What `strictjson.loads` gives, and `strictjson.canonicalize` of it where that is known.

    Args:
        data: the raw bytes.
        where: name of the document for errors.
        max_depth: how many arrays and objects may be open at once.

    Raises:
        MalformedEvidence: the codes of `loads`.
    """
    found = _load_usual(data)
    if found is None:
        return loads(data, where=where, max_depth=max_depth), None
    check_depth(found[0], max_depth=max_depth, where=where)
    return found


def _load_usual(data: bytes) -> tuple[JSON, bytes] | None:
    r"""Value and JCS form, if the text has neither odd numbers nor duplicate keys for sure.

    Without `\u` the text has every colon of the value, and one more for each member. A member
    that another of the same key replaced is missing in the value, and so is its colon.
    """
    try:
        text = data.decode("utf-8")
        if "\\u" in text or not (text.isascii() or _FAR.search(text) is None):
            return None
        value: JSON = _USUAL.decode(text)
        # No cycle is looked for: a parser makes none.
        canonical = json.dumps(
            value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, check_circular=False
        )
    except (ValueError, RecursionError):  # whatever it is, `loads` says it better
        return None
    if canonical.count(":") != text.count(":"):
        return None
    return value, canonical.encode("utf-8")


def _usual_integer(text: str) -> int:
    if len(text) > 15:  # all that are shorter are safe integers
        raise ValueError
    return int(text)


def _unusual(_: str) -> Never:
    raise ValueError


_USUAL = json.JSONDecoder(
    parse_float=_unusual, parse_int=_usual_integer, parse_constant=_unusual, strict=True
)
