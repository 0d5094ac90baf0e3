"""An instance described by a trusted root and a signing config signs like one of a trust config."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from attest.api.sign import sign
from attest.errors import TrustError
from attest.oidc import IdentityToken
from attest.sandbox import Sandbox
from attest.signing.instance import RekorVersion, SigningInstance


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text("content\n")


@pytest.fixture
def both(sandbox: Sandbox) -> SigningInstance:
    """The sandbox with both of its logs to choose from."""
    config = json.loads(sandbox.signing_config.read_bytes())
    newer = json.loads(sandbox.trust_config_v2.read_bytes())["signingConfig"]
    config["rekorTlogUrls"] += newer["rekorTlogUrls"]
    Path("both.json").write_text(json.dumps(config))
    return SigningInstance.from_parts(trusted_root=sandbox.trusted_root, signing_config="both.json")


@pytest.mark.parametrize(("version", "kind"), [(None, "0.0.1"), (1, "0.0.1"), (2, "0.0.2")])
def test_the_log_is_the_one_asked_for_else_the_first_version(
    both: SigningInstance, person: IdentityToken, version: RekorVersion | None, kind: str
) -> None:
    signed = sign("a.txt", token=person, instance=replace(both, rekor_version=version))
    bundle = json.loads(signed.path.read_bytes())
    entries = bundle["verificationMaterial"]["tlogEntries"]
    assert [entry["kindVersion"]["version"] for entry in entries] == [kind]


@pytest.mark.parametrize(("config", "version"), [("trust_config", 2), ("trust_config_v2", 1)])
def test_a_version_that_is_not_offered_is_refused(
    sandbox: Sandbox, person: IdentityToken, config: str, version: RekorVersion
) -> None:
    instance = SigningInstance.from_file(getattr(sandbox, config))
    with pytest.raises(TrustError) as caught:
        sign("a.txt", token=person, instance=replace(instance, rekor_version=version))
    assert caught.value.code == "trust_config_invalid"
    assert not Path("a.txt.sigstore.json").exists()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (None, "trust_config_unreadable"),
        (b"", "trust_config_invalid"),
        (b"[]", "trust_config_invalid"),
        (b'{"a": 1, "a": 2}', "trust_config_invalid"),
    ],
)
@pytest.mark.parametrize("part", ["trusted_root", "signing_config"])
def test_a_part_that_cannot_be_read_is_named(
    sandbox: Sandbox, part: str, data: bytes | None, code: str
) -> None:
    if data is not None:
        Path("part.json").write_bytes(data)
    parts: dict[str, str | Path] = {
        "trusted_root": sandbox.trusted_root,
        "signing_config": sandbox.signing_config,
        part: "part.json",
    }
    with pytest.raises(TrustError) as caught:
        SigningInstance.from_parts(**parts)
    assert (caught.value.code, caught.value.where) == (code, "part.json")


def test_parts_in_each_others_place_are_no_instance(sandbox: Sandbox) -> None:
    with pytest.raises(TrustError) as caught:
        SigningInstance.from_parts(
            trusted_root=sandbox.signing_config, signing_config=sandbox.trusted_root
        )
    assert caught.value.code == "trust_config_invalid"
