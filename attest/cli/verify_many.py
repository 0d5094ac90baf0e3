"""Many targets verified on all cores, and told of in the order in which they were named."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import chain, islice
from typing import TYPE_CHECKING

from attest.cli.context import Context
from attest.cli.verify_answer import Verification, write_document
from attest.cli.verify_targets import Named, Targets
from attest.errors import EXIT_NO_VERDICT, EXIT_OK, EXIT_VERDICT

if TYPE_CHECKING:
    from attest.report.outcome import Outcome

#: With fewer targets, starting processes takes longer than they save.
_ENOUGH = 64


def jobs_of(text: str) -> int:
    """The value of `--jobs`; 0 stands for one process per core.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    from attest.api.many import MOST_JOBS

    if text == "auto":
        return 0
    if text.isascii() and text.isdigit() and len(text) < 4 and int(text) <= MOST_JOBS:
        return int(text)
    raise argparse.ArgumentTypeError(f"auto, or a number up to {MOST_JOBS}, not {text!r}")


def verify_many(
    verification: Verification, targets: Targets, *, jobs: int | None, context: Context
) -> int:
    """Verify every target, tell of each, and sum up.

    Args:
        verification: what to do with each.
        targets: which ones.
        jobs: how many processes; 0 one per core, None what suits the number of targets.
        context: where to tell it.

    Returns:
        The worst exit code.
    """
    from attest.api.many import in_order

    codes: Counter[int] = Counter()
    outcomes: list[Outcome] = []
    with context.progress("verifying") as progress:
        # Someone who watches wants to know how many there are; nobody else waits for the list.
        named: Iterable[Named] = list(targets) if progress.shown else targets
        total = len(named) if isinstance(named, Sequence) else 0
        jobs, named = _processes(jobs, named)
        answers = in_order(verification, named, jobs=jobs, lost=verification.lost)
        with closing(answers):
            for answer in answers:
                progress.hide()
                answer.tell(context)
                if answer.outcome is not None:
                    outcomes.append(answer.outcome)
                codes[answer.exit_code] += 1
                progress(codes.total(), total)
    write_document(outcomes, verification.form.output, context)
    if codes.total() > 1:
        context.say(summary(codes, intact=verification.policy is None))
    if targets.unsigned:
        files = "file" if targets.unsigned == 1 else "files"
        context.say(f"not looked at: {targets.unsigned} {files} with no bundle beside")
    return max(codes, default=EXIT_NO_VERDICT)


def _processes(jobs: int | None, named: Iterable[Named]) -> tuple[int, Iterator[Named]]:
    """How many processes to use, and the targets, of which some had to be counted."""
    from attest.api.many import cores

    targets = iter(named)
    if jobs is None and (jobs := cores()) > 1:
        first = list(islice(targets, _ENOUGH))
        targets = chain(first, targets)
        jobs = jobs if len(first) == _ENOUGH else 1
    return jobs or cores(), targets


def summary(codes: Counter[int], what: str = "targets", *, intact: bool = False) -> str:
    """How many of what was verified ended how, by their exit codes.

    Args:
        codes: how often each was met.
        what: what was verified, in the plural.
        intact: whether nobody's identity was asked for, so that nothing was verified.
    """
    words = {
        EXIT_OK: "intact" if intact else "verified",
        EXIT_VERDICT: "failed",
        EXIT_NO_VERDICT: "without a verdict",
    }
    counts = ", ".join(f"{codes[code]} {word}" for code, word in words.items() if codes[code])
    return f"{codes.total()} {what}: {counts}"
