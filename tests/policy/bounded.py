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
from tests.policy.hostile import TOO_MUCH


def main(memory: int, paths: list[str]) -> None:
    """Load files with so many bytes beyond what the interpreter and its modules take."""
    check_pattern(Pattern(kind="regex", text="a"))  # loads RE2, which is not the files' doing
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    json.dump({Path(path).name: code(path, size + memory) for path in paths}, sys.stdout)


def code(path: str, memory: int) -> str:
    """What a file is refused with in so much address space."""
    free = resource.getrlimit(resource.RLIMIT_AS)
    bound = memory, free[1]
    resource.setrlimit(resource.RLIMIT_AS, bound)
    try:
        if path == TOO_MUCH:
            # At once: what dies by drops in the middle of a library may hang instead.
            bytearray(memory)
        else:
            load_policy(path)
    except PolicyFileError as error:
        return error.code
    except MemoryError:
        return "MemoryError"
    finally:
        resource.setrlimit(resource.RLIMIT_AS, free)
    return "loaded"


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
