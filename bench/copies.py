"""Time what writes packs out and together against tools that copy and check as much.

    python -m bench.copies [--rounds N] [--megabytes N] [--full]

`attest extract` against `unzip` alone, and with `sha256sum` and `sync` of every file that it wrote;
`attest merge` of two packs against `cat` alone, and with `sha256sum` of their contents before and
after and `sync`. Prints medians and the medians of the paired ratios; nothing is asserted.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from attest.pack.builder import build_pack
from bench.packs import MEGABYTE, SMALL, Peer, add_options, logs, noise, used

PROGRAM = [sys.executable, "-c", "from attest.cli.main import entry; entry()", "-q"]
UNZIP = 'unzip -q "$1" -d "$2"'
SUMS = 'find "$2" -type f -print0 | xargs -0 sha256sum; find "$2" -type f -print0 | xargs -0 sync'
CONTENT = 'unzip -p "$1" | sha256sum; unzip -p "$2" | sha256sum'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser)
    measure(parser.parse_args())


def measure(args: argparse.Namespace) -> None:
    """Run every comparison of extracting and merging, few times: they write much."""
    rounds = min(args.rounds, 3)
    size = (50 if args.full else args.megabytes) * MEGABYTE
    each = f"20 of {size // MEGABYTE} MB"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for title, contents in (
            (f"{each}, incompressible", noise(20, size)),
            (f"{each}, compressible", logs(20, size)),
            (f"{SMALL} of 1 KiB", logs(SMALL, 1024)),
        ):
            packs = two_packs(contents, folder)
            compare_extract(title, packs[0], folder / "out", rounds)
            compare_merge(title, packs, folder / "merged.epack", rounds)


def two_packs(contents: Iterator[bytes], folder: Path) -> tuple[Path, Path]:
    """Two packs, each with half of the contents."""
    halves = folder / "a", folder / "b"
    for half in halves:
        half.mkdir()
    for index, content in enumerate(contents):
        (halves[index % 2] / f"{index:05d}.log").write_bytes(content)
    first, second = folder / "a.epack", folder / "b.epack"
    for pack, half in zip((first, second), halves, strict=True):
        build_pack(pack, [half], stream=half.name, replace=True)
        shutil.rmtree(half)
    return first, second


def compare_extract(title: str, pack: Path, out: Path, rounds: int) -> None:
    compare(
        f"extract, half of {title}",
        [*PROGRAM, "extract", str(pack), str(out)],
        [
            Peer(name="unzip", command=shell(UNZIP, pack, out)),
            Peer(name="unzip, sums, sync", command=shell(f"{UNZIP}; {SUMS}", pack, out)),
        ],
        out,
        rounds,
    )


def compare_merge(title: str, packs: tuple[Path, Path], out: Path, rounds: int) -> None:
    copy = f'{CONTENT}; cat "$1" "$2" > "$3"; {CONTENT}; sync "$3"'
    compare(
        f"merge, {title}",
        [*PROGRAM, "merge", str(out), *map(str, packs), "--stream", "all"],
        [
            Peer(name="cat", command=shell('cat "$1" "$2" > "$3"', *packs, out)),
            Peer(name="sums, cat, sums, sync", command=shell(copy, *packs, out)),
        ],
        out,
        rounds,
    )


def compare(title: str, mine: Sequence[str], peers: Sequence[Peer], out: Path, rounds: int) -> None:
    """Let everyone write the same in turn; what was written before is removed, untimed."""
    found: list[list[float]] = []
    memory = 0
    for _ in range(rounds + 1):
        row: list[float] = []
        for command in (list(mine), *(peer.command for peer in peers)):
            remove(out)
            took = used(command)
            row.append(took.seconds)
            memory = max(memory, took.memory if command == list(mine) else 0)
        found.append(row)
    remove(out)
    rows = found[1:]  # the first run fills the caches
    own = statistics.median(row[0] for row in rows)
    print(f"{title}: attest {own:.2f} s, {memory / MEGABYTE:.0f} MB of memory at most")
    for index, peer in enumerate(peers, start=1):
        theirs = statistics.median(row[index] for row in rows)
        ratio = statistics.median(row[0] / row[index] for row in rows)
        print(f"  {peer.name:<24} {theirs:.2f} s, ratio {ratio:.2f}", flush=True)


def remove(out: Path) -> None:
    if out.is_dir():
        shutil.rmtree(out)
    else:
        out.unlink(missing_ok=True)


def shell(text: str, *arguments: Path) -> list[str]:
    return ["sh", "-c", text, "sh", *map(str, arguments)]


if __name__ == "__main__":
    main()
