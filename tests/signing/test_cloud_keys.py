"""Keys at Google and Azure: their own clients, led by a proxy to stand-ins on loopback."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from attest.sandbox import Sandbox
from tests.signing import azure_vault, google_kms
from tests.signing.google_kms import Google, serving_google
from tests.signing.hosts import Proxy, certify, proxying
from tests.signing.key_services import Service
from tests.signing.keys import public_of

pytestmark = pytest.mark.extra

ROOT = Path(__file__).resolve().parents[2]
LOCK = Path(__file__).with_name("cloud.lock")
GOOGLE, AZURE = f"gcpkms:{google_kms.KEY}", f"azurekms://{azure_vault.VAULT}/keys/release"
BOTH = pytest.mark.parametrize("uri", [GOOGLE, AZURE], ids=["google", "azure"])
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the clients of both, exactly those of the lock."""
    folder = tmp_path_factory.mktemp("clients")
    words = ["--quiet", "--no-input", "--no-deps", "--only-binary", ":all:", "--require-hashes"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", *words, "--target", folder, "-r", LOCK],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"the clients of the clouds cannot be installed here: {done.stderr[-300:]}")
    return folder


@dataclass(kw_only=True)
class Clouds:
    """Both clouds: what they do, the way to them, and what a client must know."""

    service: Service
    proxy: Proxy
    environ: dict[str, str]
    secrets: list[str]


@pytest.fixture
def clouds(clients: Path, tmp_path: Path) -> Iterator[Clouds]:
    service = Service()
    account = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    google = Google(service=service, account=account)
    google.write_account(tmp_path / "account.json")
    folder = tmp_path / "hosts"
    folder.mkdir()
    with ExitStack() as stack:
        # Two contexts, since gRPC speaks another protocol within TLS.
        names = (google_kms.HOST, azure_vault.VAULT, azure_vault.LOGIN)
        roots, context = certify(folder, *names)
        google_port = stack.enter_context(serving_google(google, context(["h2"])))
        azure_port = stack.enter_context(azure_vault.serving_azure(service, context(["http/1.1"])))
        ports = dict(zip(names, (google_port, azure_port, azure_port), strict=True))
        proxy = stack.enter_context(proxying(ports))
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(clients)]),
            "HTTP_PROXY": proxy.url,
            "HTTPS_PROXY": proxy.url,
            "https_proxy": proxy.url,
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
            "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(roots),
            "REQUESTS_CA_BUNDLE": str(roots),
            "GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "account.json"),
            "AZURE_TENANT_ID": azure_vault.TENANT,
            "AZURE_CLIENT_ID": azure_vault.CLIENT,
            "AZURE_CLIENT_SECRET": azure_vault.SECRET,
        }
        yield Clouds(
            service=service,
            proxy=proxy,
            environ=environ,
            secrets=[azure_vault.SECRET, azure_vault.TOKEN, "eyJ"],
        )


@pytest.fixture
def run(clouds: Clouds, tmp_path: Path) -> Run:
    """Run a command; gRPC reads whom it trusts once in a process, so each has its own."""

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "attest", *words],
            env=clouds.environ,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
            timeout=120,
        )
        told = done.stdout + done.stderr
        assert not any(secret in told for secret in clouds.secrets), told
        return done

    return call


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The code of what was refused on one line, with a hint and nothing else."""
    first, *rest = done.stderr.splitlines()
    assert done.returncode == 2
    assert [line.partition(":")[0] for line in rest] == ["hint"], done.stderr
    error, code, _ = first.split(": ", 2)
    assert error == "error"
    return code


@BOTH
@pytest.mark.parametrize("kind", ["p256", "p384"])
def test_it_signs_packs_and_files_that_verify_with_its_public_half(
    uri: str, kind: str, run: Run, clouds: Clouds, tmp_path: Path, sandbox: Sandbox
) -> None:
    clouds.service.kind = kind
    trust = ["--trust-config", str(sandbox.trust_config)]
    (tmp_path / "a.txt").write_text(f"{uri} by {kind}")
    assert run("build", "evidence.epack", "a.txt", "--stream", "acme/prod").returncode == 0
    signed = run("sign", "a.txt", "evidence.epack", "--key", uri, *trust)
    assert signed.returncode == 0, signed.stderr
    (tmp_path / "signer.pub").write_bytes(public_of(kind))
    verify = ["verify", "a.txt", "evidence.epack", "--key", "signer.pub", *trust, "--offline"]
    verified = run(*verify)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    (tmp_path / "a.txt").write_text("changed")
    assert run(*verify).returncode == 1


@pytest.mark.parametrize(
    ("uri", "asked"), [(GOOGLE, ["GetPublicKey"]), (AZURE, ["token", "get"])], ids=["g", "a"]
)
def test_it_is_not_asked_to_sign_when_only_its_public_half_is_wanted(
    uri: str, asked: list[str], run: Run, clouds: Clouds
) -> None:
    assert run("key", "public", uri).stdout.encode() == public_of("p256")
    assert clouds.service.asked == asked


@BOTH
def test_what_it_refuses_is_told_without_secrets(uri: str, run: Run, clouds: Clouds) -> None:
    clouds.service.refuses = "denied for Bearer {token}\nand never"
    done = run("key", "public", uri)
    assert refused(done) == "key_service_failed"
    assert "denied for" in done.stderr


@BOTH
def test_whoever_it_does_not_know_is_told_so(
    uri: str, run: Run, clouds: Clouds, tmp_path: Path
) -> None:
    stranger = Google(service=Service(), account=rsa.generate_private_key(65537, 2048))
    stranger.write_account(tmp_path / "account.json")
    clouds.environ["AZURE_CLIENT_SECRET"] = "kV8Q~another-secret"
    clouds.secrets.append("another-secret")
    assert refused(run("key", "public", uri)) == "key_service_failed"
    assert {"get", "GetPublicKey"}.isdisjoint(clouds.service.asked)


@BOTH
def test_a_host_that_the_machine_does_not_trust_gets_nothing(
    uri: str, run: Run, clouds: Clouds, tmp_path: Path
) -> None:
    roots, _ = certify(tmp_path, "another.example")
    clouds.environ["GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"] = str(roots)
    clouds.environ["REQUESTS_CA_BUNDLE"] = str(roots)
    assert refused(run("key", "public", uri)) == "key_service_failed"
    assert clouds.service.asked == []


@BOTH
def test_no_credentials_no_key(uri: str, run: Run, clouds: Clouds) -> None:
    for name in list(clouds.environ):
        if name.startswith(("AZURE_", "GOOGLE_")):
            del clouds.environ[name]
    # Else both look for a cloud's machine around them, by addresses that no proxy leads to.
    clouds.environ |= {"NO_GCE_CHECK": "true", "AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential"}
    assert refused(run("key", "public", uri)) == "key_service_failed"
    assert clouds.service.asked == []


@BOTH
def test_a_signature_that_its_key_did_not_make_is_not_written(
    uri: str, run: Run, clouds: Clouds, tmp_path: Path, sandbox: Sandbox
) -> None:
    clouds.service.lies = True
    (tmp_path / "a.txt").write_text("all is well")
    done = run("sign", "a.txt", "--key", uri, "--trust-config", str(sandbox.trust_config))
    assert refused(done) == "key_signature_invalid"
    assert not list(tmp_path.glob("a.txt.*"))


@pytest.mark.parametrize(
    ("uri", "kind", "code"),
    [
        (GOOGLE, "rsa", "unsupported_key_kind"),
        (GOOGLE, "secp256k1", "unsupported_key_kind"),
        (GOOGLE[:-1] + "8", "p256", "key_service_failed"),
        (AZURE, "rsa", "unsupported_key_kind"),
        (AZURE, "p521", "unsupported_key_kind"),
        (AZURE, "secp256k1", "unsupported_key_kind"),
        (f"{AZURE}-not", "p256", "key_service_failed"),
        (f"{AZURE}/{'f' * 32}", "p256", "invalid_key_uri"),
        (f"azurekms://{azure_vault.VAULT}.example/keys/release", "p256", "invalid_key_uri"),
    ],
)
def test_what_cannot_be(uri: str, kind: str, code: str, run: Run, clouds: Clouds) -> None:
    clouds.service.kind = kind
    assert refused(run("key", "public", uri)) == code


def test_the_current_version_may_be_named(run: Run) -> None:
    done = run("key", "public", f"{AZURE}/{azure_vault.VERSION}")
    assert done.stdout.encode() == public_of("p256"), done.stderr
