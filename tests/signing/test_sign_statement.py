"""A ready statement is signed as it is, if it is one and speaks of the target."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from attest.api.sign import Signed, sign
from attest.api.verify import verify
from attest.bundle import parse_bundle
from attest.dsse import UntrustedEnvelope
from attest.errors import PolicyViolation, UsageError
from attest.limits import Limits
from attest.oidc import IdentityToken
from attest.pack.builder import build_pack
from attest.policy.model import Policy, Signer
from attest.sandbox import Sandbox
from attest.signing.instance import SigningInstance
from attest.trust.root import TrustRoot

CONTENT = b"built from source\n"
ANA = Signer(identity="ana@acme.example", issuer="https://accounts.google.com")
PROVENANCE = "https://slsa.dev/provenance/v1"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("app.bin").write_bytes(CONTENT)


def statement(algorithm: str = "sha256", **changes: object) -> Path:
    """A statement about the file and another; `changes` replace members, None removes one."""
    mine = {algorithm: hashlib.new(algorithm, CONTENT).hexdigest()}
    members: dict[str, object] = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": "other", "digest": {"sha256": "ab" * 32}},
            {"name": "app.bin", "digest": mine},
        ],
        "predicateType": PROVENANCE,
        "predicate": {"größe": 1.5},
        **changes,
    }
    path = Path("statement.json")
    # Neither canonical nor ASCII: what is signed are the bytes of the file.
    kept = {name: value for name, value in members.items() if value is not None}
    path.write_text(json.dumps(kept, indent=1, ensure_ascii=False), encoding="utf-8")
    return path


def payload_of(path: Path) -> bytes:
    content = parse_bundle(path.read_bytes()).content
    assert isinstance(content, UntrustedEnvelope)
    return content.payload


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_it_is_signed_byte_for_byte_and_verifies_for_the_file(
    sandbox: Sandbox,
    person: IdentityToken,
    instance: SigningInstance,
    algorithm: str,
) -> None:
    path = statement(algorithm)
    signed = sign("app.bin", token=person, instance=instance, statement=path)
    assert signed.path == Path("app.bin.sigstore.json")
    assert payload_of(signed.path) == path.read_bytes()
    assert signed.attestation is not None
    assert signed.attestation.statement is not None
    assert signed.attestation.statement.predicate_type == PROVENANCE
    root = TrustRoot.from_file(sandbox.trusted_root)
    policy = Policy.any_of(ANA, predicate_type=PROVENANCE)
    assert verify("app.bin", policy=policy, trust=root).result == "pass"
    other = Policy.any_of(ANA, predicate_type="https://example.com/other")
    with pytest.raises(PolicyViolation):
        verify("app.bin", policy=other, trust=root)


def test_a_digest_and_a_bundle_of_its_own(person: IdentityToken, instance: SigningInstance) -> None:
    target = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
    signed = sign(target, token=person, instance=instance, statement=statement(), bundle="b.json")
    assert (signed.kind, signed.path) == ("digest", Path("b.json"))
    assert payload_of(Path("b.json")) == Path("statement.json").read_bytes()


@pytest.mark.parametrize(
    "changes",
    [
        {"_type": "https://in-toto.io/Statement/v2"},
        {"_type": None},
        {"subject": []},
        {"subject": None},
        {"subject": [{"name": "app.bin", "digest": {"sha256": "cd" * 32}}]},
        {"subject": [{"name": "app.bin", "digest": {"sha256": "short"}}]},
        {"subject": [{"name": "app.bin", "digest": {"md5": "00" * 16}}]},
        {"subject": [{"name": "app.bin", "digest": {}}]},
        {"predicateType": ""},
        {"predicateType": None},
        {"more": 1},
    ],
)
def test_what_is_no_statement_about_the_target_is_never_signed(
    sandbox: Sandbox,
    person: IdentityToken,
    instance: SigningInstance,
    changes: dict[str, object],
) -> None:
    assert_refused("invalid_statement", statement("sha256", **changes), sandbox, person, instance)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "invalid_statement"),
        (b"not json", "invalid_statement"),
        (b"[]", "invalid_statement"),
        (b'{"_type": "a", "_type": "b"}', "invalid_statement"),
        (b"\xff", "invalid_statement"),
        (b"[" * 100_000, "invalid_statement"),
        (None, "file_not_found"),
    ],
)
def test_a_file_that_cannot_be_read_as_one_is_refused(
    sandbox: Sandbox,
    person: IdentityToken,
    instance: SigningInstance,
    data: bytes | None,
    code: str,
) -> None:
    path = Path("statement.json")
    if data is not None:
        path.write_bytes(data)
    assert_refused(code, path, sandbox, person, instance)


def test_a_statement_beyond_the_limit_is_refused(
    sandbox: Sandbox, person: IdentityToken, instance: SigningInstance
) -> None:
    floor = 1_048_576
    path = statement(predicate={"filler": "x" * floor})
    limits = Limits(max_bundle_bytes=floor)
    assert_refused("invalid_statement", path, sandbox, person, instance, limits)


def assert_refused(
    code: str,
    path: Path,
    sandbox: Sandbox,
    person: IdentityToken,
    instance: SigningInstance,
    limits: Limits | None = None,
) -> None:
    before = sandbox.instance.rekor1.size
    with pytest.raises(UsageError) as caught:
        sign("app.bin", token=person, instance=instance, statement=path, limits=limits)
    assert caught.value.code == code
    assert sandbox.instance.rekor1.size == before
    assert not Path("app.bin.sigstore.json").exists()


def test_a_pack_takes_no_other_statement(person: IdentityToken, instance: SigningInstance) -> None:
    build_pack(Path("evidence.epack"), [Path("app.bin")], stream="acme/prod")
    before = Path("evidence.epack").read_bytes()
    with pytest.raises(UsageError) as caught:
        sign("evidence.epack", token=person, instance=instance, statement=statement())
    assert caught.value.code == "invalid_usage"
    assert Path("evidence.epack").read_bytes() == before


def test_the_same_statement_is_kept_and_another_replaces_nothing_unasked(
    person: IdentityToken, instance: SigningInstance
) -> None:
    def again(*, replace: bool = False) -> Signed:
        return sign(
            "app.bin",
            token=person,
            instance=instance,
            statement="statement.json",
            replace=replace,
        )

    statement()
    first = again()
    assert (first.kept, again().kept) == (False, True)
    written = first.path.read_bytes()
    statement(predicate={"other": True})
    with pytest.raises(UsageError) as caught:
        again()
    assert caught.value.code == "bundle_exists"
    assert first.path.read_bytes() == written
    assert not again(replace=True).kept
    assert payload_of(first.path) == Path("statement.json").read_bytes()


def test_a_signature_over_the_file_alone_is_not_the_statement(
    person: IdentityToken, instance: SigningInstance
) -> None:
    sign("app.bin", token=person, instance=instance)
    with pytest.raises(UsageError) as caught:
        sign("app.bin", token=person, instance=instance, statement=statement())
    assert caught.value.code == "bundle_exists"


def test_a_statement_about_the_file_is_not_a_signature_over_it(
    person: IdentityToken, instance: SigningInstance
) -> None:
    stated = sign("app.bin", token=person, instance=instance, statement=statement())
    before = stated.path.read_bytes()
    with pytest.raises(UsageError) as caught:
        sign("app.bin", token=person, instance=instance)
    assert caught.value.code == "bundle_exists"
    assert stated.path.read_bytes() == before


def test_a_dry_run_reads_the_statement_and_signs_nothing(
    sandbox: Sandbox, person: IdentityToken, instance: SigningInstance
) -> None:
    before = sandbox.instance.rekor1.size

    def try_out(path: Path) -> Signed:
        return sign("app.bin", token=person, instance=instance, statement=path, dry_run=True)

    assert try_out(statement()).attestation is None
    with pytest.raises(UsageError):
        try_out(statement(subject=[]))
    assert sandbox.instance.rekor1.size == before
