"""The report for people: the verdict first, then who signed, then why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from attest.errors import PolicyViolation
from attest.report.explain import explained
from attest.report.model import AttestationResult, Report, SourceResult, utc
from attest.terminal import escape
from attest.verified import Check, KeyIdentity, VerifiedAttestation

_WORDS = {"pass": "VERIFIED", "fail": "FAILED", "error": "NO VERDICT"}


def render(report: Report, *, explain: bool = False, paint: Callable[[str], str] = escape) -> str:
    """The report as lines of text, everything untrusted escaped.

    Args:
        report: the report; where it was made with explanations, they are part of the checks.
        explain: also list every check that was made.
        paint: escapes the verdict and may colour it.
    """
    return "\n".join(_lines(report, explain=explain, paint=paint))


def _lines(report: Report, *, explain: bool, paint: Callable[[str], str]) -> Iterator[str]:
    warning = caution_of(report)
    if warning is not None:
        yield warning
    word = "INTACT (nobody's identity was checked)"
    if report.assurance != "integrity" or report.result != "pass":
        word = _WORDS[report.result]
    yield f"{paint(word)}: {escape(report.target.name)}"
    if report.error is not None:
        yield from _error(report)
    yield from _facts(report)
    if explain:
        yield from _checks(report.checks, "  ")
    for item in report.attestations:
        yield from _attestation(item, explain=explain)
    for source in report.pack.sources if report.pack is not None else ():
        yield from _source(source, explain=explain)
    yield from _deciding(report)
    for warned in report.warnings:
        if warned.code != "integrity_only":  # which the verdict itself says
            yield f"  warning: {escape(warned.message, limit=2000)}"


def _deciding(report: Report) -> Iterator[str]:
    """The policy file and the trust roots that decided."""
    if report.decision is not None and report.decision.sha256 is not None:
        digest = report.decision.sha256.hex()
        yield f"  policy: {escape(report.decision.file or '')} (sha256:{digest})"
    for trust in (report.trust, *report.more_trust):
        if trust is not None:
            age = trust.age_seconds
            days = "" if age is None else f", known to be current {age // 86_400} days ago"
            digest = trust.root_sha256.hex()
            yield f"  trust root: {escape(trust.instance)} (sha256:{digest}{days})"


def caution_of(report: Report) -> str | None:
    """What a reader must know before the verdict."""
    warnings = []
    if report.sandbox:
        warnings.append("SANDBOX: this trust root proves nothing to anybody")
    if report.assurance == "any_identity":
        warnings.append("ANY IDENTITY: somebody signed, and nobody said who it should be")
    return "; ".join(warnings) or None


def _error(report: Report) -> Iterator[str]:
    error = report.error
    if error is None:
        return
    yield f"  {error.code}: {escape(error.message)}"
    if error.where is not None:
        yield f"  where: {escape(error.where)}"
    if error.rule is not None:
        yield f"  rule: {escape(error.rule)}"
    if report.decision is not None and isinstance(error, PolicyViolation):
        for requirement in report.decision.requirements:
            if requirement.status == "fail":
                yield f"  required: {escape(requirement.require)}"
                # Each on a line of its own, so that it can be copied into a command or policy.
                yield from (f"    {escape(line, limit=2000)}" for line in requirement.why)
    if hint := error.hint or error.advice:
        yield f"  hint: {escape(hint)}"


def _facts(report: Report) -> Iterator[str]:
    if report.pack is not None:
        pack = report.pack
        yield (
            f"  pack: stream {escape(pack.stream)}, {pack.artifacts} artifacts, {pack.bytes} bytes"
        )
        yield f"  pack digest: {pack.pack_digest}"
        yield f"  manifest digest: {pack.manifest_digest}"
    else:
        for algorithm, value in report.target.digest.items():
            yield f"  digest: {algorithm}:{value}"


def _source(item: SourceResult, *, explain: bool) -> Iterator[str]:
    yield f"  source {escape(item.stream)}: {item.status}, {item.artifacts} artifacts"
    yield f"    manifest digest: {item.manifest_digest}"
    if item.status == "unsigned":
        yield "    for it only the signers of the merged pack speak"
    for result in item.attestations:
        yield from (f"  {line}" for line in _attestation(result, explain=explain))
    if item.why:
        yield "    nobody signed it who counts for the policy:"
        yield from (f"      {escape(line, limit=2000)}" for line in item.why)


def _attestation(item: AttestationResult, *, explain: bool) -> Iterator[str]:
    yield f"  attestation {escape(item.file)}: {item.status}"
    if item.verified is not None:
        yield from _signer(item.verified)
    if explain:
        yield from _checks(item.checks, "    ")
    elif item.verified is None:
        yield from _checks([check for check in item.checks if check.status != "pass"], "    ")


def _signer(verified: VerifiedAttestation) -> Iterator[str]:
    if isinstance(verified.signer, KeyIdentity):
        yield f"    signed by key: {verified.signer.key_id}"
    else:
        yield f"    signed by: {escape(verified.signer.subject)}"
        yield f"    issuer: {escape(verified.signer.issuer)}"
    if not verified.times:
        yield "    at: no time is proven"
    for time in verified.times:
        yield f"    at: {utc(time.time)} ({time.source}, {escape(time.authority)})"
    for entry in verified.log_entries:
        if entry.origin is None:
            yield f"    log: promised by {entry.log_id.hex()[:16]} (no inclusion proof)"
        else:
            index = "" if entry.index is None else f", index {entry.index}"
            yield f"    log: {escape(entry.origin)}{index}"
    if not verified.log_entries:
        yield "    log: none: not logged, and so not Level 2"
    if verified.statement is not None:
        yield f"    predicate type: {escape(verified.statement.predicate_type)}"


def _checks(checks: Iterable[Check], indent: str) -> Iterator[str]:
    for check in checks:
        yield f"{indent}{_check(check)}"
        yield from (f"{indent}     {line}" for line in explained(check))


def _check(check: Check) -> str:
    parts = [f"{check.status:<4} {check.check}"]
    if check.code is not None:
        parts.append(f"[{check.code}]")
    if check.rule is not None:
        parts.append(f"({escape(check.rule)})")
    if check.detail is not None:
        parts.append(escape(check.detail))
    if check.where is not None:
        parts.append(f"at {escape(check.where)}")
    return " ".join(parts)
