"""Signing packs, files and digests: what is written verifies, and failures write nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sigstore.models import Bundle, TrustedRoot
from sigstore.verify import Verifier, policy

from attest.api.sign import Signed, open_session, sign
from attest.api.verify import verify
from attest.errors import AttestError, MalformedEvidence, UsageError, VerificationFailed
from attest.oidc import IdentityToken
from attest.pack.builder import build_pack
from attest.pack.reader import open_pack
from attest.pack.writer import add_attestation
from attest.policy.model import Policy, Signer
from attest.sandbox import Sandbox
from attest.signing.instance import SigningInstance
from attest.signing.work import Content, EnvelopeContent, SignedWork
from attest.trust.root import TrustRoot
from tests.signing.meddling import Meddling

WHO, GOOGLE = "ana@acme.example", "https://accounts.google.com"
ANA = Signer(identity=WHO, issuer=GOOGLE)
WORKFLOW = Signer(
    identity="https://github.com/acme/evidence/.github/workflows/pack.yml@refs/heads/main",
    issuer="https://token.actions.githubusercontent.com",
)


@pytest.fixture
def root(sandbox: Sandbox) -> TrustRoot:
    return TrustRoot.from_file(sandbox.trusted_root)


def everything(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def entries(sandbox: Sandbox) -> int:
    """How many entries the transparency log has."""
    return sandbox.instance.rekor1.size


def test_a_signed_pack_verifies_offline(
    pack: Path, person: IdentityToken, instance: SigningInstance, root: TrustRoot
) -> None:
    with open_pack(pack) as opened:
        digest = opened.manifest_digest
    signed = sign(pack, token=person, instance=instance)
    name = hashlib.sha256(b"ana@acme.example").hexdigest()[:8]
    assert signed.entry == f"attestations/{name}.sigstore.json"
    assert (signed.identity, signed.issuer) == (ANA.identity, ANA.issuer)
    assert signed.digest == f"sha256:{digest.hex()}"
    assert not signed.kept
    assert [entry.index is not None for entry in signed.log_entries] == [True]
    assert verify(pack, policy=Policy.any_of(ANA), trust=root).result == "pass"
    with pytest.raises(AttestError):
        verify(pack, policy=Policy.any_of(WORKFLOW), trust=root)


def test_another_client_verifies_the_attestation_in_a_pack(
    pack: Path, person: IdentityToken, instance: SigningInstance, sandbox: Sandbox
) -> None:
    entry = sign(pack, token=person, instance=instance).entry
    with open_pack(pack) as opened:
        bundle = Bundle.from_json(opened.read_attestation(entry or ""))
        digest = opened.manifest_digest
    peer = Verifier(trusted_root=TrustedRoot.from_file(str(sandbox.trusted_root)))
    _, payload = peer.verify_dsse(bundle, policy.Identity(identity=WHO, issuer=GOOGLE))
    assert json.loads(payload)["subject"] == [
        {"name": "manifest.json", "digest": {"sha256": digest.hex()}}
    ]


def test_two_identities_sign_one_pack(
    pack: Path,
    person: IdentityToken,
    workflow: IdentityToken,
    instance: SigningInstance,
    root: TrustRoot,
) -> None:
    names = {sign(pack, token=t, instance=instance).entry for t in (workflow, person)}
    with open_pack(pack) as opened:
        assert set(opened.attestation_names) == names
    for signer in (ANA, WORKFLOW):
        assert verify(pack, policy=Policy.any_of(signer), trust=root).result == "pass"


def test_the_same_identity_signs_once_unless_asked(
    pack: Path, person: IdentityToken, instance: SigningInstance, sandbox: Sandbox
) -> None:
    first = sign(pack, token=person, instance=instance)
    before, logged = pack.read_bytes(), entries(sandbox)
    second = sign(pack, token=person, instance=instance)
    assert (second.kept, second.entry) == (True, first.entry)
    assert second.attestation == first.attestation
    assert pack.read_bytes() == before
    assert entries(sandbox) == logged
    third = sign(pack, token=person, instance=instance, replace=True)
    assert (third.kept, third.entry) == (False, first.entry)
    assert third.attestation != first.attestation
    with open_pack(pack) as opened:
        assert opened.attestation_names == (first.entry,)


def test_a_name_that_somebody_else_has_gets_more_digits(
    pack: Path, person: IdentityToken, sandbox: Sandbox, instance: SigningInstance
) -> None:
    # The same person by way of another identity provider: the subject, and so its hash, is equal.
    other = IdentityToken.from_text(
        sandbox.person_token("ana@acme.example", connector="https://github.com/login/oauth")
    )
    names = [sign(pack, token=token, instance=instance).entry for token in (person, other)]
    digits = hashlib.sha256(b"ana@acme.example").hexdigest()
    assert names == [f"attestations/{digits[:n]}.sigstore.json" for n in (8, 16)]


def test_a_file_gets_a_bundle_beside_it(
    tmp_path: Path,
    person: IdentityToken,
    instance: SigningInstance,
    sandbox: Sandbox,
    root: TrustRoot,
) -> None:
    file = tmp_path / "report.pdf"
    file.write_bytes(b"%PDF")
    signed = sign(file, token=person, instance=instance)
    assert signed.path == tmp_path / "report.pdf.sigstore.json"
    assert verify(file, policy=Policy.any_of(ANA), trust=root).result == "pass"
    peer = Verifier(trusted_root=TrustedRoot.from_file(str(sandbox.trusted_root)))
    peer.verify_artifact(
        b"%PDF",
        Bundle.from_json(signed.path.read_bytes()),
        policy.Identity(identity=WHO, issuer=GOOGLE),
    )
    before = everything(tmp_path)
    assert sign(file, token=person, instance=instance).kept
    assert everything(tmp_path) == before
    assert not sign(file, token=person, instance=instance, replace=True).kept
    assert everything(tmp_path) != before


def test_a_digest_is_signed_into_a_named_bundle(
    tmp_path: Path, person: IdentityToken, instance: SigningInstance, root: TrustRoot
) -> None:
    target = "sha256:" + hashlib.sha256(b"content").hexdigest()
    out = tmp_path / "content.sigstore.json"
    assert sign(target, token=person, instance=instance, bundle=out).path == out
    assert verify(target, policy=Policy.any_of(ANA), trust=root, bundle=out).result == "pass"


def test_many_targets_share_one_certificate(
    tmp_path: Path, pack: Path, person: IdentityToken, instance: SigningInstance
) -> None:
    file = tmp_path / "a"
    file.touch()
    with open_session(token=person, instance=instance) as session:
        made = [session.sign(target).attestation for target in (pack, file)]
    assert len({item.certificate_sha256 for item in made if item}) == 1


def test_a_dry_run_checks_and_writes_nothing(
    tmp_path: Path,
    pack: Path,
    person: IdentityToken,
    instance: SigningInstance,
    sandbox: Sandbox,
) -> None:
    before, logged = everything(tmp_path), entries(sandbox)
    signed = sign(pack, token=person, instance=instance, dry_run=True)
    assert (signed.attestation, signed.entry, signed.identity) == (None, None, None)
    assert sign(tmp_path / "log.txt", token=person, instance=instance, dry_run=True).path.name
    assert everything(tmp_path) == before
    assert entries(sandbox) == logged
    with pytest.raises(UsageError):
        sign(tmp_path / "missing", token=person, instance=instance, dry_run=True)


def refused(
    folder: Path, kind: type[AttestError], attempt: Callable[[], Signed], sandbox: Sandbox
) -> str:
    """The code of a failure that leaves every file as it was and the log without an entry."""
    before, logged = everything(folder), entries(sandbox)
    with pytest.raises(kind) as caught:
        attempt()
    assert everything(folder) == before
    assert entries(sandbox) == logged
    assert type(caught.value) is kind
    return caught.value.code


def flip(path: Path, needle: bytes) -> None:
    data = bytearray(path.read_bytes())
    data[data.index(needle)] ^= 1
    path.write_bytes(data)


def test_an_invalid_pack_is_never_signed(
    tmp_path: Path,
    pack: Path,
    person: IdentityToken,
    instance: SigningInstance,
    sandbox: Sandbox,
) -> None:
    flip(pack, b"all 214")
    code = refused(
        tmp_path, MalformedEvidence, lambda: sign(pack, token=person, instance=instance), sandbox
    )
    assert code in {"digest_mismatch", "crc_mismatch"}


def test_a_pack_that_would_fail_anyway_is_not_signed(
    tmp_path: Path,
    pack: Path,
    person: IdentityToken,
    workflow: IdentityToken,
    instance: SigningInstance,
    sandbox: Sandbox,
) -> None:
    other = tmp_path / "other.epack"
    build_pack(other, [tmp_path / "log.txt"], stream="acme/other")
    entry = sign(other, token=workflow, instance=instance).entry or ""
    with open_pack(other) as opened:
        data = opened.read_attestation(entry)
    with open_pack(pack) as opened:
        add_attestation(pack, entry, data, expect_manifest_digest=opened.manifest_digest)
    code = refused(
        tmp_path, VerificationFailed, lambda: sign(pack, token=person, instance=instance), sandbox
    )
    assert code == "manifest_digest_mismatch"


def test_an_attestation_of_another_instance_does_not_hinder(
    tmp_path: Path, pack: Path, person: IdentityToken, instance: SigningInstance
) -> None:
    with Sandbox.start(tmp_path / "elsewhere") as elsewhere:
        token = IdentityToken.from_text(elsewhere.person_token("ana@acme.example"))
        theirs = SigningInstance.from_file(elsewhere.trust_config)
        sign(pack, token=token, instance=theirs)
    signed = sign(pack, token=person, instance=instance)
    assert not signed.kept
    with open_pack(pack) as opened:
        assert len(opened.attestation_names) == 2


def sign_while(
    target: Path, token: IdentityToken, instance: SigningInstance, meddle: Callable[[], object]
) -> Signed:
    with open_session(token=token, instance=instance) as session:
        return replace(session, signers=Meddling(session.signers, meddle)).sign(target)


def test_a_pack_changed_while_it_is_signed_keeps_the_change(
    tmp_path: Path, pack: Path, person: IdentityToken, instance: SigningInstance
) -> None:
    def swap() -> None:
        build_pack(pack, [tmp_path / "log.txt"], stream="acme/changed", replace=True)

    with pytest.raises(VerificationFailed) as caught:
        sign_while(pack, person, instance, swap)
    assert caught.value.code == "pack_changed"
    with open_pack(pack) as opened:
        assert (opened.manifest.stream, opened.attestation_names) == ("acme/changed", ())


def test_a_file_changed_while_it_is_signed_gets_no_bundle(
    tmp_path: Path, person: IdentityToken, instance: SigningInstance
) -> None:
    file = tmp_path / "a"
    file.write_text("before")
    with pytest.raises(AttestError) as caught:
        sign_while(file, person, instance, lambda: file.write_text("afterwards"))
    assert caught.value.code == "target_changed"
    assert everything(tmp_path) == {"a": b"afterwards"}


def test_a_bundle_of_other_content_is_refused_before_it_is_written(
    tmp_path: Path, pack: Path, person: IdentityToken, instance: SigningInstance
) -> None:
    class Wrong(Meddling):
        def prepare(
            self, content: Content, *, message: Callable[[], bytes] | None = None
        ) -> SignedWork:
            assert isinstance(content, EnvelopeContent)
            payload = content.payload.replace(b"manifest.json", b"manifest.jsom")
            return super().prepare(EnvelopeContent(payload=payload), message=message)

    before = everything(tmp_path)
    with open_session(token=person, instance=instance) as session:
        wrong = replace(session, signers=Wrong(session.signers, lambda: None))
        with pytest.raises(AttestError) as caught:
            wrong.sign(pack)
    assert caught.value.code == "signed_bundle_invalid"
    assert caught.value.exit_code == 2
    assert everything(tmp_path) == before


def test_bundles_that_exist_are_not_overwritten(
    tmp_path: Path,
    person: IdentityToken,
    workflow: IdentityToken,
    instance: SigningInstance,
    sandbox: Sandbox,
) -> None:
    file = tmp_path / "a"
    file.write_text("content")
    bundle = tmp_path / "a.sigstore.json"

    def attempt() -> Signed:
        return sign(file, token=person, instance=instance)

    bundle.write_text("somebody's notes")
    assert refused(tmp_path, UsageError, attempt, sandbox) == "bundle_exists"
    bundle.unlink()
    sign(file, token=workflow, instance=instance)
    assert refused(tmp_path, UsageError, attempt, sandbox) == "bundle_exists"
    sign(file, token=person, instance=instance, replace=True)
    file.write_text("new content")
    assert refused(tmp_path, UsageError, attempt, sandbox) == "bundle_exists"


@pytest.mark.parametrize(
    ("target", "bundle", "code"),
    [
        ("missing", None, "file_not_found"),
        (".", None, "unreadable_file"),
        ("missing.epack", None, "file_not_found"),
        ("evidence.epack", "x.sigstore.json", "bundle_with_pack"),
        ("log.txt", "no/such/folder/x.sigstore.json", "unwritable_file"),
        ("sha256:" + "0" * 64, None, "bundle_needed"),
        ("sha256:" + "0" * 63, "x.sigstore.json", "invalid_digest"),
        ("sha512:" + "0" * 128, "x.sigstore.json", "unsupported_digest"),
    ],
)
@pytest.mark.usefixtures("pack")
def test_wrong_calls(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    person: IdentityToken,
    instance: SigningInstance,
    sandbox: Sandbox,
    target: str,
    bundle: str | None,
    code: str,
) -> None:
    monkeypatch.chdir(tmp_path)

    def attempt() -> Signed:
        return sign(target, token=person, instance=instance, bundle=bundle)

    assert refused(tmp_path, UsageError, attempt, sandbox) == code


def test_nothing_that_is_written_contains_the_token(
    tmp_path: Path, pack: Path, person: IdentityToken, instance: SigningInstance
) -> None:
    sign(pack, token=person, instance=instance)
    sign(tmp_path / "log.txt", token=person, instance=instance)
    parts = [part.encode() for part in person.reveal().split(".")]
    assert not any(part in data for data in everything(tmp_path).values() for part in parts[1:])
