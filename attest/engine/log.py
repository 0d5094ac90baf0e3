"""Step 5, second half: the log included the entry, or promised to, while it was valid."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from attest import merkle
from attest.bundle import UntrustedInclusionProof, UntrustedLogEntry
from attest.engine.checkpoint import parse_checkpoint, signers_of, verify_checkpoint
from attest.engine.logbody import Binding, check_body, is_v2, malformed
from attest.errors import Untrusted, VerificationFailed
from attest.strictjson import canonicalize, encode_base64
from attest.trust.root import Log
from attest.verified import VerifiedLogEntry

_RULE = "R-086"
_V1_ORIGIN = re.compile(r"([^ +]+) - ([0-9]+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class LoggedEntry:
    """An entry that passed, the log that vouched, and the time of a valid SET (UTC), if any.

    `logs` are the root's listings of that log: one key, each with a window of its own.
    """

    entry: VerifiedLogEntry
    logs: tuple[Log, ...]
    time: datetime | None

    @property
    def host(self) -> str:
        """The log's host."""
        return self.logs[0].host

    @property
    def operator(self) -> str:
        """Who runs the log: whom thresholds count."""
        return self.logs[0].operator


def verify_entry(entry: UntrustedLogEntry, binding: Binding, logs: Sequence[Log]) -> LoggedEntry:
    """Check one log entry; its log's validity window is left to `check_window`.

    Args:
        entry: the entry as read.
        binding: what its body must bind.
        logs: the transparency logs of the trusted root.

    Raises:
        Untrusted: `untrusted_log`.
        MalformedEvidence: `invalid_tlog_entry`, `invalid_checkpoint`.
        VerificationFailed: `invalid_tlog_entry`, `invalid_inclusion_proof`,
            `invalid_checkpoint`, `invalid_set`, `missing_set`.

    Source: RFC 6962, section 2.1; C2SP tlog-checkpoint; Rekor's SET; R-076b, R-086.
    """
    named = tuple(log for log in logs if log.log_id == entry.log_id)
    if not named:
        raise Untrusted(
            "untrusted_log",
            f"log {entry.log_id.hex()[:16]}… is not in the trusted root",
            where=entry.where,
            rule=_RULE,
        )
    check_body(entry, binding)
    leaf_hash = merkle.leaf_hash(entry.body)
    origin: str | None = None
    if entry.proof is not None and entry.proof.checkpoint is not None:
        origin, named = _verify_inclusion(
            entry, entry.proof, entry.proof.checkpoint, leaf_hash, named
        )
    named, time = _verify_promise(entry, named)
    if origin is None and time is None:
        raise VerificationFailed(
            "missing_set",
            "has neither an inclusion proof with a checkpoint nor a signed entry timestamp",
            where=entry.where,
            rule=_RULE,
        )
    bound = time is not None or is_v2(entry)
    verified = VerifiedLogEntry(
        log_id=entry.log_id,
        origin=origin,
        index=entry.index if bound else None,
        proof="promise" if origin is None else "inclusion",
        leaf_hash=leaf_hash,
    )
    return LoggedEntry(entry=verified, logs=named, time=time)


def check_window(logged: LoggedEntry, earliest: datetime, *, where: str) -> None:
    """Check that the log was valid: at its SET's time, else at the earliest verified time.

    Raises:
        VerificationFailed: `log_not_valid_at_time`, if no listing's window has that time.
    """
    time = logged.time or earliest
    if not any(log.valid.contains(time) for log in logged.logs):
        raise VerificationFailed(
            "log_not_valid_at_time",
            f"its log was not valid at {time:%Y-%m-%dT%H:%M:%SZ}",
            where=where,
            rule=_RULE,
        )


def _verify_inclusion(
    entry: UntrustedLogEntry,
    proof: UntrustedInclusionProof,
    note: str,
    leaf_hash: bytes,
    logs: tuple[Log, ...],
) -> tuple[str, tuple[Log, ...]]:
    where = f"{entry.where}.inclusionProof"
    checkpoint = parse_checkpoint(note, where=f"{where}.checkpoint")
    if is_v2(entry):
        name = checkpoint.origin
        logs = tuple(log for log in logs if log.host == name)
        if entry.index != proof.index:
            raise malformed("its two log indexes differ", f"{entry.where}.logIndex")
    else:
        match = _V1_ORIGIN.fullmatch(checkpoint.origin)
        if match is None:
            raise VerificationFailed(
                "invalid_checkpoint",
                f"its origin {checkpoint.origin!r} is not the host and tree id of a v1 log",
                where=f"{where}.checkpoint",
                rule=_RULE,
            )
        name = match[1]
    signers = verify_checkpoint(checkpoint, logs, name=name, where=f"{where}.checkpoint")
    if checkpoint.tree_size != proof.tree_size or checkpoint.root_hash != proof.root_hash:
        raise _bad_proof("its root and size are not those of the checkpoint", where)
    try:
        root = merkle.root_from_inclusion_proof(
            leaf_hash, proof.index, proof.tree_size, proof.hashes
        )
    except ValueError as error:
        raise _bad_proof(str(error), where) from None
    if root != checkpoint.root_hash:
        raise _bad_proof("does not lead from the entry to the signed root", where)
    return checkpoint.origin, signers


def _verify_promise(
    entry: UntrustedLogEntry, logs: tuple[Log, ...]
) -> tuple[tuple[Log, ...], datetime | None]:
    """Check a signed entry timestamp; whose it is, and the time that it binds, if there is one."""
    where = f"{entry.where}.inclusionPromise"
    if is_v2(entry):
        if entry.promise is not None or entry.integrated_time:
            raise malformed("a v2 log gives no time and no promise", entry.where)
        return logs, None
    if entry.promise is None:
        return logs, None
    signed = canonicalize(
        {
            "body": encode_base64(entry.body),
            "integratedTime": entry.integrated_time,
            "logID": entry.log_id.hex(),
            "logIndex": entry.index,
        },
        where=where,
    )
    signers = signers_of(entry.promise, signed, logs)
    if not signers:
        raise VerificationFailed(
            "invalid_set", "the signed entry timestamp does not verify", where=where, rule=_RULE
        )
    return tuple(signers), _time(entry)


def _time(entry: UntrustedLogEntry) -> datetime:
    try:
        return datetime.fromtimestamp(entry.integrated_time, tz=UTC)
    except (ValueError, OverflowError, OSError):
        raise malformed("its time is no date", f"{entry.where}.integratedTime") from None


def _bad_proof(message: str, where: str) -> VerificationFailed:
    return VerificationFailed("invalid_inclusion_proof", message, where=where, rule=_RULE)
