"""Signing with a key: what is written verifies with that key, and what cannot be writes nothing."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from attest.api import sign_file
from attest.api.key import open_key
from attest.api.sign import Options, Session, open_key_session, sign
from attest.api.verify import examine
from attest.errors import AttestError, UsageError
from attest.keys import PublicKey
from attest.oidc import IdentityToken
from attest.pack.reader import open_pack
from attest.policy.model import Policy, Signer
from attest.sandbox import Sandbox
from attest.signing.instance import SigningInstance
from attest.signing.keyfile import FileKey
from attest.strictjson import JSON
from attest.trust.root import TrustRoot
from tests.signing.key_services import TOKEN, Service, serving
from tests.signing.keys import key_of, nothing, pem_of, written

STATEMENT_KINDS = ("p256", "p384", "ed25519")
V1, V2 = 1, 2


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "report.pdf"
    path.write_text(f"%PDF-1.7, and {tmp_path}")  # a log keeps what one key signed before
    return path


@pytest.fixture
def v2(sandbox: Sandbox) -> SigningInstance:
    return SigningInstance.from_file(sandbox.trust_config_v2)


@pytest.fixture
def root(sandbox: Sandbox) -> TrustRoot:
    return TrustRoot.from_file(sandbox.trusted_root)


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with serving(Service()) as service:
        monkeypatch.setenv("VAULT_ADDR", service.url)
        monkeypatch.setenv("VAULT_TOKEN", TOKEN)
        yield service


def public(kind: str) -> PublicKey:
    return PublicKey(key_of(kind).public_key())


def file_key(kind: str) -> FileKey:
    return FileKey(key_of(kind))  # type: ignore[arg-type]  # those of RSA are not asked for


@contextmanager
def signing(
    kind: str, instance: SigningInstance, *, log: bool = True, timestamp: bool = True
) -> Iterator[Session]:
    with open_key_session(
        key=file_key(kind), instance=instance, log=log, timestamp=timestamp
    ) as session:
        yield session


def verdict(target: Path, kind: str, root: TrustRoot, bundle: Path | None = None) -> str | None:
    """The code of a verification by this key; None if it passes."""
    report = examine(
        target, policy=Policy.any_of(Signer(key=public(kind))), trust=root, bundle=bundle
    )
    return None if report.error is None else report.error.code


def everything(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def members(bundle: Path) -> dict[str, JSON]:
    found = json.loads(bundle.read_bytes())
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("kind", STATEMENT_KINDS)
def test_a_pack_signed_by_a_key_verifies_with_it_alone(
    kind: str, pack: Path, instance: SigningInstance, root: TrustRoot
) -> None:
    with signing(kind, instance) as session:
        signed = session.sign(pack)
    assert signed.attestation is not None
    principal = signed.attestation.signer.principal
    assert principal == f"key:{public(kind).key_id.hex()}"
    name = hashlib.sha256(principal.encode()).hexdigest()[:8]
    assert signed.entry == f"attestations/{name}.sigstore.json"
    assert {item.source for item in signed.attestation.times} == {"rekor", "tsa"}
    assert verdict(pack, kind, root) is None
    assert verdict(pack, "p521", root) is not None


@pytest.mark.parametrize("version", [V1, V2])
@pytest.mark.parametrize("kind", ["p256", "p384"])
def test_a_file_signed_by_a_key_verifies_with_it_alone(
    kind: str,
    version: int,
    file: Path,
    instance: SigningInstance,
    v2: SigningInstance,
    root: TrustRoot,
) -> None:
    with signing(kind, instance if version == V1 else v2) as session:
        signed = session.sign(file)
    bundle = members(signed.path)
    material = bundle["verificationMaterial"]
    assert isinstance(material, dict)
    assert bundle["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    assert material["publicKey"] == {"hint": b64encode(public(kind).key_id).decode()}
    assert verdict(file, kind, root) is None
    assert verdict(file, "p521", root) == "untrusted_key"
    file.write_bytes(b"changed")
    assert verdict(file, kind, root) is not None


def test_an_identity_and_two_keys_sign_one_pack(
    pack: Path, person: IdentityToken, instance: SigningInstance, root: TrustRoot
) -> None:
    sign(pack, token=person, instance=instance)
    for kind in ("p256", "ed25519"):
        with signing(kind, instance) as session:
            session.sign(pack)
    sign(pack, token=person, instance=instance)
    with open_pack(pack) as opened:
        assert len(opened.attestation_names) == 3
    assert [verdict(pack, kind, root) for kind in ("p256", "ed25519")] == [None, None]


def test_the_same_key_signs_once_unless_asked(
    pack: Path, file: Path, instance: SigningInstance
) -> None:
    with signing("p256", instance) as session:
        for target in (pack, file):
            assert not session.sign(target).kept
            before = target.read_bytes()
            assert session.sign(target).kept
            assert target.read_bytes() == before
            assert not session.sign(target, options=Options(replace=True)).kept


def test_without_the_log_it_verifies_only_under_a_policy_that_says_so(
    file: Path, instance: SigningInstance, root: TrustRoot
) -> None:
    with signing("p256", instance, log=False) as session:
        signed = session.sign(file)
        assert signed.log_entries == ()
        assert len(signed.signed_at) == 1
        assert session.sign(file).kept
    assert verdict(file, "p256", root) == "not_enough_log_entries"


def test_what_was_not_logged_does_not_pass_for_what_is(
    file: Path, tmp_path: Path, instance: SigningInstance
) -> None:
    with signing("p256", instance, log=False, timestamp=False) as session:
        session.sign(file)
    with signing("p256", instance) as session:
        assert refused(session, file, tmp_path) == "bundle_exists"
        assert not session.sign(file, options=Options(replace=True)).kept


def test_a_pack_is_logged_or_not_signed(
    pack: Path, tmp_path: Path, instance: SigningInstance
) -> None:
    with signing("p256", instance, log=False) as session:
        assert refused(session, pack, tmp_path) == "log_needed"


def test_without_log_and_timestamp_nothing_is_asked_of_anybody(
    file: Path, instance: SigningInstance, sandbox: Sandbox
) -> None:
    logged = sandbox.instance.rekor1.size
    nowhere = replace(
        instance, services=replace(instance.services, logs=(), timestamp_authorities=())
    )
    with signing("p256", nowhere, log=False, timestamp=False) as session:
        signed = session.sign(file)
    assert (signed.log_entries, signed.signed_at) == ((), ())
    assert sandbox.instance.rekor1.size == logged


def test_without_a_timestamp_the_log_proves_the_time(
    file: Path, instance: SigningInstance, root: TrustRoot
) -> None:
    with signing("p256", instance, timestamp=False) as session:
        signed = session.sign(file)
    assert signed.attestation is not None
    assert [item.source for item in signed.attestation.times] == ["rekor"]
    assert verdict(file, "p256", root) is None


def test_a_key_in_a_service_signs_packs_and_files(
    pack: Path, file: Path, vault: Service, instance: SigningInstance, root: TrustRoot
) -> None:
    key = open_key("hashivault:release", passphrase=nothing)
    with open_key_session(key=key, instance=instance) as session:
        session.sign(pack)
        session.sign(file)
    assert [verdict(target, "p256", root) for target in (pack, file)] == [None, None]
    assert len(vault.asked) == 3


def test_a_key_file_is_opened_from_its_path(
    tmp_path: Path, pack: Path, instance: SigningInstance, root: TrustRoot
) -> None:
    path = written(tmp_path / "k", pem_of("p256", b"secret"))
    key = open_key(str(path), passphrase=lambda: b"secret")
    with open_key_session(key=key, instance=instance) as session:
        session.sign(pack)
    assert verdict(pack, "p256", root) is None


# What cannot be


def refused(
    session: Session, target: Path | str, tmp_path: Path, bundle: Path | None = None
) -> str:
    before = everything(tmp_path)
    with pytest.raises(AttestError) as caught:
        session.sign(target, bundle=bundle)
    assert caught.value.exit_code == 2
    assert everything(tmp_path) == before
    return caught.value.code


@pytest.mark.parametrize("without", ["log", "timestamp", "signer", "one signer"])
def test_the_library_takes_one_signer_and_excuses_identities_from_nothing(
    without: str, file: Path, tmp_path: Path, person: IdentityToken, instance: SigningInstance
) -> None:
    with pytest.raises(UsageError) as caught:
        sign(
            file,
            token=None if without == "signer" else person,
            key=file_key("p256") if without == "one signer" else None,
            instance=instance,
            log=without != "log",
            timestamp=without != "timestamp",
        )
    assert caught.value.code == "invalid_usage"
    assert set(everything(tmp_path)) == {"report.pdf"}


def test_ed25519_signs_no_file(file: Path, tmp_path: Path, instance: SigningInstance) -> None:
    with signing("ed25519", instance) as session:
        assert refused(session, file, tmp_path) == "unsupported_key"


def test_ed25519_is_refused_by_a_v2_log_before_it_signs(
    pack: Path, tmp_path: Path, v2: SigningInstance, sandbox: Sandbox
) -> None:
    logged = sandbox.instance.rekor2.size
    with signing("ed25519", v2) as session:
        assert refused(session, pack, tmp_path) == "unsupported_key"
    assert sandbox.instance.rekor2.size == logged


def test_a_log_that_proves_no_time_needs_a_timestamp(v2: SigningInstance) -> None:
    with (
        pytest.raises(AttestError) as caught,
        signing("p256", v2, timestamp=False),
    ):
        pass
    assert caught.value.code == "time_needed"


def test_what_is_no_signature_by_the_key_is_not_used(
    pack: Path,
    file: Path,
    tmp_path: Path,
    vault: Service,
    instance: SigningInstance,
    sandbox: Sandbox,
) -> None:
    vault.lies = True
    logged = sandbox.instance.rekor1.size
    key = open_key("hashivault:release", passphrase=nothing)
    with open_key_session(key=key, instance=instance) as session:
        for target in (pack, file):
            assert refused(session, target, tmp_path) == "key_signature_invalid"
    assert sandbox.instance.rekor1.size == logged


def test_a_service_that_fails_leaves_the_target_alone(
    pack: Path, tmp_path: Path, vault: Service, instance: SigningInstance
) -> None:
    key = open_key("hashivault:release", passphrase=nothing)
    vault.refuses = "sealed"
    with open_key_session(key=key, instance=instance) as session:
        assert refused(session, pack, tmp_path) == "key_service_failed"


def test_a_digest_is_nothing_to_a_key_that_signs_messages(
    tmp_path: Path, vault: Service, instance: SigningInstance
) -> None:
    key = open_key("hashivault:release", passphrase=nothing)
    digest = f"sha256:{hashlib.sha256(b'x').hexdigest()}"
    with open_key_session(key=key, instance=instance) as session:
        assert refused(session, digest, tmp_path, tmp_path / "b.json") == "file_needed"
    assert vault.asked == ["/v1/transit/keys/release"]


def test_a_file_too_large_for_such_a_key_is_refused(
    file: Path,
    tmp_path: Path,
    vault: Service,
    instance: SigningInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = open_key("hashivault:release", passphrase=nothing)
    monkeypatch.setattr(sign_file, "_LARGEST_MESSAGE", 10)
    with open_key_session(key=key, instance=instance) as session:
        assert refused(session, file, tmp_path) == "message_too_large"
    assert vault.asked == ["/v1/transit/keys/release"]


def test_a_digest_that_the_curve_does_not_sign_is_refused(
    tmp_path: Path, instance: SigningInstance
) -> None:
    digest = f"sha256:{hashlib.sha256(b'x').hexdigest()}"
    with signing("p384", instance) as session:
        assert refused(session, digest, tmp_path, tmp_path / "b.json") == "unsupported_digest"


@pytest.mark.parametrize("version", [V1, V2])
def test_a_log_that_has_it_already_gives_its_entry_again(
    version: int,
    file: Path,
    tmp_path: Path,
    instance: SigningInstance,
    v2: SigningInstance,
    root: TrustRoot,
) -> None:
    with signing("p256", instance if version == V1 else v2) as session:
        session.sign(file, bundle=tmp_path / "one.json")
        session.sign(file, bundle=tmp_path / "two.json")
    assert verdict(file, "p256", root, tmp_path / "two.json") is None


@pytest.mark.parametrize("other", ["p384", "ed25519"])
def test_a_bundle_of_another_signer_is_not_overwritten(
    other: str, file: Path, tmp_path: Path, person: IdentityToken, instance: SigningInstance
) -> None:
    if other == "ed25519":
        sign(file, token=person, instance=instance)
    else:
        with signing(other, instance) as session:
            session.sign(file)
    with signing("p256", instance) as session:
        assert refused(session, file, tmp_path) == "bundle_exists"


def test_nothing_of_a_key_shows_in_the_session(instance: SigningInstance) -> None:
    with signing("p256", instance) as session:
        secret = key_of("p256").private_numbers().private_value  # type: ignore[union-attr]  # an EC key by its name
        shown = f"{session!r} {session.signers!r} {session.key!r}"
        assert f"{secret:x}" not in shown
        assert str(secret) not in shown
