"""JCS against JavaScript, whose number formatting and string order RFC 8785 prescribes."""

from __future__ import annotations

import json
import math
import random
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from attest.strictjson import JSON, canonicalize, loads

SCRIPT = Path(__file__).with_name("jcs.js")
LETTERS = 'aAz0_-"\\/\b\f\n\r\t\x00\x1f\x7f\u00e9\u2028\ud7ff\ue000\uffff\U00010000\U0001f600'
#: Where the notation changes, and the ends of what a double holds.
EDGES = [
    *(sign * 10.0**power for power in range(-8, 24) for sign in (1, -1)),
    *(math.nextafter(10.0**power, side) for power in (-7, -6, 20, 21, 22) for side in (0, 1e300)),
    5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, -0.0, 0.1, 1 / 3, 2.0**53, 2.0**53 - 1,
    9007199254740994.0, 123456789012345680000.0, 333333333.3333333, 1e23, 4.35, 0.000001, 1e-27,
]  # fmt: skip


def number(source: random.Random) -> JSON:
    if source.random() < 0.3:
        return source.randrange(-(2**53) + 1, 2**53)
    value = struct.unpack("<d", source.randbytes(8))[0]
    if not math.isfinite(value):
        return 1.5
    return float(value) if source.random() < 0.5 else source.uniform(-1e7, 1e7)


def text(source: random.Random) -> str:
    return "".join(source.choices(LETTERS, k=source.randrange(5)))


def document(source: random.Random, depth: int = 0) -> JSON:
    kind = source.randrange(8 if depth < 4 else 5)
    if kind < 2:
        return number(source)
    if kind < 5:
        return (text(source), source.choice((None, True, False)), number(source))[kind - 2]
    items = [document(source, depth + 1) for _ in range(source.randrange(5))]
    return items if kind == 5 else {text(source): item for item in items}


@pytest.mark.extra
def test_javascript_writes_the_same() -> None:
    program = shutil.which("node")
    if program is None:
        pytest.skip("node is not installed")
    source = random.Random(8785)
    documents: list[JSON] = [*EDGES, *(number(source) for _ in range(100_000))]
    documents += [document(source) for _ in range(20_000)]
    lines = [json.dumps(item, ensure_ascii=source.random() < 0.5) for item in documents]
    done = subprocess.run(
        [program, SCRIPT],
        input="".join(f"{line}\n" for line in lines).encode(),
        capture_output=True,
        check=True,
        timeout=300,
    )
    theirs = done.stdout.split(b"\n")[:-1]
    ours = [canonicalize(loads(line.encode(), where="line")) for line in lines]
    assert len(theirs) == len(ours)
    assert [(a, b) for a, b in zip(ours, theirs, strict=True) if a != b] == []
