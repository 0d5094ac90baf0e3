"""`attest verify`: was this signed by whom I trust?"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from attest.api.verify import examine, no_verdict
from attest.cli.context import Context
from attest.cli.failure import report_failure
from attest.cli.verify_policy import add_policy_options, policy_of
from attest.cli.verify_thresholds import add_threshold_options, refuse_thresholds, requiring
from attest.cli.verify_trust import add_trust_options, refuse_trust_options, trust_of
from attest.errors import EXIT_OK, AttestError, UsageError
from attest.policy.model import Policy
from attest.report import json as report_json
from attest.report import text as report_text
from attest.report.model import Report
from attest.strictjson import JSON
from attest.terminal import Color

if TYPE_CHECKING:  # loaded only where a signature is checked
    from attest.trust.root import TrustRoot

EXAMPLES = """\
examples:
  a pack, signed by a workflow:
    attest verify release.epack \\
      --identity https://github.com/acme/evidence/.github/workflows/pack.yml@refs/heads/main \\
      --issuer github-actions
  a file whose bundle lies beside it (report.pdf.sigstore.json), signed by a person:
    attest verify report.pdf --identity ana@acme.example --issuer google
  a digest, with its bundle, as JSON:
    attest verify sha256:9f86d0… --bundle report.sigstore.json --output json \\
      --identity ana@acme.example --issuer google
  a file that the holder of a key signed, logged by two operators:
    attest verify report.pdf --key release.pub --min-log-entries 2
  only whether a pack is intact, whoever made it:
    attest verify release.epack --integrity-only

exit codes: 0 verified; 1 malformed, does not verify, or not by whom you require; 2 no verdict
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = "Check who signed packs, files or digests, offline."
    parser.epilog = EXAMPLES
    parser.add_argument(
        "targets", metavar="TARGET", nargs="+", help="a pack, a file, or sha256:HEX / sha512:HEX"
    )
    add_policy_options(parser)
    parser.add_argument("--bundle", metavar="FILE", help="bundle (default: FILE.sigstore.json)")
    add_threshold_options(parser)
    add_trust_options(parser)


def run(args: argparse.Namespace, context: Context) -> int:
    """Verify every target and report on each; the exit code is the worst."""
    if args.bundle is not None and len(args.targets) > 1:
        raise UsageError("invalid_usage", "--bundle goes with one target")
    policy = policy_of(args)
    trust: TrustRoot | None = None
    if policy is None:
        refuse_trust_options(args)
        refuse_thresholds(args)
    else:
        trust = requiring(args, trust_of(args, context))
    reports = [_report(target, args, policy, trust, context) for target in args.targets]
    return max((report.exit_code for report in reports), default=EXIT_OK)


def _report(
    target: str,
    args: argparse.Namespace,
    policy: Policy | None,
    trust: TrustRoot | None,
    context: Context,
) -> Report:
    try:
        with context.progress("reading") as progress:
            report = examine(
                target,
                policy=policy,
                trust=trust,
                bundle=args.bundle,
                limits=context.settings.limits,
                progress=progress,
            )
    except AttestError as error:
        report = no_verdict(target, policy, error)
    if context.wants_json:
        context.result(report_json.render(report))
    elif report.result == "error" and report.error is not None:
        report_failure(report.error, context)
    else:
        color: Color = "green" if report.result == "pass" else "red"
        context.result(
            report_text.render(
                report,
                explain=context.verbosity > 0,
                paint=lambda text: context.paint(text, color),
            )
        )
    return report


def error_json(error: AttestError) -> JSON:
    """The JSON report of a call that ended before any target was looked at."""
    return report_json.to_json(no_verdict("", Policy.unsafe_any_identity(), error))
