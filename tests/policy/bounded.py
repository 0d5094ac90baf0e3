"""Load policy files in bounded memory and print the code that each is refused with."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from attest.errors import PolicyFileError
from attest.policy.load import load_policy
from attest.policy.match import check_pattern
from attest.policy.rules import Pattern


def main(memory: int, paths: list[str]) -> None:
    """Load files with so many bytes beyond what the interpreter and its modules take."""
    check_pattern(Pattern(kind="regex", text="a"))  # loads RE2, which is not the files' doing
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + memory, size + memory))
    codes = {}
    for path in paths:
        try:
            load_policy(path)
        except PolicyFileError as error:
            codes[Path(path).name] = error.code
        except MemoryError:
            codes[Path(path).name] = "MemoryError"
    json.dump(codes, sys.stdout)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
