"""One command line run in this process, with what it printed."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass

from attest.cli.main import main


@dataclass(frozen=True, kw_only=True, slots=True)
class Ran:
    """How one command line ended."""

    code: int
    out: str
    err: str


def run(*words: str, environ: Mapping[str, str] | None = None) -> Ran:
    """Run `attest` with these words, and no environment but the one given."""
    out, err = io.StringIO(), io.StringIO()
    code = main(words, stdout=out, stderr=err, environ=environ or {})
    return Ran(code=code, out=out.getvalue(), err=err.getvalue())
