"""Each CI system as it is, played on loopback: its token is got, its refusals say what to do."""

from __future__ import annotations

import builtins
import io
import json
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from attest.errors import AttestError, NetworkError, SigningError
from attest.oidc import IdentityToken
from attest.sandbox import Sandbox
from attest.signing.ambient import System, ask, system_of
from tests.signing.test_oidc import mint

NOW = int(datetime.now(UTC).timestamp())
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
MACHINE = {"iss": "https://accounts.google.com", "email": "builder@acme.iam.example"}


def token(claims: Mapping[str, object]) -> str:
    return mint({"iat": NOW - 10, "exp": NOW + 600, **claims})


def fails(attempt: Callable[[], object]) -> AttestError:
    with pytest.raises(AttestError) as caught:
        attempt()
    return caught.value


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What this machine's firmware calls it, whatever it really is; tests may change it."""
    product = ["Standard PC"]
    real = builtins.open

    def opened(file: object, *args: object, **kwargs: object) -> object:
        if file == "/sys/class/dmi/id/product_name":
            return io.StringIO(f"{product[0]}\n")
        return real(file, *args, **kwargs)  # type: ignore[call-overload]  # passed on as it came

    monkeypatch.setattr(builtins, "open", opened)
    return product


class Environment:
    """Variables of the job, in the process too, where the library reads them; and its tools."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.monkeypatch = monkeypatch
        self.variables: dict[str, str] = {}

    def set(self, **variables: str) -> None:
        for name, value in variables.items():
            self.variables[name] = value
            self.monkeypatch.setenv(name, value)

    def tool(self, name: str, *, prints: str = "", fails_with: str = "") -> None:
        """Put a program into PATH; it writes down its arguments."""
        script = self.folder / name
        script.write_text(
            f"#!{sys.executable}\n"
            "import sys\n"
            f"open({str(self.folder / 'arguments')!r}, 'w').write(' '.join(sys.argv[1:]))\n"
            f"print({prints!r})\n"
            f"sys.stderr.write({fails_with!r})\n"
            f"sys.exit({int(bool(fails_with))})\n"
        )
        script.chmod(0o755)
        self.set(PATH=str(self.folder))

    def ask(self) -> IdentityToken:
        system = system_of(self.variables)
        assert system is not None
        return IdentityToken.from_text(ask(system, self.variables))


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    return Environment(tmp_path, monkeypatch)


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


class Google:
    """Google's metadata server and its service for other accounts' tokens."""

    def __init__(self, identity: str) -> None:
        self.identity = identity
        self.status = 200
        self.asked: list[tuple[str, str]] = []

    def answer(self, path: str, headers: Mapping[str, str]) -> bytes:
        if headers.get("Metadata-Flavor") == "Google":
            self.asked.append(("metadata", path))
            if "/identity?" in path:
                return self.identity.encode()
            return json.dumps({"access_token": "access-secret"}).encode()
        self.asked.append((headers.get("Authorization", ""), path))
        return json.dumps({"token": self.identity}).encode()


@contextmanager
def listening(google: Google, *, context: ssl.SSLContext | None = None) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            data = google.answer(self.path, dict(self.headers))
            self.send_response(google.status)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def certified(folder: Path, host: str) -> tuple[ssl.SSLContext, Path]:
    """A server's certificate for a host, and the file of whoever believes it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "google.pem"
    file.write_bytes(certificate.public_bytes(Encoding.PEM))
    private = folder / "google.key"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, private)
    return context, file


@pytest.fixture
def google(job: Environment, monkeypatch: pytest.MonkeyPatch) -> Iterator[Google]:
    """The two hosts that the library asks, at this machine instead of in Google's network."""
    played = Google(token(MACHINE))
    host = "iamcredentials.googleapis.com"
    context, authority = certified(job.folder, host)
    with listening(played) as plain, listening(played, context=context) as encrypted:
        ports = {"metadata": plain, host: encrypted}
        real = socket.getaddrinfo

        def nearby(name: str, port: object, *_: object, **__: object) -> object:
            if name in ports:
                return real("127.0.0.1", ports[name], type=socket.SOCK_STREAM)
            raise OSError(f"nobody looks up {name}:{port} here")

        monkeypatch.setattr(socket, "getaddrinfo", nearby)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        yield played


def test_a_google_cloud_job_asks_its_machine(
    job: Environment, google: Google, machine: list[str]
) -> None:
    machine[0] = "Google Compute Engine"
    job.set(BUILDER_OUTPUT="/builder/outputs")
    assert job.ask().identity == "builder@acme.iam.example"
    assert "audience=sigstore" in google.asked[0][1]


def test_a_google_cloud_job_signs_as_the_account_that_it_names(
    job: Environment, google: Google
) -> None:
    job.set(GOOGLE_SERVICE_ACCOUNT_NAME="signer@acme.iam.example")
    assert job.ask().issuer == "https://accounts.google.com"
    assert google.asked[1] == (
        "Bearer access-secret",
        "/v1/projects/-/serviceAccounts/signer@acme.iam.example:generateIdToken",
    )


@pytest.mark.usefixtures("google")
@pytest.mark.parametrize("system", ["buildkite", "circleci"])
def test_a_job_never_signs_as_the_machine_that_it_runs_on(
    job: Environment, machine: list[str], system: str
) -> None:
    machine[0] = "Google Compute Engine"
    job.set(**{system.upper(): "true"})
    error = fails(job.ask)
    assert (type(error), error.code) == (SigningError, "ambient_refused")
    assert "of the machine" in error.message


def test_outside_of_ci_a_machine_of_googles_is_not_asked(machine: list[str]) -> None:
    machine[0] = "Google Compute Engine"
    assert system_of({"K_SERVICE": "x", "HOME": "/root"}) is None


@pytest.mark.parametrize("status", [403, 404, 500])
def test_googles_refusals_are_told_without_its_secrets(
    job: Environment, google: Google, status: int
) -> None:
    google.status = status
    job.set(GOOGLE_SERVICE_ACCOUNT_NAME="signer@acme.iam.example")
    error = fails(job.ask)
    assert error.code == "ambient_refused"
    assert str(status) in error.message
    assert "serviceAccountOpenIdTokenCreator" in str(error.hint)
    assert "access-secret" not in f"{error} {error!r} {error.hint}"


def test_a_google_cloud_job_without_a_machine_to_ask(job: Environment) -> None:
    job.set(BUILDER_OUTPUT="/builder/outputs")
    assert fails(job.ask).code == "ambient_permission_missing"


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
