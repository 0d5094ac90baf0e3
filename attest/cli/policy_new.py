"""`attest policy new`: draft a policy from options, from a pack's signers, or by questions."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from attest.api.policy import draft_from_pack, write_draft
from attest.cli.context import Context
from attest.errors import EXIT_OK, UsageError
from attest.policy.draft import DraftedSigner, Origin, draft
from attest.policy.issuers import ISSUERS, resolve_issuer
from attest.publickey import load_public_key
from attest.terminal import escape

_NAMES = ("from_pack", "github", "workflow", "ref", "repository_id", "email", "issuer", "key")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options that only `new` takes."""
    new = parser.add_argument_group("only with new")
    new.add_argument(
        "--from", dest="from_pack", metavar="PACK", help="the signers of a pack, on first use"
    )
    new.add_argument("--trusted-root", metavar="FILE", help="trusted root to verify that pack with")
    new.add_argument("--github", metavar="OWNER/REPO", help="a workflow of this repository")
    new.add_argument("--workflow", metavar="PATH", help="its file, as release.yml")
    new.add_argument(
        "--ref", action="append", metavar="REF", help="its branch or tags, as refs/tags/v*"
    )
    new.add_argument("--repository-id", metavar="N", help="the repository's number")
    new.add_argument("--email", action="append", metavar="ADDRESS", help="one of these people")
    new.add_argument("--issuer", metavar="URL|ALIAS", help="who vouches for them")
    new.add_argument("--key", action="append", metavar="PEM", help="file of a public key")
    new.add_argument("--out", metavar="FILE", help="write a new file, instead of printing it")


def refuse_options(args: argparse.Namespace) -> None:
    """Refuse options of `new` with another action.

    Raises:
        UsageError: `invalid_usage`.
    """
    for name in (*_NAMES, "trusted_root", "out"):
        if getattr(args, name) is not None:
            option = "--from" if name == "from_pack" else f"--{name.replace('_', '-')}"
            raise UsageError("invalid_usage", f"{option} goes with new")


def run(args: argparse.Namespace, context: Context) -> int:
    """Draft the policy; print it, or write it to a file that is not there yet."""
    if args.files:
        hint = "write: attest policy new --out FILE"
        raise UsageError("invalid_usage", "takes no file", hint=hint)
    if all(getattr(args, name) is None for name in _NAMES):
        _ask_for(args, context)
    signers, origin = _signers(args, context)
    text = draft(signers, now=datetime.now(UTC), origin=origin)
    if args.out is None:
        if context.wants_json:
            context.result_json({"policy": text, "file": None})
        else:
            context.result(text.rstrip("\n"))
        return EXIT_OK
    write_draft(Path(args.out), text)
    if context.wants_json:
        context.result_json({"policy": text, "file": args.out})
    else:
        context.result(f"wrote {escape(args.out)}")
    return EXIT_OK


def _signers(
    args: argparse.Namespace, context: Context
) -> tuple[list[DraftedSigner], Origin | None]:
    signers: list[DraftedSigner] = []
    origin = None
    if args.from_pack is not None:
        found, origin = draft_from_pack(
            args.from_pack, trusted_root=args.trusted_root, limits=context.settings.limits
        )
        signers += found
        context.say("trusted on first use: make sure that these are the right signers")
    elif args.trusted_root is not None:
        raise UsageError("invalid_usage", "--trusted-root goes with --from")
    if args.github is not None:
        signers.append(_workflow(args))
    elif args.workflow or args.ref or args.repository_id:
        raise UsageError("invalid_usage", "--workflow, --ref and --repository-id go with --github")
    if args.email is not None:
        signers.append(_people(args))
    elif args.issuer is not None:
        raise UsageError("invalid_usage", "--issuer goes with --email")
    for file in args.key or []:
        name = Path(file).stem or "key"
        signers.append(DraftedSigner(name=name, key=load_public_key(file)))
    return signers, origin


def _workflow(args: argparse.Namespace) -> DraftedSigner:
    if not args.workflow or not args.ref:
        raise UsageError(
            "invalid_usage",
            "--github needs --workflow and --ref",
            hint="as --workflow release.yml --ref 'refs/tags/v*': without them everybody who may "
            "push a branch could sign",
        )
    path = args.workflow if "/" in args.workflow else f".github/workflows/{args.workflow}"
    members = [
        ("issuer", ("github-actions",)),
        ("repository", (args.github,)),
        ("workflow", (path,)),
        ("ref", tuple(args.ref)),
        ("runner", ("github-hosted",)),
    ]
    if args.repository_id is not None:
        members.insert(2, ("repository-id", (args.repository_id,)))
    stem = path.rpartition("/")[2].partition(".")[0]
    return DraftedSigner(name=stem or "workflow", members=tuple(members))


def _people(args: argparse.Namespace) -> DraftedSigner:
    if args.issuer is None:
        raise UsageError(
            "issuer_missing",
            "nothing says who vouches for the e-mail address",
            hint=f"add --issuer: a URL, or one of {', '.join(ISSUERS)}",
        )
    resolve_issuer(args.issuer)
    name = args.email[0].partition("@")[0] if len(args.email) == 1 else "people"
    members = (("issuer", (args.issuer,)), ("email", tuple(args.email)))
    return DraftedSigner(name=name, members=members)


def _ask_for(args: argparse.Namespace, context: Context) -> None:
    """Fill the options in by asking, on a terminal."""
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError(
            "no_policy",
            "nothing says who must have signed, and nobody can be asked: this is no terminal",
            hint="give --github, --email, --key or --from",
        )
    kind = _ask(
        context, "Who signs: a [w]orkflow of GitHub Actions, a [p]erson, or a [k]ey?", "wpk"
    )
    if kind == "w":
        args.github = _ask(context, "Which repository (owner/name)?", "[^/]+/[^/]+")
        args.workflow = _ask(context, "Which workflow file (as release.yml)?", ".+")
        args.ref = [_ask(context, "On which branch or tags (as refs/tags/v*)?", "refs/.+")]
    elif kind == "p":
        args.email = [_ask(context, "Which e-mail address?", "[^@]+@[^@]+")]
        aliases = ", ".join(ISSUERS)
        args.issuer = _ask(context, f"Who vouches for it ({aliases}, or a URL)?", ".+", _is_issuer)
    else:
        args.key = [_ask(context, "Which file holds the public key?", ".+")]


def _is_issuer(text: str) -> bool:
    return text in ISSUERS or text.startswith("https://")


def _ask(context: Context, question: str, form: str, holds: Callable[[str], bool] = bool) -> str:
    """Ask until the answer has the form.

    Raises:
        UsageError: `no_policy` where the answers end.
    """
    form = f"[{form}]" if form.isalpha() else form
    while True:
        context.complain(question)
        line = sys.stdin.readline()
        if not line:
            raise UsageError("no_policy", "no answer came", hint="give the options instead")
        answer = line.strip()
        if re.fullmatch(form, answer) and holds(answer):
            return answer
