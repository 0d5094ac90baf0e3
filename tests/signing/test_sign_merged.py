"""Signing a merged pack: not when what it carries of its sources would fail it anyway."""

from __future__ import annotations

from pathlib import Path

import pytest

from attest.api.merge import merge
from attest.api.sign import sign
from attest.errors import VerificationFailed
from attest.oidc import IdentityToken
from attest.pack.reader import open_pack
from attest.signing.instance import SigningInstance
from tests.cli.planted import plant
from tests.pack.merging import made


def merged_of(folder: Path, person: IdentityToken, instance: SigningInstance, kind: str) -> Path:
    """A merged pack, one of whose sources has a good attestation and one of that kind."""
    api = made(folder / "api.epack", "acme/api", {"a": b"1"})
    web = made(folder / "web.epack", "acme/web", {"b": b"2"})
    sign(api, token=person, instance=instance)
    plant(api, kind)
    merge(folder / "all.epack", [api, web], stream="acme/all")
    return folder / "all.epack"


def test_a_merged_pack_with_a_broken_source_is_not_signed(
    tmp_path: Path, person: IdentityToken, workflow: IdentityToken, instance: SigningInstance
) -> None:
    path = merged_of(tmp_path, person, instance, "forged")
    before = path.read_bytes()
    with pytest.raises(VerificationFailed) as caught:
        sign(path, token=workflow, instance=instance)
    assert caught.value.code == "signature_invalid"
    where = caught.value.where or ""
    assert where.startswith("provenance.source_packs[0].embedded_attestations[")
    assert caught.value.hint == "build the pack again without this attestation"
    assert path.read_bytes() == before


@pytest.mark.parametrize("kind", ["stranger", "key"])
def test_what_nobody_here_can_judge_does_not_hinder(
    tmp_path: Path,
    person: IdentityToken,
    workflow: IdentityToken,
    instance: SigningInstance,
    kind: str,
) -> None:
    path = merged_of(tmp_path, person, instance, kind)
    assert not sign(path, token=workflow, instance=instance).kept
    with open_pack(path) as pack:
        assert len(pack.attestation_names) == 1


def test_who_signed_a_source_has_not_signed_the_whole(
    tmp_path: Path, person: IdentityToken, instance: SigningInstance
) -> None:
    path = merged_of(tmp_path, person, instance, "stranger")
    assert not sign(path, token=person, instance=instance).kept
    assert sign(path, token=person, instance=instance).kept
