"""`attest verify`: was this signed by whom I trust?"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from attest.api.verify import no_verdict
from attest.cli.context import Context
from attest.cli.failure import report_failure
from attest.cli.verify_answer import Form, Verification, write_document
from attest.cli.verify_file import add_file_options, policy_file_of, refuse_signed_policy
from attest.cli.verify_many import jobs_of, verify_many
from attest.cli.verify_policy import add_policy_options, policy_of
from attest.cli.verify_targets import Targets
from attest.cli.verify_thresholds import add_threshold_options, refuse_thresholds, requiring
from attest.cli.verify_trust import add_trust_options, refuse_trust_options, trust_of
from attest.errors import AttestError, UsageError
from attest.report.json import to_json
from attest.report.model import Assurance, Report
from attest.strictjson import JSON

if TYPE_CHECKING:  # loaded only where a signature is checked
    from attest.policy.model import Policy
    from attest.trust.root import TrustRoot

OUTPUTS = ("text", "json", "sarif", "junit", "markdown")

EXAMPLES = """\
examples:
  a pack, signed by a workflow:
    attest verify release.epack \\
      --identity https://github.com/acme/evidence/.github/workflows/pack.yml@refs/heads/main \\
      --issuer github-actions
  by a policy file, which says who must have signed, and under which roots:
    attest verify release.epack --policy policy.yaml
  a file whose bundle lies beside it (report.pdf.sigstore.json), signed by a person:
    attest verify report.pdf --identity ana@acme.example --issuer google
  a digest, with its bundle, as JSON:
    attest verify sha256:9f86d0… --bundle report.sigstore.json --output json \\
      --identity ana@acme.example --issuer google
  everything in a folder that is signed, on all cores:
    attest verify dist/ --identity ana@acme.example --issuer google
  what a search finds, as JSON Lines in the same order:
    find / -name '*.epack' | attest verify - --output json \\
      --identity ana@acme.example --issuer google
  a file that the holder of a key signed, logged by two operators:
    attest verify report.pdf --key release.pub --min-log-entries 2
  for the summary of a GitHub Actions job:
    attest verify dist/ --identity ana@acme.example --issuer google \\
      --output markdown >> "$GITHUB_STEP_SUMMARY"
  why, step by step:
    attest verify release.epack --identity ana@acme.example --issuer google --explain
  only whether a pack is intact, whoever made it:
    attest verify release.epack --integrity-only

exit codes: 0 verified; 1 malformed, does not verify, or not by whom you require; 2 no verdict;
of many targets every one is verified, and the worst decides: 2 over 1 over 0
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = "Check who signed packs, files or digests, offline."
    parser.epilog = EXAMPLES
    parser.add_argument(
        "targets",
        metavar="TARGET",
        nargs="+",
        help="a pack, a file, sha256:HEX or sha512:HEX; a folder (its packs and signed files);"
        " a pattern; @FILE or - for a list, one target a line",
    )
    add_policy_options(parser)
    add_file_options(parser)
    parser.add_argument("--bundle", metavar="FILE", help="bundle (default: FILE.sigstore.json)")
    parser.add_argument(
        "--jobs",
        metavar="N",
        type=jobs_of,
        help="processes for many targets (default: one per core from 64 targets on)",
    )
    parser.add_argument(
        "--cross-check",
        action="store_true",
        help="have sigstore's own verifier confirm what is accepted, or give no verdict",
    )
    parser.add_argument(
        "--explain",
        action="store_true",
        help="show every step: its rule, what it compared, and how long it took (-v: less)",
    )
    add_threshold_options(parser)
    add_trust_options(parser)


def run(args: argparse.Namespace, context: Context) -> int:
    """Verify every target and report on each; the exit code is the worst."""
    try:
        return _verified(args, context)
    except AttestError as error:
        return report_failure(error, context, _Unanswered(assurance=_asked(args)))


def _verified(args: argparse.Namespace, context: Context) -> int:
    targets = Targets(words=args.targets, stdin=sys.stdin.buffer if sys.stdin else None)
    alone = targets.alone()
    if args.bundle is not None and alone is None:
        raise UsageError("invalid_usage", "--bundle goes with one target")
    if args.explain and context.settings.output != "text":
        raise UsageError(
            "invalid_usage", "--explain is text", hint="the JSON report has every check anyway"
        )
    policy: Policy | None
    trust: tuple[TrustRoot, ...] = ()
    if args.policy is None:
        refuse_signed_policy(args)
    if args.policy is not None:
        policy, trust = policy_file_of(args, context)
    elif (policy := policy_of(args)) is None:
        refuse_trust_options(args)
        refuse_thresholds(args)
        if args.cross_check:
            raise UsageError("invalid_usage", "--integrity-only looks at no signature")
    else:
        trust = (requiring(args, trust_of(args, context)),)
    verification = Verification(
        policy=policy,
        trust=trust,
        bundle=args.bundle,
        cross_check=args.cross_check,
        limits=context.settings.limits,
        places=None if policy is None else context.places(),
        form=Form.of(context, explain=args.explain),
    )
    if alone is None:
        return verify_many(verification, targets, jobs=args.jobs, context=context)
    with context.progress("reading") as progress:
        answer = verification(alone, progress)
    answer.tell(context)
    if answer.outcome is not None:
        write_document([answer.outcome], context.settings.output, context)
    return answer.exit_code


@dataclass(frozen=True, kw_only=True, slots=True)
class _Unanswered:
    """Tells in a report's form of a call that ended before any target was looked at."""

    assurance: Assurance

    def error_json(self, error: AttestError) -> JSON:
        """The JSON report."""
        return to_json(self._report(error))

    def error_document(self, error: AttestError, context: Context) -> None:
        """Write the document of another kind."""
        from attest.report.outcome import outcome_of

        write_document([outcome_of(self._report(error))], context.settings.output, context)

    def _report(self, error: AttestError) -> Report:
        return replace(no_verdict("", None, error), assurance=self.assurance)


def _asked(args: argparse.Namespace) -> Assurance:
    """What the options ask for, whether or not they can be met."""
    if args.integrity_only:
        return "integrity"
    return "any_identity" if args.unsafe_any_identity else "identity"


#: Of calls whose options could not be read.
error_json = _Unanswered(assurance="identity").error_json
error_document = _Unanswered(assurance="identity").error_document
