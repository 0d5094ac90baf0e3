"""The command that signing prints is run as it is printed: it verifies, and for nobody else."""

from __future__ import annotations

import hashlib
import io
import json
import shlex
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from attest import terminal
from attest.api.sign import open_session
from attest.cli.main import main
from attest.cli.sign_answer import verify_commands
from attest.oidc import IdentityToken
from attest.pack.builder import build_pack
from attest.sandbox import Sandbox
from attest.signing.instance import Kind, SigningInstance
from attest.trust import root
from tests.signing.command_line import run

TYPE = "https://acme.example/tested/v1"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.txt", "b.txt"):
        Path(name).write_text(name)
    Path("tested.json").write_text('{"passed": 214}')
    build_pack(Path("e.epack"), [Path("a.txt")], stream="acme/prod")


@pytest.fixture
def environ(sandbox: Sandbox, tmp_path: Path) -> dict[str, str]:
    home = tmp_path.parent / f"{tmp_path.name}-home"
    return {"HOME": str(home), "SIGSTORE_ID_TOKEN": sandbox.person_token()}


@pytest.fixture(autouse=True)
def _working(sandbox: Sandbox) -> Iterator[None]:
    yield
    sandbox.faults.clear()


def printed(text: str) -> list[list[str]]:
    """The commands after each `to verify it:`."""
    lines = text.splitlines()
    return [shlex.split(line)[1:] for line in lines if line.startswith("  attest verify ")]


SAID = ["--predicate", "tested.json", "--predicate-type", TYPE]


@pytest.mark.parametrize("where", ["config", "parts"])
@pytest.mark.parametrize(
    ("words", "count"),
    [
        (["e.epack"], 1),
        (["a.txt"], 1),
        (["sha256:" + "0" * 64, "--bundle", "zeros.json"], 1),
        (["a.txt", *SAID], 1),
        (["a.txt", "b.txt", *SAID, "--bundle", "both.json"], 2),
        (["a.txt", "b.txt", "e.epack"], 3),
    ],
)
def test_every_printed_command_verifies(
    sandbox: Sandbox, environ: dict[str, str], words: list[str], count: int, where: str
) -> None:
    options = ["--trust-config", str(sandbox.trust_config)]
    if where == "parts":
        config = Path(sandbox.directory, "signing_config.json")
        options = ["--signing-config", str(config), "--trusted-root", str(sandbox.trusted_root)]
    signed = run("sign", *words, *options, environ=environ)
    assert signed.code == 0, signed.err
    commands = printed(signed.out)
    assert len(commands) == count
    for command in commands:
        verified = run(*command, environ={"HOME": environ["HOME"]})
        assert verified.code == 0, verified.err + verified.out
        stranger = [word.replace("ana@", "eve@") for word in command]
        assert run(*stranger, environ={"HOME": environ["HOME"]}).code == 1


@pytest.mark.parametrize(
    ("kind", "name", "options"),
    [
        ("registered", "acme", ["--instance", "acme"]),
        ("public", "staging", ["--instance", "staging"]),
        ("public", "sigstore", ["--issuer", "https://accounts.google.com"]),
    ],
)
def test_an_instance_that_has_a_name_is_named(
    instance: SigningInstance, person: IdentityToken, kind: Kind, name: str, options: list[str]
) -> None:
    with open_session(token=person, instance=instance) as session:
        signed = session.sign("a.txt")
    known = replace(instance, kind=kind, name=name)
    (command,) = verify_commands(signed, known, Namespace(key=None))
    assert shlex.split(command)[-2:] == options


def test_the_command_for_a_registered_instance_verifies(
    sandbox: Sandbox, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Sandboxes cannot be registered; this one does not look like one from here on.
    monkeypatch.setattr(root, "SANDBOX_ORGANIZATION", "another marker")
    home = {"HOME": environ["HOME"]}
    added = run("trust", "add", "acme", str(sandbox.trust_config), environ=home)
    assert added.code == 0, added.err
    for target in ("a.txt", "e.epack"):
        signed = run("sign", target, "--instance", "acme", environ=environ)
        assert signed.code == 0, signed.err
        (command,) = printed(signed.out)
        assert command[-2:] == ["--instance", "acme"]
        verified = run(*command, environ=home)
        assert verified.code == 0, verified.err
        assert run(*[word.replace("ana@", "eve@") for word in command], environ=home).code == 1
    assert run("trust", "remove", "acme", environ=home).code == 0
    forgotten = run("verify", "a.txt", "--unsafe-any-identity", "--instance", "acme", environ=home)
    assert "unknown_instance" in forgotten.err


def test_the_command_for_a_key_verifies(sandbox: Sandbox, environ: dict[str, str]) -> None:
    Path("secret").write_text("correct horse\n")
    made = run("key", "generate", "release.key", "--passphrase-file", "secret", environ=environ)
    assert made.code == 0, made.err
    key = ["--key", "release.key", "--passphrase-file", "secret"]
    config = ["--trust-config", str(sandbox.trust_config)]
    for target in (["e.epack"], ["a.txt"], ["b.txt", *SAID]):
        signed = run("sign", *target, *key, *config, environ={"HOME": environ["HOME"]})
        assert signed.code == 0, signed.err
        (command,) = printed(signed.out)
        assert run(*command).code == 0
        assert run(*[word.replace("a.txt", "b.txt") for word in command]).code == (
            0 if target[0] != "a.txt" else 2
        )


def test_nothing_in_a_command_is_taken_for_an_option_or_a_list(
    sandbox: Sandbox, environ: dict[str, str]
) -> None:
    for name in ("@list", "-k.txt"):
        Path(name).write_text(name)
    Path("names").write_text("@list\n-k.txt\n")
    subject = {"name": "a.txt", "digest": {"sha256": hashlib.sha256(b"a.txt").hexdigest()}}
    statement = {"_type": "https://in-toto.io/Statement/v1", "subject": [subject]}
    Path("dashed.json").write_text(json.dumps({**statement, "predicateType": "--x"}))
    dashed = {**environ, "SIGSTORE_ID_TOKEN": sandbox.person_token("-ana@acme.example")}
    for words in (["@names"], ["a.txt", "--statement", "dashed.json"]):
        config = ["--trust-config", str(sandbox.trust_config)]
        signed = run("sign", *words, *config, environ=dashed)
        assert signed.code == 0, signed.err
        commands = printed(signed.out)
        assert len(commands) == (2 if words == ["@names"] else 1)
        for command in commands:
            verified = run(*command)
            assert verified.code == 0, verified.err
            assert run(*[word.replace("ana@", "eve@") for word in command]).code == 1


def test_a_log_that_is_down_is_told_and_the_same_command_goes_on(
    sandbox: Sandbox, environ: dict[str, str]
) -> None:
    words = ["sign", "a.txt", "e.epack", "missing", "--trust-config", str(sandbox.trust_config)]
    sandbox.faults.inject("log-500")
    down = run(*words, environ=environ)
    assert (down.code, down.out) == (2, "")
    assert down.err.count("error: signature_pending: ") == 2
    assert down.err.splitlines()[-2:] == [
        "3 targets: 2 waiting for the log, 1 not signed",
        "the same command with --resume goes on where this one ended",
    ]
    assert environ["SIGSTORE_ID_TOKEN"] not in down.err
    assert not Path("a.txt.sigstore.json").exists()
    in_json = run(*words, "--output", "json", environ=environ)
    lines = [json.loads(line) for line in in_json.out.splitlines()]
    assert [(line["result"], line["path"]) for line in lines] == [
        ("pending", "a.txt.pending.json"),
        ("pending", "e.epack.pending.json"),
        ("error", None),
    ]
    waiting = run(
        *("verify", "a.txt", "--bundle", "a.txt.pending.json", "--unsafe-any-identity"),
        *("--trusted-root", str(sandbox.trusted_root)),
    )
    assert waiting.code == 1
    assert "bundle_pending" in waiting.out
    sandbox.faults.clear()
    resumed = run(*words, "--resume", environ={"CI": "true"})
    assert resumed.code == 2
    assert "3 targets: 2 signed, 1 not signed" in resumed.err
    assert resumed.out.startswith("completed        a.txt\n")
    for command in printed(resumed.out):
        assert run(*command).code == 0
    assert not list(Path().glob("*.pending.json"))


def test_what_a_key_signed_is_completed_without_the_key(
    sandbox: Sandbox, environ: dict[str, str]
) -> None:
    words = ["sign", "a.txt", "--trust-config", str(sandbox.trust_config)]
    assert run("key", "generate", "release.key", "--no-passphrase").code == 0
    sandbox.faults.inject("log-500")
    assert "signature_pending" in run(*words, "--key", "release.key").err
    sandbox.faults.clear()
    resumed = run(*words, "--resume", environ=environ)
    assert (resumed.code, resumed.err) == (0, "")
    Path("release.key.pub").rename("signer.pub")
    (command,) = printed(resumed.out)
    assert run(*command).code == 0


@pytest.mark.parametrize("target", ["a.txt", "e.epack"])
def test_what_was_to_replace_and_waits_for_its_log_replaces_when_resumed(
    sandbox: Sandbox, environ: dict[str, str], target: str
) -> None:
    words = ["sign", target, "--trust-config", str(sandbox.trust_config)]
    first = json.loads(run(*words, "--output", "json", environ=environ).out)
    words.append("--replace")
    sandbox.faults.inject("log-500")
    assert "signature_pending" in run(*words, environ=environ).err
    sandbox.faults.clear()
    resumed = json.loads(run(*words, "--resume", "--output", "json", environ={"CI": "true"}).out)
    assert resumed["result"] == "completed"
    assert resumed["log"][0]["index"] != first["log"][0]["index"]
    assert resumed["entry"] == first["entry"]
    assert run(*shlex.split(resumed["verify"])[1:]).code == 0
    assert not list(Path().glob("*.pending.json"))


class Terminal(io.StringIO):
    """A stream that a person watches."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("more", [[], ["-q"], ["--output", "json"]])
def test_many_targets_have_a_bar_that_leaves_nothing_behind(
    sandbox: Sandbox,
    environ: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    more: list[str],
) -> None:
    monkeypatch.setattr(terminal, "_BEFORE_FIRST", 0.0)
    monkeypatch.setattr(terminal, "_BETWEEN", 0.0)
    stderr = Terminal()
    words = ["sign", "a.txt", "b.txt", *more, "--trust-config", str(sandbox.trust_config)]
    assert main(words, stdout=io.StringIO(), stderr=stderr, environ=environ) == 0
    text = stderr.getvalue()
    assert ("signing [" in text) == (not more)
    last = text.split("\r")[-1]
    assert last == ("" if more == ["-q"] else "2 targets: 2 signed\n")


def test_resuming_without_a_token_signs_nothing_anew(
    sandbox: Sandbox, environ: dict[str, str]
) -> None:
    words = ["sign", "a.txt", "--resume", "--trust-config", str(sandbox.trust_config)]
    refused = run(*words, environ={"CI": "true"})
    assert (refused.code, refused.out) == (2, "")
    assert "error: no_identity: " in refused.err
    assert not Path("a.txt.sigstore.json").exists()
    assert run(*words, environ=environ).code == 0


@pytest.mark.parametrize(
    "words",
    [
        ["a.txt", "--resume", "--dry-run"],
        ["a.txt", "--predicate", "tested.json"],
        ["a.txt", "--predicate-type", TYPE],
        ["a.txt", *SAID, "--statement", "tested.json"],
        ["e.epack", *SAID],
        ["a.txt", "b.txt", "--bundle", "both.json"],
        ["a.txt", "b.txt", "--statement", "tested.json"],
        ["-", "--identity-token", "-"],
    ],
)
def test_what_does_not_go_together_signs_nothing(
    sandbox: Sandbox, environ: dict[str, str], words: list[str]
) -> None:
    size = sandbox.instance.rekor1.size
    refused = run("sign", *words, "--trust-config", str(sandbox.trust_config), environ=environ)
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith("error: invalid_usage: ")
    assert sandbox.instance.rekor1.size == size
