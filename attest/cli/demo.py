"""`attest demo`: the main job on a private Sigstore, then five ways to cheat, each rejected.

Every command that it shows is run as shown, by the same code as on a real command line.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shlex
import shutil
import tempfile
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attest.cli.context import Context
from attest.cli.demo_cheats import (
    EVIDENCE,
    MALLORY,
    PACK,
    SIGNED_BY_MALLORY,
    STREAM,
    Cheat,
    cheats,
    strip,
)
from attest.errors import EXIT_OK, EXIT_VERDICT, UsageError
from attest.shared_data import shared_folder
from attest.strictjson import JSON
from attest.terminal import escape

_WORKFLOW = (
    "https://github.com/acme/evidence/.github/workflows/pack.yml@refs/heads/main",
    "github-actions",
)
_PERSON = ("ana@acme.example", "google")
_CONFIG = "trust_config.json"
_ROOT = "trusted_root.json"
_WIDTH = 84


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options: there are none."""
    parser.description = (
        "Build, sign and verify an Evidence Pack on a private Sigstore on this machine,\n"
        "then try five ways to cheat. Nothing leaves the machine; nothing is left behind."
    )
    parser.epilog = "exit codes: 0 everything went as it must; 1 a cheat was not rejected"


def run(args: argparse.Namespace, context: Context) -> int:  # noqa: ARG001  # takes no options
    """Tell the story; exit 1 if any cheat is not rejected for the right reason."""
    with tempfile.TemporaryDirectory(prefix="attest-demo-") as name:
        folder = Path(name).resolve()
        with _own_environment(), chdir(folder):
            stage = _Stage(folder=folder, context=context)
            stage.sign()
            stage.verify()
            outcomes = [stage.attempt(number, cheat) for number, cheat in enumerate(cheats(), 1)]
    rejected = all(outcome.as_expected for outcome in outcomes)
    if context.wants_json:
        context.result_json(_json(outcomes, rejected=rejected))
    else:
        _conclude(outcomes, context)
    return EXIT_OK if rejected else EXIT_VERDICT


@contextmanager
def _own_environment() -> Iterator[None]:
    """Speak to this machine directly, and leave the process's environment as it was."""
    before = dict(os.environ)
    os.environ.update({"NO_PROXY": "localhost,127.0.0.1", "no_proxy": "localhost,127.0.0.1"})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Outcome:
    """What verifying one cheat said: exit code, error code, and why."""

    cheat: Cheat
    exit_code: int
    code: str | None
    reasons: tuple[str, ...]

    @property
    def as_expected(self) -> bool:
        return self.exit_code == EXIT_VERDICT and self.code == self.cheat.expected


@dataclass(frozen=True, kw_only=True, slots=True)
class _Stage:
    """The folder in which everything happens, and who is told of it."""

    folder: Path
    context: Context

    def sign(self) -> None:
        """Acts one to three: a Sigstore, a pack, two signatures."""
        from attest.sandbox import Sandbox
        from attest.sandbox.browser import played_browser

        self.tell(
            "attest signs evidence with identities instead of keys, and says who signed what\n"
            "and when to anyone who asks, offline. Here is one piece of evidence, from the\n"
            "files to the verdict, on this machine alone."
        )
        shutil.copytree(shared_folder("evidence"), self.folder / EVIDENCE)
        self.heading("A private Sigstore starts on this machine")
        with Sandbox.start(self.folder / "sandbox") as sandbox:
            self.tell(
                "It has what the public one has: an issuer of identities, a certificate\n"
                "authority, a transparency log and a timestamp authority."
            )
            for name, source in ((_CONFIG, sandbox.trust_config), (_ROOT, sandbox.trusted_root)):
                shutil.copyfile(source, self.folder / name)

            self.heading("Evidence is packed")
            self.command(["build", PACK, EVIDENCE, "--stream", STREAM])

            self.heading("A GitHub Actions workflow signs it")
            self.tell(
                "No key anywhere: the job asks GitHub for a token that says which workflow of\n"
                "which repository it is, and gets a certificate that lasts ten minutes."
            )
            sign = ["sign", PACK, "--trust-config", _CONFIG]
            with _variables(sandbox.ambient_environment()) as environ:
                self.command(sign, environ)

            self.heading("A person signs it too")
            self.tell(
                "Ana would log in with her browser now; here the program follows the\n"
                "redirects in her place."
            )
            with played_browser() as browser:
                self.command(sign, {"BROWSER": browser.name})

            strip(self.folder, SIGNED_BY_MALLORY)
            self.command(
                ["sign", SIGNED_BY_MALLORY, "--trust-config", _CONFIG],
                {"SIGSTORE_ID_TOKEN": sandbox.person_token(MALLORY)},
                shown=False,
            )

    def verify(self) -> None:
        """Act four: the Sigstore is gone, and the pack verifies."""
        self.heading("The Sigstore is stopped; the pack is verified offline")
        self.tell(
            "All that a verifier needs is in the pack, besides the trusted root and the\n"
            "answer to one question: whom do I trust?"
        )
        self.command(_verify(PACK))

    def attempt(self, number: int, cheat: Cheat) -> _Outcome:
        """Act five: one cheat, given to the same check."""
        self.heading(f"Cheat {number} of 5: {cheat.name}")
        self.tell(cheat.story)
        if cheat.make is not None:
            cheat.make(self.folder)
        self.show(_verify(cheat.pack))
        exit_code, text = _run([*_verify(cheat.pack), "--output", "json"], {})
        outcome = _outcome(cheat, exit_code, json.loads(text))
        if outcome.as_expected:
            verdict = self.context.paint("REJECTED", "red")
            self.tell(f"{verdict} (exit {exit_code}) {outcome.code}", indent="  ")
            for line in outcome.reasons:
                for row in _wrapped(line):
                    self.tell(row, indent="    ")
        else:
            self.tell(
                f"NOT REJECTED AS IT MUST BE: exit {exit_code}, {outcome.code or 'no error'},"
                f" expected {cheat.expected}",
                indent="  ",
            )
        return outcome

    def command(
        self, words: Sequence[str], environ: Mapping[str, str] | None = None, *, shown: bool = True
    ) -> None:
        """Run a command that must succeed, and show it with its output."""
        if shown:
            self.show(words)
        exit_code, text = _run(words, environ or {})
        if exit_code != EXIT_OK:
            raise UsageError(
                "demo_failed",
                f"`attest {words[0]}` ended with exit code {exit_code}: {text.strip()}",
                hint="run the demo again; if it fails again, please report it",
            )
        if shown:
            self.tell(text.rstrip("\n"), indent="  ")

    def heading(self, text: str) -> None:
        """Begin a part of the story."""
        self.tell(f"\n{self.context.paint(text, 'bold')}")

    def show(self, words: Sequence[str]) -> None:
        """Show a command as it would be typed."""
        line = shlex.join(["attest", *words])
        for option in (" --trusted-root", " --identity"):
            line = line.replace(option, f" \\\n     {option}")
        self.tell(f"\n  $ {line}")

    def tell(self, text: str, *, indent: str = "") -> None:
        """Tell a part of the story, unless only JSON is wanted."""
        if not self.context.wants_json:
            self.context.result("\n".join(f"{indent}{line}" for line in text.split("\n")))


def _outcome(cheat: Cheat, exit_code: int, report: Mapping[str, Any]) -> _Outcome:
    error = report["error"] or {"code": None, "message": "", "where": None}
    reasons: list[str] = [error["message"]]
    if error["where"] == "policy":
        # It verified: what counts is who signed, in place of whom.
        reasons += [line for item in report["policy"]["requirements"] for line in item["why"]]
    elif error["where"]:
        reasons.append(f"in {error['where']}")
    return _Outcome(cheat=cheat, exit_code=exit_code, code=error["code"], reasons=tuple(reasons))


def _wrapped(line: str) -> list[str]:
    return textwrap.wrap(escape(line), _WIDTH, break_long_words=False, break_on_hyphens=False)


@contextmanager
def _variables(environ: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    """Variables in this process's environment, where the credential library reads them."""
    before = dict(os.environ)
    os.environ.update(environ)
    try:
        yield environ
    finally:
        os.environ.clear()
        os.environ.update(before)


def _verify(pack: str) -> list[str]:
    words = ["verify", pack, "--offline", "--trusted-root", _ROOT]
    for identity, issuer in (_WORKFLOW, _PERSON):
        words += ["--identity", identity, "--issuer", issuer]
    return words


def _run(words: Sequence[str], environ: Mapping[str, str]) -> tuple[int, str]:
    """Run one command line in this process, with no settings of the user's."""
    from attest.cli.main import main

    told = io.StringIO()
    talk = io.StringIO()
    code = main(words, stdout=told, stderr=talk, environ=environ)
    return code, told.getvalue() or talk.getvalue()


def _conclude(outcomes: Sequence[_Outcome], context: Context) -> None:
    wrong = [outcome.cheat.name for outcome in outcomes if not outcome.as_expected]
    if wrong:
        context.result(f"\nFAILED: not rejected as it must be: {', '.join(wrong)}")
        return
    context.result(
        "\nTwo identities signed without a key to keep or lose, anyone can check it offline,\n"
        f"and {len(outcomes)} of {len(outcomes)} cheats were rejected, each for its own reason.\n"
        "To sign for real: attest sign FILE"
    )


def _json(outcomes: Sequence[_Outcome], *, rejected: bool) -> JSON:
    return {
        "result": "pass" if rejected else "fail",
        "cheats": [
            {
                "cheat": outcome.cheat.name,
                "pack": outcome.cheat.pack,
                "expected": outcome.cheat.expected,
                "code": outcome.code,
                "reasons": list(outcome.reasons),
                "rejected": outcome.as_expected,
            }
            for outcome in outcomes
        ],
    }
