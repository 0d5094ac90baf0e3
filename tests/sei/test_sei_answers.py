"""What `attest sei verify` says of a run: nothing more than was checked, whatever happened."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

import attest
from attest.api import sei_judge
from attest.cli.main import main
from attest.formats.sei.artefact import Artefact, parse_artefact
from attest.limits import Limits
from tests.sei.judging import ALL, FIRST, KEY
from tests.sei.judging import repository as repository  # noqa: PLC0414  # a fixture


def run(repository: Path, *words: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    line = ["sei", "verify", "--repo", str(repository), *words]
    code = main(line, stdout=out, stderr=err, environ={})
    return code, out.getvalue(), err.getvalue()


def pubkey() -> str:
    assert KEY.public.point is not None
    return KEY.public.point.hex()


def test_what_nobody_foresaw_of_one_artefact_hides_no_other(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(data: bytes, where: str, *, limits: Limits) -> Artefact:
        if where == FIRST:
            raise RuntimeError("nobody foresaw it")
        return parse_artefact(data, where, limits=limits)

    monkeypatch.setattr(sei_judge, "parse_artefact", failing)
    code, out, err = run(repository, "--pubkey", pubkey(), "--output", "json", "-vv")
    assert code == 2
    errors = {}
    for line in out.splitlines():
        report = json.loads(line)
        errors[report["target"]["name"]] = report["error"] and report["error"]["code"]
    assert errors == dict.fromkeys(ALL) | {FIRST: "internal_error"}
    assert "RuntimeError" in err
    with pytest.raises(RuntimeError):
        attest.verify_artefacts(repository, keys=[KEY.public])


def test_intact_is_never_called_verified(repository: Path) -> None:
    for words, said in ((["--integrity-only"], "intact"), (["--pubkey", pubkey()], "verified")):
        code, _, err = run(repository, *words)
        assert code == 0
        assert err.splitlines()[-1] == f"4 artefacts: 4 {said}"
