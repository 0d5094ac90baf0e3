"""Keyless signing against the sandbox: what comes out verifies, what goes wrong has a code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sigstore.hashes import Hashed
from sigstore.models import Bundle, TrustedRoot
from sigstore.verify import Verifier, policy
from sigstore_models.common.v1 import HashAlgorithm

from attest.errors import AttestError, NetworkError, SigningError, TrustError, UsageError
from attest.oidc import IdentityToken
from attest.sandbox import Sandbox
from attest.signing.ambient import ask
from attest.signing.instance import SigningInstance
from attest.signing.keyless import open_keyless_signer
from attest.statement import pack_statement

DIGEST = hashlib.sha256(b"content").digest()
ANA = policy.Identity(identity="ana@acme.example", issuer="https://accounts.google.com")


@pytest.fixture
def peer(sandbox: Sandbox) -> Verifier:
    return Verifier(trusted_root=TrustedRoot.from_file(str(sandbox.trusted_root)))


def hashed(digest: bytes) -> Hashed:
    return Hashed(algorithm=HashAlgorithm.SHA2_256, digest=digest)


@pytest.mark.parametrize("config", ["trust_config", "trust_config_v1_only", "trust_config_v2"])
def test_another_client_verifies_what_is_signed(
    sandbox: Sandbox, person: IdentityToken, peer: Verifier, config: str
) -> None:
    instance = SigningInstance.from_file(getattr(sandbox, config))
    statement = pack_statement(DIGEST)
    with open_keyless_signer(person, instance) as signer:
        enveloped = signer.sign_statement(statement)
        signature = signer.sign_digest(DIGEST)
    kind, payload = peer.verify_dsse(Bundle.from_json(enveloped), ANA)
    assert (kind, payload) == ("application/vnd.in-toto+json", statement)
    peer.verify_artifact(hashed(DIGEST), Bundle.from_json(signature), ANA)


def test_rekor_v1_is_chosen_where_both_are_offered(
    sandbox: Sandbox, person: IdentityToken, tmp_path: Path
) -> None:
    config = json.loads(sandbox.trust_config_v2.read_bytes())
    first = json.loads(sandbox.trust_config.read_bytes())["signingConfig"]["rekorTlogUrls"]
    config["signingConfig"]["rekorTlogUrls"] += first
    (tmp_path / "both.json").write_text(json.dumps(config))
    with open_keyless_signer(person, SigningInstance.from_file(tmp_path / "both.json")) as signer:
        bundle = json.loads(signer.sign_digest(DIGEST))
    entry = bundle["verificationMaterial"]["tlogEntries"][0]
    assert entry["kindVersion"] == {"kind": "hashedrekord", "version": "0.0.1"}


def test_one_certificate_signs_everything(instance: SigningInstance, person: IdentityToken) -> None:
    with open_keyless_signer(person, instance) as signer:
        bundles = [signer.sign_digest(DIGEST), signer.sign_statement(pack_statement(DIGEST))]
    certificates = {
        json.loads(data)["verificationMaterial"]["certificate"]["rawBytes"] for data in bundles
    }
    assert len(certificates) == 1


def test_a_workflow_signs_with_its_ambient_token(
    sandbox: Sandbox,
    instance: SigningInstance,
    peer: Verifier,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environment = sandbox.ambient_environment()
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    token = IdentityToken.from_text(ask("github-actions", environment))
    with open_keyless_signer(token, instance) as signer:
        bundle = Bundle.from_json(signer.sign_digest(DIGEST))
    assert token.identity.startswith("https://github.com/acme/evidence/")
    peer.verify_artifact(
        hashed(DIGEST), bundle, policy.Identity(identity=token.identity, issuer=token.issuer)
    )


def fails(sign: Callable[[], object]) -> AttestError:
    with pytest.raises(AttestError) as caught:
        sign()
    return caught.value


def sign_once(token: IdentityToken, instance: SigningInstance) -> None:
    with open_keyless_signer(token, instance) as signer:
        signer.sign_digest(DIGEST)


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://issuer.unknown.example", "sub": "x"},
        {"iss": "https://token.actions.githubusercontent.com", "sub": "x"},
    ],
)
def test_an_identity_that_the_authority_refuses(
    sandbox: Sandbox, instance: SigningInstance, claims: dict[str, object]
) -> None:
    token = IdentityToken.from_text(sandbox.mint_token(claims))
    error = fails(lambda: sign_once(token, instance))
    assert isinstance(error, SigningError)
    assert error.code == "certificate_refused"
    assert "HTTP 40" in error.message
    assert token.reveal() not in f"{error} {error.hint}"


def test_a_forged_token_is_refused_by_the_authority(
    sandbox: Sandbox, instance: SigningInstance
) -> None:
    head, body, signature = sandbox.person_token().split(".")
    forged = ".".join([head, body, signature[::-1]])
    error = fails(lambda: sign_once(IdentityToken.from_text(forged), instance))
    assert error.code == "certificate_refused"
    assert forged not in f"{error} {error.hint}"


def changed(
    sandbox: Sandbox, folder: Path, change: Callable[[dict[str, list[dict[str, object]]]], None]
) -> SigningInstance:
    config = json.loads(sandbox.trust_config.read_bytes())
    change(config["signingConfig"])
    path = folder / "changed.json"
    path.write_text(json.dumps(config))
    return SigningInstance.from_file(path)


@pytest.mark.parametrize(
    ("service", "code", "kind"),
    [
        ("caUrls", "network_unreachable", NetworkError),
        ("rekorTlogUrls", "network_unreachable", NetworkError),
        # The client only warns of this and writes a bundle without the time it was asked for.
        ("tsaUrls", "timestamp_missing", SigningError),
    ],
)
def test_a_service_that_does_not_answer(
    sandbox: Sandbox,
    person: IdentityToken,
    tmp_path: Path,
    service: str,
    code: str,
    kind: type[AttestError],
) -> None:
    def unplug(signing: dict[str, list[dict[str, object]]]) -> None:
        signing[service][0]["url"] = "http://127.0.0.1:9"

    instance = changed(sandbox, tmp_path, unplug)
    error = fails(lambda: sign_once(person, instance))
    assert (type(error), error.code) == (kind, code)


def test_a_log_that_refuses(sandbox: Sandbox, person: IdentityToken, tmp_path: Path) -> None:
    def misdirect(signing: dict[str, list[dict[str, object]]]) -> None:
        signing["rekorTlogUrls"][0]["url"] = f"{sandbox.url}/nothing-here"

    error = fails(lambda: sign_once(person, changed(sandbox, tmp_path, misdirect)))
    assert (type(error), error.code) == (SigningError, "log_refused")


def test_an_ambient_service_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {
        "GITHUB_ACTIONS": "true",
        "ACTIONS_ID_TOKEN_REQUEST_URL": "http://127.0.0.1:9/token",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "request-secret",
    }
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    error = fails(lambda: ask("github-actions", environ))
    assert (type(error), error.code) == (NetworkError, "network_unreachable")
    assert "request-secret" not in f"{error} {error.hint}"


def test_an_ambient_service_that_refuses(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    environ = sandbox.ambient_environment() | {"ACTIONS_ID_TOKEN_REQUEST_TOKEN": "wrong-secret"}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    error = fails(lambda: ask("github-actions", environ))
    assert (type(error), error.code) == (SigningError, "ambient_refused")
    assert "wrong-secret" not in f"{error} {error.hint}"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b'{"trustedRoot": {}}',
        b'{"trustedRoot": {}, "trustedRoot": {}}',
        b'{"mediaType": "x", "trustedRoot": {}, "signingConfig": {}}',
        b"\xff",
    ],
)
def test_a_trust_config_that_is_none(person: IdentityToken, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "trust_config.json"
    path.write_bytes(content)
    error = fails(lambda: sign_once(person, SigningInstance.from_file(path)))
    assert (type(error), error.code) == (TrustError, "trust_config_invalid")


@pytest.mark.parametrize("service", ["caUrls", "rekorTlogUrls"])
def test_a_trust_config_without_a_service(
    sandbox: Sandbox, person: IdentityToken, tmp_path: Path, service: str
) -> None:
    instance = changed(sandbox, tmp_path, lambda signing: signing[service].clear())
    error = fails(lambda: sign_once(person, instance))
    assert (type(error), error.code) == (TrustError, "trust_config_invalid")


def test_a_trust_config_without_a_login_service(sandbox: Sandbox, tmp_path: Path) -> None:
    instance = changed(sandbox, tmp_path, lambda signing: signing["oidcUrls"].clear())
    assert fails(instance.login_url).code == "trust_config_invalid"


def test_a_trust_config_of_another_instance(
    sandbox: Sandbox, person: IdentityToken, tmp_path: Path
) -> None:
    other = Sandbox.init(tmp_path / "other")
    config = json.loads(sandbox.trust_config.read_bytes())
    config["trustedRoot"] = json.loads(other.read_bytes())
    path = tmp_path / "mixed.json"
    path.write_text(json.dumps(config))
    error = fails(lambda: sign_once(person, SigningInstance.from_file(path)))
    assert (type(error), error.code) == (SigningError, "certificate_untrusted")


def test_a_missing_trust_config(tmp_path: Path) -> None:
    error = fails(lambda: SigningInstance.from_file(tmp_path / "none.json"))
    assert (type(error), error.code) == (TrustError, "trust_config_unreadable")


def test_an_unknown_public_instance() -> None:
    error = fails(lambda: SigningInstance.public("sigstoer"))
    assert (type(error), error.code) == (UsageError, "unknown_instance")


@pytest.mark.parametrize("payload", [b"", b"{}", b"[]", b'{"_type": "x"}', b"\xff"])
def test_only_statements_are_signed_as_statements(
    instance: SigningInstance, person: IdentityToken, payload: bytes
) -> None:
    with open_keyless_signer(person, instance) as signer, pytest.raises(UsageError) as caught:
        signer.sign_statement(payload)
    assert caught.value.code == "invalid_statement"
