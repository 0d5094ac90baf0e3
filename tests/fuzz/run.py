"""Fuzzes the pack reader: `python -m tests.fuzz.run --seconds 300` (or `--count`, `--seed`).

Only an `AttestError` may escape, in bounded time and memory, and what is accepted must be read
the same by `zipfile`. A fault is printed with its seed, which makes the same archive again.
"""

# ruff: noqa: T201 - it prints by contract

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
import time
import zipfile
from collections import Counter
from pathlib import Path

from attest.errors import AttestError
from attest.limits import Limits
from attest.pack.reader import open_pack
from tests.fuzz.mutants import mutant

#: Far more than any mutant needs, far less than a bomb takes.
SECONDS = 2.0
MEMORY = 1_073_741_824
#: Small, so that what is beyond them is cheap to make.
LIMITS = Limits(max_artifact_bytes=1_048_576, max_pack_bytes=10_485_760)


def read(path: Path) -> dict[str, bytes]:
    """Every entry of an accepted pack, as this project reads it.

    Raises:
        AttestError: what the pack is refused with.
    """
    with open_pack(path, limits=LIMITS) as pack:
        archive = pack.archive
        for name in pack.attestation_names:
            pack.read_attestation(name)
        found = {entry.name: b"".join(archive.chunks(entry)) for entry in archive.directory.entries}
        try:
            pack.check_integrity()
        except AttestError as error:
            # The archive is sound and its manifest does not fit: other readers must agree on it.
            if error.code not in FITTING:
                raise
    return found


#: Verdicts about a manifest that does not describe its archive, which is sound by itself.
FITTING = frozenset(
    {
        "digest_mismatch",
        "extra_artifact_not_in_manifest",
        "missing_embedded_artifact",
        "pack_digest_mismatch",
        "size_mismatch",
    }
)


def judge(seed: int, path: Path) -> tuple[str, dict[str, bytes] | None]:
    """Read one mutant: its error code and nothing, or `accepted` and what is in it."""
    path.write_bytes(mutant(seed))
    start = time.process_time()
    try:
        found = read(path)
    except AttestError as error:
        return _timed(start, error.code), None
    with zipfile.ZipFile(path) as other:
        theirs = {name: other.read(name) for name in other.namelist()}
    if theirs != found:
        raise AssertionError("zipfile reads something else")
    return _timed(start, "accepted"), found


def _timed(start: float, code: str) -> str:
    taken = time.process_time() - start
    if taken > SECONDS:
        raise AssertionError(f"took {taken:.1f} s, ended with {code}")
    return code


def listing(found: dict[str, bytes]) -> str:
    """Names and SHA-256 of all files of a pack, as the other readers print them."""
    return json.dumps(
        {
            name: hashlib.sha256(data).hexdigest()
            for name, data in sorted(found.items())
            if not name.endswith("/")
        }
    )


def _bound_memory() -> None:
    if sys.platform != "win32":
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, most))


def main() -> int:
    """Judge mutants until the count or the time is over; the exit code says whether all is well."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.run", description=__doc__)
    parser.add_argument("--seed", type=int, help="the first seed; by the clock if not given")
    parser.add_argument("--count", type=int, help="how many mutants")
    parser.add_argument("--seconds", type=float, help="how long")
    parser.add_argument("--keep", type=Path, help="a folder for packs that were accepted")
    asked = parser.parse_args()
    first: int = time.time_ns() // 1000 if asked.seed is None else asked.seed
    end = time.monotonic() + (asked.seconds or 1e9)
    _bound_memory()
    codes: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mutant.epack"
        seed = first
        while time.monotonic() < end and (asked.count is None or seed < first + asked.count):
            try:
                code, found = judge(seed, path)
            except BaseException:
                print(f"fault at seed {seed}", file=sys.stderr)
                raise
            codes[code] += 1
            if found is not None and asked.keep is not None:
                (asked.keep / f"{seed}.epack").write_bytes(path.read_bytes())
                (asked.keep / f"{seed}.json").write_text(listing(found), encoding="utf-8")
            seed += 1
    print(json.dumps({"first_seed": first, "mutants": codes.total(), **dict(codes.most_common())}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
