"""Steps 2 and 5 over a whole bundle: every log entry and timestamp, and whether they are enough."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from attest.bundle import UntrustedBundle
from attest.engine.explain import explain_entry, explain_timestamp, explain_windows
from attest.engine.log import LoggedEntry, check_window, verify_entry
from attest.engine.logbody import Binding
from attest.engine.timestamp import verify_timestamp
from attest.engine.trace import Trace
from attest.errors import Untrusted, VerificationFailed
from attest.trust.root import TrustRoot
from attest.verified import VerifiedLogEntry, VerifiedTime

STEP_TIMES = "2 times"
STEP_LOG = "5 log"
#: Evidence that proves too little need not have been changed, as a failure otherwise suggests.
_TOO_LITTLE = "it may be sound, and proves less than its instance, or you, demand"


@dataclass(frozen=True, kw_only=True, slots=True)
class Needed:
    """Least numbers of what a bundle must prove, each over distinct operators.

    As in `InstanceProfile`, except that a signature by a key may be judged without any time.
    """

    log_entries: int
    times: int
    timestamps: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Proofs:
    """The log entries and times that verified; times ascending, none only where none is needed."""

    log_entries: tuple[VerifiedLogEntry, ...]
    times: tuple[VerifiedTime, ...]


def verify_proofs(
    bundle: UntrustedBundle,
    binding: Binding,
    root: TrustRoot,
    needed: Needed,
    trace: Trace,
) -> Proofs:
    """Check every log entry and timestamp of a bundle, and that there are enough.

    Those of strangers count for nothing; one that is attributed to somebody in the root must
    verify. Entries and times are counted over distinct operators.

    Args:
        bundle: a bundle as parsed.
        binding: what the log entries must bind.
        root: whose logs and timestamp authorities count.
        needed: how much must be proven.
        trace: receives every check.

    Raises:
        Untrusted: as below, where a stranger's proof would have been needed.
        MalformedEvidence: a code of `verify_entry` or `verify_timestamp`.
        VerificationFailed: the same, `log_not_valid_at_time`, `not_enough_log_entries`,
            `not_enough_times`, `not_enough_timestamps`.
    """
    logged = _log_entries(bundle, binding, root, needed, trace)
    if logged:  # whether a log's key was valid cannot be judged without a time
        needed = replace(needed, times=max(1, needed.times))
    times = _times(bundle, logged, root, needed, trace)
    with trace.step(STEP_LOG, rule="R-086") as step:
        for item in logged:
            if step.explains:
                explain_windows(step, item.logs, item.time or times[0].time)
            check_window(item, times[0].time, where="tlogEntries")
        step.detail = "valid at that time"
    return Proofs(log_entries=tuple(item.entry for item in logged), times=times)


def _log_entries(
    bundle: UntrustedBundle,
    binding: Binding,
    root: TrustRoot,
    needed: Needed,
    trace: Trace,
) -> tuple[LoggedEntry, ...]:
    logged: list[LoggedEntry] = []
    untrusted: Untrusted | None = None
    for entry in bundle.entries:
        try:
            with trace.step(STEP_LOG, rule="R-086") as step:
                if step.explains:
                    explain_entry(step, entry, root.logs)
                item = verify_entry(entry, binding, root.logs)
                step.where = entry.where
                step.detail = item.entry.origin or "promise"
                logged.append(item)
        except Untrusted as error:
            untrusted = error
    operators = {item.operator for item in logged}
    if len(operators) < needed.log_entries:
        if untrusted is not None:
            raise untrusted  # recorded above
        with trace.step(STEP_LOG):
            raise VerificationFailed(
                "not_enough_log_entries",
                f"{needed.log_entries} logs of different operators needed, "
                f"{len(operators)} verified",
                where="tlogEntries",
                rule="R-086",
                hint=_TOO_LITTLE,
            )
    return tuple(logged)


def _times(
    bundle: UntrustedBundle,
    logged: Sequence[LoggedEntry],
    root: TrustRoot,
    needed: Needed,
    trace: Trace,
) -> tuple[VerifiedTime, ...]:
    times = [
        VerifiedTime(time=item.time, source="rekor", authority=item.host)
        for item in logged
        if item.time is not None
    ]
    stampers: set[str] = set()
    untrusted: Untrusted | None = None
    for position, data in enumerate(bundle.timestamps):
        where = f"rfc3161Timestamps[{position}]"
        try:
            with trace.step(STEP_TIMES, rule="step 2") as step:
                if step.explains:
                    explain_timestamp(step, bundle.signature, root.timestamp_authorities)
                proven, operator = verify_timestamp(
                    data, bundle.signature, root.timestamp_authorities, where=where
                )
                step.where, step.detail = where, f"{proven.time:%Y-%m-%dT%H:%M:%SZ}"
                times.append(proven)
                stampers.add(operator)
        except Untrusted as error:
            untrusted = error
    keepers = stampers | {item.operator for item in logged if item.time is not None}
    shortage = _shortage(needed, stampers, keepers)
    if shortage is not None:
        if untrusted is not None:
            raise untrusted  # recorded above
        with trace.step(STEP_TIMES):
            raise shortage
    return tuple(sorted(times, key=lambda item: item.time))


def _shortage(
    needed: Needed, stampers: AbstractSet[str], keepers: AbstractSet[str]
) -> VerificationFailed | None:
    """What is missing, if anything: timestamps of their own, or times of whatever kind."""
    if len(stampers) < needed.timestamps:
        return VerificationFailed(
            "not_enough_timestamps",
            f"{needed.timestamps} RFC 3161 timestamps of different operators needed, "
            f"{len(stampers)} verified",
            where="rfc3161Timestamps",
            rule="step 2",
            hint=_TOO_LITTLE,
        )
    if len(keepers) < needed.times:
        return VerificationFailed(
            "not_enough_times",
            f"{needed.times} verified times of different operators needed, {len(keepers)} found",
            where="verificationMaterial",
            rule="step 2",
            hint="a signed entry timestamp or an RFC 3161 timestamp proves when it was signed",
        )
    return None
