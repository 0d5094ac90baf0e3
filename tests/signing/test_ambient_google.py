"""Google Cloud, played on loopback with its own host names: as whom a job there signs."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
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

from attest.errors import SigningError
from tests.signing.ci_jobs import Environment, fails, token

pytestmark = pytest.mark.usefixtures("machine")

MACHINE = {"iss": "https://accounts.google.com", "email": "builder@acme.iam.example"}


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
