"""The sandbox's TUF repository, as Sigstore's own client and as plain documents."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path

import pytest
from sigstore.errors import TUFError
from sigstore.models import ClientTrustConfig

from attest.sandbox import Sandbox
from attest.sandbox.clock import utc_now
from attest.sandbox.refusal import SandboxError
from attest.sandbox.store import KeyStore
from attest.sandbox.tuf import TufRepository, canonical
from tests.sandbox.wire_client import Client


@pytest.fixture
def repository(tmp_path: Path) -> TufRepository:
    return TufRepository(tmp_path / "tuf", KeyStore(tmp_path / "keys"), clock=utc_now)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    return tmp_path


def test_sigstores_client_takes_its_trust_from_it(sandbox: Sandbox, home: Path) -> None:
    root = home / "root.json"
    root.write_bytes(sandbox.instance.tuf.root)
    config = ClientTrustConfig.from_tuf(sandbox.tuf_url, bootstrap_root=root)
    listed = json.loads(sandbox.trusted_root.read_bytes())
    assert len(config.trusted_root.get_timestamp_authorities()) == 1
    assert len(config.trusted_root.get_fulcio_certs()) == len(
        listed["certificateAuthorities"][0]["certChain"]["certificates"]
    )
    assert len(config.signing_config.get_tsas()) == 1


def test_sigstores_client_refuses_another_root(
    sandbox: Sandbox, home: Path, repository: TufRepository
) -> None:
    root = home / "root.json"
    root.write_bytes(repository.root)
    with pytest.raises(TUFError):
        ClientTrustConfig.from_tuf(sandbox.tuf_url, bootstrap_root=root)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/tuf/timestamp.json", HTTPStatus.OK),
        ("/tuf/1.root.json", HTTPStatus.OK),
        ("/tuf/2.root.json", HTTPStatus.NOT_FOUND),
        ("/tuf/state.json", HTTPStatus.NOT_FOUND),
        ("/tuf/targets", HTTPStatus.NOT_FOUND),
        ("/tuf/targets/trusted_root.json", HTTPStatus.NOT_FOUND),
        ("/tuf/../keys/tuf-online.key.pem", HTTPStatus.NOT_FOUND),
        ("/tuf/targets/../../keys/tuf-online.key.pem", HTTPStatus.NOT_FOUND),
        ("/tuf/..", HTTPStatus.NOT_FOUND),
    ],
)
def test_only_documents_are_served(client: Client, path: str, status: HTTPStatus) -> None:
    assert client.get(path).status == status


def test_a_target_is_served_under_its_digest(sandbox: Sandbox, client: Client) -> None:
    data = sandbox.trusted_root.read_bytes()
    name = f"{hashlib.sha256(data).hexdigest()}.trusted_root.json"
    assert client.get(f"/tuf/targets/{name}").body == data


def test_a_restart_goes_on_where_it_ended(tmp_path: Path, repository: TufRepository) -> None:
    repository.publish({"a.json": b"{}"})
    repository.publish_root(rotate=True)
    first = repository.root
    again = TufRepository(tmp_path / "tuf", KeyStore(tmp_path / "keys"), clock=utc_now)
    again.publish()
    assert again.root == first
    timestamp = json.loads(again.get("timestamp.json"))["signed"]
    assert timestamp["version"] == 2
    assert "a.json" in json.loads(again.get("2.targets.json"))["signed"]["targets"]
    assert len(json.loads(again.get("2.root.json"))["signatures"]) == 2


def test_a_state_that_is_none_is_refused(tmp_path: Path, repository: TufRepository) -> None:
    (repository.directory / "state.json").write_text('{"other": 1}')
    with pytest.raises(SandboxError):
        TufRepository(tmp_path / "tuf", KeyStore(tmp_path / "keys"), clock=utc_now)


def test_what_is_wrong_is_what_was_asked_for(repository: TufRepository) -> None:
    repository.publish({}, lifetimes={"snapshot": timedelta(days=-1)}, versions={"timestamp": 7})
    assert json.loads(repository.get("timestamp.json"))["signed"]["version"] == 7
    snapshot = json.loads(repository.get("1.snapshot.json"))["signed"]
    assert snapshot["expires"] < f"{utc_now():%Y-%m-%dT%H:%M:%SZ}"


def test_canonical_json_is_tufs() -> None:
    value = {"b": ["\n", '"', "\\", "é"], "a": {"y": 1, "x": True}}
    assert canonical(value) == '{"a":{"x":true,"y":1},"b":["\n","\\"","\\\\","é"]}'
