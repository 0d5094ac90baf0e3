"""`attest sei sign`: sign artefacts that another program wrote, as they are."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from attest.cli.context import Context
from attest.cli.failure import internal_error, report_failure, report_unexpected
from attest.cli.sei_key import add_key_options, opened_key
from attest.cli.sei_keyless import add_keyless_options, keyless_session, make_bundle
from attest.cli.sei_repository import add_repository_option
from attest.errors import EXIT_OK, AttestError, UsageError
from attest.report.json import error_to_json

if TYPE_CHECKING:
    from attest.api.sei import SigningKey
    from attest.api.sign import Session

EXAMPLES = """\
examples:
  every artefact of the repository here:
    attest sei sign
  one of them, with a key file:
    attest sei sign .sei/bundle.json --key release.key
  with an identity as well:
    attest sei sign --keyless

An artefact is not changed, and one that this key has signed already is left as it is.
With an identity alone: attest sign .sei/bundle.json

exit codes: 0 signed, or signed before by this key; 1 an artefact is malformed or not in its
place; 2 not signed; of several the worst counts
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = "Sign .sei artefacts that are there already, bundle.json among them."
    parser.epilog = EXAMPLES
    parser.add_argument(
        "paths", metavar="PATH", nargs="*", help="an artefact (default: all of the repository)"
    )
    add_repository_option(parser)
    add_key_options(parser)
    add_keyless_options(parser)


def run(args: argparse.Namespace, context: Context) -> int:
    """Sign each; what is wrong with one costs no other its signature."""
    repository = Path(args.repo)
    paths = _paths(args.paths, repository, context)
    worst = EXIT_OK
    with ExitStack() as stack:
        session = stack.enter_context(keyless_session(args, context))
        key = stack.enter_context(opened_key(args, context))
        for path in paths:
            try:
                _sign(path, repository, key, session, context)
            except AttestError as error:
                worst = max(worst, _failed(path, error, context))
            except Exception as error:  # noqa: BLE001 - the others are signed all the same
                if not context.wants_json:
                    worst = max(worst, report_unexpected(error, context))
                else:
                    worst = max(worst, _failed(path, internal_error(error), context))
    return worst


def _paths(words: Sequence[str], repository: Path, context: Context) -> list[PurePosixPath]:
    """The artefacts that were named, each once; without any, all that there are.

    Raises:
        UsageError: `not_an_artefact`, `no_sei_folder`, `nothing_to_sign`.
        MalformedEvidence: the codes of `walk`.
    """
    from attest.api.sei import artefact_path, artefact_paths

    if words:
        return list(dict.fromkeys(artefact_path(repository, word) for word in words))
    found = artefact_paths(repository, limits=context.settings.limits)
    if not found:
        raise UsageError(
            "nothing_to_sign",
            "holds no artefact",
            where=str(repository / ".sei"),
            hint="`attest sei write` makes one",
        )
    return list(found)


def _sign(
    path: PurePosixPath,
    repository: Path,
    key: SigningKey,
    session: Session | None,
    context: Context,
) -> None:
    from attest.api.sei import public_point, sign_artefact
    from attest.cli.sei_answer import tell_signed

    signed = sign_artefact(repository, path, key=key, limits=context.settings.limits)
    bundle = None if session is None else make_bundle(session, repository / path)
    tell_signed(signed, bundle, public_point(key.public)[1], context)


def _failed(path: PurePosixPath, error: AttestError, context: Context) -> int:
    if not context.wants_json:
        return report_failure(error, context)
    context.result_json({"result": "error", "artefact": str(path), "error": error_to_json(error)})
    return error.exit_code
