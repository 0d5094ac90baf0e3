"""`attest trust`: whom the instances trust, how fresh that is, and which private ones there are."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from attest.api.trust import add_file, add_repository, export, remove, update
from attest.cli.context import Context
from attest.cli.failure import report_failure
from attest.errors import EXIT_NO_VERDICT, EXIT_OK, AttestError, UsageError
from attest.strictjson import JSON
from attest.terminal import escape
from attest.trust.instance import PUBLIC, InstanceProfile
from attest.trust.known import Known, find_instance
from attest.trust.load import AgeLimits, load_root
from attest.trust.registry import Registry

EXAMPLES = """\
examples:
  attest trust show                            every instance, its root, and how old it is
  attest trust update                          fetch what the public instances trust today
  attest trust export sigstore root.json       one file, for a machine without a network
  attest trust add acme trusted_root.json      a private instance that is a file
  attest trust add acme https://tuf.acme.example --root root.json
                                               one with a TUF repository, from its first root
  attest trust remove acme

Only `attest verify --instance NAME` makes an added instance count."""

_ACTIONS = ("show", "update", "export", "add", "remove")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = "Show, refresh and register what instances of Sigstore trust."
    parser.epilog = EXAMPLES
    parser.add_argument("action", choices=_ACTIONS, help="what to do")
    parser.add_argument("words", metavar="ARG", nargs="*", help="as the examples show")
    add = parser.add_argument_group("only with add")
    add.add_argument("--root", metavar="FILE", help="first root.json of the TUF repository")
    add.add_argument(
        "--no-sct", action="store_true", help="its certificates need not be in a CT log"
    )
    add.add_argument("--no-log", action="store_true", help="its evidence need not be in a log")
    parser.add_argument("--replace", action="store_true", help="export over a file that exists")


def run(args: argparse.Namespace, context: Context) -> int:
    """Do the one thing that was asked for."""
    if args.action != "add" and (args.root or args.no_sct or args.no_log):
        raise UsageError("invalid_usage", "--root, --no-sct and --no-log go with add")
    if args.action != "export" and args.replace:
        raise UsageError("invalid_usage", "--replace goes with export")
    act: dict[str, Callable[[argparse.Namespace, Context], int]] = {
        "show": _show,
        "update": _update,
        "export": _export,
        "add": _add,
        "remove": _remove,
    }
    return act[args.action](args, context)


def _names(args: argparse.Namespace, *expected: str) -> Sequence[str]:
    words: list[str] = args.words
    if len(words) != len(expected):
        usage = " ".join(("attest trust", args.action, *expected))
        raise UsageError("invalid_usage", "takes other arguments", hint=f"write: {usage}")
    return words


def _known(args: argparse.Namespace, context: Context) -> list[Known]:
    """The instances that the words name; without words all."""
    registry = Registry(folder=context.places().registered)
    names: list[str] = args.words or [*PUBLIC, *registry.names()]
    return [find_instance(name, registry) for name in names]


def _show(args: argparse.Namespace, context: Context) -> int:
    shown = [_shown(known, context) for known in _known(args, context)]
    if context.wants_json:
        documents: list[JSON] = [*shown]
        context.result_json({"instances": documents})
        return EXIT_OK
    for document in shown:
        lines = [escape(str(document["instance"]))]
        lines += [f"  {key.replace('_', ' ')}: {_value(value)}" for key, value in document.items()
                  if key != "instance" and value is not None]  # fmt: skip
        context.result("\n".join(lines))
    return EXIT_OK


def _value(value: JSON) -> str:
    if isinstance(value, list):
        return "; ".join(escape(str(item), limit=500) for item in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key} {escape(str(item))}" for key, item in value.items())
    return escape(str(value), limit=500)


def _shown(known: Known, context: Context) -> dict[str, JSON]:
    """What there is to know of an instance without a network."""
    profile = known.profile
    document: dict[str, JSON] = {
        "instance": known.name,
        "repository": known.url,
        "requires": {
            "SCTs": profile.min_scts,
            "log entries": profile.min_log_entries,
            "times": profile.min_times,
            "timestamps": profile.min_timestamps,
        },
        "source": None,
        "root_sha256": None,
        "current": None,
        "expires": None,
        "versions": None,
        "warnings": [],
        "error": None,
    }
    now = datetime.now(UTC)
    try:
        # Shown however old it is: refusing is for those who would rely on it.
        limits = AgeLimits(refuse_days=10**6)
        loaded = load_root(
            known.name, places=context.places(), offline=True, limits=limits, now=now
        )
    except AttestError as error:
        document["error"] = f"{error}"
        return document
    root = loaded.root
    document["source"] = loaded.source
    document["root_sha256"] = root.sha256.hex()
    document["current"] = _age(root.age_seconds)
    document["warnings"] = [item.message for item in root.warnings]
    if loaded.replayed is not None:
        versions = loaded.replayed.versions
        document["expires"] = f"{loaded.replayed.expires:%Y-%m-%dT%H:%M:%SZ}"
        document["versions"] = {
            "root": versions.root,
            "timestamp": versions.timestamp,
            "snapshot": versions.snapshot,
            "targets": versions.targets,
        }
    return document


def _age(seconds: int | None) -> str | None:
    if seconds is None:
        return None
    if seconds < 86_400:
        return f"{seconds // 3600} h ago"
    return f"{seconds // 86_400} days ago"


def _update(args: argparse.Namespace, context: Context) -> int:
    instances = _known(args, context)
    _need_network(context)
    named = bool(args.words)
    worst = EXIT_OK
    documents: list[JSON] = []
    for known in instances:
        if known.url is None and not named:
            continue
        try:
            documents.append(_updated(known, context))
        except AttestError as error:
            worst = EXIT_NO_VERDICT
            if context.wants_json:
                documents.append({"instance": known.name, "error": str(error)})
            else:
                context.complain(f"{known.name}:")
                report_failure(error, context)
    if context.wants_json:
        context.result_json({"instances": documents})
    return worst


def _updated(known: Known, context: Context) -> JSON:
    with context.progress(f"fetching {known.name}"):
        found = update(known, places=context.places())
    digest = found.root.sha256.hex()
    if not context.wants_json:
        context.result(
            f"{known.name}: sha256:{digest}, metadata until {found.expires:%Y-%m-%d},"
            f" TUF root version {found.root_version}"
        )
    return {"instance": known.name, "root_sha256": digest, "error": None}


def _export(args: argparse.Namespace, context: Context) -> int:
    name, out = _names(args, "NAME", "FILE")
    loaded = load_root(name, places=context.places(), offline=context.settings.offline)
    export(loaded, Path(out), replace=args.replace)
    digest = loaded.root.sha256.hex()
    if context.wants_json:
        context.result_json({"instance": name, "file": out, "root_sha256": digest})
        return EXIT_OK
    for item in loaded.root.warnings:
        context.say(f"warning: {escape(item.message, limit=2000)}")
    context.result(f"{escape(out)}: sha256:{digest}")
    context.say(f"there: {_use_elsewhere(loaded.root.profile, Path(out).name)}")
    return EXIT_OK


def _use_elsewhere(profile: InstanceProfile, file: str) -> str:
    """The command for an exported root: by its file alone it is held to everything."""
    relaxed = [
        option
        for option, least in (("--no-sct", profile.min_scts), ("--no-log", profile.min_log_entries))
        if least < 1
    ]
    if not relaxed:
        return f"attest verify … --trusted-root {escape(file)}"
    return f"attest trust add NAME {escape(file)} {' '.join(relaxed)}"


def _add(args: argparse.Namespace, context: Context) -> int:
    name, source = _names(args, "NAME", "FILE|URL")
    profile = InstanceProfile.private(name, scts=not args.no_sct, log=not args.no_log)
    places = context.places()
    if "://" in source:
        if args.root is None:
            raise UsageError(
                "tuf_root_missing",
                "a TUF repository can be trusted only from a root that you have already",
                where=name,  # the URL may hold a secret
                hint="get its first root.json from whoever runs it, and give --root FILE",
            )
        _need_network(context)
        with context.progress(f"fetching {name}"):
            root = add_repository(profile, source, Path(args.root), places=places)
    elif args.root is not None:
        raise UsageError("invalid_usage", "--root goes with the URL of a TUF repository")
    else:
        root = add_file(profile, Path(source), places=places)
    digest = root.sha256.hex()
    if context.wants_json:
        context.result_json({"instance": name, "root_sha256": digest})
        return EXIT_OK
    context.result(f"added {name}: sha256:{digest}")
    if profile.relaxed:
        context.say(f"warning: {name} is added to require {', '.join(profile.relaxed)}")
    context.say(f"use it: attest verify … --instance {name}")
    return EXIT_OK


def _remove(args: argparse.Namespace, context: Context) -> int:
    (name,) = _names(args, "NAME")
    remove(name, places=context.places())
    if context.wants_json:
        context.result_json({"instance": name})
    else:
        context.result(f"removed {name}")
    return EXIT_OK


def _need_network(context: Context) -> None:
    if context.settings.offline:
        raise UsageError(
            "updating_needs_network", "ATTEST_OFFLINE is set", hint="unset it to fetch"
        )
