"""Signing takes no more memory for larger packs and files, as the system counts processes."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from attest.pack.builder import build_pack
from attest.sandbox import Sandbox
from bench.packs import used

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="counted as POSIX counts it")

MEGABYTE = 1024 * 1024


def signing(sandbox: Sandbox, target: Path) -> int:
    """The most memory, in bytes, that signing it took."""
    words = ["--trust-config", str(sandbox.trust_config)]
    words += ["--identity-token", sandbox.person_token(), str(target)]
    return used([sys.executable, "-m", "attest", "-q", "sign", *words]).memory


@pytest.mark.parametrize("kind", ["noise", "zeros", "file"])
def test_memory_does_not_grow_with_what_is_signed(
    kind: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    taken: list[int] = []
    for megabytes in (1, 64):
        source = tmp_path / f"{megabytes}.log"
        size = megabytes * MEGABYTE
        source.write_bytes(bytes(size) if kind == "zeros" else random.Random(1).randbytes(size))
        target = source
        if kind != "file":
            target = tmp_path / f"{megabytes}.epack"
            build_pack(target, [source], stream="acme/prod")
        taken.append(signing(sandbox, target))
    assert taken[1] - taken[0] < 16 * MEGABYTE
    assert taken[1] < 120 * MEGABYTE
