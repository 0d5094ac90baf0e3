"""`attest sandbox`: a local Sigstore to try signing and verifying on."""

from __future__ import annotations

import argparse
import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from attest.cli.context import Context
from attest.errors import EXIT_OK, UsageError
from attest.terminal import escape

if TYPE_CHECKING:
    from attest.sandbox import Sandbox

_EPILOG = """\
examples:
  attest sandbox init ./sandbox       make keys, certificates and the trusted root
  attest sandbox run ./sandbox        run it until Ctrl-C, on a free loopback port
  attest sandbox run ./sandbox --fault log-500:2 --fault tsa-down

faults: ca-500, ca-refuses, token-refused, expired-certificate, wrong-sct, tsa-down, log-409,
log-409-other, log-500, cut (the log hangs up), wrong-proof, slow (N seconds)

A sandbox listens on loopback only, and everything it issues is marked as a sandbox's:
nobody trusts it who does not name its trusted root."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.description = "Run a local Sigstore for trying things out, and for tests."
    parser.epilog = _EPILOG
    parser.add_argument("action", choices=("init", "run"), help="make it, or make and run it")
    parser.add_argument("directory", metavar="DIR", type=Path, help="where it keeps its state")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME[:N]",
        help="let a service fail, for N requests; may be given again (see below)",
    )
    parser.add_argument(
        "--port", type=int, default=0, metavar="N", help="to listen on; default: a free one"
    )


def run(args: argparse.Namespace, context: Context) -> int:
    """Make the sandbox, and with `run` keep it running until interrupted."""
    from attest.sandbox import Sandbox

    directory: Path = args.directory
    if not 0 <= args.port <= 65535:
        raise UsageError("invalid_usage", f"{args.port} is not a port", where="--port")
    if args.action == "init":
        if args.port:
            raise UsageError("invalid_usage", "init listens to no port", where="--port")
        if args.fault:
            raise UsageError("invalid_usage", "init runs no service", where="--fault")
        with _one_clear_line(directory):
            root = Sandbox.init(directory)
        if context.wants_json:
            context.result_json({"trusted_root": str(root)})
        else:
            context.result(f"trusted root  {escape(str(root))}")
        context.say(f"to run it: attest sandbox run {escape(shlex.quote(str(directory)))}")
        return EXIT_OK
    _check_faults(args.fault)
    with _one_clear_line(directory):
        sandbox = Sandbox.start(directory, port=args.port, faults=args.fault)
    with sandbox:
        _print_how_to_use(sandbox, context)
        context.stdout.flush()
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            context.say("stopped")
    return EXIT_OK


def _check_faults(texts: Sequence[str]) -> None:
    from attest.sandbox import SandboxError
    from attest.sandbox.faults import parse_fault

    for text in texts:
        try:
            parse_fault(text)
        except SandboxError as error:
            raise UsageError("invalid_usage", str(error), where="--fault") from None


@contextmanager
def _one_clear_line(directory: Path) -> Iterator[None]:
    from attest.sandbox import SandboxError

    try:
        yield
    except (SandboxError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UsageError(
            "sandbox_unusable",
            reason,
            where=str(directory),
            hint="take another directory or port, or stop the sandbox that has it",
        ) from None


def _print_how_to_use(sandbox: Sandbox, context: Context) -> None:
    config, root = (str(path.absolute()) for path in (sandbox.trust_config, sandbox.trusted_root))
    person = sandbox.instance.oidc.default_person
    issuer = sandbox.instance.oidc.connector or sandbox.issuer_url
    sign = ["attest", "sign", "evidence.epack", "--trust-config", config]
    verify = ["attest", "verify", "evidence.epack", "--trusted-root", root]
    verify += ["--identity", person, "--issuer", issuer]
    if context.wants_json:
        context.result_json(
            {
                "url": sandbox.url,
                "trust_config": config,
                "trusted_root": root,
                "sign": list(sign),
                "verify": list(verify),
            }
        )
        return
    context.result(
        f"sandbox       {sandbox.url}\n"
        f"trust config  {escape(config)}\n"
        f"trusted root  {escape(root)}\n\n"
        f"sign    {escape(shlex.join(sign), limit=2000)}\n"
        f"verify  {escape(shlex.join(verify), limit=2000)}"
    )
    context.say("running until Ctrl-C")
