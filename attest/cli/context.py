"""What a command is given besides its options: where to write, the environment, the settings."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from attest.config import Settings
from attest.errors import UsageError
from attest.strictjson import JSON
from attest.terminal import Color, ProgressBar, paint, wants_color, wants_progress

if TYPE_CHECKING:  # loaded only where something is trusted
    from attest.trust.known import Places


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """One run of the command line; `verbosity` is -1 with `-q`, else the number of `-v`."""

    stdout: TextIO
    stderr: TextIO
    environ: Mapping[str, str]
    settings: Settings
    verbosity: int = 0

    @property
    def wants_json(self) -> bool:
        """Whether the result is JSON, which then is alone on stdout."""
        return self.settings.output == "json"

    def result(self, text: str) -> None:
        """Write a result to stdout; untrusted text in it has been escaped.

        Raises:
            UsageError: `unwritable_output`.
        """
        try:
            self.stdout.write(text + "\n")
            self.stdout.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise UsageError(
                "unwritable_output", f"the result cannot be written: {error.strerror}"
            ) from None

    def result_json(self, document: JSON) -> None:
        """Write a result as one line of JSON to stdout."""
        self.result(json.dumps(document))

    def say(self, text: str) -> None:
        """Talk on stderr, unless told to be quiet; untrusted text in it has been escaped."""
        if self.verbosity >= 0:
            self.complain(text)

    def complain(self, text: str) -> None:
        """Write a line to stderr, even if told to be quiet; untrusted text has been escaped."""
        # Where nobody can be told, the exit code still tells; it must not become another one.
        with contextlib.suppress(OSError):
            self.stderr.write(text + "\n")
            self.stderr.flush()

    def detail(self, text: str) -> None:
        """Talk on stderr, only with `-v`; untrusted text in it has been escaped."""
        if self.verbosity >= 1:
            self.say(text)

    def progress(self, label: str) -> ProgressBar:
        """A line for long work on stderr, where a person watches; never with `-q` or JSON."""
        shown = self.verbosity >= 0 and not self.wants_json
        shown = shown and wants_progress(self.stderr, self.environ)
        return ProgressBar(self.stderr if shown else None, label)

    def places(self) -> Places:
        """Where this user's trust material lies."""
        from attest.trust.known import Places

        settings = self.settings
        return Places.of_settings(
            cache_folder=settings.cache_folder, config_folder=settings.config_folder
        )

    def paint(self, text: str, color: Color) -> str:
        """Escaped text in a colour if stdout is to be coloured."""
        return paint(text, color, on=wants_color(self.settings.color, self.stdout, self.environ))
