"""Both worlds: a `.sig` by a key and a Sigstore bundle, each alone or both, by one policy."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

import attest
from attest.api.sei_verify import examine_artefacts, policy_of_keys
from attest.policy.model import Policy
from attest.report import json as report_json
from attest.report.model import Report
from attest.sandbox import Sandbox
from attest.signing.keyfile import FileKey
from attest.trust.root import TrustRoot
from tests.sei import second

NAME = ".sei/reconstruct.json"
SIG, BUNDLE = f"{NAME}.sig", f"{NAME}.sigstore.json"
KEY = FileKey(second.private_key("ours"))
STRANGER = FileKey(second.private_key("a stranger"))
EITHER = "- {at-least: 1, of: [release, ana]}"
BOTH = "[release, ana]"
HEAD = """\
version: 1
signers:
  release: {key: release.pub}
  ana: {issuer: google, email: ana@acme.example}
log: optional
timestamp: optional
"""


@dataclass(frozen=True, kw_only=True)
class World:
    """A repository with one artefact, signed in every way, and whom it trusts."""

    folder: Path
    root: TrustRoot
    instance: attest.SigningInstance

    def policy(self, require: str, *more: str) -> Policy:
        (self.folder / "release.pub").write_bytes(KEY.public.pem)
        (self.folder / "policy.yaml").write_text(f"{HEAD}require:\n  {require}\n{''.join(more)}")
        return Policy.load(self.folder / "policy.yaml")

    def report(self, policy: Policy, *, reads_bundles: bool = True) -> Report:
        (report,) = examine_artefacts(
            self.folder, policy=policy, reads_bundles=reads_bundles, roots=lambda: [self.root]
        )
        report_json.to_json(report)
        return report

    def code(self, require: str, *more: str) -> str | None:
        error = self.report(self.policy(require, *more)).error
        return None if error is None else error.code

    def remove(self, *names: str) -> None:
        for name in names:
            (self.folder / name).unlink()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("repository")
    with Sandbox.start(tmp_path_factory.mktemp("sandbox")) as sandbox:
        instance = attest.SigningInstance.from_file(sandbox.trust_config)
        attest.write_artefact(folder, kind="reconstruct", system="s", payload={}, key=KEY)
        token = attest.IdentityToken.from_text(sandbox.person_token())
        attest.sign(folder / NAME, token=token, instance=instance)
        yield World(
            folder=folder, root=TrustRoot.from_file(sandbox.trusted_root), instance=instance
        )


@pytest.fixture
def world(made: World, tmp_path: Path) -> World:
    folder = tmp_path / "repository"
    shutil.copytree(made.folder, folder)
    return World(folder=folder, root=made.root, instance=made.instance)


@pytest.mark.parametrize(
    ("removed", "either", "both"),
    [
        ([], None, None),
        ([SIG], None, "certificate_identity_mismatch"),
        ([BUNDLE], None, "certificate_identity_mismatch"),
        ([SIG, BUNDLE], "unsigned_artefact", "unsigned_artefact"),
    ],
)
def test_a_policy_takes_either_or_both(
    removed: Sequence[str], either: str | None, both: str | None, world: World
) -> None:
    world.remove(*removed)
    assert world.code(EITHER) == either
    assert world.code(BOTH) == both


def test_the_report_tells_of_both(world: World) -> None:
    report = world.report(world.policy(BOTH))
    assert [(item.file, item.kind, item.status) for item in report.attestations] == [
        (SIG, "key", "pass"),
        (BUNDLE, "keyless", "pass"),
    ]
    assert report.trust is not None
    assert report.trust.sandbox


@pytest.mark.parametrize("name", [SIG, BUNDLE])
@pytest.mark.parametrize("require", [EITHER, "[release]", "[ana]"])
def test_a_broken_one_fails_whatever_else_is_satisfied(
    name: str, require: str, world: World
) -> None:
    path = world.folder / name
    path.write_bytes(path.read_bytes().replace(b"{", b"[", 1))
    assert world.code(require) is not None


def test_a_bundle_of_other_bytes_fails(world: World) -> None:
    kept = (world.folder / BUNDLE).read_bytes()
    attest.write_artefact(world.folder, kind="reconstruct", system="t", payload={}, key=KEY)
    assert not (world.folder / BUNDLE).exists()  # it would have been beside bytes it does not sign
    (world.folder / BUNDLE).write_bytes(kept)
    assert world.code(EITHER) is not None
    assert world.code("[release]") is not None


def test_strangers_count_for_nothing_on_either_side(world: World) -> None:
    world.remove(SIG)
    attest.sign_artefact(world.folder, NAME, key=STRANGER)
    assert world.code("[ana]") is None
    assert world.code("[release]") == "certificate_identity_mismatch"
    assert world.code("[ana]", "others: forbid\n") == "other_attestations"
    # A bundle of an instance that is not trusted.
    policy = world.policy("[ana]")
    (report,) = examine_artefacts(world.folder, policy=policy)
    assert report.error is not None
    assert report.error.exit_code == 1


def test_an_instance_that_is_not_trusted_spoils_no_signature_by_a_key(world: World) -> None:
    (report,) = examine_artefacts(world.folder, policy=world.policy("[release]"))
    assert report.error is None
    assert [item.status for item in report.attestations] == ["pass", "skip"]


def test_with_keys_alone_bundles_are_not_read_and_that_is_said(world: World) -> None:
    (world.folder / BUNDLE).write_bytes(b"not even JSON")
    (report,) = attest.verify_artefacts(world.folder, keys=[KEY.public])
    assert [item.code for item in report.warnings] == ["bundle_not_read"]
    world.remove(SIG)
    with pytest.raises(attest.VerificationFailed) as caught:
        attest.verify_artefacts(world.folder, keys=[KEY.public])
    assert caught.value.code == "unsigned_artefact"


def test_roots_are_asked_for_only_where_a_bundle_lies(world: World) -> None:
    def refuse() -> Sequence[TrustRoot]:
        raise AssertionError("asked for")

    policy = world.policy(EITHER)
    with pytest.raises(AssertionError, match="asked for"):
        list(examine_artefacts(world.folder, policy=policy, roots=refuse))
    world.remove(BUNDLE)
    (report,) = examine_artefacts(world.folder, policy=policy, roots=refuse)
    assert (report.error, report.trust) == (None, None)


def test_one_key_in_both_worlds_is_one_principal(world: World) -> None:
    world.remove(BUNDLE)
    attest.sign(world.folder / NAME, key=KEY, instance=world.instance)
    assert world.code("- {at-least: 1, of: [release, ana]}") is None
    assert world.code("- {at-least: 2, of: [release, ana]}") == "not_enough_signers"
    report = world.report(world.policy("[release]"))
    assert [item.kind for item in report.attestations] == ["key", "key"]


def test_the_trust_that_is_given_goes_before_that_of_the_policy(world: World) -> None:
    world.remove(SIG)
    policy = world.policy("[ana]")
    (report,) = attest.verify_artefacts(world.folder, policy=policy, trust=world.root)
    assert report.result == "pass"
    with pytest.raises(attest.VerificationFailed):
        attest.verify_artefacts(world.folder, policy=policy)
    with pytest.raises(attest.VerificationFailed):
        attest.verify_artefacts(world.folder, keys=[KEY.public], trust=world.root)


def test_a_bundle_file_may_hold_several(world: World) -> None:
    path = world.folder / BUNDLE
    line = path.read_bytes().strip()
    path.write_bytes(line + b"\n" + line + b"\n")
    report = world.report(world.policy(EITHER))
    assert report.error is None
    assert [item.file for item in report.attestations] == [SIG, f"{BUNDLE}:1", f"{BUNDLE}:2"]
    path.write_bytes(line + b"\n{}\n")
    assert world.code(EITHER) is not None


def test_keys_registered_as_a_policy_ask_for_no_log() -> None:
    rules = policy_of_keys([KEY.public, KEY.public, STRANGER.public]).rules
    assert len(rules.signers) == 2
    assert (rules.log, rules.timestamp) == ("optional", "optional")
    with pytest.raises(attest.UsageError) as caught:
        policy_of_keys([])
    assert caught.value.code == "no_registered_key"
