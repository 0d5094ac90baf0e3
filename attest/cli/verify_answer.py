"""One target verified and what is said of it, ready to be printed: also what processes exchange."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from attest.api.verify import examine, no_verdict
from attest.cli.context import Context
from attest.cli.failure import internal_error, painted_lines, traceback_lines
from attest.cli.verify_targets import Named
from attest.cli.verify_trust import known_roots
from attest.config import Output
from attest.errors import AttestError, UsageError
from attest.limits import Limits
from attest.report import json as report_json
from attest.report import text as report_text
from attest.report.model import Report
from attest.terminal import Color, paint, wants_color

if TYPE_CHECKING:  # loaded only where a signature is checked
    from attest.policy.model import Policy
    from attest.report.outcome import Outcome
    from attest.trust.known import Places
    from attest.trust.root import TrustRoot


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """How results are written; streams themselves cannot reach another process."""

    output: Output
    verbosity: int
    explain: bool
    colored_result: bool
    colored_talk: bool

    @classmethod
    def of(cls, context: Context, *, explain: bool) -> Form:
        """The form that a run's options, settings and streams ask for."""
        color = context.settings.color
        return cls(
            output=context.settings.output,
            verbosity=context.verbosity,
            explain=explain,
            colored_result=wants_color(color, context.stdout, context.environ),
            colored_talk=wants_color(color, context.stderr, context.environ),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What is said of one target: text for stdout if there is any, lines for stderr, exit code.

    `outcome` is what goes into the one document of all targets, where that was asked for.
    """

    result: str | None
    talk: tuple[str, ...]
    exit_code: int
    outcome: Outcome | None = None

    def tell(self, context: Context) -> None:
        """Write it."""
        for line in self.talk:
            context.complain(line)
        if self.result is not None:
            context.result(self.result)


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """What is the same for every target; called with one, it verifies it.

    Without a policy there is no trust, and no `places` where it would be kept.
    """

    policy: Policy | None
    trust: tuple[TrustRoot, ...]
    bundle: str | None
    cross_check: bool
    places: Places | None
    limits: Limits
    form: Form

    def __call__(self, named: Named, progress: Callable[[int, int], None] | None = None) -> Answer:
        """Verify a target; whatever happens is in the answer, so that the next has its turn."""
        if named.error is not None:
            return answer_of(no_verdict(named.name, self.policy, named.error), (), self.form)
        talk: list[str] = []
        try:
            report = examine(
                named.name,
                policy=self.policy,
                trust=self.trust or None,
                bundle=self.bundle,
                limits=self.limits,
                progress=progress,
                cross_check=self.cross_check,
                others=None if self.places is None else partial(known_roots, self.places),
                explain=self.form.explain,
            )
        except AttestError as error:
            report = no_verdict(named.name, self.policy, error)
        except Exception as error:  # noqa: BLE001 - the last line of defence: no traceback, exit 2
            if self.form.verbosity >= 2:
                talk = traceback_lines(error)
            report = no_verdict(named.name, self.policy, internal_error(error))
        return answer_of(report, talk, self.form)

    def lost(self, named: Named, how: str) -> Answer:
        """The answer for a target whose process ended under it."""
        error = UsageError(
            "process_ended",
            f"the process that verified it {how}",
            where=named.name,
            hint="was there too little memory? verify it alone, or with fewer --jobs",
        )
        return answer_of(no_verdict(named.name, self.policy, error), (), self.form)


def answer_of(report: Report, talk: Sequence[str], form: Form) -> Answer:
    """What is said of a report.

    Args:
        report: the report.
        talk: lines for stderr that are known already.
        form: how results are written.
    """
    result: str | None = None
    outcome: Outcome | None = None
    lines = list(talk)
    if form.output == "json":
        result = report_json.render(report)
    elif form.output != "text":
        from attest.report.outcome import outcome_of

        outcome = outcome_of(report)
    elif report.result == "error" and report.error is not None:
        lines += painted_lines(report.error, on=form.colored_talk)
    else:
        color: Color = "green" if report.result == "pass" else "red"
        result = report_text.render(
            report,
            explain=form.explain or form.verbosity > 0,
            paint=lambda text: paint(text, color, on=form.colored_result),
        )
    return Answer(result=result, talk=tuple(lines), exit_code=report.exit_code, outcome=outcome)


def write_document(outcomes: Sequence[Outcome], output: Output, context: Context) -> None:
    """Write the one document of all targets, where results are not written one by one.

    Args:
        outcomes: of all targets, in their order.
        output: as `--output` names it; nothing is written for `text` and `json`.
        context: where to write it.
    """
    if output == "sarif":
        from attest.report import sarif

        context.result(sarif.render(outcomes))
    elif output == "junit":
        from attest.report import junit

        context.result(junit.render(outcomes))
    elif output == "markdown":
        from attest.report import markdown

        context.result(markdown.render(outcomes))
