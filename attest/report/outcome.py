"""What documents of many targets keep of each report: little enough to hold them all in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from attest.report import text
from attest.report.model import Report, Warned
from attest.verified import KeyIdentity


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """One target's outcome, for SARIF, JUnit and Markdown; every text in it is raw but `text`.

    `text` is the report for people, escaped; `caution` what its reader must know first; `code`,
    `message` and `where` are those of the error, None where there is none. `intact` marks a pack
    that is intact, and nobody's identity was checked.
    """

    name: str
    is_path: bool
    digest: Mapping[str, str]
    result: Literal["pass", "fail", "error"]
    intact: bool
    caution: str | None
    code: str | None
    message: str | None
    where: str | None
    signers: tuple[str, ...]
    warnings: tuple[Warned, ...]
    text: str


def outcome_of(report: Report) -> Outcome:
    """The outcome that a report tells of."""
    error = report.error
    return Outcome(
        name=report.target.name,
        is_path=report.target.kind != "digest",
        digest=dict(report.target.digest),
        result=report.result,
        intact=report.assurance == "integrity" and report.result == "pass",
        caution=text.caution_of(report),
        code=None if error is None else error.code,
        message=None if error is None else error.message,
        where=None if error is None else error.where,
        signers=tuple(dict.fromkeys(_signers(report))),
        warnings=report.warnings,
        text=text.render(report),
    )


def _signers(report: Report) -> Iterator[str]:
    for item in report.attestations:
        if item.verified is not None:
            signer = item.verified.signer
            if isinstance(signer, KeyIdentity):
                yield f"key {signer.key_id}"
            else:
                yield f"{signer.subject} (issuer {signer.issuer})"
