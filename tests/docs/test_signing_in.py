"""The guide to signing in: its commands run, its lines are those that the program prints."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping

import pytest

from attest.cli.main import main
from attest.sandbox.browser import played_browser
from attest.signing import device
from attest.signing.device import DeviceCode
from tests.docs.conftest import Desk
from tests.docs.markdown import ROOT, blocks, commands

PAGE = ROOT / "docs" / "signing-in.md"


def run(words: list[str], environ: Mapping[str, str]) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    code = main(words, stdout=out, stderr=err, environ=environ)
    return code, out.getvalue(), err.getvalue()


def test_the_commands_show_who_would_sign(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    real = device.log_in_elsewhere

    def log_in(url: str, show: Callable[[DeviceCode], None]) -> str:
        def show_and_enter(code: DeviceCode) -> None:
            show(code)
            query = {"user_code": code.user_code}
            desk.sandbox.instance.oidc.device.page(query, person="ana@acme.example")

        return real(url, show=show_and_enter, sleep=lambda _: None)

    monkeypatch.setattr(device, "log_in_elsewhere", log_in)
    shown: list[str] = []
    for block in blocks(PAGE, "sh"):
        for words in commands(block):
            with played_browser() as browser:
                # The guide means the public instance, at which nobody can log in from here.
                named = [*words, "--trust-config", str(desk.sandbox.trust_config)]
                code, out, err = run(named, {"BROWSER": browser.name})
            assert code == 0, f"{words}\n{err}"
            shown.append(out)
    sources = [
        json.loads(text)["source"] if text.startswith("{") else text.split()[1] for text in shown
    ]
    assert sources == ["identity-token", "identity-token", "browser", "device"]
    assert all("ana@acme.example" in text for text in shown)


def test_the_lines_to_add_are_those_that_are_printed() -> None:
    github, gitlab = blocks(PAGE, "yaml")
    for lines, environ in ((github, {"GITHUB_ACTIONS": "true"}), (gitlab, {"GITLAB_CI": "true"})):
        code, _, err = run(["whoami"], environ)
        assert code == 2
        printed = [line.removeprefix("    ") for line in err.splitlines()]
        assert lines.splitlines() == printed[-len(lines.splitlines()) :]
