"""`attest sign`: sign packs, files or digests with an identity instead of a key."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

from attest.api.identity import SigningInstance, TokenSource, current
from attest.api.sign import Options, Predicate, Session, open_session
from attest.api.target import require_target
from attest.cli import sign_key
from attest.cli.context import Context
from attest.cli.identity import (
    add_identity_options,
    add_instance_options,
    named_instance,
    token_source,
)
from attest.cli.sign_many import Teller, sign_named
from attest.cli.verify_targets import Named, Targets, signed_from
from attest.errors import AttestError, SigningError, UsageError
from attest.terminal import escape

EXAMPLES = """\
examples:
  a pack, in a GitHub Actions job with `id-token: write`, or at your desk by logging in:
    attest sign evidence.epack
  a file; its bundle is written beside it (report.pdf.sigstore.json):
    attest sign report.pdf
  a digest, with a token from a file:
    attest sign sha256:9f86d0… --bundle report.sigstore.json --identity-token @token.jwt
  a folder, with one certificate; after a failure the same with --resume goes on:
    attest sign dist/
  an in-toto statement that another tool wrote, or one about several files:
    attest sign report.pdf --statement provenance.json
    attest sign a.whl b.whl --predicate tests.json --predicate-type URI --bundle tests.sigstore.json

exit codes: 0 signed, or signed before by this identity; 1 the pack is invalid; 2 not signed
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = "Sign packs, files or digests with an identity instead of a key."
    parser.epilog = EXAMPLES
    parser.add_argument(
        "targets",
        metavar="TARGET",
        nargs="+",
        help="a pack, a file, sha256:HEX, a folder of such, a pattern, or a list of targets:"
        " @FILE, or - for standard input",
    )
    where = parser.add_mutually_exclusive_group()
    add_instance_options(where)
    where.add_argument(
        "--signing-config",
        metavar="FILE",
        help="services of another one; with its --trusted-root instead of a client trust config",
    )
    parser.add_argument(
        "--trusted-root", metavar="FILE", help="trusted_root.json that goes with --signing-config"
    )
    parser.add_argument(
        "--rekor-version",
        type=int,
        choices=(1, 2),
        help="log to use where there are several (1 where offered: every client verifies it)",
    )
    add_identity_options(parser)
    sign_key.add_key_options(parser)
    parser.add_argument(
        "--yes",
        action="store_true",
        help="agree that identity, digest and time become public, without being asked",
    )
    parser.add_argument("--bundle", metavar="FILE", help="bundle to write for a file or digest")
    parser.add_argument(
        "--statement",
        metavar="FILE",
        help="sign this in-toto statement, which must name the file or digest as a subject",
    )
    parser.add_argument(
        "--predicate",
        metavar="FILE",
        help="sign an in-toto statement that says this of the target, or with --bundle of them all",
    )
    parser.add_argument(
        "--predicate-type", metavar="URI", help="what kind of thing --predicate says"
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on where a run ended: complete what waits for its log (TARGET.pending.json),"
        " sign what is not signed",
    )
    parser.add_argument(
        "--replace", action="store_true", help="sign again what this identity has signed already"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="check everything, sign and write nothing"
    )


def run(args: argparse.Namespace, context: Context) -> int:
    """Sign every target with one certificate and report on each; the exit code is the worst."""
    sign_key.check_options(args)
    _check_options(args)
    if context.settings.offline and sign_key.needs_network(args):
        raise UsageError(
            "signing_needs_network",
            "a certificate and a log entry come over the network",
            hint="unset ATTEST_OFFLINE to sign",
        )
    stdin = sys.stdin.buffer if "-" in args.targets and sys.stdin is not None else None
    named = _meant(list(Targets(words=args.targets, stdin=stdin, to_sign=True)), context)
    named = [_tried(item) for item in named]
    _check_number(args, named)
    options = _options(args, context)
    instance = _instance(args, context)
    teller = Teller(context, instance, args)
    if all(item.error is not None for item in named):  # nobody need log in for a name misspelt
        for item in named:
            if item.error is not None:
                teller.failed(item.name, item.error)
        return teller.sum_up()
    quiet_libraries()
    with _session(args, context, instance) as session:
        return sign_named(
            session, named, options=options, bundle=args.bundle, teller=teller, context=context
        )


def _check_options(args: argparse.Namespace) -> None:
    if (args.predicate is None) != (args.predicate_type is None):
        raise UsageError("invalid_usage", "--predicate and --predicate-type go together")
    if args.predicate is not None and args.statement is not None:
        raise UsageError("invalid_usage", "--statement says what --predicate would say")
    if args.resume and args.dry_run:
        raise UsageError(
            "invalid_usage", "--resume signs what is not signed; --dry-run signs nothing"
        )
    if "-" in args.targets and "-" in (args.identity_token, args.key):
        raise UsageError(
            "invalid_usage", "standard input is either the token or the list of targets"
        )


def _check_number(args: argparse.Namespace, named: Sequence[Named]) -> None:
    """Refuse several targets where one is needed; a statement may speak of them all."""
    stated = args.predicate is not None or args.statement is not None
    if len(named) > 1 and args.bundle is not None and not stated:
        raise UsageError(
            "invalid_usage",
            "--bundle goes with one target, or with a statement about several",
            hint="add --predicate and --predicate-type, or leave --bundle out",
        )
    if len(named) > 1 and args.bundle is None and args.statement is not None:
        raise UsageError(
            "invalid_usage",
            "--statement about several targets makes one bundle",
            hint="name the bundle with --bundle",
        )


def _meant(named: Sequence[Named], context: Context) -> Sequence[Named]:
    """Leave out what signing made of other targets: a shell's `*` names it as well."""
    names = {os.path.normpath(item.name) for item in named}
    meant: list[Named] = []
    for item in named:
        target = signed_from(item.name)
        if target is not None and os.path.normpath(target) in names:
            context.say(
                f"skipped: {escape(item.name, limit=2000)} was made by signing"
                f" {escape(target, limit=2000)}, which is named too"
            )
        else:
            meant.append(item)
    return meant


def _tried(named: Named) -> Named:
    """A target that was looked for: what is no file and no digest has an error instead."""
    if named.error is None:
        try:
            require_target(named.name)
        except AttestError as error:
            return Named(name=named.name, error=error)
    return named


def _options(args: argparse.Namespace, context: Context) -> Options:
    predicate = None
    if args.predicate is not None:
        predicate = Predicate.read(args.predicate, args.predicate_type, context.settings.limits)
    return Options(
        statement=args.statement,
        predicate=predicate,
        replace=args.replace,
        dry_run=args.dry_run,
        keep=True,
        resume=args.resume,
    )


def _session(
    args: argparse.Namespace, context: Context, instance: SigningInstance
) -> AbstractContextManager[Session]:
    """Whoever signs, ready to."""
    if args.key is not None:
        return sign_key.key_session(args, context, instance)
    source = _source(args, context, instance)
    if not args.resume:  # what only waits for its log needs no token
        token = source.token()
        who = f"{escape(token.identity)}, issuer {escape(token.issuer)}"
        if args.dry_run:
            context.say(f"dry run: nothing is signed; it would be by {who}")
        context.detail(f"the token names {who}")
    instance = current(instance, places=context.places())
    return open_session(token=source, instance=instance, limits=context.settings.limits)


def _source(args: argparse.Namespace, context: Context, instance: SigningInstance) -> TokenSource:
    try:
        return token_source(args, context, instance, publishes=not args.dry_run)
    except SigningError as error:
        if not args.resume:
            raise
        missing = error  # told of the first target that needs one

    def ask() -> str:
        raise missing

    return TokenSource("identity-token", ask)


def _instance(args: argparse.Namespace, context: Context) -> SigningInstance:
    if (args.signing_config is None) != (args.trusted_root is None):
        raise UsageError("invalid_usage", "--signing-config and --trusted-root go together")
    instance = (
        named_instance(args, context)
        if args.signing_config is None
        else SigningInstance.from_parts(
            trusted_root=args.trusted_root, signing_config=args.signing_config
        )
    )
    return replace(instance, rekor_version=args.rekor_version)


def quiet_libraries() -> None:
    """What these libraries warn of ends in our own errors, told once and escaped."""
    for name in ("sigstore", "tuf", "securesystemslib", "azure", "google"):
        logger = logging.getLogger(name)
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # Google's client writes by itself otherwise
