"""The command line that the public conformance suite speaks, in terms of `attest`'s own.

Source: sigstore/sigstore-conformance, docs/cli_protocol.md.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from attest.cli import main as attest

_DIGEST = re.compile(r"sha256:[0-9a-fA-F]{64}")


def main(argv: Sequence[str]) -> int:
    """Run one command of the suite; 0 if `attest` signed or verified, else its exit code."""
    words = command(argv)
    return attest.main(words, stdout=sys.stdout, stderr=sys.stderr, environ=os.environ)


def command(argv: Sequence[str]) -> list[str]:
    """What the suite asks, as a command line of `attest`; exits with 2 for anything else."""
    args = _parser().parse_args(argv)
    words: list[str] = args.translate(args)
    return words


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="client", allow_abbrev=False)
    commands = parser.add_subparsers(required=True)

    sign = commands.add_parser("sign-bundle", allow_abbrev=False)
    sign.set_defaults(translate=_sign)
    sign.add_argument("--staging", action="store_true")
    sign.add_argument("--in-toto", action="store_true")
    sign.add_argument("--identity-token", required=True)
    sign.add_argument("--bundle", required=True)
    sign.add_argument("--trusted-root")
    sign.add_argument("--signing-config")
    sign.add_argument("artifact")

    verify = commands.add_parser("verify-bundle", allow_abbrev=False)
    verify.set_defaults(translate=_verify)
    verify.add_argument("--staging", action="store_true")
    verify.add_argument("--bundle", required=True)
    # Either a person or a key must have signed: given both, `attest` would accept one of them.
    who = verify.add_mutually_exclusive_group(required=True)
    who.add_argument("--certificate-identity")
    who.add_argument("--key")
    verify.add_argument("--certificate-oidc-issuer")
    verify.add_argument("--trusted-root")
    verify.add_argument("artifact")
    return parser


def _sign(args: argparse.Namespace) -> list[str]:
    # The suite names a new file each time; who signs again wants another signature.
    words = ["sign", "--replace", f"--bundle={args.bundle}"]
    words.append(f"--identity-token={args.identity_token}")
    if args.signing_config is not None:
        version = _newest_log(Path(args.signing_config))
        words += [f"--signing-config={args.signing_config}", f"--rekor-version={version}"]
        words += [f"--trusted-root={args.trusted_root}"] if args.trusted_root is not None else []
    elif args.trusted_root is not None:
        raise SystemExit("client: a trusted root says nothing of where to sign")
    elif args.staging:
        words.append("--instance=staging")
    if args.in_toto:
        # `attest` asks what the statement must speak of; the suite names nothing else.
        return [*words, f"--statement={args.artifact}", _first_subject(Path(args.artifact))]
    return [*words, str(Path(args.artifact).absolute())]


def _newest_log(config: Path) -> int:
    """The newest version offered: where a config is given, the suite expects that to be used."""
    try:
        logs = json.loads(config.read_bytes())["rekorTlogUrls"]
        return max(
            version for version in (1, 2) for log in logs if log["majorApiVersion"] == version
        )
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise SystemExit(f"client: {config}: names no log: {error}") from None


def _first_subject(statement: Path) -> str:
    try:
        return f"sha256:{json.loads(statement.read_bytes())['subject'][0]['digest']['sha256']}"
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise SystemExit(f"client: {statement}: names no subject by SHA-256: {error}") from None


def _verify(args: argparse.Namespace) -> list[str]:
    words = ["verify", f"--bundle={args.bundle}"]
    if args.key is not None and args.certificate_oidc_issuer is not None:
        raise SystemExit("client: a key has no issuer")
    named = (
        ("--key", args.key),
        ("--identity", args.certificate_identity),
        ("--issuer", args.certificate_oidc_issuer),
    )
    words += [f"{option}={value}" for option, value in named if value is not None]
    # A root of its own is the root, whatever instance the suite runs against.
    if args.trusted_root is not None:
        words.append(f"--trusted-root={args.trusted_root}")
    elif args.staging:
        words.append("--instance=staging")
    return [*words, _artifact(args.artifact)]


def _artifact(text: str) -> str:
    """A digest as it is; anything else is a path, though `attest` would read it as a digest."""
    if _DIGEST.fullmatch(text) and not Path(text).exists():
        return text.lower()
    return str(Path(text).absolute())
