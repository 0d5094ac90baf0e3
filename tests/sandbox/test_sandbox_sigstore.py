"""The unmodified `sigstore` client signs and verifies against the sandbox."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from sigstore.dsse import DigestSet, Statement, StatementBuilder, Subject
from sigstore.errors import VerificationError
from sigstore.models import Bundle, ClientTrustConfig
from sigstore.oidc import IdentityToken, detect_credential
from sigstore.sign import Signer, SigningContext
from sigstore.verify import Verifier
from sigstore.verify.policy import Identity

from attest.sandbox import SANDBOX_ORGANIZATION, Sandbox

GOOGLE = "https://accounts.google.com"
GITHUB = "https://token.actions.githubusercontent.com"
PERSON = Identity(identity="ana@acme.example", issuer=GOOGLE)
WORKFLOW = Identity(
    identity="https://github.com/acme/evidence/.github/workflows/pack.yml@refs/heads/main",
    issuer=GITHUB,
)
ARTIFACT = b"evidence"
CONFIGS = ("trust_config", "trust_config_v1_only", "trust_config_v2")


def load(sandbox: Sandbox, name: str) -> ClientTrustConfig:
    path = getattr(sandbox, name)
    assert isinstance(path, Path)
    return ClientTrustConfig.from_json(path.read_text())


def signer(config: ClientTrustConfig, token: str) -> Signer:
    with SigningContext.from_trust_config(config).signer(IdentityToken(token)) as made:
        return made


def statement(name: str) -> Statement:
    return (
        StatementBuilder()
        .subjects([Subject(name=name, digest=DigestSet(root={"sha256": "ab" * 32}))])
        .predicate_type("https://example.com/predicate")
        .predicate({"name": name})
        .build()
    )


@pytest.fixture(params=CONFIGS)
def config(sandbox: Sandbox, request: pytest.FixtureRequest) -> ClientTrustConfig:
    return load(sandbox, str(request.param))


def test_signs_and_verifies_an_artifact_for_a_person(
    sandbox: Sandbox, config: ClientTrustConfig
) -> None:
    bundle = signer(config, sandbox.person_token()).sign_artifact(ARTIFACT)
    Verifier(trusted_root=config.trusted_root).verify_artifact(ARTIFACT, bundle, PERSON)


def test_signs_and_verifies_a_statement_for_a_workflow(
    sandbox: Sandbox, config: ClientTrustConfig
) -> None:
    bundle = signer(config, sandbox.github_token()).sign_dsse(statement("one"))
    kind, payload = Verifier(trusted_root=config.trusted_root).verify_dsse(bundle, WORKFLOW)
    assert kind == "application/vnd.in-toto+json"
    assert b'"one"' in payload


@pytest.mark.parametrize(
    ("identity", "issuer"),
    [("bo@acme.example", GOOGLE), ("ana@acme.example", "https://github.com/login/oauth")],
)
def test_another_person_or_provider_does_not_verify(
    sandbox: Sandbox, config: ClientTrustConfig, identity: str, issuer: str
) -> None:
    bundle = signer(config, sandbox.person_token()).sign_artifact(ARTIFACT)
    verifier = Verifier(trusted_root=config.trusted_root)
    with pytest.raises(VerificationError):
        verifier.verify_artifact(ARTIFACT, bundle, Identity(identity=identity, issuer=issuer))


def test_another_artifact_does_not_verify(sandbox: Sandbox, config: ClientTrustConfig) -> None:
    bundle = signer(config, sandbox.person_token()).sign_artifact(ARTIFACT)
    verifier = Verifier(trusted_root=config.trusted_root)
    with pytest.raises(VerificationError):
        verifier.verify_artifact(ARTIFACT + b"!", bundle, PERSON)


def test_another_sandbox_is_not_trusted(sandbox: Sandbox, tmp_path: Path) -> None:
    bundle = signer(load(sandbox, "trust_config"), sandbox.person_token()).sign_artifact(ARTIFACT)
    with Sandbox.start(tmp_path) as other:
        verifier = Verifier(trusted_root=load(other, "trust_config").trusted_root)
    with pytest.raises(VerificationError):
        verifier.verify_artifact(ARTIFACT, bundle, PERSON)


@pytest.mark.parametrize(
    ("name", "timestamps", "kind"),
    [
        ("trust_config", 1, ("hashedrekord", "0.0.1")),
        ("trust_config_v1_only", 0, ("hashedrekord", "0.0.1")),
        ("trust_config_v2", 1, ("hashedrekord", "0.0.2")),
    ],
)
def test_each_config_makes_its_own_kind_of_bundle(
    sandbox: Sandbox, name: str, timestamps: int, kind: tuple[str, str]
) -> None:
    bundle = signer(load(sandbox, name), sandbox.person_token()).sign_artifact(ARTIFACT)
    data = bundle.verification_material.timestamp_verification_data
    assert len(data.rfc3161_timestamps if data else []) == timestamps
    entry = bundle.log_entry._inner
    assert (entry.kind_version.kind, entry.kind_version.version) == kind
    assert entry.log_index > 0
    assert entry.inclusion_proof.log_index > 0
    assert (entry.log_index == entry.inclusion_proof.log_index) == (kind[1] == "0.0.2")


@pytest.fixture
def _in_a_workflow(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in sandbox.ambient_environment(ref="refs/tags/v1").items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("_in_a_workflow")
def test_the_ambient_credential_is_found(sandbox: Sandbox) -> None:
    token = detect_credential()
    assert token is not None
    bundle = signer(load(sandbox, "trust_config"), token).sign_artifact(ARTIFACT)
    names = bundle.signing_certificate.extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    ).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [
        "https://github.com/acme/evidence/.github/workflows/pack.yml@refs/tags/v1"
    ]


def test_every_authority_carries_the_marker(sandbox: Sandbox) -> None:
    from attest.trust.root import SANDBOX_ORGANIZATION as CLIENTS_MARKER

    assert SANDBOX_ORGANIZATION == CLIENTS_MARKER
    for certificate in (*sandbox.instance.ca.chain, *sandbox.instance.tsa.chain):
        assert f"O={SANDBOX_ORGANIZATION}" in certificate.subject.rfc4514_string()


def run_sigstore(
    *arguments: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sigstore", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, **(environment or {})},
    )


def test_the_command_line_signs_and_verifies(sandbox: Sandbox, tmp_path: Path) -> None:
    target = tmp_path / "evidence.txt"
    target.write_bytes(ARTIFACT)
    config = ("--trust-config", str(sandbox.trust_config))
    token = sandbox.person_token()
    signed = run_sigstore(*config, "sign", "--identity-token", token, str(target))
    assert signed.returncode == 0, signed.stderr
    Bundle.from_json((tmp_path / "evidence.txt.sigstore.json").read_text())

    def verify(email: str) -> int:
        who = ("--cert-identity", email, "--cert-oidc-issuer", GOOGLE)
        return run_sigstore(*config, "verify", "identity", *who, str(target)).returncode

    assert verify("ana@acme.example") == 0
    assert verify("eve@acme.example") == 1
