"""One running sandbox for the tests that sign, whatever this machine's environment says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from attest.oidc import IdentityToken
from attest.pack.builder import build_pack
from attest.sandbox import Sandbox
from attest.signing.instance import SigningInstance
from tests.signing.ci_jobs import job, machine

__all__ = ["job", "machine"]  # fixtures of those that play CI systems

#: What CI systems set; tests decide about it themselves, also when they run in one.
CI_VARIABLES = (
    "CI",
    "GITHUB_ACTIONS",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "ACTIONS_ID_TOKEN_REQUEST_URL",
    "SIGSTORE_ID_TOKEN",
    "SIGSTORE_IDENTITY_TOKEN",
    "GITLAB_CI",
    "BUILDKITE",
    "CIRCLECI",
    "GOOGLE_SERVICE_ACCOUNT_NAME",
    "BUILDER_OUTPUT",
    "TF_BUILD",
    "JENKINS_URL",
    "TEAMCITY_VERSION",
)


@pytest.fixture(autouse=True)
def _outside_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CI_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox.start(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture
def instance(sandbox: Sandbox) -> SigningInstance:
    return SigningInstance.from_file(sandbox.trust_config)


@pytest.fixture
def person(sandbox: Sandbox) -> IdentityToken:
    return IdentityToken.from_text(sandbox.person_token("ana@acme.example"))


@pytest.fixture
def workflow(sandbox: Sandbox) -> IdentityToken:
    return IdentityToken.from_text(sandbox.github_token())


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """A small pack that nobody has signed."""
    source = tmp_path / "log.txt"
    source.write_text("all 214 tests passed\n")
    path = tmp_path / "evidence.epack"
    build_pack(path, [source], stream="acme/prod")
    return path
