"""`attest sign`: what it prints can be acted on, what fails is one line, and no token shows."""

from __future__ import annotations

import io
import json
import logging
import shlex
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from attest.pack.builder import build_pack
from attest.sandbox import Sandbox
from attest.sandbox.browser import played_browser
from tests.signing.command_line import run


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: a pack, a file, and names that shells and parsers trip over."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "log.txt").write_text("all 214 tests passed\n")
    (tmp_path / "it's a $HOME.txt").write_text("spaces, quotes and dollars\n")
    (tmp_path / "-v").write_text("looks like an option\n")
    build_pack(tmp_path / "evidence.epack", [tmp_path / "log.txt"], stream="acme/prod")
    return tmp_path


@pytest.fixture
def config(sandbox: Sandbox) -> str:
    return str(sandbox.trust_config)


@pytest.fixture
def ana(sandbox: Sandbox) -> dict[str, str]:
    return {"SIGSTORE_ID_TOKEN": sandbox.person_token()}


def printed_command(text: str) -> list[str]:
    return shlex.split(text.split("to verify it:\n", 1)[1].splitlines()[0])[1:]


def logged_index() -> str:
    """The index that the log gave, by the one bundle that was written here or into the pack."""
    written = [*Path().glob("*.sigstore.json"), *Path().glob("elsewhere.json")]
    with zipfile.ZipFile("evidence.epack") as pack:
        inside = [pack.read(n) for n in pack.namelist() if n.endswith(".sigstore.json")]
    (bundle,) = [*inside, *(path.read_bytes() for path in written)]
    return str(json.loads(bundle)["verificationMaterial"]["tlogEntries"][0]["logIndex"])


@pytest.mark.parametrize(
    "words",
    [
        ["evidence.epack"],
        ["log.txt"],
        ["log.txt", "--bundle", "elsewhere.json"],
        ["it's a $HOME.txt"],
        ["sha256:" + "0" * 64, "--bundle", "zeros.sigstore.json"],
        ["--", "-v"],
    ],
)
@pytest.mark.usefixtures("folder")
def test_the_printed_command_verifies_what_was_signed(
    config: str, ana: Mapping[str, str], words: list[str]
) -> None:
    signed = run("sign", "--trust-config", config, *words, environ=ana)
    assert (signed.code, signed.err) == (0, "")
    assert "identity         ana@acme.example" in signed.out
    assert "issuer           https://accounts.google.com" in signed.out
    assert f", index {logged_index()}\n" in signed.out
    verified = run(*printed_command(signed.out))
    assert verified.code == 0
    stranger = [w.replace("ana@", "eve@") for w in printed_command(signed.out)]
    assert run(*stranger).code == 1


@pytest.mark.parametrize("bundle", ["log.txt", "./log.txt", "link.txt"])
def test_a_bundle_never_takes_the_place_of_what_it_signs(
    folder: Path, config: str, ana: Mapping[str, str], bundle: str
) -> None:
    (folder / "link.txt").hardlink_to(folder / "log.txt")
    words = ["sign", "log.txt", "--bundle", bundle, "--replace", "--trust-config", config]
    refused = run(*words, environ=ana)
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith("error: invalid_usage: ")
    assert (folder / "log.txt").read_text() == "all 214 tests passed\n"


@pytest.mark.usefixtures("folder")
def test_a_workflow_and_a_person_sign(
    sandbox: Sandbox, config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = sandbox.ambient_environment()
    with monkeypatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        first = run("sign", "evidence.epack", "--trust-config", config, environ=environment)
    with played_browser() as browser:
        environ = {"BROWSER": browser.name}
        second = run("sign", "evidence.epack", "--trust-config", config, environ=environ)
    assert (first.code, second.code) == (0, 0)
    for signed in (first, second):
        assert run(*printed_command(signed.out)).code == 0


@pytest.mark.usefixtures("folder")
def test_a_token_comes_from_a_file_or_standard_input(
    folder: Path, sandbox: Sandbox, config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = sandbox.person_token("bo@acme.example")
    (folder / "token").write_text(token)
    sign = ("sign", "evidence.epack", "--trust-config", config, "--dry-run", "-v")
    assert "bo@acme.example" in run(*sign, "--identity-token", "@token").err
    monkeypatch.setattr(sys, "stdin", io.StringIO(token))
    assert "bo@acme.example" in run(*sign, "--identity-token", "-").err


@pytest.mark.usefixtures("folder")
def test_signing_again_keeps_what_is_there(config: str, ana: Mapping[str, str]) -> None:
    words = ("sign", "evidence.epack", "log.txt", "--trust-config", config, "--output", "json")
    results = [
        [json.loads(line) for line in run(*words, *more, environ=ana).out.splitlines()]
        for more in ([], [], ["--replace"], ["--dry-run"])
    ]
    assert [[item["result"] for item in lines] for lines in results] == [
        ["signed", "signed"],
        ["kept", "kept"],
        ["signed", "signed"],
        ["kept", "kept"],
    ]
    assert all(item["error"] is None for lines in results for item in lines)
    # Of what is kept the earlier signature's facts are told, not new ones.
    assert results[1][0]["log"] == results[0][0]["log"] != results[2][0]["log"]


def test_every_target_is_tried_and_the_worst_code_wins(
    folder: Path, config: str, ana: Mapping[str, str]
) -> None:
    data = bytearray((folder / "evidence.epack").read_bytes())
    data[data.index(b"all 214")] ^= 1
    (folder / "broken.epack").write_bytes(data)
    words = ["sign", "--trust-config", config, "--output", "json"]
    one = run(*words, "broken.epack", "log.txt", environ=ana)
    assert one.code == 1
    assert [json.loads(line)["result"] for line in one.out.splitlines()] == ["error", "signed"]
    two = run(*words, "broken.epack", "missing", "evidence.epack", environ=ana)
    assert two.code == 2
    codes = [(json.loads(line)["error"] or {}).get("code") for line in two.out.splitlines()]
    assert codes == ["crc_mismatch", "file_not_found", None]
    assert (folder / "broken.epack").read_bytes() == data


def dead(sandbox: Sandbox, folder: Path, *services: str) -> str:
    config = json.loads(sandbox.trust_config.read_bytes())
    for service in services:
        config["signingConfig"][service][0]["url"] = "http://127.0.0.1:9"
    (folder / "dead.json").write_text(json.dumps(config))
    return "dead.json"


def failures(sandbox: Sandbox, folder: Path) -> dict[str, tuple[list[str], dict[str, str]]]:
    """Every way to fail that has a token in it: the code, the words, the environment."""
    config = ["--trust-config", str(sandbox.trust_config)]
    good = sandbox.person_token()
    head, body, signature = good.split(".")
    (folder / "empty.json").write_text("{}")
    wrong = sandbox.mint_token({"iss": "x", "sub": "y", "aud": "other"})
    return {
        "token_expired": (config, {"SIGSTORE_ID_TOKEN": sandbox.person_token(lifetime_seconds=-9)}),
        "token_malformed": (config, {"SIGSTORE_ID_TOKEN": f"{head}.{body}"}),
        "token_wrong_audience": (config, {"SIGSTORE_ID_TOKEN": wrong}),
        "token_unreadable": ([*config, "--identity-token", "@none"], {}),
        "certificate_refused": (config, {"SIGSTORE_ID_TOKEN": f"{head}.{body}.{signature[::-1]}"}),
        "network_unreachable": (
            ["--trust-config", dead(sandbox, folder, "caUrls")],
            {"SIGSTORE_ID_TOKEN": good},
        ),
        "trust_config_invalid": (["--trust-config", "empty.json"], {"SIGSTORE_ID_TOKEN": good}),
        "trust_config_unreadable": (["--trust-config", "none"], {"SIGSTORE_ID_TOKEN": good}),
        "ambient_permission_missing": (config, {"GITHUB_ACTIONS": "true", "CI": "true"}),
        "no_identity": (config, {"CI": "true"}),
        "unknown_instance": ([], {"ATTEST_INSTANCE": "nowhere", "SIGSTORE_ID_TOKEN": good}),
        "invalid_usage": ([*config, "--instance", "staging"], {"SIGSTORE_ID_TOKEN": good}),
    }


@pytest.mark.parametrize("output", ["text", "json"])
@pytest.mark.parametrize(
    "code",
    [
        "token_expired",
        "token_malformed",
        "token_wrong_audience",
        "token_unreadable",
        "certificate_refused",
        "network_unreachable",
        "trust_config_invalid",
        "trust_config_unreadable",
        "ambient_permission_missing",
        "no_identity",
        "unknown_instance",
        "invalid_usage",
    ],
)
def test_a_failure_has_its_code_shows_no_token_and_changes_nothing(
    folder: Path,
    sandbox: Sandbox,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    code: str,
    output: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    words, environ = failures(sandbox, folder)[code]
    before = {path: path.read_bytes() for path in folder.iterdir()}
    ran = run("sign", "evidence.epack", "-vv", "--output", output, *words, environ=environ)
    assert ran.code == 2
    if output == "json":
        assert json.loads(ran.out)["error"]["code"] == code
    else:
        assert ran.err.startswith(f"error: {code}: ") or f"\nerror: {code}: " in ran.err
        assert f"error: {code}: " in ran.err
        assert "Traceback" not in ran.err
        assert ran.out == ""
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    told = capfd.readouterr()
    everything = ran.out + ran.err + told.out + told.err + caplog.text
    for part in environ.get("SIGSTORE_ID_TOKEN", "").split("."):
        assert not part or part not in everything


def test_a_missing_timestamp_is_told_once(
    folder: Path,
    sandbox: Sandbox,
    ana: Mapping[str, str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    config = dead(sandbox, folder, "tsaUrls")
    ran = run("sign", "evidence.epack", "--trust-config", config, environ=ana)
    assert ran.code == 2
    assert ran.err.startswith("error: timestamp_missing: ")
    assert capfd.readouterr().err == ""


@pytest.mark.usefixtures("folder")
def test_one_bundle_is_for_one_target(config: str, ana: Mapping[str, str]) -> None:
    ran = run("sign", "log.txt", "-v", "--bundle", "x", "--trust-config", config, environ=ana)
    assert ran.code == 0
    ran = run("sign", "log.txt", "token", "--bundle", "x", "--trust-config", config, environ=ana)
    assert (ran.code, "invalid_usage" in ran.err) == (2, True)
