"""Time packs against what else could check them, in the same run.

    python -m bench.packs [--rounds N] [--megabytes N] [--full]

Whole processes: `attest verify PACK --integrity-only` against `unzip -p PACK | sha256sum`,
`sha256sum` of the raw files and a plain Go program with two goroutines (`bench/peer/main.go`).
In process: a manifest parsed, checked and canonicalised against `json.loads` and `rfc8785`.
Prints medians and the medians of the paired ratios; nothing is asserted.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import rfc8785

from attest.limits import DEFAULT_LIMITS
from attest.pack.builder import build_pack
from attest.pack.manifest import (
    EmbeddedArtifact,
    Manifest,
    canonical_digest,
    load_both_forms,
    read_manifest,
    to_bytes,
)

PEER = Path(__file__).parent / "peer" / "main.go"
MEGABYTE = 1_000_000
SMALL = 10_000

# The kernel counts the memory of whoever starts a process as that process's own, so the one that
# starts what is measured must be small.
LAUNCHER = """\
import os, sys, time
quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
start = time.perf_counter()
child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=quiet)
_, status, usage = os.wait4(child, 0)
seconds = time.perf_counter() - start
print(seconds, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024))
sys.exit(os.waitstatus_to_exitcode(status))
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Peer:
    """A command that reads all that `attest` reads."""

    name: str
    command: list[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Used:
    """What a process took: seconds, and bytes of memory at most."""

    seconds: float
    memory: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser)
    measure(parser.parse_args())


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=9, help="paired rounds of each comparison")
    parser.add_argument(
        "--megabytes", type=int, default=10, help="size of each of the 20 large artifacts (10)"
    )
    parser.add_argument(
        "--full", action="store_true", help="20 of 50 MB, and a pack of 2 GB: takes minutes"
    )


def measure(args: argparse.Namespace) -> None:
    """Run every comparison of packs."""
    size = (50 if args.full else args.megabytes) * MEGABYTE
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        go = build_go(folder)
        each = f"20 of {size // MEGABYTE} MB"
        compare_pack(f"{each}, incompressible", noise(20, size), folder, go, args.rounds)
        compare_pack(f"{each}, compressible", logs(20, size), folder, go, args.rounds)
        compare_pack(f"{SMALL} of 1 KiB", logs(SMALL, 1024), folder, go, args.rounds)
        if args.full:
            large = noise(20, 100 * MEGABYTE)
            compare_pack("2 GB, 20 of 100 MB", large, folder, go, min(args.rounds, 5))
    for title, manifest in (("plain", plain_manifest()), ("described", described_manifest())):
        compare_manifest(f"manifest of {SMALL} artifacts, {title}", manifest, args.rounds)


def build_go(folder: Path) -> Path | None:
    """The Go program, where there is Go to build it."""
    out = folder / "peer"
    if shutil.which("go") is None:
        print("Go is not there: its program is left out")
        return None
    subprocess.run(["go", "build", "-o", str(out), str(PEER)], check=True)
    return out


def noise(count: int, size: int) -> Iterator[bytes]:
    """Content that does not deflate, so that it is stored."""
    source = random.Random(1)
    for _ in range(count):
        yield source.randbytes(size)


def logs(count: int, size: int) -> Iterator[bytes]:
    """Log lines, each content in another order, of which no two are the same."""
    source = random.Random(2)
    lines = [
        f"2026-11-21T05:{index % 60:02d}:{source.randrange(60):02d}Z host-{source.randrange(40)} "
        f"request {source.getrandbits(48):012x} took {source.randrange(5000)} us\n".encode()
        for index in range(20_000)
    ]
    for _ in range(count):
        chosen = source.sample(lines, min(len(lines), size // 40))
        text = b"".join(chosen)
        yield (text * (size // len(text) + 1))[:size]


def compare_pack(
    title: str, contents: Iterator[bytes], folder: Path, go: Path | None, rounds: int
) -> None:
    """Build a pack and let everyone read it in turn."""
    raw = folder / "raw"
    raw.mkdir()
    for index, content in enumerate(contents):
        (raw / f"{index:05d}.log").write_bytes(content)
    pack = folder / "bench.epack"
    build_pack(pack, [raw], stream="bench", replace=True)
    peers = [
        Peer(name="unzip -p | sha256sum", command=shell('unzip -p "$1" | sha256sum', pack)),
        Peer(name="sha256sum of the files", command=shell('cat "$1"/* | sha256sum', raw)),
    ]
    if go is not None:
        peers.append(Peer(name="Go, two goroutines", command=[str(go), str(pack)]))
    attest = [sys.executable, "-c", "from attest.cli.main import entry; entry()"]
    attest += ["verify", str(pack), "--integrity-only"]
    found = [[used(attest), *(used(peer.command) for peer in peers)] for _ in range(rounds + 1)][1:]
    mine = statistics.median(row[0].seconds for row in found)
    memory = max(row[0].memory for row in found)
    print(f"{title}: attest {mine:.2f} s, {memory / MEGABYTE:.0f} MB of memory at most")
    for index, peer in enumerate(peers, start=1):
        theirs = statistics.median(row[index].seconds for row in found)
        ratio = statistics.median(row[0].seconds / row[index].seconds for row in found)
        print(f"  {peer.name:<24} {theirs:.2f} s, ratio {ratio:.2f}", flush=True)
    shutil.rmtree(raw)
    pack.unlink()


def shell(text: str, argument: Path) -> list[str]:
    return ["sh", "-c", text, "sh", str(argument)]


def used(command: list[str]) -> Used:
    """Run a command that must succeed."""
    launcher = [sys.executable, "-S", "-E", "-c", LAUNCHER, *command]
    output = subprocess.run(launcher, check=True, stdout=subprocess.PIPE, text=True).stdout
    seconds, memory = output.split()
    return Used(seconds=float(seconds), memory=int(memory))


def plain_manifest() -> bytes:
    """What `attest build` writes of files."""
    return manifest_of(
        EmbeddedArtifact(
            path=f"artifacts/logs/{index:05d}.log",
            digest=f"sha256:{index:064x}",
            size=index,
            content_type="text/plain",
        )
        for index in range(SMALL)
    )


def described_manifest() -> bytes:
    """What a collector writes that says all that can be said."""
    return manifest_of(
        EmbeddedArtifact(
            path=f"artifacts/logs/{index:05d}.log",
            digest=f"sha256:{index:064x}",
            size=index,
            content_type="text/plain",
            display_name=f"Log {index}",
            description="What the host wrote on that day",
            collected_at=datetime(2026, 11, 21, tzinfo=UTC),
            schema="https://acme.example/log/v1",
            semantic_type="log",
            metadata={"host": f"host-{index}", "lines": index},
            controls=("AC-2", "AU-6"),
        )
        for index in range(SMALL)
    )


def manifest_of(artifacts: Iterator[EmbeddedArtifact]) -> bytes:
    when = datetime(2026, 11, 21, tzinfo=UTC)
    return to_bytes(
        Manifest(
            stream="bench",
            generated_at=when,
            pack_digest="sha256:" + "0" * 64,
            artifacts=tuple(artifacts),
        )
    )


def compare_manifest(title: str, data: bytes, rounds: int) -> None:
    """Parse, check and canonicalise against parsing and canonicalising alone."""

    def ours() -> None:
        value, canonical = load_both_forms(data)
        read_manifest(value, limits=DEFAULT_LIMITS)
        canonical_digest(value, canonical)

    def theirs() -> None:
        hashlib.sha256(rfc8785.dumps(json.loads(data)))

    gc.set_threshold(100_000)  # as the program does when it starts; for both
    pairs = [(timed(ours), timed(theirs)) for _ in range(rounds + 1)][1:]
    mine = statistics.median(mine for mine, _ in pairs) * 1000
    peer = statistics.median(peer for _, peer in pairs) * 1000
    ratio = statistics.median(mine / peer for mine, peer in pairs)
    print(f"{title}: attest {mine:.0f} ms\n  json.loads and rfc8785    {peer:.0f} ms, ", end="")
    print(f"ratio {ratio:.2f}")


def timed(work: Callable[[], None]) -> float:
    """Seconds that a piece of work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
