"""How a failure is told: one line and a hint on stderr, or one JSON object on stdout."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from attest.cli.context import Context
from attest.errors import EXIT_NO_VERDICT, AttestError, UsageError, without_tokens
from attest.terminal import escape, paint, wants_color

if TYPE_CHECKING:
    from attest.strictjson import JSON


def error_lines(error: AttestError) -> list[str]:
    """An error as lines for a person, escaped: what, where and, if there is one, the hint."""
    places = [place for place in (error.where, error.rule) if place]
    place = f" ({escape('; '.join(places))})" if places else ""
    lines = [f"error: {error.code}: {escape(error.message)}{place}"]
    if hint := error.hint or error.advice:
        # A hint may end in lines to copy: indented as a workflow file has them below a job, and
        # so that none can pass for a line of ours.
        first, *more = hint.splitlines()
        lines += [f"hint: {escape(first)}", *(f"    {escape(line)}" for line in more)]
    return lines


def report_failure(error: AttestError, context: Context, command: object = None) -> int:
    """Tell of an error.

    Args:
        error: what happened.
        context: where to tell it, and in which form; that stdout takes nothing is told on stderr.
        command: module of the command; its `error_json`, if it has one, makes the JSON, and its
            `error_document` writes documents of other kinds, because some commands answer with
            a document of their own format.

    Returns:
        The exit code.
    """
    if context.wants_json and error.code != "unwritable_output":
        own: Callable[[AttestError], JSON] | None = getattr(command, "error_json", None)
        context.result_json(own(error) if own else _plain_json(error))
        return error.exit_code
    on = wants_color(context.settings.color, context.stderr, context.environ)
    for line in painted_lines(error, on=on):
        context.complain(line)
    document: Callable[[AttestError, Context], None] | None = getattr(
        command, "error_document", None
    )
    if document and error.code != "unwritable_output" and context.settings.output != "text":
        document(error, context)
    return error.exit_code


def painted_lines(error: AttestError, *, on: bool) -> list[str]:
    """As `error_lines`, with the first words in colour if it is on."""
    lines: list[str] = []
    for line in error_lines(error):
        label, colon, text = line.partition(": ")
        if label in ("error", "hint"):
            label = paint(label, "red" if label == "error" else "dim", on=on)
        lines.append(f"{label}{colon}{text}")
    return lines


def _plain_json(error: AttestError) -> JSON:
    from attest.report.json import error_to_json

    return {"error": error_to_json(error)}


def report_unexpected(error: Exception, context: Context, command: object = None) -> int:
    """Tell of a failure that nobody foresaw; with `-vv` also where it happened."""
    if context.verbosity >= 2:
        for line in traceback_lines(error):
            context.complain(line)
    return report_failure(internal_error(error), context, command)


def traceback_lines(error: Exception) -> list[str]:
    """Where an error happened, escaped and without tokens: its text may quote what was sent."""
    import traceback

    text = without_tokens("".join(traceback.format_exception(error)))
    return [escape(line) for line in text.splitlines()]


def internal_error(error: Exception) -> UsageError:
    """The error for a failure that nobody foresaw."""
    return UsageError(
        "internal_error",
        f"{type(error).__name__}: {error}",
        hint="this is a fault of attest, please report it with what the same command prints"
        " under -vv",
    )


def broken_pipe() -> int:
    """The exit code when the reader of the output went away: it got no verdict."""
    return EXIT_NO_VERDICT
