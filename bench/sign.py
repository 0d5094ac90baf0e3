"""Time signing against `sigstore sign` with the same files, and packs against copying them.

    python -m bench.sign [--rounds N] [--megabytes N] [--full]

Whole processes that sign with one sandbox, in turn: one file, cold, and a hundred files in one
call. A large pack against copying it, writing it through to the disk and hashing it once, with the
most memory that signing took. Prints medians and the medians of the paired ratios; nothing is
asserted.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from attest.pack.builder import build_pack
from attest.sandbox import Sandbox
from bench.packs import MEGABYTE, add_options, logs, noise, used

ATTEST = [sys.executable, "-c", "from attest.cli.main import entry; entry()", "sign"]
SIGSTORE = ["sh", "-c", 'exec "$@" 2>/dev/null', "sh", sys.executable, "-m", "sigstore"]
MANY = 100
#: What hashes a pack once and writes it once, through to the disk; and hashes what it unpacks to.
COPY = 'sha256sum "$1"; cp "$1" "$2"; sync "$2"'
UNPACK = 'unzip -p "$1" | sha256sum; cp "$1" "$2"; sync "$2"'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser)
    measure(parser.parse_args())


def measure(args: argparse.Namespace) -> None:
    """Run every comparison of signing."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Sandbox.start(folder / "sandbox") as sandbox:
            compare_files("cold sign of one file", 1, sandbox, folder, args.rounds)
            compare_files(f"sign of {MANY} files", MANY, sandbox, folder, min(args.rounds, 5))
            size = (100 if args.full else args.megabytes) * MEGABYTE
            for kind, contents, peer in (
                ("incompressible", noise, COPY),
                ("compressible", logs, UNPACK),
            ):
                title = f"20 of {size // MEGABYTE} MB, {kind}"
                pack = pack_of(contents(20, size), folder)
                compare_pack(title, pack, peer, sandbox, folder, min(args.rounds, 3))
                pack.unlink()


def compare_files(name: str, count: int, sandbox: Sandbox, folder: Path, rounds: int) -> None:
    """Sign so many new files with both, in turn; the first round warms the disk."""
    pairs: list[tuple[float, float]] = []
    for number in range(rounds + 1):
        files: list[list[str]] = []
        for who in ("ours", "theirs"):
            place = folder / f"{who}-{count}-{number}"
            place.mkdir()
            for index in range(count):
                (place / f"{index:03d}.txt").write_text(f"{who} {number} {index}\n")
            files.append([str(path) for path in sorted(place.iterdir())])
        config, token = str(sandbox.trust_config), sandbox.person_token()
        ours = [*ATTEST, "-q", "--trust-config", config, "--identity-token", token, *files[0]]
        theirs = [*SIGSTORE, "--trust-config", config, "sign", "--identity-token", token, *files[1]]
        if number % 2:
            mine, peer = used(ours).seconds, used(theirs).seconds
        else:
            peer, mine = used(theirs).seconds, used(ours).seconds
        pairs.append((mine, peer))
    tell(name, "sigstore", pairs[1:])


def compare_pack(
    name: str, pack: Path, script: str, sandbox: Sandbox, folder: Path, rounds: int
) -> None:
    """Sign a fresh copy of a pack, and copy and hash the same, in turn."""
    pairs: list[tuple[float, float]] = []
    memory = 0
    for number in range(rounds + 1):
        target, copy = folder / f"{number}.epack", folder / "copy"
        shutil.copyfile(pack, target)
        used(["sync", str(target)])
        words = ["--trust-config", str(sandbox.trust_config)]
        words += ["--identity-token", sandbox.person_token(), str(target)]
        peer = used(["sh", "-c", script, "sh", str(target), str(copy)])
        mine = used([*ATTEST, "-q", *words])
        pairs.append((mine.seconds, peer.seconds))
        memory = max(memory, mine.memory)
        target.unlink()
        copy.unlink()
    tell(f"sign of a pack, {name}", "copy and hash", pairs[1:])
    print(f"    most memory: {memory / MEGABYTE:.0f} MB")


def tell(name: str, peer: str, pairs: list[tuple[float, float]]) -> None:
    """Print the medians and the median of the paired ratios."""
    ours = statistics.median(mine for mine, _ in pairs)
    theirs = statistics.median(other for _, other in pairs)
    ratio = statistics.median(mine / other for mine, other in pairs)
    spread = ", ".join(f"{mine / other:.2f}" for mine, other in pairs)
    print(f"{name}: attest {ours:.2f} s, {peer} {theirs:.2f} s, ratio {ratio:.2f} ({spread})")


def pack_of(contents: Iterator[bytes], folder: Path) -> Path:
    """A pack of files with these contents."""
    source, pack = folder / "source", folder / "large.epack"
    source.mkdir()
    for index, content in enumerate(contents):
        (source / f"{index:03d}.log").write_bytes(content)
    build_pack(pack, [source], stream="acme/prod", replace=True)
    shutil.rmtree(source)
    return pack


if __name__ == "__main__":
    main()
