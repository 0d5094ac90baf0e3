"""The program: finds the command, runs it, and turns every failure into one line and a code."""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import os
import signal
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import NoReturn, Protocol, TextIO, cast

from attest import __version__
from attest.cli.context import Context
from attest.cli.failure import broken_pipe, report_failure, report_unexpected
from attest.cli.parser import (
    GLOBAL_OPTIONS,
    GlobalOptions,
    Parser,
    take_global_options,
    unknown_command,
    unknown_option,
)
from attest.config import did_you_mean, load_settings
from attest.errors import EXIT_NO_VERDICT, EXIT_OK, AttestError, UsageError

#: Command -> module and summary. A module is loaded only when its command is used.
COMMANDS: Mapping[str, tuple[str, str]] = {
    "build": ("attest.cli.build", "put files into an Evidence Pack"),
    "sign": ("attest.cli.sign", "sign packs, files or digests with an identity"),
    "whoami": ("attest.cli.whoami", "show which identity would sign here"),
    "verify": ("attest.cli.verify", "check who signed a pack, a file or a digest"),
    "fetch": ("attest.cli.fetch", "fetch what a reference points to, from hosts you allow"),
    "inspect": ("attest.cli.inspect", "show what is inside, unverified"),
    "merge": ("attest.cli.merge", "merge packs of several streams into one"),
    "extract": ("attest.cli.extract", "write a pack out into a new folder"),
    "diff": ("attest.cli.diff", "show what differs between two packs"),
    "policy": ("attest.cli.policy", "write, check, test and explain policy files"),
    "key": ("attest.cli.key", "make and import keys, for where an identity cannot sign"),
    "sei": ("attest.cli.sei", "sign and verify a repository's .sei artefacts with keys"),
    "trust": ("attest.cli.trust", "show, refresh and register what instances trust"),
    "sandbox": ("attest.cli.sandbox", "run a local Sigstore for trying things out"),
    "demo": ("attest.cli.demo", "see the main job done, and five ways to cheat rejected"),
}

#: 128 and the number of SIGINT, as shells count.
EXIT_INTERRUPTED = 130

_EPILOG = """\
exit codes:
  0  done; verified, and the policy is satisfied
  1  a verdict: malformed, does not verify, or the policy says no
  2  no verdict: bad usage, unreadable file, no trust material, network, signing failed

examples:
  attest demo
  attest build evidence.epack report.pdf logs/ --stream acme/prod
  attest sign evidence.epack
  attest verify evidence.epack --identity ana@acme.example --issuer google"""


class Command(Protocol):
    """What a command's module offers.

    One whose actions have options of their own has `ACTIONS`: each with its module and summary.
    """

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add description, options and examples."""

    def run(self, args: argparse.Namespace, context: Context) -> int:
        """Do it; the result is the exit code."""


def entry() -> NoReturn:
    """Run the program on this process's arguments and streams."""
    # Start-up makes tens of thousands of objects that all stay: looking for rubbish among them
    # costs a twentieth of a verification.
    gc.set_threshold(100_000)
    # Libraries warn of odd certificates; what matters of it is in the verdict.
    warnings.simplefilter("ignore")
    _end_tidily()
    nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  # until the end
    # A stream that was closed for us is None.
    stdout, stderr = sys.stdout or nowhere, sys.stderr or nowhere
    for stream in (stdout, stderr):
        # A terminal that cannot show a character gets its number, never a failed run.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    code = main(sys.argv[1:], stdout=stdout, stderr=stderr, environ=os.environ)
    try:
        if stdout is nowhere:
            code = EXIT_NO_VERDICT
            stderr.write("error: unwritable_output: standard output is closed\n")
        stdout.flush()
    except OSError:  # of which a broken pipe is one; what was lost has been said where it could be
        code = EXIT_NO_VERDICT
    with contextlib.suppress(OSError):  # talk that nobody hears changes no verdict
        stderr.flush()
    # All is written and closed by now; tearing down the interpreter would only take time.
    os._exit(code)


def _end_tidily() -> None:
    """End by SIGTERM or SIGHUP as by Ctrl-C: with what is half-written removed."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has one of them
        # What our caller chose to ignore, as nohup does, stays ignored.
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)


def main(argv: Sequence[str], *, stdout: TextIO, stderr: TextIO, environ: Mapping[str, str]) -> int:
    """Run one command line.

    Args:
        argv: the words after the program's name.
        stdout: gets the result.
        stderr: gets everything else.
        environ: the environment.

    Returns:
        0 done, 1 a verdict against the evidence, 2 no verdict, 130 interrupted.
    """
    first = _first_context(argv, stdout, stderr, environ)
    run = _Run(context=first)
    try:
        return _answer(argv, run)
    except BrokenPipeError:
        return broken_pipe()
    except UsageError as error:  # the JSON that tells of a failure could not be written either
        return report_failure(error, run.context)


def _answer(argv: Sequence[str], run: _Run) -> int:
    """Run the command and tell of its failure, if it fails; the result is the exit code."""
    try:
        return _dispatch(argv, run)
    except AttestError as error:
        return report_failure(error, run.context, run.command)
    except KeyboardInterrupt:
        run.context.say("interrupted")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - the last line of defence: no traceback, exit 2
        return report_unexpected(error, run.context, run.command)


@dataclass(kw_only=True, slots=True)
class _Run:
    """How far a run has come, for whoever reports its failure."""

    context: Context
    command: Command | None = None


def _dispatch(argv: Sequence[str], run: _Run) -> int:
    options = take_global_options(argv)
    run.context = _context(options, run.context)
    if options.version:
        run.context.result(f"attest {__version__}")
        return EXIT_OK
    name, words = _command_of(options.rest)
    if name is None:
        return _without_command(options, run.context)
    name, run.command, words = load_command(name, words)
    return _run(name, run.command, words, options, run.context)


def load_command(name: str, words: Sequence[str]) -> tuple[str, Command, Sequence[str]]:
    """Load the module of a command, or of the action of it that the first of its words names.

    Args:
        name: the command.
        words: what follows it.

    Returns:
        The name as it is typed, the module, and the words that are left.

    Raises:
        UsageError: `unknown_command`.
    """
    command = cast("Command", import_module(COMMANDS[name][0]))
    actions: Mapping[str, tuple[str, str]] = getattr(command, "ACTIONS", {})
    if not actions or not words or words[0].startswith("-"):
        return name, command, words
    if words[0] not in actions:
        raise unknown_command(words[0], list(actions), f"attest {name}")
    module = import_module(actions[words[0]][0])
    return f"{name} {words[0]}", cast("Command", module), words[1:]


def _run(
    name: str, command: Command, words: Sequence[str], options: GlobalOptions, context: Context
) -> int:
    parser = Parser(f"attest {name}")
    command.configure(parser)
    if options.help:
        context.result(parser.format_help() + "\nattest --help lists the global options")
        return EXIT_OK
    _require_output(name, command, context)
    return command.run(parser.parse(words), context)


def _require_output(name: str, command: Command, context: Context) -> None:
    """Refuse a form of results that a command does not have; one without a word has two."""
    known: tuple[str, ...] = getattr(command, "OUTPUTS", ("text", "json"))
    if context.settings.output not in known:
        raise UsageError(
            "invalid_usage",
            f"attest {name} has no output {context.settings.output}",
            hint=f"there are: {', '.join(known)}",
        )


def _first_context(
    argv: Sequence[str], stdout: TextIO, stderr: TextIO, environ: Mapping[str, str]
) -> Context:
    """Enough to report that the options or settings themselves are wrong."""
    words = " ".join(argv)
    wants_json = "--output json" in words or "--output=json" in words
    settings = load_settings({}, output="json" if wants_json else None)
    return Context(stdout=stdout, stderr=stderr, environ=environ, settings=settings)


def _context(options: GlobalOptions, first: Context) -> Context:
    return Context(
        stdout=first.stdout,
        stderr=first.stderr,
        environ=first.environ,
        settings=load_settings(
            first.environ,
            output=options.output,
            color=options.color,
            limits=options.limits,
            file=options.config,
        ),
        verbosity=-1 if options.quiet else options.verbose,
    )


def _command_of(words: Sequence[str]) -> tuple[str | None, Sequence[str]]:
    """The command and the words of its own, which may stand before it as well."""
    for index, word in enumerate(words):
        if word in COMMANDS:
            return word, [*words[:index], *words[index + 1 :]]
        if not word.startswith("-"):
            raise unknown_option(words[0]) if index else unknown_command(word, list(COMMANDS))
    return None, words


def _without_command(options: GlobalOptions, context: Context) -> int:
    if options.rest:
        raise unknown_option(options.rest[0])
    if options.help:
        context.result(_help())
        return EXIT_OK
    raise UsageError("missing_command", "no command was given", hint=did_you_mean("", COMMANDS))


def _help() -> str:
    commands = "\n".join(f"  {name:<9} {summary}" for name, (_, summary) in COMMANDS.items())
    return (
        "usage: attest COMMAND …\n\n"
        "Sign and verify evidence with identities instead of keys.\n\n"
        f"commands:\n{commands}\n\n{GLOBAL_OPTIONS}\n\n{_EPILOG}"
    )
