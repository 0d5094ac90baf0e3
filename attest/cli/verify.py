"""`attest verify`: was this signed by whom I trust?"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from attest.api.verify import examine, no_verdict
from attest.cli.context import Context
from attest.cli.failure import report_failure
from attest.errors import EXIT_OK, AttestError, UsageError
from attest.policy.issuers import resolve_issuer
from attest.policy.model import Policy, Signer
from attest.report import json as report_json
from attest.report import text as report_text
from attest.report.model import Report
from attest.strictjson import JSON
from attest.terminal import Color
from attest.trust.instance import PUBLIC

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
    who = parser.add_argument_group("who must have signed")
    who.add_argument(
        "--identity",
        action="append",
        default=[],
        metavar="ID",
        help="an acceptable signer: e-mail or workflow URL, exactly; may be repeated",
    )
    who.add_argument(
        "--issuer",
        action="append",
        default=[],
        metavar="URL|ALIAS",
        help="OIDC issuer of the identity, or its alias; one for each, or one for all",
    )
    who.add_argument("--predicate-type", metavar="URI", help="count only statements of this type")
    only = who.add_mutually_exclusive_group()
    only.add_argument(
        "--unsafe-any-identity",
        action="store_true",
        help="accept whoever signed; the report says so in its first line",
    )
    only.add_argument(
        "--integrity-only",
        action="store_true",
        help="check that a pack is intact, and nobody's identity",
    )
    parser.add_argument("--bundle", metavar="FILE", help="bundle (default: FILE.sigstore.json)")
    trust = parser.add_argument_group("trust").add_mutually_exclusive_group()
    trust.add_argument("--instance", choices=sorted(PUBLIC), help="public instance (sigstore)")
    trust.add_argument("--trusted-root", metavar="FILE", help="trusted_root.json to trust")
    trust.add_argument("--trust-config", metavar="FILE", help="client trust config to trust")
    parser.add_argument(
        "--offline",
        action="store_true",
        help="never touch the network (verifying never does in this version)",
    )


def run(args: argparse.Namespace, context: Context) -> int:
    """Verify every target and report on each; the exit code is the worst."""
    if args.bundle is not None and len(args.targets) > 1:
        raise UsageError("invalid_usage", "--bundle goes with one target")
    policy = _policy(args)
    trust = None if policy is None else _trust(args)
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


def _policy(args: argparse.Namespace) -> Policy | None:
    identities: list[str] = args.identity
    issuers: list[str] = args.issuer
    if args.integrity_only or args.unsafe_any_identity:
        only = "--integrity-only" if args.integrity_only else "--unsafe-any-identity"
        if identities or issuers:
            raise UsageError("invalid_usage", f"{only} excludes --identity and --issuer")
        if args.integrity_only:
            trust = args.instance or args.trusted_root or args.trust_config
            if trust or args.predicate_type is not None:
                raise UsageError("invalid_usage", "--integrity-only looks at no signature")
            return None
        return Policy.unsafe_any_identity(predicate_type=args.predicate_type)
    if not identities:
        raise UsageError(
            "no_policy",
            "nobody was named who must have signed",
            hint="give --identity and --issuer; `attest inspect` shows who claims to have signed",
        )
    if len(issuers) == 1:
        issuers = issuers * len(identities)
    if len(issuers) != len(identities):
        raise UsageError(
            "issuer_missing",
            f"{len(identities)} identities and {len(issuers)} issuers",
            hint="give one --issuer for each --identity, or one for all",
        )
    signers = [
        Signer(identity=identity, issuer=resolve_issuer(issuer))
        for identity, issuer in zip(identities, issuers, strict=True)
    ]
    return Policy.any_of(*signers, predicate_type=args.predicate_type)


def _trust(args: argparse.Namespace) -> TrustRoot:
    from attest.trust.root import TrustRoot

    file = args.trusted_root or args.trust_config
    if file is None:
        return TrustRoot.embedded(args.instance or "sigstore")
    return TrustRoot.from_file(file)
