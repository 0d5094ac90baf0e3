"""Each CI system as it is, played on loopback: its token is got, its refusals say what to do."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

import pytest

from attest.errors import NetworkError, SigningError
from attest.sandbox import Sandbox
from attest.signing.ambient import System, system_of
from tests.signing.ci_jobs import Environment, fails, token

pytestmark = pytest.mark.usefixtures("machine")

BUILDKITE = {
    "iss": "https://agent.buildkite.com",
    "organization_slug": "acme",
    "pipeline_slug": "evidence",
}
CIRCLECI = {
    "iss": "https://oidc.circleci.com",
    "oidc.circleci.com/project-id": "p-1",
    "oidc.circleci.com/pipeline-definition-id": "d-1",
}
on_posix = pytest.mark.skipif(sys.platform == "win32", reason="the tools played here are scripts")


@pytest.mark.parametrize(
    ("environ", "system"),
    [
        ({"GITHUB_ACTIONS": "true"}, "github-actions"),
        ({"GITLAB_CI": "true"}, "gitlab"),
        ({"BUILDKITE": "true"}, "buildkite"),
        ({"CIRCLECI": "true"}, "circleci"),
        ({"GOOGLE_SERVICE_ACCOUNT_NAME": "a@b"}, "google-cloud"),
        ({"BUILDER_OUTPUT": "/builder/outputs"}, "google-cloud"),
        ({"GITLAB_CI": "true", "GOOGLE_SERVICE_ACCOUNT_NAME": "a@b"}, "gitlab"),
        ({}, None),
        ({"GITHUB_ACTIONS": "", "CI": "true", "K_SERVICE": "x"}, None),
    ],
)
def test_a_system_is_known_by_what_it_sets(
    environ: Mapping[str, str], system: System | None
) -> None:
    assert system_of(environ) == system


def test_a_github_job_gets_its_token(job: Environment, sandbox: Sandbox) -> None:
    job.set(**sandbox.ambient_environment(repository="acme/other"))
    assert job.ask().identity.startswith("https://github.com/acme/other/")


def test_a_gitlab_job_has_its_token_in_a_variable(job: Environment, machine: list[str]) -> None:
    # On a machine of Google's the library would ask that machine for its own token first.
    machine[0] = "Google Compute Engine"
    claims = {"ci_config_ref_uri": "gitlab.com/acme/evidence//.gitlab-ci.yml@refs/heads/main"}
    job.set(GITLAB_CI="true", SIGSTORE_ID_TOKEN=token({"iss": "https://gitlab.com", **claims}))
    assert job.ask().identity == f"https://{claims['ci_config_ref_uri']}"


@on_posix
def test_a_buildkite_job_asks_its_agent(job: Environment) -> None:
    job.set(BUILDKITE="true")
    job.tool("buildkite-agent", prints=token(BUILDKITE))
    assert job.ask().identity == "https://buildkite.com/acme/evidence"
    arguments = (job.folder / "arguments").read_text()
    assert arguments == "oidc request-token --audience sigstore"


@on_posix
def test_a_circleci_job_asks_its_tool(job: Environment) -> None:
    job.set(CIRCLECI="true")
    job.tool("circleci", prints=token(CIRCLECI))
    found = job.ask()
    expected = "https://circleci.com/api/v2/projects/p-1/pipeline-definitions/d-1"
    assert (found.identity, found.issuer) == (expected, "https://oidc.circleci.com")
    arguments = (job.folder / "arguments").read_text()
    assert arguments == 'run oidc get --claims {"aud": "sigstore"} --root-issuer'


def test_outside_of_ci_a_machine_of_googles_is_not_asked(machine: list[str]) -> None:
    machine[0] = "Google Compute Engine"
    assert system_of({"K_SERVICE": "x", "HOME": "/root"}) is None


@pytest.mark.parametrize(
    ("variables", "lines"),
    [
        ({"GITHUB_ACTIONS": "true"}, "permissions:\n  id-token: write\n  contents: read"),
        (
            {"GITHUB_ACTIONS": "true", "ACTIONS_ID_TOKEN_REQUEST_URL": "http://127.0.0.1:1/"},
            "permissions:\n  id-token: write",
        ),
        (
            {"GITHUB_ACTIONS": "true", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "x"},
            "permissions:\n  id-token: write",
        ),
        ({"GITLAB_CI": "true"}, "id_tokens:\n  SIGSTORE_ID_TOKEN:\n    aud: sigstore"),
        ({"GITLAB_CI": "true", "SIGSTORE_ID_TOKEN": ""}, "id_tokens:\n"),
    ],
)
def test_a_job_without_permission_is_told_the_lines_to_add(
    job: Environment, variables: dict[str, str], lines: str
) -> None:
    job.set(**variables)
    error = fails(job.ask)
    assert (type(error), error.code) == (SigningError, "ambient_permission_missing")
    assert lines in str(error.hint)


@on_posix
@pytest.mark.parametrize(
    ("system", "tool", "line"),
    [
        ("BUILDKITE", "buildkite-agent", "mount-buildkite-agent: true"),
        ("CIRCLECI", "circleci", "context:"),
    ],
)
@pytest.mark.parametrize("problem", ["absent", "fails", "prints rubbish", "another audience"])
def test_a_tool_that_gives_no_token(
    job: Environment, system: str, tool: str, line: str, problem: str
) -> None:
    job.set(**{system: "true"}, PATH=str(job.folder))
    secret = "eyJhbGciOiJFUzI1NiJ9.e30.c2VjcmV0"
    if problem == "fails":
        job.tool(tool, prints=secret, fails_with=f"cannot, having {secret}")
    elif problem == "prints rubbish":
        job.tool(tool, prints="usage: …")
    elif problem == "another audience":
        job.tool(tool, prints=token({"aud": "other"}))
    error = fails(job.ask)
    assert error.code == "ambient_refused"
    assert line in str(error.hint)
    assert "eyJ" not in f"{error} {error!r}"


def test_a_token_service_that_does_not_answer(job: Environment) -> None:
    job.set(
        GITHUB_ACTIONS="true",
        ACTIONS_ID_TOKEN_REQUEST_URL="http://127.0.0.1:9/token",
        ACTIONS_ID_TOKEN_REQUEST_TOKEN="request-secret",
    )
    error = fails(job.ask)
    assert (type(error), error.code) in (
        (NetworkError, "network_unreachable"),
        (SigningError, "ambient_refused"),
    )
    assert "request-secret" not in f"{error} {error.hint}"


FORK = {"head": {"repo": {"id": 2}}, "base": {"repo": {"id": 1}}}


@pytest.mark.parametrize(
    ("event", "is_fork"),
    [
        ({"pull_request": FORK}, True),
        ({"pull_request": FORK | {"head": {"repo": None}}}, True),
        ({"pull_request": FORK | {"head": {"repo": {"id": 1}}}}, False),
        # What cannot be read says nothing, and the usual advice is given.
        ({"pull_request": FORK | {"head": {"repo": {}}}}, False),
        ({"pull_request": FORK | {"head": {"repo": {"id": "2"}}}}, False),
        ({"pull_request": FORK | {"head": {}}}, False),
        ({"pull_request": FORK | {"head": []}}, False),
        ({"pull_request": FORK | {"base": {}}}, False),
        ({"pull_request": FORK | {"base": {"repo": {"id": None}}}}, False),
        ({"pull_request": []}, False),
        ({}, False),
        ([], False),
        (b'{"pull_request": {"head": {"repo": {"id": 2}}, "head": {}}}', False),
        (b"not JSON", False),
        (b"\xff", False),
        (None, False),
    ],
)
def test_a_pull_request_from_a_fork_is_told_that_nothing_helps(
    job: Environment,
    event: object,
    is_fork: bool,  # noqa: FBT001
) -> None:
    file = job.folder / "event.json"
    if event is not None:
        file.write_bytes(event if isinstance(event, bytes) else json.dumps(event).encode())
    job.set(GITHUB_ACTIONS="true", GITHUB_EVENT_NAME="pull_request", GITHUB_EVENT_PATH=str(file))
    error = fails(job.ask)
    assert error.code == ("ambient_fork" if is_fork else "ambient_permission_missing")
    assert ("id-token: write" in str(error.hint)) != is_fork


@pytest.mark.parametrize("name", ["push", "pull_request_target", ""])
def test_other_events_are_not_taken_for_a_fork(job: Environment, name: str) -> None:
    file = job.folder / "event.json"
    file.write_text(json.dumps({"pull_request": FORK}))
    job.set(GITHUB_ACTIONS="true", GITHUB_EVENT_NAME=name, GITHUB_EVENT_PATH=str(file))
    assert fails(job.ask).code == "ambient_permission_missing"


def test_a_fork_that_was_given_permission_gets_its_token(
    job: Environment, sandbox: Sandbox
) -> None:
    file = job.folder / "event.json"
    file.write_text(json.dumps({"pull_request": FORK}))
    job.set(
        **sandbox.ambient_environment()
        | {"GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": str(file)}
    )
    assert job.ask().identity.startswith("https://github.com/")
