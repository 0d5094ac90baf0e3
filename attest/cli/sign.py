"""`attest sign`: sign packs, files or digests with an identity instead of a key."""

from __future__ import annotations

import argparse
import logging
import os
import shlex
from collections.abc import Sequence
from dataclasses import replace

from attest.api.identity import SigningInstance, current
from attest.api.log_versions import who_verifies
from attest.api.sign import Options, Session, Signed, open_session
from attest.api.target import require_target
from attest.cli.context import Context
from attest.cli.failure import report_failure
from attest.cli.identity import (
    add_identity_options,
    add_instance_options,
    named_instance,
    token_source,
)
from attest.errors import EXIT_OK, AttestError, UsageError
from attest.report.json import error_to_json
from attest.report.model import utc
from attest.strictjson import JSON
from attest.terminal import escape

EXAMPLES = """\
examples:
  a pack, in a GitHub Actions job with `id-token: write`, or at your desk by logging in:
    attest sign evidence.epack
  a file; its bundle is written beside it (report.pdf.sigstore.json):
    attest sign report.pdf
  a digest, with a token from a file:
    attest sign sha256:9f86d0… --bundle report.sigstore.json --identity-token @token.jwt
  an in-toto statement about a file:
    attest sign report.pdf --statement provenance.json

exit codes: 0 signed, or signed before by this identity; 1 the pack is invalid; 2 not signed
"""
_LONGEST_COMMAND = 20_000


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = "Sign packs, files or digests with an identity instead of a key."
    parser.epilog = EXAMPLES
    parser.add_argument(
        "targets", metavar="TARGET", nargs="+", help="a pack, a file, or sha256:HEX"
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
        "--replace", action="store_true", help="sign again what this identity has signed already"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="check everything, sign and write nothing"
    )


def run(args: argparse.Namespace, context: Context) -> int:
    """Sign every target with one certificate and report on each; the exit code is the worst."""
    if args.bundle is not None and len(args.targets) > 1:
        raise UsageError("invalid_usage", "--bundle goes with one target")
    if args.statement is not None and len(args.targets) > 1:
        raise UsageError("invalid_usage", "--statement goes with one target")
    if context.settings.offline:
        raise UsageError(
            "signing_needs_network",
            "a certificate and a log entry come over the network",
            hint="unset ATTEST_OFFLINE to sign",
        )
    refused = _refused(args.targets)
    if len(refused) == len(args.targets):  # nobody need log in to hear of a name misspelt
        return max(_failed(target, error, context) for target, error in refused)
    _quiet_libraries()
    instance = _instance(args, context)
    source = token_source(args, context, instance, publishes=not args.dry_run)
    token = source.token()
    if args.dry_run:
        who = f"{escape(token.identity)}, issuer {escape(token.issuer)}"
        context.say(f"dry run: nothing is signed; it would be by {who}")
    context.detail(f"the token names {escape(token.identity)}, issuer {escape(token.issuer)}")
    instance = current(instance, places=context.places())
    with open_session(token=token, instance=instance, limits=context.settings.limits) as session:
        codes = [_sign(target, args, session, instance, context) for target in args.targets]
    return max(codes, default=EXIT_OK)


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


def _refused(targets: Sequence[str]) -> list[tuple[str, AttestError]]:
    """The targets that are no file and no digest, with the reason."""
    refused: list[tuple[str, AttestError]] = []
    for target in targets:
        try:
            require_target(target)
        except AttestError as error:
            refused.append((target, error))
    return refused


def _failed(target: str, error: AttestError, context: Context) -> int:
    if context.wants_json:
        context.result_json(_failed_json(target, error))
        return error.exit_code
    return report_failure(error, context)


def _quiet_libraries() -> None:
    """What these libraries warn of ends in our own errors, told once and escaped."""
    for name in ("sigstore", "tuf", "securesystemslib"):
        logger = logging.getLogger(name)
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())


def _sign(
    target: str,
    args: argparse.Namespace,
    session: Session,
    instance: SigningInstance,
    context: Context,
) -> int:
    try:
        with context.progress("reading") as progress:
            signed = session.sign(
                target,
                bundle=args.bundle,
                options=Options(
                    statement=args.statement, replace=args.replace, dry_run=args.dry_run
                ),
                progress=progress,
            )
    except AttestError as error:
        return _failed(target, error, context)
    command = verify_command(signed, instance)
    if context.wants_json:
        context.result_json(_json(signed, command))
    else:
        context.result(_text(signed, command))
    return EXIT_OK


def verify_command(signed: Signed, instance: SigningInstance) -> str | None:
    """The command with which a consumer verifies what was signed; None after a dry run."""
    if signed.identity is None or signed.issuer is None:
        return None
    words = ["attest", "verify", _portable(signed.target)]
    if signed.kind == "digest" or (
        signed.kind == "file" and os.fspath(signed.path) != f"{signed.target}.sigstore.json"
    ):
        words += ["--bundle", _portable(os.fspath(signed.path))]
    words += ["--identity", signed.identity, "--issuer", signed.issuer]
    if instance.is_registered:
        words += ["--instance", instance.name]
    elif not instance.is_public:
        option = "--trusted-root" if instance.in_parts else "--trust-config"
        words += [option, _portable(instance.name)]
    elif instance.name != "sigstore":
        words += ["--instance", instance.name]
    return shlex.join(words)


def _portable(path: str) -> str:
    """A path that every shell takes as one word and no program takes for an option."""
    path = path.replace("\\", "/") if os.name == "nt" else path
    return f"./{path}" if path.startswith("-") else path


def _text(signed: Signed, command: str | None) -> str:
    digest = "manifest digest" if signed.kind == "pack" else "digest"
    name = escape(signed.target)
    if signed.attestation is None:
        return f"would sign       {name}\n{digest:<15}  {signed.digest}"
    lines = [
        f"{'kept' if signed.kept else 'signed':<15}  {name}",
        f"{digest:<15}  {signed.digest}",
        f"identity         {escape(signed.identity or '')}",
        f"issuer           {escape(signed.issuer or '')}",
    ]
    lines += [
        f"signed at        {utc(item.time)} ({item.source})" for item in signed.attestation.times
    ]
    for entry in signed.log_entries:
        index = "" if entry.index is None else f", index {entry.index}"
        lines.append(f"log              {escape(entry.origin or entry.log_id.hex())}{index}")
        clients = who_verifies(
            entry.log_version, is_statement=signed.attestation.statement is not None
        )
        lines.append(f"log version      {entry.log_version}: {clients}")
    if signed.entry is not None:
        lines.append(f"attestation      {escape(signed.entry)}")
    else:
        lines.append(f"bundle           {escape(os.fspath(signed.path))}")
    if signed.kept:
        lines.append("this identity had signed it already; --replace signs it again")
    if command is not None:
        lines.append(f"to verify it:\n  {escape(command, limit=_LONGEST_COMMAND)}")
    return "\n".join(lines)


def _json(signed: Signed, command: str | None) -> JSON:
    attestation = signed.attestation
    return {
        "error": None,
        "target": {
            "kind": signed.kind,
            "name": signed.target,
            "digest": {"sha256": signed.digest.removeprefix("sha256:")},
        },
        "result": "dry_run" if attestation is None else "kept" if signed.kept else "signed",
        "path": os.fspath(signed.path),
        "entry": signed.entry,
        "identity": signed.identity,
        "issuer": signed.issuer,
        "signed_at": [
            {"time": utc(item.time), "source": item.source}
            for item in (attestation.times if attestation else ())
        ],
        "log": [
            {
                "id": entry.log_id.hex(),
                "version": entry.log_version,
                "origin": entry.origin,
                "index": None if entry.index is None else str(entry.index),
            }
            for entry in signed.log_entries
        ],
        "verify": command,
    }


def _failed_json(target: str, error: AttestError) -> JSON:
    return {"error": error_to_json(error), "target": {"name": target}, "result": "error"}
