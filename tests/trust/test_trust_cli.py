"""`attest trust`, and what `attest verify` makes of it, through the real `main`."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from attest.cli.main import main
from attest.sandbox import Sandbox
from attest.sandbox.tuf import TufRepository
from tests.real_bundles import RealCase, needs_real_bundles
from tests.trust.served import FIRST, SECOND, TRUSTED_ROOT, Served


@dataclass(frozen=True, kw_only=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, object]:
        document: dict[str, object] = json.loads(self.out)
        return document


Run = Callable[..., Ended]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)

    def run(*words: str, **environ: str) -> Ended:
        known = {"HOME": str(tmp_path / "home"), **environ}
        out, err = io.StringIO(), io.StringIO()
        code = main(words, stdout=out, stderr=err, environ=known)
        return Ended(code=code, out=out.getvalue(), err=err.getvalue())

    return run


@pytest.fixture
def root(served: Served) -> str:
    """The file of the repository's first root."""
    path = served.folder / "root.json"
    path.write_bytes(served.repository.root)
    return str(path)


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "acme.json"
    path.write_bytes(FIRST)
    return str(path)


pytestmark = needs_real_bundles
REAL = RealCase.read("happy-path-v0.3")
WHO = ("--identity", REAL.identity, "--issuer", REAL.issuer)
EVIDENCE = (str(REAL.artifact), "--bundle", str(REAL.bundle), *WHO)


def code_of(ended: Ended) -> str:
    assert ended.code == 2
    assert "Traceback" not in ended.err
    assert len([line for line in ended.err.splitlines() if line.startswith("error: ")]) == 1
    return ended.err.partition("error: ")[2].partition(":")[0]


def test_a_file_is_added_used_shown_and_removed(run: Run, file: str) -> None:
    assert run("trust", "add", "acme", file).code == 0
    Path(file).unlink()  # it was copied
    text = run("verify", *EVIDENCE, "--instance", "acme").out
    digest = hashlib.sha256(FIRST).hexdigest()
    assert f"trust root: acme (sha256:{digest}, known to be current 0 days ago)" in text
    verified = run("verify", *EVIDENCE, "--instance", "acme", "--output", "json")
    assert verified.code == 0
    trust = verified.json["trust"]
    assert isinstance(trust, dict)
    assert trust["instance"] == "acme"
    assert trust["root_sha256"] == hashlib.sha256(FIRST).hexdigest()
    assert trust["age_seconds"] in range(60)
    assert verified.json["warnings"] == []
    assert "acme" in run("trust", "show").out
    assert run("trust", "remove", "acme").code == 0
    assert code_of(run("verify", *EVIDENCE, "--instance", "acme")) == "unknown_instance"


def test_a_repository_is_added_and_followed(run: Run, served: Served, root: str) -> None:
    added = run("trust", "add", "tuf-acme", served.url, "--root", root, "--output", "json")
    assert added.code == 0
    assert added.json["root_sha256"] == hashlib.sha256(FIRST).hexdigest()
    assert run("verify", *EVIDENCE, "--instance", "tuf-acme").code == 0
    served.repository.publish({TRUSTED_ROOT: SECOND})
    assert run("trust", "update", "tuf-acme").code == 0
    # Of the staging instance, which has nothing to do with this bundle.
    ended = run("verify", *EVIDENCE, "--instance", "tuf-acme", "--output", "json")
    assert ended.code == 1
    shown = run("trust", "show", "tuf-acme", "--output", "json").json["instances"]
    assert isinstance(shown, list)
    assert shown[0]["versions"] == {"root": 1, "timestamp": 2, "snapshot": 2, "targets": 2}


def test_offline_makes_no_network_call(run: Run, file: str, network_calls: list[str]) -> None:
    assert run("verify", *EVIDENCE, "--offline").code == 0
    assert run("verify", *EVIDENCE, ATTEST_OFFLINE="1").code == 0
    assert run("verify", *EVIDENCE, "--trusted-root", file).code == 0
    assert run("verify", *EVIDENCE, "--offline", "--instance", "staging").code == 1
    assert run("trust", "show").code == 0
    assert run("trust", "add", "acme", file).code == 0
    assert run("verify", *EVIDENCE, "--instance", "acme").code == 0
    assert run("trust", "export", "sigstore", "out.json", ATTEST_OFFLINE="1").code == 0
    assert Path("out.json").read_bytes() == FIRST
    assert network_calls == []


def test_a_command_refreshes_what_is_due(run: Run, network_calls: list[str]) -> None:
    # Nothing answers, and the verdict is given all the same, with the root that ships.
    ended = run("verify", *EVIDENCE, "--output", "json", https_proxy="")
    assert ended.code == 0
    assert [item["code"] for item in warnings(ended)][:1] == ["trust_refresh_failed"]
    assert any("tuf-repo-cdn.sigstore.dev" in call for call in network_calls)


def warnings(ended: Ended) -> list[dict[str, str]]:
    found = ended.json["warnings"]
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize(
    ("options", "told"),
    [(["--no-sct"], "no SCT"), (["--no-log"], "no log"), (["--no-sct", "--no-log"], "no log")],
)
def test_a_relaxed_profile_shows_in_every_report(
    run: Run, file: str, options: list[str], told: str
) -> None:
    assert run("trust", "add", "acme", file, *options).code == 0
    ended = run("verify", *EVIDENCE, "--instance", "acme", "--output", "json")
    assert [item["code"] for item in warnings(ended)] == ["relaxed_profile"]
    text = run("verify", *EVIDENCE, "--instance", "acme").out
    assert told in text
    wrong = run("verify", *EVIDENCE[:-3], "x", "--issuer", "google", "--instance", "acme")
    assert (wrong.code, told in wrong.out) == (1, True)
    assert told in run("trust", "show", "acme").out


def test_ages_can_be_set_for_a_command(run: Run) -> None:
    old = run("verify", *EVIDENCE, "--offline", "--trust-warn-days", "0", "--output", "json")
    assert [item["code"] for item in warnings(old)] == ["trust_old"]
    young = run("verify", *EVIDENCE, "--offline", "--trust-warn-days", "9999", "--output", "json")
    assert warnings(young) == []
    assert (
        code_of(run("verify", *EVIDENCE, "--offline", "--trust-max-days", "1")) == "trust_too_old"
    )
    assert code_of(run("verify", *EVIDENCE, "--trust-max-days", "-1")) == "invalid_usage"


def test_what_was_exported_verifies_elsewhere(run: Run, served: Served, root: str) -> None:
    run("trust", "add", "acme-tuf", served.url, "--root", root)
    assert run("trust", "export", "acme-tuf", "air.json").code == 0
    assert Path("air.json").read_bytes() == FIRST
    assert run("verify", *EVIDENCE, "--trusted-root", "air.json").code == 0
    assert run("trust", "add", "acme", "air.json").code == 0
    assert run("verify", *EVIDENCE, "--instance", "acme").code == 0
    assert code_of(run("trust", "export", "acme-tuf", "air.json")) == "file_exists"
    assert run("trust", "export", "acme-tuf", "air.json", "--replace").code == 0


def test_a_relaxed_root_is_exported_with_what_makes_it_useful(run: Run, file: str) -> None:
    run("trust", "add", "acme", file, "--no-log")
    assert (
        "attest trust add NAME air.json --no-log\n"
        in run("trust", "export", "acme", "air.json").err
    )


def test_a_name_belongs_to_one_instance(run: Run, file: str) -> None:
    assert run("trust", "add", "acme", file).code == 0
    assert code_of(run("trust", "add", "acme", file)) == "instance_exists"
    for name in ("sigstore", "staging", "github"):
        assert code_of(run("trust", "add", name, file)) == "invalid_instance_name"
        assert code_of(run("trust", "remove", name)) == "invalid_instance_name"


@pytest.mark.parametrize("name", ["Acme", "a", "../x", "a/b", "a.json", "-x", "x" * 41, "ä-b", ""])
def test_names_that_are_none(run: Run, file: str, name: str) -> None:
    ended = run("trust", "add", "--", name, file)
    assert code_of(ended) == "invalid_instance_name"


def test_a_sandbox_is_trusted_by_its_file_alone(
    run: Run, tmp_path: Path, served: Served, root: str
) -> None:
    trusted = Sandbox.init(tmp_path / "sandbox")
    assert code_of(run("trust", "add", "mine", str(trusted))) == "sandbox_root"
    served.repository.publish({TRUSTED_ROOT: trusted.read_bytes()})
    assert code_of(run("trust", "add", "mine", served.url, "--root", root)) == "sandbox_root"
    assert code_of(run("verify", *EVIDENCE, "--instance", "mine")) == "unknown_instance"
    assert not (tmp_path / "home" / ".cache" / "attest" / "trust" / "mine").exists()


def test_a_repository_that_becomes_a_sandbox_is_not_trusted(
    run: Run, tmp_path: Path, served: Served, root: str
) -> None:
    run("trust", "add", "mine", served.url, "--root", root)
    served.repository.publish({TRUSTED_ROOT: Sandbox.init(tmp_path / "sandbox").read_bytes()})
    run("trust", "update", "mine")
    assert code_of(run("verify", *EVIDENCE, "--instance", "mine")) == "sandbox_root"


def test_adding_by_url_needs_a_root_that_is_one_and_is_its_own(
    run: Run, served: Served, root: str, file: str, repository_of_another: TufRepository
) -> None:
    other = Path("other.json")
    other.write_bytes(repository_of_another.root)
    for words, code in (
        ((served.url,), "tuf_root_missing"),
        ((served.url, "--root", file), "trust_metadata_invalid"),
        ((served.url, "--root", "none.json"), "trust_file_unreadable"),
        ((served.url, "--root", str(other)), "trust_metadata_invalid"),
        (("http://tuf.acme.example", "--root", root), "insecure_scheme"),
        (("ftp://127.0.0.1/", "--root", root), "insecure_scheme"),
        ((f"{served.url}/elsewhere", "--root", root), "unexpected_answer"),
        ((file, "--root", root), "invalid_usage"),
        ((root,), "invalid_trusted_root"),
        (("none.json",), "trust_file_unreadable"),
    ):
        assert code_of(run("trust", "add", "mine", *words)) == code, words
    environ = {"ATTEST_OFFLINE": "1"}
    ended = run("trust", "add", "mine", served.url, "--root", root, **environ)
    assert code_of(ended) == "updating_needs_network"
    assert "mine" not in run("trust", "show").out


@pytest.fixture
def repository_of_another(tmp_path: Path) -> TufRepository:
    from attest.sandbox.clock import utc_now
    from attest.sandbox.store import KeyStore

    return TufRepository(tmp_path / "other-tuf", KeyStore(tmp_path / "other"), clock=utc_now)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["add", "acme"], "invalid_usage"),
        (["remove"], "invalid_usage"),
        (["remove", "acme"], "unknown_instance"),
        (["export", "sigstore"], "invalid_usage"),
        (["export", "acme", "x"], "unknown_instance"),
        (["export", "github", "x"], "trust_unavailable"),
        (["show", "acme"], "unknown_instance"),
        (["update", "acme"], "unknown_instance"),
        (["update"], "updating_needs_network"),
        (["show", "--no-sct"], "invalid_usage"),
        (["show", "--replace"], "invalid_usage"),
        (["refresh"], "invalid_usage"),
    ],
)
def test_wrong_words(run: Run, words: list[str], code: str) -> None:
    assert code_of(run("trust", *words, ATTEST_OFFLINE="1")) == code


def test_updating_tells_of_each_and_ends_with_the_worst(
    run: Run, served: Served, root: str, file: str
) -> None:
    run("trust", "add", "good", served.url, "--root", root)
    run("trust", "add", "by-file", file)
    assert code_of(run("trust", "update", "by-file")) == "nothing_to_update"
    ended = run("trust", "update", "good", "by-file", "--output", "json")
    assert ended.code == 2
    found = ended.json["instances"]
    assert isinstance(found, list)
    assert [item["error"] is None for item in found] == [True, False]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"mediaType": "application/vnd.attest.instance.v1+json"}']
)
def test_a_registered_instance_that_was_damaged(run: Run, file: str, text: str) -> None:
    run("trust", "add", "acme", file)
    (path,) = Path("home").rglob("acme.json")
    path.write_text(text)
    assert code_of(run("verify", *EVIDENCE, "--instance", "acme")) == "invalid_instance"
    assert run("trust", "remove", "acme").code == 0


def test_without_a_home_nothing_is_registered_and_public_roots_still_decide(
    run: Run, file: str
) -> None:
    assert code_of(run("trust", "add", "acme", file, HOME="")) == "no_config_folder"
    assert run("verify", *EVIDENCE, "--offline", HOME="").code == 0
    ended = run("verify", *EVIDENCE, "--offline", ATTEST_CACHE_DIR="cache")
    assert code_of(ended) == "invalid_setting"


def test_the_cache_lies_where_it_is_said_to(run: Run, served: Served, root: str) -> None:
    place = served.folder / "elsewhere"
    run("trust", "add", "acme", served.url, "--root", root, ATTEST_CACHE_DIR=str(place))
    assert (place / "trust" / "acme" / "seen.json").is_file()
    assert run("trust", "remove", "acme", ATTEST_CACHE_DIR=str(place)).code == 0
    assert not (place / "trust" / "acme").exists()


def test_a_trusted_root_of_another_version(run: Run) -> None:
    document = json.loads(FIRST)
    document["mediaType"] = "application/vnd.dev.sigstore.trustedroot.v9+json"
    Path("v9.json").write_text(json.dumps(document))
    for words in (
        ("verify", *EVIDENCE, "--trusted-root", "v9.json"),
        ("trust", "add", "acme", "v9.json"),
    ):
        assert code_of(run(*words)) == "invalid_trusted_root"
