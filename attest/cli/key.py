"""`attest key`: make and import keys, and show what others need to know of them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

from attest.api.key import (
    KINDS,
    PublicKey,
    generate_key,
    import_key,
    is_key_encrypted,
    is_shared,
    public_key_of,
    public_path,
    scheme_of,
)
from attest.cli.context import Context
from attest.cli.passphrase import add_option, passphrase_source
from attest.errors import EXIT_OK, UsageError
from attest.terminal import escape

EXAMPLES = """\
examples:
  attest key generate release.key              a new key, and release.key.pub for verifiers
  attest key public release.key                its public half again
  attest key id release.key.pub                the hashes that name it
  attest key import cosign.key release.key     one of cosign, or of any tool that writes PEM
  attest key public awskms:alias/release       of a key in a service or token

A passphrase is asked for, or taken from ATTEST_KEY_PASSPHRASE or --passphrase-file.
Signing with it: attest sign TARGET --key release.key"""

_ACTIONS = ("generate", "public", "id", "import")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = "Make and import keys for signing where an identity cannot sign."
    parser.epilog = EXAMPLES
    parser.add_argument("action", choices=_ACTIONS, help="what to do")
    parser.add_argument("words", metavar="ARG", nargs="*", help="as the examples show")
    parser.add_argument(
        "--kind", choices=KINDS, help="of a new key: p256 (default), p384, or ed25519"
    )
    add_option(parser)
    parser.add_argument(
        "--no-passphrase",
        action="store_true",
        help="write the key unencrypted: who has the file can sign",
    )


def run(args: argparse.Namespace, context: Context) -> int:
    """Do the one thing that was asked for."""
    if args.kind is not None and args.action != "generate":
        raise UsageError("invalid_usage", "--kind goes with generate")
    if args.no_passphrase and args.action not in ("generate", "import"):
        raise UsageError("invalid_usage", "--no-passphrase goes with generate and import")
    if args.no_passphrase and args.passphrase_file and args.action == "generate":
        raise UsageError("invalid_usage", "--passphrase-file and --no-passphrase exclude another")
    act: dict[str, Callable[[argparse.Namespace, Context], int]] = {
        "generate": _generate,
        "public": _public,
        "id": _id,
        "import": _import,
    }
    return act[args.action](args, context)


def _words(args: argparse.Namespace, *expected: str) -> Sequence[str]:
    words: list[str] = args.words
    if len(words) != len(expected):
        usage = " ".join(("attest key", args.action, *expected))
        raise UsageError("invalid_usage", "takes other arguments", hint=f"write: {usage}")
    return words


def _generate(args: argparse.Namespace, context: Context) -> int:
    (out,) = _words(args, "FILE")
    fresh = None
    if not args.no_passphrase:
        fresh = passphrase_source(args.passphrase_file, context, what=out, twice=True)
    key = generate_key(out, kind=args.kind or "p256", passphrase=fresh)
    return _tell(out, key, context, encrypted=fresh is not None)


def _import(args: argparse.Namespace, context: Context) -> int:
    source, out = _words(args, "SOURCE", "FILE")
    opens = passphrase_source(args.passphrase_file, context, what=source)
    fresh = None
    if not args.no_passphrase:
        # A key keeps its passphrase; one that had none gets one.
        fresh = opens
        if not is_key_encrypted(source):
            fresh = passphrase_source(args.passphrase_file, context, what=out, twice=True)
    key = import_key(source, out, passphrase=opens, new_passphrase=fresh)
    warn_if_shared(source, context)
    return _tell(out, key, context, encrypted=fresh is not None)


def _tell(out: str, key: PublicKey, context: Context, *, encrypted: bool) -> int:
    public = str(public_path(out))
    if context.wants_json:
        context.result_json({"file": out, "public": public, **_ids(key), "encrypted": encrypted})
        return EXIT_OK
    context.result(f"key      {escape(out)}\npublic   {escape(public)}\n{_id_lines(key)}")
    if not encrypted:
        context.say("warning: the key is not encrypted: whoever has the file can sign with it")
    return EXIT_OK


def _public(args: argparse.Namespace, context: Context) -> int:
    pem = _opened(args, context).pem.decode("ascii")
    if context.wants_json:
        context.result_json({"public_key": pem})
    else:
        context.result(pem.rstrip("\n"))
    return EXIT_OK


def _id(args: argparse.Namespace, context: Context) -> int:
    key = _opened(args, context)
    if context.wants_json:
        context.result_json({**_ids(key)})
    else:
        context.result(_id_lines(key))
    return EXIT_OK


def _opened(args: argparse.Namespace, context: Context) -> PublicKey:
    (reference,) = _words(args, "FILE|URI")
    if scheme_of(reference) is not None:
        from attest.cli.sign import quiet_libraries

        quiet_libraries()
    source = passphrase_source(args.passphrase_file, context, what=reference)
    return public_key_of(reference, passphrase=source)


def warn_if_shared(reference: str, context: Context) -> None:
    """Tell of a key file that other users may read."""
    if scheme_of(reference) is None and is_shared(reference):
        context.say(f"warning: {escape(reference)}: other users may read this key (chmod 600)")


def _ids(key: PublicKey) -> dict[str, str | None]:
    point = key.point_id
    return {"spki_sha256": key.key_id.hex(), "sec1_sha256": None if point is None else point.hex()}


def _id_lines(key: PublicKey) -> str:
    point = key.point_id
    lines = [f"SHA-256 of its SPKI          {key.key_id.hex()}"]
    if point is not None:
        lines.append(f"SHA-256 of its SEC 1 point   {point.hex()}")
    return "\n".join(lines)
