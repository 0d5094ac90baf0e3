"""`attest policy`: write, check, test and explain policy files."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import replace

from attest.api.policy import find_cases, lint_policy, load_cases, load_policy, run_cases
from attest.cli import policy_new
from attest.cli.context import Context
from attest.errors import EXIT_NO_VERDICT, EXIT_OK, EXIT_VERDICT, UsageError
from attest.policy.explain import explain_policy
from attest.policy.issuers import ISSUERS
from attest.policy.lint import Linted
from attest.policy.schema import schema, written
from attest.report import cases
from attest.report.cases import FileResult
from attest.report.lint import render_json, render_sarif, render_text
from attest.terminal import escape

EXAMPLES = """\
examples:
  attest policy new --github acme/widget --workflow release.yml --ref 'refs/tags/v*'
  attest policy new --email ana@acme.example --issuer google --out policy.yaml
  attest policy new --from release.epack       its signers, trusted on first use
  attest policy show policy.yaml               what it will enforce, in words
  attest policy show --aliases                 the issuers that have short names
  attest policy lint policy.yaml               what it lets in and seldom is meant to
  attest policy lint policy.yaml --strict --output sarif
  attest policy check policies/*.yaml          says nothing of good files, for pre-commit

  attest policy test                           every *.policy-test.yaml below this folder
  attest policy test policies/ --output junit

exit codes: 0 done; 1 lint or check found an error, with --strict a warning, or a test case
did not end as expected; 2 a file cannot be read, or is no policy
"""

OUTPUTS = ("text", "json", "sarif", "junit")
#: Each action, and the forms of output that it has beside text and JSON.
_ACTIONS: Mapping[str, tuple[str, ...]] = {
    "show": (),
    "lint": ("sarif",),
    "check": ("sarif",),
    "test": ("junit",),
    "new": (),
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = "Write, check, test and explain policy files."
    parser.epilog = EXAMPLES
    # As in `show --aliases FILE`, where `argparse` would otherwise take FILE for one too many.
    parser.set_defaults(options_between=True)
    parser.add_argument("action", choices=_ACTIONS, help="what to do")
    parser.add_argument("files", metavar="FILE", nargs="*", help="as the examples show")
    parser.add_argument("--aliases", action="store_true", help="show: list the names of issuers")
    parser.add_argument("--schema", action="store_true", help="show: the JSON Schema, for editors")
    parser.add_argument("--strict", action="store_true", help="lint, check: warnings fail too")
    policy_new.add_options(parser)


def run(args: argparse.Namespace, context: Context) -> int:
    """Do the one thing that was asked for."""
    if args.aliases and args.action != "show":
        raise UsageError("invalid_usage", "--aliases goes with show")
    if args.strict and args.action not in ("lint", "check"):
        raise UsageError("invalid_usage", "--strict goes with lint and check")
    if args.schema and args.action != "show":
        raise UsageError("invalid_usage", "--schema goes with show")
    if args.action != "new":
        policy_new.refuse_options(args)
    output = context.settings.output
    if output not in ("text", "json", *_ACTIONS[args.action]):
        raise UsageError("invalid_usage", f"attest policy {args.action} has no output {output}")
    act: dict[str, Callable[[argparse.Namespace, Context], int]] = {
        "show": _show,
        "lint": _lint,
        "check": _check,
        "test": _test,
        "new": policy_new.run,
    }
    return act[args.action](args, context)


def _show(args: argparse.Namespace, context: Context) -> int:
    if args.aliases:
        return _aliases(args, context)
    if args.schema:
        context.result(written(schema()).rstrip("\n"))
        return EXIT_OK
    if len(args.files) != 1:
        raise UsageError("invalid_usage", "takes one file", hint="write: attest policy show FILE")
    policy = load_policy(args.files[0])
    lines = explain_policy(policy)
    if context.wants_json:
        digest = None if policy.sha256 is None else policy.sha256.hex()
        context.result_json({"file": policy.file, "sha256": digest, "words": [*lines]})
    else:
        context.result("\n".join(escape(line, limit=2_500) for line in lines))
    return EXIT_OK


def _aliases(args: argparse.Namespace, context: Context) -> int:
    if args.files:
        raise UsageError("invalid_usage", "--aliases takes no file")
    if context.wants_json:
        context.result_json({"aliases": {**ISSUERS}})
    else:
        context.result("\n".join(f"{alias:<16} {url}" for alias, url in ISSUERS.items()))
    return EXIT_OK


def _linted(args: argparse.Namespace) -> list[Linted]:
    if not args.files:
        hint = f"write: attest policy {args.action} FILE…"
        raise UsageError("invalid_usage", "no file was named", hint=hint)
    return [lint_policy(file) for file in args.files]


def _lint(args: argparse.Namespace, context: Context) -> int:
    return _tell(_linted(args), args, context)


def _check(args: argparse.Namespace, context: Context) -> int:
    """As `lint`, and of what does not fail it says nothing."""
    failing = ("error", "warning") if args.strict else ("error",)
    linted = [
        replace(item, findings=tuple(one for one in item.findings if one.level in failing))
        for item in _linted(args)
    ]
    wrong = [item for item in linted if item.findings or item.error]
    if not wrong and context.settings.output == "text":
        return EXIT_OK
    return _tell(wrong if context.settings.output == "text" else linted, args, context)


def _tell(linted: list[Linted], args: argparse.Namespace, context: Context) -> int:
    render = {"json": render_json, "sarif": render_sarif}.get(context.settings.output, render_text)
    context.result(render(linted))
    if any(item.error is not None for item in linted):
        return EXIT_NO_VERDICT
    return EXIT_VERDICT if any(item.fails(strict=args.strict) for item in linted) else EXIT_OK


def _test(args: argparse.Namespace, context: Context) -> int:
    """Run test cases; every file is read before the first is run."""
    loaded = [load_cases(file) for file in find_cases(args.files or ["."])]
    tested = [
        FileResult(file=item.file, policy=item.policy.file or "", results=run_cases(item))
        for item in loaded
    ]
    render = {"json": cases.render_json, "junit": cases.render_junit}
    context.result(render.get(context.settings.output, cases.render_text)(tested))
    passed = all(result.passed for item in tested for result in item.results)
    return EXIT_OK if passed else EXIT_VERDICT
