"""Reading the command line: global options anywhere, and errors that say what was meant."""

from __future__ import annotations

import argparse
import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from attest.config import did_you_mean, suggestion
from attest.errors import UsageError

GLOBAL_OPTIONS = """\
global options, before or after the command:
  -v, --verbose         say more; twice for what only a developer wants to know
  -q, --quiet           say nothing but the result
  --output text|json    form of the result, which is alone on stdout; some commands have more:
                        sarif, junit, markdown
  --color auto|always|never
                        colour the result; NO_COLOR is respected
  --limit NAME=VALUE    set a limit, as max_artifact_bytes=50000000; may be given several times
  --config FILE         settings (limits, output) instead of the user's own
  -h, --help            help for the program or for a command
  --version             print the version"""

GLOBAL_NAMES = (
    "--verbose",
    "--quiet",
    "--output",
    "--color",
    "--limit",
    "--config",
    "--help",
    "--version",
)
_WITH_VALUE = ("--output", "--color", "--limit", "--config")


@dataclass(kw_only=True, slots=True)
class GlobalOptions:
    """The options that every command takes, and the words that remain."""

    verbose: int = 0
    quiet: bool = False
    output: str | None = None
    color: str | None = None
    limits: list[str] = field(default_factory=list)
    config: Path | None = None
    help: bool = False
    version: bool = False
    rest: list[str] = field(default_factory=list)


def take_global_options(argv: Sequence[str]) -> GlobalOptions:
    """Take the global options out of a command line, wherever they stand before `--`.

    Raises:
        UsageError: `invalid_usage` where a value is missing.
    """
    options = GlobalOptions()
    words = iter(argv)
    for word in words:
        name, equals, value = word.partition("=")
        if word == "--":
            options.rest += [word, *words]
        elif re.fullmatch("-v+", word):
            options.verbose += len(word) - 1
        elif word == "--verbose":
            options.verbose += 1
        elif word in ("-q", "--quiet"):
            options.quiet = True
        elif word in ("-h", "--help"):
            options.help = True
        elif word == "--version":
            options.version = True
        elif name in _WITH_VALUE:
            found = value if equals else next(words, None)
            if not found:
                raise UsageError("invalid_usage", f"{name} needs a value", hint="see attest --help")
            _set(options, name, found)
        else:
            options.rest.append(word)
    return options


def _set(options: GlobalOptions, name: str, value: str) -> None:
    if name == "--output":
        options.output = value
    elif name == "--color":
        options.color = value
    elif name == "--limit":
        options.limits.append(value)
    else:
        options.config = Path(value)


class Parser(argparse.ArgumentParser):
    """`argparse` with exact option names, plain help, and errors as `UsageError`.

    A command sets `description`, and `epilog` to its examples, one indented command a line.

    Args:
        prog: the command as it is typed.
    """

    def __init__(self, prog: str) -> None:
        super().__init__(prog=prog, formatter_class=_Formatter, allow_abbrev=False, add_help=False)
        self.color = False  # Python 3.14 would colour help by rules of its own

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """Read a command's words; an unknown option is named first, being most often the typo.

        Raises:
            UsageError: `unknown_option`, `invalid_usage`.
        """
        before = itertools.takewhile(lambda word: word != "--", words)
        names = [word.partition("=")[0] for word in before if word.startswith("--")]
        known = self.option_names()
        for name in names:
            if name not in known:
                raise unknown_option(name, {*known, *GLOBAL_NAMES}, self.prog)
        if self.get_default("options_between"):
            return self.parse_intermixed_args(list(words))
        return self.parse_args(list(words))

    def option_names(self) -> set[str]:
        """Every option's spellings, read from the help that lists them."""
        lines = re.findall(r"^ {2}(-\S.*?)(?: {2}|$)", self.format_help(), re.MULTILINE)
        return {name for line in lines for name in re.findall(r"(?<![\w-])--?[a-z][\w-]*", line)}

    def error(self, message: str) -> NoReturn:
        """Raise what `argparse` would print."""
        raise UsageError("invalid_usage", message, hint=f"see {self.prog} --help")


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Of one width everywhere, so that help is the same text on every terminal."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=88, max_help_position=26)


def unknown_command(name: str, known: Sequence[str], prog: str | None = None) -> UsageError:
    """The error for a command that does not exist, or for an action that `prog` does not have."""
    message = f"there is no command '{name}'" if prog is None else f"{prog} has no action '{name}'"
    return UsageError("unknown_command", message, hint=did_you_mean(name, known))


def unknown_option(
    word: str, known: Iterable[str] = GLOBAL_NAMES, prog: str = "attest"
) -> UsageError:
    """The error for an option that a command, or the program, does not have."""
    name = word.partition("=")[0]
    meant = suggestion(name, known)
    return UsageError(
        "unknown_option",
        f"{prog} has no option {name}",
        hint=f"did you mean {meant}?" if meant else f"see {prog} --help",
    )
