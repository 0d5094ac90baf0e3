"""Targets signed one after another or side by side, and told of in the order they were named."""

from __future__ import annotations

import argparse
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from threading import Event, Thread, current_thread, main_thread

from attest.api.batch import Outcome, sign_each
from attest.api.identity import SigningInstance
from attest.api.sign import Options, Session
from attest.api.signed import Signed
from attest.cli.context import Context
from attest.cli.failure import internal_error, report_failure, report_unexpected
from attest.cli.sign_answer import as_json, as_text, failure_as_json, verify_commands
from attest.cli.verify_targets import Named
from attest.errors import EXIT_NO_VERDICT, EXIT_OK, AttestError
from attest.terminal import escape


class Teller:
    """Tells what becomes of targets, and sums up.

    Args:
        context: where to tell it.
        instance: which instance signs.
        key: path of the public key, where a key signs.
    """

    def __init__(
        self, context: Context, instance: SigningInstance, args: argparse.Namespace
    ) -> None:
        self._context = context
        self._instance = instance
        self._args = args
        self._counts: Counter[str] = Counter()
        self._stopped: str | None = None
        self._worst = EXIT_OK

    def signed(self, signed: Signed) -> None:
        """Tell of a target that is signed, now or before."""
        commands = verify_commands(signed, self._instance, self._args)
        if self._context.wants_json:
            self._context.result_json(as_json(signed, commands))
        else:
            self._context.result(as_text(signed, commands, self._args))
        word = "checked" if signed.attestation is None else "kept" if signed.kept else "signed"
        self._counts[word] += 1

    def failed(self, target: str, error: Exception, *, stops: bool = False) -> None:
        """Tell of one that is not; what stops the rest is told once and then only named."""
        known = error if isinstance(error, AttestError) else internal_error(error)
        self._worst = max(self._worst, known.exit_code)
        self._counts["waiting for the log" if _waits(known) else "not signed"] += 1
        if self._context.wants_json:
            self._context.result_json(failure_as_json(target, known))
        elif stops and self._stopped == known.code:
            self._context.complain(f"not signed: {escape(target, limit=2000)}")
        elif isinstance(error, AttestError):
            report_failure(error, self._context)
            if stops:
                self._context.complain(f"not signed: {escape(target, limit=2000)}")
        else:
            report_unexpected(error, self._context)
        if stops:
            self._stopped = known.code

    @property
    def interrupted(self) -> bool:
        """Whether targets were not begun because the run was told to end."""
        return self._stopped == "interrupted"

    @property
    def done(self) -> int:
        """How many targets were told of."""
        return self._counts.total()

    def sum_up(self) -> int:
        """Say how many of which, where there were several; the worst exit code."""
        if self.done > 1:
            order = ("signed", "kept", "checked", "waiting for the log", "not signed")
            counts = ", ".join(f"{self._counts[w]} {w}" for w in order if self._counts[w])
            self._context.say(f"{self.done} targets: {counts}")
            if self._counts["waiting for the log"] or self._stopped:
                self._context.say("the same command with --resume goes on where this one ended")
        return self._worst if self.done else EXIT_NO_VERDICT


def _waits(error: AttestError) -> bool:
    return error.code == "signature_pending"


def sign_named(
    session: Session,
    named: Sequence[Named],
    *,
    options: Options,
    bundle: str | None,
    teller: Teller,
    context: Context,
) -> int:
    """Sign what words named: each alone, or with one bundle all together.

    Args:
        session: signs.
        named: the targets, or errors in the place of some.
        options: how.
        bundle: the one bundle file for them, if it was asked for.
        teller: tells of each.
        context: has the progress bar.

    Returns:
        The worst exit code.
    """
    if bundle is not None or len(named) == 1:
        _sign_together(session, named, options, bundle, teller, context)
        return teller.sum_up()
    with context.progress("signing") as progress, _stopping(context) as stop:
        # Whatever is no target takes its place among the answers without having been tried.
        tried = [item.name for item in named if item.error is None]
        with closing(sign_each(session, tried, options=options, stop=stop)) as outcomes:
            for item in named:
                outcome = Outcome(target=item.name, error=item.error)
                outcome = outcome if item.error is not None else next(outcomes)
                progress.hide()
                if outcome.signed is not None:
                    teller.signed(outcome.signed)
                elif outcome.error is not None:
                    teller.failed(item.name, outcome.error, stops=_stops(session, outcome.error))
                progress(teller.done, len(named))
    worst = teller.sum_up()
    if teller.interrupted:
        raise KeyboardInterrupt
    return worst


@contextmanager
def _stopping(context: Context) -> Iterator[Event]:
    """Have the first Ctrl-C, or signal to end, set an event: what was begun is finished."""
    stop = Event()
    names = ("SIGINT", "SIGTERM", "SIGHUP")  # see `attest.cli.main`; Windows has two of them
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    # Those that are ignored stay so; and no other thread may say what signals do.
    ends = [number for number in numbers if signal.getsignal(number) is signal.default_int_handler]
    ends = ends if current_thread() is main_thread() else []

    def on_signal(_number: int, _frame: object) -> None:
        stop.set()
        for number in ends:
            signal.signal(number, signal.default_int_handler)
        # From a thread, since what was interrupted may be in the middle of writing itself.
        Thread(target=context.say, args=["ending when what was begun is finished"]).start()

    for number in ends:
        signal.signal(number, on_signal)
    try:
        yield stop
    finally:
        for number in ends:
            signal.signal(number, signal.default_int_handler)


def _stops(session: Session, error: Exception) -> bool:
    if isinstance(error, AttestError) and error.code == "interrupted":
        return True
    lost = session.signers.lost
    return lost is not None and isinstance(error, AttestError) and error.code == lost.code


def _sign_together(
    session: Session,
    named: Sequence[Named],
    options: Options,
    bundle: str | None,
    teller: Teller,
    context: Context,
) -> None:
    for item in named:
        if item.error is not None:
            teller.failed(item.name, item.error)
            return
    try:
        with context.progress("reading") as progress:
            signed = session.sign(
                *(item.name for item in named), bundle=bundle, options=options, progress=progress
            )
    except AttestError as error:
        teller.failed(named[0].name, error)
    else:
        teller.signed(signed)
