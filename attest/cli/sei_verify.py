"""`attest sei verify`: are the artefacts signed with keys that I registered?"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from attest.api.sei_verify import (
    Roots,
    examine_artefacts,
    no_registered_key,
    policy_of_keys,
    report_of_folder,
)
from attest.cli.context import Context
from attest.cli.failure import internal_error, traceback_lines
from attest.cli.sei_registered import is_inside, refuse_keys_inside, registered_policy
from attest.cli.sei_repository import add_repository_option
from attest.cli.verify_answer import Form, answer_of, write_document
from attest.cli.verify_file import (
    add_policy_signer_options,
    load_named_policy,
    policy_roots_of,
    refuse_signed_policy,
    tell_rules,
)
from attest.cli.verify_many import summary
from attest.cli.verify_trust import add_trust_options
from attest.errors import EXIT_NO_VERDICT, AttestError, UsageError
from attest.policy.decide import check_expiry
from attest.policy.model import Policy
from attest.report.json import to_json
from attest.report.model import Report, Warned
from attest.strictjson import JSON

if TYPE_CHECKING:
    from attest.report.outcome import Outcome

OUTPUTS = ("text", "json", "sarif", "junit", "markdown")

EXAMPLES = """\
examples:
  every artefact of the repository here, by one key or another:
    attest sei verify --pubkey 04… --pubkey 04…
  by a policy file: keys with windows and revocations, and identities with Sigstore bundles:
    attest sei verify --policy ../sei-policy.yaml
  by one that whom you name has signed, and which the repository may hold for that:
    attest sei verify --policy ci/sei.yaml --policy-signer ciso@acme.example --policy-issuer google
  with the keys in sei-policy.yaml of your configuration folder, as a job's JSON Lines:
    attest sei verify --repo checkout --system loan --output json
  only whether artefacts are as they were signed, by whomever:
    attest sei verify --integrity-only

A policy for keys alone says `log: optional` and `timestamp: optional`: a .sig has neither.

exit codes: 0 all verified; 1 one is malformed, unsigned, does not verify, or is signed by somebody
else; 2 no verdict, also where no key is registered; of many artefacts the worst decides
"""

#: Options that say under which roots bundles count.
_OF_TRUST = ("instance", "trusted_root", "trust_config", "trust_warn_days", "trust_max_days")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = "Check every .sei artefact of a repository against registered keys."
    parser.epilog = EXAMPLES
    add_repository_option(parser)
    who = parser.add_argument_group("who must have signed (default: your sei-policy.yaml)")
    who.add_argument(
        "--pubkey",
        action="append",
        default=[],
        metavar="HEX",
        help="a registered key, as `attest sei pubkey` prints it; may be repeated",
    )
    who.add_argument("--policy", metavar="FILE", help="policy in YAML or JSON")
    add_policy_signer_options(who)
    who.add_argument(
        "--integrity-only",
        action="store_true",
        help="check that artefacts are as they were signed, and nobody's identity",
    )
    parser.add_argument(
        "--system", metavar="NAME", help="the system that every artefact must belong to"
    )
    add_trust_options(parser)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    """Who must have signed, None where nobody was asked for, and what every report is to say."""

    policy: Policy | None
    roots: Roots | None = None
    reads_bundles: bool = False
    warnings: tuple[Warned, ...] = ()


def run(args: argparse.Namespace, context: Context) -> int:
    """Verify every artefact and report on each; the exit code is the worst."""
    asked = _asked(args, context)
    form = Form.of(context, explain=False)
    codes: Counter[int] = Counter()
    outcomes: list[Outcome] = []

    def unforeseen(error: Exception) -> AttestError:
        if form.verbosity >= 2:
            for line in traceback_lines(error):
                context.complain(line)
        return internal_error(error)

    for report in examine_artefacts(
        args.repo,
        policy=asked.policy,
        reads_bundles=asked.reads_bundles,
        roots=asked.roots,
        system=args.system,
        limits=context.settings.limits,
        warnings=asked.warnings,
        unforeseen=unforeseen,
    ):
        answer = answer_of(report, (), form)
        answer.tell(context)
        if answer.outcome is not None:
            outcomes.append(answer.outcome)
        codes[answer.exit_code] += 1
    write_document(outcomes, context.settings.output, context)
    if codes.total() > 1:
        context.say(summary(codes, "artefacts", intact=asked.policy is None))
    return max(codes, default=EXIT_NO_VERDICT)


def _asked(args: argparse.Namespace, context: Context) -> _Asked:
    """Who must have signed: by one of the options, else as the user registered it.

    Raises:
        UsageError: `invalid_usage`, `no_registered_key`, `invalid_key`, and the codes of
            `registered_policy` and `load_named_policy`.
        PolicyFileError: `policy_expired`, and the codes of `load_named_policy`.
        TrustError: the codes of `load_named_policy`.
    """
    ways = {
        "--pubkey": bool(args.pubkey),
        "--policy": args.policy is not None,
        "--integrity-only": args.integrity_only,
    }
    given = [name for name, is_given in ways.items() if is_given]
    if args.policy is None:
        refuse_signed_policy(args)
    if len(given) > 1:
        raise UsageError("invalid_usage", f"{given[0]} excludes {', '.join(given[1:])}")
    if given in (["--pubkey"], ["--integrity-only"]):
        wrong = [name for name in _OF_TRUST if getattr(args, name) is not None]
        if wrong:
            option = wrong[0].replace("_", "-")
            raise UsageError(
                "invalid_usage", f"--{option} is for Sigstore bundles, which need a --policy"
            )
        if args.integrity_only:
            return _Asked(policy=None)
        return _Asked(policy=_of_keys(args.pubkey))
    if args.policy is not None:
        return _by_policy(Policy(rules=load_named_policy(args, context)), args, context)
    registered = registered_policy(Path(args.repo), context)
    if registered is None:
        raise no_registered_key()
    return _by_policy(registered, args, context)


def _of_keys(texts: list[str]) -> Policy:
    from attest.publickey import parse_sec1_hex

    return policy_of_keys([parse_sec1_hex(text, where="--pubkey") for text in texts])


def _by_policy(policy: Policy, args: argparse.Namespace, context: Context) -> _Asked:
    rules = policy.rules
    check_expiry(rules, datetime.now(UTC))
    repository = Path(args.repo)
    is_of_repository = args.policy is not None and is_inside(Path(args.policy), repository)
    if not is_of_repository:
        refuse_keys_inside(rules, repository)
    if context.settings.output == "text":
        tell_rules(rules, args, context)
    warnings: tuple[Warned, ...] = ()
    # What its signer signed nobody else can change, wherever it lies.
    if is_of_repository and args.policy_signer is None:
        message = f"{args.policy} lies in the repository that it decides on: who may change the"
        message += " evidence may change it too"
        warnings = (Warned(code="policy_in_repository", message=message),)
    return _Asked(
        policy=policy,
        roots=lambda: policy_roots_of(rules, args, context),
        reads_bundles=True,
        warnings=warnings,
    )


def error_json(error: AttestError) -> JSON:
    """The JSON report of a call that ended before any artefact was looked at."""
    return to_json(_ended(error))


def error_document(error: AttestError, context: Context) -> None:
    """Write the document of a call that ended before any artefact was looked at."""
    from attest.report.outcome import outcome_of

    write_document([outcome_of(_ended(error))], context.settings.output, context)


def _ended(error: AttestError) -> Report:
    return report_of_folder("identity", error)
