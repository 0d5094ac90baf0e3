"""What a person is asked and told when signing: in public only who agreed, else by a code."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

import attest
from attest.api.consent import Consents
from attest.cli.main import main
from attest.sandbox import Sandbox
from attest.sandbox.browser import played_browser
from attest.signing import device
from attest.signing.device import DeviceCode
from attest.signing.instance import SigningInstance


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Desk:
    """A folder with a file, a home, and somebody who types."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.home = folder.parent / "home"
        self.monkeypatch = monkeypatch
        (folder / "report.txt").write_text("all is well\n")

    def run(
        self,
        *words: str,
        typed: str = "",
        terminal: bool = True,
        environ: Mapping[str, str] | None = None,
    ) -> tuple[int, str, str]:
        stream = Terminal if terminal else io.StringIO
        out, err = io.StringIO(), stream()
        self.monkeypatch.setattr(sys, "stdin", stream(typed))
        code = main(
            words,
            stdout=out,
            stderr=err,
            environ={"HOME": str(self.home), "NO_COLOR": "1", **(environ or {})},
        )
        return code, out.getvalue(), err.getvalue()

    @property
    def remembered(self) -> list[Path]:
        return [path for path in self.home.rglob("*") if path.is_file()]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return Desk(folder, monkeypatch)


@pytest.fixture
def public(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """For once people who sign in public log in at the sandbox, whose tokens are for it alone."""
    url = sandbox.issuer_url
    monkeypatch.setattr(SigningInstance, "login_url", lambda _: url)


WITH_BROWSER = {"BROWSER": "attest-sandbox"}


@pytest.mark.parametrize("typed", ["", "n\n", "no\n", "\n", "yesterday\n", "sure\n", "j\n"])
def test_who_does_not_agree_signs_nothing_and_is_asked_again(desk: Desk, typed: str) -> None:
    for _ in range(2):
        code, out, err = desk.run("sign", "report.txt", typed=typed, environ=WITH_BROWSER)
        assert (code, out) == (2, "")
        assert err.count("public log, which anyone can read") == 1
        for word in ("identity", "digest", "time", "Go on? [y/N] error: consent_refused: "):
            assert word in err
        assert "opening your browser" not in err
    assert desk.remembered == []
    assert [path.name for path in desk.folder.iterdir()] == ["report.txt"]


@pytest.mark.parametrize("login", [WITH_BROWSER, {}])
def test_where_nobody_can_be_asked_only_yes_agrees(desk: Desk, login: Mapping[str, str]) -> None:
    words = ["sign", "report.txt"] if login else ["sign", "report.txt", "--device"]
    code, out, err = desk.run(*words, terminal=False, environ=login)
    assert (code, out) == (2, "")
    assert err.startswith("error: consent_missing: ")
    assert "--yes" in err


def log_in_only(desk: Desk, *words: str, typed: str = "") -> str:
    """Sign in public with a login at the sandbox: the public authority cannot be reached here."""
    with played_browser() as browser:
        environ = {"BROWSER": browser.name, "ATTEST_CACHE_DIR": str(desk.folder.parent / "none")}
        desk.monkeypatch.setattr("attest.cli.sign.current", stop)
        code, _, err = desk.run("sign", "report.txt", *words, typed=typed, environ=environ)
    assert (code, "error: stopped: " in err) == (2, True)
    return err


def stop(*_: object, **__: object) -> None:
    raise attest.SigningError("stopped", "the login is over")


@pytest.mark.parametrize("words", [[], ["--identity-token", "-"]])
def test_standard_input_may_be_closed(desk: Desk, words: list[str]) -> None:
    desk.monkeypatch.setattr(sys, "stdin", None)
    err = Terminal()
    environ = {"HOME": str(desk.home), "NO_COLOR": "1", **WITH_BROWSER}
    code = main(["sign", "report.txt", *words], stdout=io.StringIO(), stderr=err, environ=environ)
    expected = "token_unreadable" if words else "consent_missing"
    assert (code, err.getvalue().startswith(f"error: {expected}: ")) == (2, True)


@pytest.mark.usefixtures("public")
@pytest.mark.parametrize("typed", ["y\n", "Y\n", "yes\n", " YES \n"])
def test_who_agrees_is_asked_once_for_each_instance(desk: Desk, typed: str) -> None:
    assert "Go on?" in log_in_only(desk, typed=typed)
    assert "Go on?" not in log_in_only(desk)
    (file,) = desk.remembered
    assert file.name == "sigstore"
    assert "Go on?" in log_in_only(desk, "--instance", "staging", typed=typed)
    file.unlink()
    assert "Go on?" in log_in_only(desk, typed=typed)


@pytest.mark.usefixtures("public")
def test_yes_agrees_for_once(desk: Desk) -> None:
    assert "Go on?" not in log_in_only(desk, "--yes")
    assert desk.remembered == []


@pytest.mark.usefixtures("public")
def test_an_answer_that_cannot_be_remembered_still_counts(desk: Desk) -> None:
    folder = desk.home / ".config" / "attest"
    folder.mkdir(parents=True)
    (folder / "signs-in-public").write_text("a file where the folder should be")
    err = log_in_only(desk, typed="y\n")
    assert "could not be remembered" in err


@pytest.mark.usefixtures("public")
def test_who_gives_a_token_or_only_looks_has_nothing_to_agree_to(
    desk: Desk, sandbox: Sandbox
) -> None:
    (desk.folder / "token").write_text(sandbox.person_token())
    assert "Go on?" not in log_in_only(desk, "--identity-token", "@token")
    assert "Go on?" not in log_in_only(desk, "--dry-run")


@pytest.mark.parametrize("name", ["../escape", "acme", "", "sigstore/../x"])
def test_only_public_instances_are_remembered(tmp_path: Path, name: str) -> None:
    consents = Consents(folder=tmp_path / "attest")
    assert consents.remember(name) is None
    assert not consents.given(name)
    assert list(tmp_path.iterdir()) == []


def test_without_a_folder_nothing_is_remembered() -> None:
    consents = Consents(folder=None)
    assert consents.remember("sigstore") is None
    assert not consents.given("sigstore")


def test_two_runs_may_remember_at_once(tmp_path: Path) -> None:
    consents = Consents(folder=tmp_path)
    assert consents.remember("sigstore") == consents.remember("sigstore")
    assert consents.given("sigstore")


def entered(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    """Whoever is shown a code enters it at once, and nobody waits."""
    real = device.log_in_elsewhere

    def log_in(url: str, *, show: object) -> str:
        def show_and_enter(code: DeviceCode) -> None:
            assert callable(show)
            show(code)
            sandbox.instance.oidc.device.page(
                {"user_code": code.user_code}, person="bo@acme.example"
            )

        return real(url, show=show_and_enter, sleep=lambda _: None)

    monkeypatch.setattr(device, "log_in_elsewhere", log_in)


@pytest.mark.parametrize(
    ("words", "environ", "terminal"),
    [
        (["--device"], {"DISPLAY": ":0"}, True),
        (["--device"], {}, False),
        (["--device", "-q"], {}, True),
        ([], {"SSH_CONNECTION": "a 1 b 2", "DISPLAY": ":10"}, True),
    ],
)
def test_a_person_signs_with_a_code_from_another_device(
    desk: Desk,
    sandbox: Sandbox,
    words: list[str],
    environ: Mapping[str, str],
    terminal: bool,  # noqa: FBT001
) -> None:
    entered(desk.monkeypatch, sandbox)
    code, out, err = desk.run(
        "sign",
        "report.txt",
        "--trust-config",
        str(sandbox.trust_config),
        *words,
        terminal=terminal,
        environ=environ,
    )
    assert (code, "bo@acme.example" in out) == (0, True)
    assert f"{sandbox.url}/device\n" in err
    assert "enter this code:" in err


def test_a_browser_that_does_not_open_gives_way_to_a_code(desk: Desk, sandbox: Sandbox) -> None:
    entered(desk.monkeypatch, sandbox)
    desk.monkeypatch.setattr("webbrowser.open", lambda _: False)
    desk.monkeypatch.setattr(
        "attest.signing.login.log_in.__kwdefaults__",
        {"open_browser": lambda _: False, "patience_seconds": 300},
    )
    code, out, err = desk.run(
        "sign", "report.txt", "--trust-config", str(sandbox.trust_config), environ=WITH_BROWSER
    )
    assert (code, "bo@acme.example" in out) == (0, True)
    assert "enter this code:" in err


def test_a_code_that_nobody_would_see_is_not_waited_for(desk: Desk, sandbox: Sandbox) -> None:
    desk.monkeypatch.setattr(sys, "platform", "linux")
    code, _, err = desk.run(
        "sign", "report.txt", "--trust-config", str(sandbox.trust_config), terminal=False
    )
    assert code == 2
    assert err.startswith("error: no_identity: ")


@pytest.mark.parametrize("name", ["--device", "--identity-token"])
def test_a_token_and_a_login_exclude_each_other(desk: Desk, name: str) -> None:
    words = ["sign", "report.txt", "--identity-token", "x", "--device"]
    code, _, err = desk.run(*words)
    assert (code, err.startswith("error: invalid_usage: "), name in err) == (2, True, True)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")
def test_ctrl_c_ends_the_waiting_for_a_code(desk: Desk, sandbox: Sandbox) -> None:
    words = ["sign", "report.txt", "--device", "--trust-config", str(sandbox.trust_config)]
    started = subprocess.Popen(
        [sys.executable, "-m", "attest", *words],
        cwd=desk.folder,
        env={"HOME": str(desk.home), "PYTHONPATH": str(Path(attest.__file__).parents[1])},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert started.stderr is not None
    assert started.stdout is not None
    with started, started.stderr, started.stdout:
        while "Ctrl-C stops" not in (line := started.stderr.readline()):
            assert line
        begin = time.monotonic()
        started.send_signal(signal.SIGINT)
        err = started.stderr.read()
        assert started.wait(10) == 130
    assert time.monotonic() - begin < 5
    assert "interrupted" in err
    assert [path.name for path in desk.folder.iterdir()] == ["report.txt"]


HEAD, BODY, TAIL = "eyJhbGciOiJFUzI1NiJ9", "eyJzdWIiOiJzZWNyZXQifQ", "c2lnbmF0dXJl"
SECRET = f"{HEAD}.{BODY}.{TAIL}"


@pytest.mark.parametrize(
    "words",
    [
        ["sign", SECRET],
        ["sign", "report.txt", SECRET, "--bundle", "x"],
        ["sign", "report.txt", f"--identity-tokn={SECRET}"],
        ["sign", "report.txt", "--identity-token", f"@{SECRET}"],
        ["sign", "report.txt", "--identity-token", SECRET],
        ["sign", "report.txt", "--rekor-version", SECRET],
        ["sign", "report.txt", "--instance", SECRET],
        ["whoami", SECRET],
        ["whoami", f"--token={SECRET}"],
        ["whoami", "--identity-token", f"{HEAD}.{BODY}"],
        ["whoami", "--instance", SECRET, "--device"],
        [SECRET],
        [f"--{SECRET}"],
    ],
)
@pytest.mark.parametrize("output", ["text", "json"])
def test_a_token_at_the_wrong_place_is_not_shown(desk: Desk, words: list[str], output: str) -> None:
    code, out, err = desk.run(*words, "--output", output, "-vv")
    assert code == 2
    assert "error" in (err if output == "text" else out)
    if output == "text":
        assert not any(part in out + err for part in (HEAD, BODY, TAIL))
    else:
        told = json.loads(out.splitlines()[0])["error"]
        assert not any(part in json.dumps(told) for part in (HEAD, BODY, TAIL))
