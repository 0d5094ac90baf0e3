"""Time the verification of many packs on one process and on one per core, and take its memory.

    python -m bench.many [--rounds N] [--packs N] [--jobs N]

Prints seconds of both and the median of the paired ratios, then the peak memory of the largest
process for a tenth of the packs and for all. Every pack carries two attestations.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from attest.api.identity import instance_of
from attest.api.many import cores
from attest.api.sign import sign
from attest.oidc import IdentityToken
from attest.pack.builder import build_pack
from attest.sandbox import Sandbox
from attest.shared_data import shared_folder
from bench.packs import LAUNCHER, MEGABYTE

SIGNERS = ("ana@acme.example", "bo@acme.example")
#: Signed packs, of which the others are copies: signing a thousand would take minutes.
DISTINCT = 20


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="paired rounds")
    add_options(parser)
    measure(parser.parse_args())


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare what can be set besides the rounds."""
    parser.add_argument("--packs", type=int, default=1000, help="packs to verify")
    parser.add_argument("--jobs", type=int, default=cores(), help="processes (one per core)")


def measure(args: argparse.Namespace) -> None:
    """Compare one process with several, and few packs with many."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = prepare(folder, args.packs)
        pairs = [
            (run(folder / "all", root, 1), run(folder / "all", root, args.jobs))
            for _ in range(args.rounds + 1)
        ][1:]
        print(f"\n{args.packs} packs with two attestations each")
        for jobs, costs in zip((1, args.jobs), zip(*pairs, strict=True), strict=True):
            seconds = statistics.median(cost.seconds for cost in costs)
            processor = statistics.median(cost.processor for cost in costs)
            print(f"--jobs {jobs}: {seconds:.2f} s, {processor:.2f} s of processor time")
        ratio = statistics.median(one.seconds / several.seconds for one, several in pairs)
        print(f"{args.jobs} processes are {ratio:.2f} times as fast as one")
        for jobs in sorted({1, args.jobs}):
            few, many = run(folder / "few", root, jobs), run(folder / "all", root, jobs)
            print(
                f"--jobs {jobs}: at most {few.peak / MEGABYTE:.1f} MB in a process for"
                f" {args.packs // 10} packs, {many.peak / MEGABYTE:.1f} MB for {args.packs}"
            )


def prepare(folder: Path, count: int) -> Path:
    """Fill `all` with so many packs and `few` with a tenth of them; the trusted root's path."""
    signed: list[Path] = []
    with Sandbox.start(folder / "sandbox") as sandbox:
        instance = instance_of(None, str(sandbox.trust_config))
        for number in range(DISTINCT):
            pack = folder / f"{number}.epack"
            build_pack(pack, [shared_folder("evidence")], stream=f"acme/{number}")
            for person in SIGNERS:
                token = IdentityToken.from_text(sandbox.person_token(email=person))
                sign(pack, token=token, instance=instance)
            signed.append(pack)
        root = Path(shutil.copy(sandbox.trusted_root, folder / "trusted_root.json"))
    for name, copies in (("all", count), ("few", count // 10)):
        (folder / name).mkdir()
        for number in range(copies):
            shutil.copy(signed[number % DISTINCT], folder / name / f"{number:06}.epack")
    return root


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What a run took: time, processor time of all its processes, peak bytes of the largest."""

    seconds: float
    processor: float
    peak: int


def run(packs: Path, root: Path, jobs: int) -> Cost:
    """Verify a folder in a process of its own, which must succeed."""
    command = [sys.executable, "-c", "from attest.cli.main import entry; entry()", "verify"]
    command += [str(packs), "--jobs", str(jobs), "--trusted-root", str(root), "--output", "json"]
    for person in SIGNERS:
        command += ["--identity", person]
    command += ["--issuer", "google", "-q"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", LAUNCHER, *command], check=True, capture_output=True, text=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds, peak = done.stdout.split()
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(seconds=float(seconds), processor=processor, peak=int(peak))


if __name__ == "__main__":
    main()
