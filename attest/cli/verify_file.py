"""The policy file that `attest verify` is given, and the roots under which it decides."""

from __future__ import annotations

import argparse
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from attest.cli.context import Context
from attest.cli.verify_thresholds import requiring
from attest.cli.verify_trust import root_in_file, root_of_instance, trust_of
from attest.errors import UsageError
from attest.terminal import escape

if TYPE_CHECKING:  # loaded only where a policy file decides
    from collections.abc import Callable

    from attest.policy.model import Policy
    from attest.policy.rules import PolicyFile
    from attest.trust.root import TrustRoot

#: What says who must have signed as well, and so may not stand beside a policy file.
_EXCLUDED = {
    "identity": "--identity",
    "issuer": "--issuer",
    "key": "--key",
    "predicate_type": "--predicate-type",
    "unsafe_any_identity": "--unsafe-any-identity",
    "integrity_only": "--integrity-only",
}


def add_file_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options that name a policy file."""
    group = parser.add_argument_group("or a policy file, which alone says who must have signed")
    group.add_argument("--policy", metavar="FILE", help="policy in YAML or JSON")
    add_policy_signer_options(group)


def add_policy_signer_options(group: argparse._ArgumentGroup) -> None:
    """Declare the options that say who must have signed the policy file itself."""
    group.add_argument(
        "--policy-signer",
        metavar="ID",
        help="use it only if this identity signed exactly this file, and nothing newer",
    )
    group.add_argument("--policy-issuer", metavar="URL|ALIAS", help="OIDC issuer of that identity")
    group.add_argument(
        "--policy-bundle", metavar="FILE", help="bundle of the policy (default: FILE.sigstore.json)"
    )


def refuse_signed_policy(args: argparse.Namespace) -> None:
    """Refuse what says who signed a policy where there is none.

    Raises:
        UsageError: `invalid_usage`.
    """
    beside = (args.policy_signer, args.policy_issuer, args.policy_bundle)
    if any(value is not None for value in beside):
        raise UsageError("invalid_usage", "--policy-signer goes with --policy")


def policy_file_of(
    args: argparse.Namespace, context: Context
) -> tuple[Policy, tuple[TrustRoot, ...]]:
    """Load the policy file, say what it will enforce, and load the roots that it trusts.

    Raises:
        UsageError: `invalid_usage`, `file_not_found`, `unreadable_file`.
        PolicyFileError: `policy_expired`, and the codes of `attest.policy.load` and of
            `load_signed_policy`.
        TrustError: `instance_not_in_policy`, and the codes of `load_root`.
    """
    from attest.policy.decide import check_expiry
    from attest.policy.model import Policy

    beside = [
        name for member, name in _EXCLUDED.items() if getattr(args, member) not in (None, False, [])
    ]
    if beside:
        raise UsageError(
            "invalid_usage",
            f"--policy excludes {', '.join(beside)}",
            hint="write it into the policy: only one of them can say who must have signed",
        )
    rules = load_named_policy(args, context, lambda root: requiring(args, root))
    check_expiry(rules, datetime.now(UTC))
    # What is demanded on the command line is demanded of keys too.
    if args.min_log_entries:
        rules = replace(rules, log="required")
    if args.min_timestamps:
        rules = replace(rules, timestamp="required")
    roots = tuple(requiring(args, root) for root in policy_roots_of(rules, args, context))
    if context.settings.output == "text":
        tell_rules(rules, args, context)
    return Policy(rules=rules), roots


def load_named_policy(
    args: argparse.Namespace,
    context: Context,
    demanding: Callable[[TrustRoot], TrustRoot] | None = None,
) -> PolicyFile:
    """The policy file of `--policy`; where its signer was named, only as that one signed it.

    Args:
        args: with the options of `add_policy_signer_options` and `add_trust_options`.
        context: where editions and trust are kept.
        demanding: makes of the root under which it must be signed one that demands more.

    Raises:
        UsageError: `invalid_usage`, `issuer_missing`, and the codes of `Policy.load` and of
            `load_signed_policy`.
        PolicyFileError: the codes of `attest.policy.load` and of `load_signed_policy`.
        TrustError: the codes of `trust_of`.
    """
    signer, issuer = args.policy_signer, args.policy_issuer
    if signer is None and issuer is None:
        if args.policy_bundle is not None:
            raise UsageError("invalid_usage", "--policy-bundle goes with --policy-signer")
        from attest.policy.model import Policy

        return Policy.load(args.policy).rules
    if not signer or not issuer:
        raise UsageError(
            "issuer_missing",
            "--policy-signer and --policy-issuer go together",
            hint="name both: an identity is only as good as who vouches for it",
        )
    from attest.api.signed_policy import PolicySigner, load_signed_policy
    from attest.policy.issuers import resolve_issuer

    root = trust_of(args, context)
    state = context.settings.state_folder
    return load_signed_policy(
        Path(args.policy),
        PolicySigner(
            identity=signer,
            issuer=resolve_issuer(issuer),
            root=root if demanding is None else demanding(root),
            folder=None if state is None else state / "policies",
        ),
        bundle=None if args.policy_bundle is None else Path(args.policy_bundle),
        now=datetime.now(UTC),
        limits=context.settings.limits,
    )


def policy_roots_of(
    rules: PolicyFile, args: argparse.Namespace, context: Context
) -> tuple[TrustRoot, ...]:
    """The roots that the policy names; of those only the one of `--instance`, if that is given.

    A root in a file has no name that a policy could know: it decides in place of them all, and
    every report says so.

    Args:
        rules: the policy.
        args: with the options of `add_trust_options`.
        context: where what is trusted is kept.

    Raises:
        UsageError: `invalid_usage`.
        TrustError: `instance_not_in_policy`, and the codes of `load_root`.
    """
    from attest.api.roots import roots_of
    from attest.trust.root import TrustWarning

    if args.instance is not None:
        if args.instance not in rules.trust:
            raise UsageError(
                "instance_not_in_policy",
                f"the policy does not trust the instance {args.instance!r}",
                where=rules.file,
                hint=f"it trusts: {', '.join(rules.trust)}",
            )
        rules = replace(rules, trust=(args.instance,))
    given = root_in_file(args)
    if given is not None:
        warning = TrustWarning(
            code="trust_not_of_policy",
            message=f"{given.instance} was trusted, as the command line says, in place of what the"
            f" policy trusts: {', '.join(rules.trust)}",
        )
        return (replace(given, warnings=(*given.warnings, warning)),)
    return roots_of(rules, lambda name: root_of_instance(name, args, context))


def tell_rules(rules: PolicyFile, args: argparse.Namespace, context: Context) -> None:
    """Say what a policy will enforce, and where its roots are replaced."""
    from attest.policy.explain import explain_policy

    for line in explain_policy(rules):
        context.say(escape(line, limit=2_000))
    file = args.trust_config if args.trusted_root is None else args.trusted_root
    if file is not None:
        context.say(escape(f"but under the root in {file}, in place of those", limit=2_000))
