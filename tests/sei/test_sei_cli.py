"""`attest sei` at the command line: where keys may come from, and what nothing may do."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

import attest
from attest.api.sei import write_artefact
from attest.cli.main import main
from attest.keys import PublicKey
from attest.signing.keyfile import FileKey
from tests.docs.test_public_names import heavy, probe
from tests.sei import second

KEY = FileKey(second.private_key("ours"))
STRANGER = FileKey(second.private_key("a stranger"))
POSIX = pytest.mark.skipif(os.name == "nt", reason="links need rights of their own there")


def hex_of(key: PublicKey) -> str:
    assert key.point is not None
    return key.point.hex()


def policy_text(key: FileKey = KEY) -> str:
    rules = {
        "version": 1,
        "signers": {"k": {"key": hex_of(key.public)}},
        "require": ["k"],
        "log": "optional",
        "timestamp": "optional",
    }
    return json.dumps(rules)


class Desk:
    """A repository with an artefact, a home, and the command run there."""

    def __init__(self, folder: Path) -> None:
        self.repository = folder / "repository"
        self.config = folder / "home" / ".config" / "attest"
        self.home = folder / "home"
        self.repository.mkdir()
        self.config.mkdir(parents=True)
        self.environ: dict[str, str] = {"XDG_CONFIG_HOME": str(self.config.parent)}
        write_artefact(self.repository, kind="reconstruct", system="s", payload={}, key=KEY)

    def run(
        self, *words: str, environ: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, object]]:
        """The exit code, and the one report."""
        out, err = io.StringIO(), io.StringIO()
        line = ["sei", "verify", "--repo", str(self.repository), "--output", "json", *words]
        code = main(line, stdout=out, stderr=err, environ=environ or self.environ)
        return code, json.loads(out.getvalue())

    def code_of(self, *words: str) -> tuple[int, str | None]:
        code, report = self.run(*words)
        error = report["error"]
        assert error is None or isinstance(error, dict)
        return code, None if error is None else error["code"]

    def register(self, folder: Path, text: str | None = None) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "sei-policy.yaml"
        file.write_text(text or policy_text())
        return file


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_the_users_configuration_registers_keys(desk: Desk) -> None:
    assert desk.code_of() == (2, "no_registered_key")
    desk.register(desk.config)
    assert desk.code_of() == (0, None)
    _, report = desk.run()
    policy = report["policy"]
    assert isinstance(policy, dict)
    assert policy["file"] == str(desk.config / "sei-policy.yaml")
    desk.register(desk.config, policy_text(STRANGER))
    assert desk.code_of() == (1, "untrusted_key")


def test_an_option_goes_before_what_is_registered(desk: Desk) -> None:
    desk.register(desk.config, policy_text(STRANGER))
    assert desk.code_of("--pubkey", hex_of(KEY.public)) == (0, None)
    desk.register(desk.config)
    assert desk.code_of("--pubkey", hex_of(STRANGER.public)) == (1, "untrusted_key")


def test_what_is_registered_and_cannot_be_read_is_not_passed_over(desk: Desk) -> None:
    desk.register(desk.config, "version: 7\n")
    code, error = desk.code_of()
    assert (code, error is not None and error.startswith("policy_")) == (2, True)


@pytest.mark.parametrize(
    "place",
    [
        ".sei/sei-policy.yaml",
        ".sei/policy.yaml",
        ".sei/keys.pub",
        ".sei/conformance/sei-policy.yaml",
        "sei-policy.yaml",
        ".config/attest/sei-policy.yaml",
        "policy.yaml",
    ],
)
def test_nothing_in_the_repository_registers_a_key(
    place: str, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = desk.repository / place
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(policy_text())
    monkeypatch.chdir(desk.repository)
    assert desk.code_of() == (2, "no_registered_key")


@pytest.mark.parametrize("name", ["ATTEST_POLICY", "SEI_PUBKEY", "SEI_SIGNING_KEY"])
def test_no_variable_registers_a_key(name: str, desk: Desk) -> None:
    desk.environ[name] = f"{second.scalar_of('ours'):064x}"
    assert desk.code_of() == (2, "no_registered_key")


@pytest.mark.parametrize("below", ["", ".sei", "home"])
def test_a_configuration_in_the_repository_is_refused(below: str, desk: Desk) -> None:
    folder = desk.repository / below
    desk.register(folder / "attest")
    desk.environ["XDG_CONFIG_HOME"] = str(folder)
    assert desk.code_of() == (2, "key_source_in_repository")


def test_the_repository_is_the_whole_work_tree(desk: Desk) -> None:
    desk.register(desk.config)
    (desk.home.parent / ".git").mkdir()  # of which repository and home are parts
    assert desk.code_of() == (2, "key_source_in_repository")
    (desk.repository / ".git").write_text("gitdir: elsewhere")  # as a work tree or submodule has it
    assert desk.code_of() == (0, None)


@POSIX
def test_a_link_makes_no_configuration_of_what_lies_in_the_repository(desk: Desk) -> None:
    inside = desk.register(desk.repository / "keys")
    (desk.config / "sei-policy.yaml").symlink_to(inside)
    assert desk.code_of() == (2, "key_source_in_repository")
    (desk.config / "sei-policy.yaml").unlink()
    desk.config.rmdir()
    desk.config.symlink_to(desk.repository / "keys")
    assert desk.code_of() == (2, "key_source_in_repository")


@POSIX
def test_a_link_out_of_the_repository_makes_no_configuration_either(desk: Desk) -> None:
    outside = desk.register(desk.home / "keys")
    (desk.repository / "attest").mkdir()
    (desk.repository / "attest" / "sei-policy.yaml").symlink_to(outside)
    desk.environ["XDG_CONFIG_HOME"] = str(desk.repository)
    assert desk.code_of() == (2, "key_source_in_repository")


@POSIX
def test_a_link_that_leads_to_itself_registers_nothing(desk: Desk) -> None:
    (desk.config / "sei-policy.yaml").symlink_to(desk.config / "sei-policy.yaml")
    assert desk.code_of() == (2, "unreadable_file")


@POSIX
def test_a_repository_reached_by_a_link_is_the_same(desk: Desk) -> None:
    desk.register(desk.repository / "attest")
    desk.environ["XDG_CONFIG_HOME"] = str(desk.repository)
    link = desk.home / "link"
    link.symlink_to(desk.repository)
    desk.repository = link
    assert desk.code_of() == (2, "key_source_in_repository")


@POSIX
def test_a_work_tree_that_links_to_the_repository_counts_too(desk: Desk) -> None:
    tree = desk.home / "tree"
    (tree / ".git").mkdir(parents=True)
    (tree / "evidence").symlink_to(desk.repository)
    desk.register(tree / "attest")
    desk.environ["XDG_CONFIG_HOME"] = str(tree)
    assert desk.code_of() == (0, None)
    desk.repository = tree / "evidence"
    assert desk.code_of() == (2, "key_source_in_repository")


@pytest.mark.parametrize("below", ["", "ci", ".config/attest"])
def test_a_policy_in_the_repository_counts_where_it_is_named_and_is_told_of(
    below: str, desk: Desk
) -> None:
    file = desk.register(desk.repository / below)
    code, report = desk.run("--policy", str(file))
    assert code == 0
    assert isinstance(report["warnings"], list)
    assert [item["code"] for item in report["warnings"]] == ["policy_in_repository"]


@POSIX
def test_a_policy_that_the_repository_links_to_is_told_of(desk: Desk) -> None:
    outside = desk.register(desk.home / "keys")
    link = desk.repository / "policy.yaml"
    link.symlink_to(outside)
    code, report = desk.run("--policy", str(link))
    assert code == 0
    assert isinstance(report["warnings"], list)
    assert [item["code"] for item in report["warnings"]] == ["policy_in_repository"]


@POSIX
@pytest.mark.parametrize("below", ["k.pub", ".sei/k.pub", "linked.pub"])
@pytest.mark.parametrize("way", ["named", "registered"])
def test_a_policy_elsewhere_takes_no_key_from_the_repository(
    below: str, way: str, desk: Desk
) -> None:
    folder = desk.repository.parent
    key = desk.repository / below
    if below == "linked.pub":  # chosen by who may change the repository as well
        (folder / "other.pub").write_bytes(KEY.public.pem)
        key.symlink_to(folder / "other.pub")
    else:
        key.write_bytes(KEY.public.pem)
    text = policy_text().replace(hex_of(KEY.public), f"repository/{below}")
    file = desk.register(folder, text)
    if way == "named":
        assert desk.code_of("--policy", str(file)) == (2, "key_source_in_repository")
        return
    (folder / "attest").symlink_to(folder)
    desk.environ["XDG_CONFIG_HOME"] = str(folder)
    assert desk.code_of() == (2, "key_source_in_repository")


def test_a_policy_elsewhere_takes_keys_from_beside_it(desk: Desk) -> None:
    (desk.home / "k.pub").write_bytes(KEY.public.pem)
    file = desk.register(desk.home, policy_text().replace(hex_of(KEY.public), "k.pub"))
    assert desk.code_of("--policy", str(file)) == (0, None)


def test_a_policy_elsewhere_is_not_told_of(desk: Desk) -> None:
    file = desk.register(desk.home)
    _, report = desk.run("--policy", str(file))
    assert report["warnings"] == []


def test_a_policy_that_has_expired_gives_no_verdict(desk: Desk) -> None:
    rules = json.loads(policy_text()) | {"expires": "2020-01-01T00:00:00Z"}
    desk.register(desk.config, json.dumps(rules))
    assert desk.code_of() == (2, "policy_expired")
    (desk.repository / ".sei" / "reconstruct.json.sig").unlink()  # what it would not come to
    assert desk.code_of() == (2, "policy_expired")


@POSIX
def test_a_linked_folder_of_artefacts_is_refused(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / ".sei").symlink_to(desk.repository / ".sei")
    desk.repository = tmp_path / "other"
    assert desk.code_of("--pubkey", hex_of(KEY.public)) == (1, "symlink_refused")
    assert desk.code_of("--integrity-only") == (1, "symlink_refused")


def test_signing_follows_no_link(desk: Desk, tmp_path: Path) -> None:
    if os.name == "nt":
        pytest.skip("links need rights of their own there")
    outside = tmp_path / "outside.json"
    outside.write_text("{}")
    (desk.repository / ".sei" / "bundle.json").symlink_to(outside)
    out, err = io.StringIO(), io.StringIO()
    environ = {**desk.environ, "SEI_SIGNING_KEY": f"{second.scalar_of('ours'):064x}"}
    words = ["sei", "sign", str(desk.repository / ".sei" / "bundle.json")]
    code = main([*words, "--repo", str(desk.repository)], stdout=out, stderr=err, environ=environ)
    assert code == 2
    assert "symlink_refused" in err.getvalue()
    assert not (desk.repository / ".sei" / "bundle.json.sig").exists()


def test_a_key_file_signs_and_its_public_half_verifies(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(desk.repository)
    file = str(tmp_path / "release.key")
    public = attest.generate_key(file, passphrase=None)
    for words in (["sign", "--key", file], ["sign", ".sei/reconstruct.json", "--key", file]):
        out = io.StringIO()
        code = main(["sei", *words], stdout=out, stderr=io.StringIO(), environ={})
        assert code == 0
        assert out.getvalue().startswith("signed" if len(words) == 3 else "kept")
    assert desk.code_of("--pubkey", hex_of(public)) == (0, None)
    assert desk.code_of("--pubkey", hex_of(KEY.public)) == (1, "untrusted_key")


@pytest.mark.parametrize("kind", ["p384", "ed25519"])
def test_keys_of_other_kinds_neither_sign_nor_are_printed(
    kind: str, desk: Desk, tmp_path: Path
) -> None:
    file = str(tmp_path / "other.key")
    attest.generate_key(file, kind=kind, passphrase=None)  # type: ignore[arg-type]  # as given
    before = (desk.repository / ".sei" / "reconstruct.json.sig").read_bytes()
    for words in (["sign", "--repo", str(desk.repository)], ["pubkey"]):
        out, err = io.StringIO(), io.StringIO()
        code = main(["sei", *words, "--key", file], stdout=out, stderr=err, environ={})
        assert (code, out.getvalue()) == (2, "")
        assert "unsupported_key_kind" in err.getvalue()
    assert (desk.repository / ".sei" / "reconstruct.json.sig").read_bytes() == before


VERIFY = """
import io
from attest.cli.main import main
out = io.StringIO()
code = main(sys.argv[1:], stdout=out, stderr=out, environ={})
assert code == 0, out.getvalue()
"""


def test_verifying_loads_nothing_heavy_and_opens_no_socket(desk: Desk) -> None:
    words = ["sei", "verify", "--repo", str(desk.repository), "--pubkey", hex_of(KEY.public)]
    found = probe(VERIFY, *words)
    assert "attest.formats.sei.signature" in found["modules"]
    assert heavy(found["modules"]) == []
    # Of what only bundles, packs and trust need.
    assert not {"attest.bundle", "attest.engine.verify", "attest.trust.root"} & set(
        found["modules"]
    )
    assert found["sockets"] == []


def test_other_commands_do_not_load_it(desk: Desk) -> None:
    del desk
    body = "from attest.cli.main import main\nimport attest.cli.verify"
    assert not [name for name in probe(body)["modules"] if "sei" in name]


def test_help_of_every_action_has_examples_that_the_program_takes() -> None:
    from attest.cli.sei import ACTIONS

    for name in ACTIONS:
        done = subprocess.run(
            [sys.executable, "-m", "attest", "sei", name, "--help"],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(Path(attest.__file__).parents[1])},
        )
        assert done.returncode == 0
        assert f"attest sei {name}" in done.stdout.partition("examples:")[2]
