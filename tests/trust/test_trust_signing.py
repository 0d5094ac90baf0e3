"""Signing with a registered instance: its services come from where its trust comes from."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from attest.api.identity import instance_of
from attest.api.trust import add_file
from attest.errors import AttestError, TrustError
from attest.sandbox import Sandbox
from attest.trust.instance import InstanceProfile
from tests.trust.served import FIRST, NAME, TRUSTED_ROOT, Served


@pytest.fixture
def signing_config(tmp_path: Path) -> bytes:
    with Sandbox.start(tmp_path / "sandbox") as sandbox:
        return sandbox.signing_config.read_bytes()


def test_a_repository_that_names_services(served: Served, signing_config: bytes) -> None:
    served.repository.publish({TRUSTED_ROOT: FIRST, "signing_config.v0.2.json": signing_config})
    instance = instance_of(NAME, None, places=served.places)
    assert (instance.name, instance.is_registered, instance.is_public) == (NAME, True, False)
    assert len(instance.services.timestamp_authorities) == 1


def test_v2_logs_that_a_repository_names_apart_are_there_by_choice(
    served: Served, signing_config: bytes
) -> None:
    config = json.loads(signing_config)
    config["rekorTlogUrls"][0] |= {"url": "https://log2026.example", "majorApiVersion": 2}
    served.repository.publish(
        {
            TRUSTED_ROOT: FIRST,
            "signing_config.v0.2.json": signing_config,
            "signing_config_rekor_v2.v0.2.json": json.dumps(config).encode(),
        }
    )
    for _ in range(2):  # as fetched, and as cached
        services = instance_of(NAME, None, places=served.places).services
        now = datetime.now(UTC)
        first = services.submission(now, rekor_version=None)
        assert [item.version for item in first.logs] == [1]
        second = services.submission(now, rekor_version=2)
        assert [item.url for item in second.logs] == ["https://log2026.example"]


def test_a_repository_whose_second_signing_config_is_none(
    served: Served, signing_config: bytes
) -> None:
    files = {"signing_config.v0.2.json": signing_config}
    files["signing_config_rekor_v2.v0.2.json"] = b"{}"
    served.repository.publish({TRUSTED_ROOT: FIRST, **files})
    with pytest.raises(TrustError) as caught:
        instance_of(NAME, None, places=served.places)
    assert caught.value.code == "trust_config_invalid"


def test_a_repository_that_names_none(served: Served) -> None:
    with pytest.raises(TrustError) as caught:
        instance_of(NAME, None, places=served.places)
    assert caught.value.code == "signing_config_missing"


def test_a_trusted_root_says_nothing_of_services(served: Served, tmp_path: Path) -> None:
    file = tmp_path / "root.json"
    file.write_bytes(FIRST)
    add_file(InstanceProfile.private("by-file"), file, places=served.places)
    with pytest.raises(TrustError) as caught:
        instance_of("by-file", None, places=served.places)
    assert caught.value.code == "signing_config_missing"


@pytest.mark.parametrize("name", ["acmee", "github", "../acme"])
def test_a_name_that_nobody_registered(served: Served, name: str) -> None:
    with pytest.raises(AttestError) as caught:
        instance_of(name, None, places=served.places)
    assert caught.value.code == "unknown_instance"


def test_public_names_need_no_registry(served: Served) -> None:
    assert instance_of(None, None).name == "sigstore"
    assert instance_of("staging", None, places=served.places).is_public
