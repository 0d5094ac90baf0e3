"""`attest sei write`: an artefact from its payload, and its signature beside it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from attest.cli.context import Context
from attest.cli.sei_key import add_key_options, opened_key
from attest.cli.sei_keyless import add_keyless_options, keyless_session, make_bundle
from attest.cli.sei_repository import add_repository_option
from attest.errors import EXIT_OK, AttestError, MalformedEvidence, UsageError
from attest.files import read_file
from attest.strictjson import JSON, loads
from attest.terminal import escape

if TYPE_CHECKING:
    from attest.api.sign import Session, Signed
    from attest.limits import Limits

EXAMPLES = """\
examples:
  what a run against a standard found, into .sei/conformance/eu_pren-18228_2026.json:
    attest sei write --kind conformance --standard eu/pren-18228@2026 \\
      --system loan --payload result.json
  from another program, signed with a key file:
    reconstruct | attest sei write --kind reconstruct --system loan --payload - --key release.key
  signed with an identity as well, in a GitHub Actions job with `id-token: write`:
    attest sei write --kind reconstruct --system loan --payload result.json --keyless

Nothing is committed: that is for you to do.

exit codes: 0 written and signed; 1 the payload is malformed; 2 not signed
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = "Write a .sei artefact, and its signature by a key."
    parser.epilog = EXAMPLES
    parser.add_argument(
        "--kind", required=True, choices=("conformance", "reconstruct"), help="what it is"
    )
    parser.add_argument(
        "--system", required=True, metavar="NAME", help="name of the system that it belongs to"
    )
    parser.add_argument(
        "--payload", required=True, metavar="FILE", help="JSON object that it holds; - for stdin"
    )
    parser.add_argument(
        "--standard",
        metavar="ID",
        help="of conformance: the standard's id, as eu/pren-18228@2026 (default: the payload's)",
    )
    add_repository_option(parser)
    add_key_options(parser)
    add_keyless_options(parser)


def run(args: argparse.Namespace, context: Context) -> int:
    """Sign, then write; with `--keyless` the identity is known before, and signs after."""
    from attest.api.sei import public_point, write_artefact
    from attest.cli.sei_answer import tell_signed

    if args.payload == "-" and "-" in (args.identity_token, args.key):
        raise UsageError("invalid_usage", "standard input is the payload already")
    payload = _payload(args.payload, context.settings.limits)
    with keyless_session(args, context) as session, opened_key(args, context) as key:
        signed = write_artefact(
            args.repo,
            kind=args.kind,
            system=args.system,
            payload=payload,
            standard=args.standard,
            key=key,
            limits=context.settings.limits,
        )
        bundle = None
        if session is not None:
            bundle = _bundle(session, Path(args.repo), signed.target, context)
        tell_signed(signed, bundle, public_point(key.public)[1], context)
    return EXIT_OK


def _bundle(session: Session, repository: Path, name: str, context: Context) -> Signed:
    try:
        return make_bundle(session, repository / name)
    except AttestError:
        context.say(
            f"{escape(name)} is written and signed by the key; `attest sei sign --keyless`"
            " makes the bundle that is missing"
        )
        raise


def _payload(file: str, limits: Limits) -> dict[str, JSON]:
    """The object that the artefact is to hold.

    Raises:
        MalformedEvidence: `artifact_too_large`, a code of `strictjson.loads`, `invalid_artefact`.
        UsageError: `file_not_found`, `unreadable_file`.
    """
    limit, where = limits.max_artifact_bytes, "payload"
    if file == "-":
        if sys.stdin is None:
            raise UsageError("unreadable_file", "standard input is closed", where=where)
        data = sys.stdin.buffer.read(limit + 1)
    else:
        data, where = read_file(file, limit=limit), file
    if len(data) > limit:
        raise MalformedEvidence("artifact_too_large", f"is larger than {limit} bytes", where=where)
    value = loads(data, where=where, max_depth=limits.max_json_depth)
    if not isinstance(value, dict):
        raise MalformedEvidence("invalid_artefact", "is no JSON object", where=where)
    return value
