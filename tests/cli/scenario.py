"""The text format of the command-line scenarios, and how output is compared with it.

    # a comment
    @ file NAME TEXT…       write a file of one line
    @ copy NAME OTHER       copy a file
    @ policy NAME [OTHER]   have a policy of `policies/`, as NAME.yaml or under another name
    @ change NAME A => B    write B for A in a file; \\n in B is a line break
    @ stdin WORD…           what the commands that follow read, one word a line
    @ cut NAME N            keep the first N bytes of a file
    @ grow NAME N           add N spaces to a file
    @ plant PACK KIND       put an attestation into a pack: by a `stranger`, by a `key`, `forged`
                            from the one that it has, those of another pack, or a file's
    @ key-signed NAME       sign a file by key: NAME.sigstore.json and more, see `key_signed.py`
    @ env NAME=VALUE        set a variable for the commands that follow
    @ sandbox               have a sandbox; {sandbox} is its folder, {token} a person's token,
                            {expired} one whose time is over, and {ci}, {vendor}, {auditor} those
                            of a workflow and of two other people
    @ fault NAME            let a service of the sandbox fail, see `attest/sandbox/faults.py` …
    @ repair                … and all of them work again
    @ workflow              from here on be a step in a GitHub Actions workflow of that sandbox
    @ keep NAME             remember a file's bytes …
    @ unchanged NAME        … and require them
    @ files NAME…           require that the working folder holds exactly these entries
    $ attest …              run a command; what follows is expected of it:
    TEXT                    a line of stdout
    ! TEXT                  a line of stderr
    ? N                     the exit code, 0 if not given

In expected lines `[...]` stands for any text within the line, and alone for any lines.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

WILD = "[...]"


@dataclass(kw_only=True, slots=True)
class Command:
    """A command line and what is expected of it."""

    line: int
    words: list[str]
    stdout: list[str] = field(default_factory=list)
    stderr: list[str] = field(default_factory=list)
    exit_code: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Directive:
    """A line that begins with `@`: its first word and the rest."""

    line: int
    name: str
    text: str


def parse(text: str) -> Iterator[Command | Directive]:
    """Read a scenario.

    Raises:
        ValueError: a line has no place.
    """
    command: Command | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(("$ attest", "@ ")):
            if command:
                yield command
            command = None
            if line.startswith("$"):
                command = Command(line=number, words=shlex.split(line[2:])[1:])
            else:
                name, _, rest = line[2:].partition(" ")
                yield Directive(line=number, name=name, text=rest)
        elif line and not line.startswith("#"):
            if command is None:
                raise ValueError(f"line {number}: output without a command")
            _expect(command, line)
        elif command and not line:
            command.stdout.append(line)
    if command:
        yield command


def _expect(command: Command, line: str) -> None:
    if line.startswith("? "):
        command.exit_code = int(line[2:])
    elif line.startswith("! "):
        command.stderr.append(line[2:])
    else:
        command.stdout.append(line)


def matches(actual: Sequence[str], expected: Sequence[str]) -> bool:
    """Whether the lines are the expected ones; blank lines at the end do not count."""
    return _match(_stripped(actual), _stripped(expected))


def _match(actual: Sequence[str], expected: Sequence[str]) -> bool:
    if not expected:
        return not actual
    if expected[0] == WILD:
        return any(_match(actual[skip:], expected[1:]) for skip in range(len(actual) + 1))
    if not actual:
        return False
    pattern = ".*".join(re.escape(part) for part in expected[0].split(WILD))
    return bool(re.fullmatch(pattern, actual[0])) and _match(actual[1:], expected[1:])


def _stripped(lines: Sequence[str]) -> list[str]:
    kept = list(lines)
    while kept and not kept[-1].strip():
        kept.pop()
    return kept
