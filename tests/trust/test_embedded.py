"""The embedded trust material is what the installed `sigstore` ships, and all of it parses."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from attest.errors import TrustError
from attest.trust.instance import PUBLIC, InstanceProfile
from attest.trust.replay import check_anchor
from attest.trust.root import TrustRoot
from attest.trust.shipped import embedded_anchor, embedded_since

REPOSITORY = Path(__file__).resolve().parents[2]
EMBEDDED = REPOSITORY / "attest" / "trust" / "embedded"
SHIPPED = ("sigstore", "staging")


def shipped_by_sigstore() -> dict[str, bytes]:
    spec = importlib.util.spec_from_file_location(
        "embed_trust", REPOSITORY / ".ci" / "embed_trust.py"
    )
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    material = script.material()
    assert isinstance(material, dict)
    return material


def test_embedded_material_equals_what_sigstore_ships() -> None:
    found = {
        path.relative_to(EMBEDDED).as_posix(): path.read_bytes()
        for path in EMBEDDED.rglob("*")
        if path.is_file()
    }
    expected = shipped_by_sigstore()
    assert sorted(found) == sorted(expected)
    # Line ends may differ on a checkout; nothing else may.
    for name, data in expected.items():
        assert found[name].replace(b"\r\n", b"\n") == data.replace(b"\r\n", b"\n"), name


def test_the_origin_names_every_file_by_its_digest() -> None:
    origin = json.loads((EMBEDDED / "ORIGIN.json").read_bytes())
    assert origin["package"] == "sigstore"
    for name, digest in origin["files"].items():
        data = (EMBEDDED / name).read_bytes().replace(b"\r\n", b"\n")
        assert hashlib.sha256(data).hexdigest() == digest
    assert len(origin["files"]) == 3 * len(PUBLIC) - 2  # of GitHub's only the TUF root


def test_githubs_tuf_root_is_the_published_one_and_signed_by_all_of_its_keys() -> None:
    from tuf.api.metadata import Metadata, Root

    origin = json.loads((EMBEDDED / "ORIGIN.json").read_bytes())["github"]
    data = embedded_anchor("github").replace(b"\r\n", b"\n")
    assert hashlib.sha256(data).hexdigest() == origin["sha256"]
    # The name under which Git knows these bytes, in whatever repository.
    blob = b"blob %d\0" % len(data) + data
    assert hashlib.sha1(blob).hexdigest() == "2990a2665fdd929f77122d6c3e53a55faaea4b9f"
    root = Metadata[Root].from_bytes(data)
    result = root.signed.get_root_verification_result(None, root.signed_bytes, root.signatures)
    assert result.verified
    assert (len(result.signed), len(result.unsigned)) == (8, 0)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_anchor_signs_itself(name: str) -> None:
    assert check_anchor(embedded_anchor(name), where=name) >= 1


@pytest.mark.parametrize("name", PUBLIC)
def test_an_anchor_that_was_changed_is_none(name: str) -> None:
    changed = embedded_anchor(name).replace(b'"version": ', b'"version": 1')
    with pytest.raises(TrustError) as caught:
        check_anchor(changed, where=name)
    assert caught.value.code == "trust_metadata_invalid"


@pytest.mark.parametrize("name", SHIPPED)
def test_an_embedded_root_tells_its_age(name: str) -> None:
    age = (datetime.now(UTC) - embedded_since(name)).total_seconds()
    assert TrustRoot.embedded(name).age_seconds == pytest.approx(age, abs=60)


def test_githubs_profile_asks_for_a_timestamp_alone() -> None:
    profile = PUBLIC["github"]
    assert (profile.min_scts, profile.min_log_entries, profile.min_timestamps) == (0, 0, 1)
    assert profile.relaxed == ()
    assert InstanceProfile.private("acme", scts=False, log=False).relaxed


def test_githubs_trusted_root_must_be_fetched() -> None:
    with pytest.raises(TrustError) as caught:
        TrustRoot.embedded("github")
    assert caught.value.code == "trust_unavailable"
    assert "attest trust update github" in (caught.value.hint or "")


@pytest.mark.parametrize("name", SHIPPED)
def test_every_embedded_root_parses(name: str) -> None:
    root = TrustRoot.embedded(name)
    assert root.instance == name
    assert not root.sandbox
    assert root.logs
    assert root.ct_logs
    assert root.authorities
    assert root.timestamp_authorities
    profile = root.profile
    assert (profile.min_scts, profile.min_log_entries, profile.min_times) == (1, 1, 1)
    listed = json.loads((EMBEDDED / name / "trusted_root.json").read_bytes())
    # None was left out because its key could not be read.
    assert len(root.logs) == len(listed["tlogs"])
    assert len(root.ct_logs) == len(listed["ctlogs"])


def test_the_public_instances_are_told_apart() -> None:
    good, staging = (TrustRoot.embedded(name) for name in ("sigstore", "staging"))
    assert good.sha256 != staging.sha256
    assert not {log.log_id for log in good.logs} & {log.log_id for log in staging.logs}


@pytest.mark.parametrize("name", ["", "sigstor", "Sigstore", "../sigstore", "acme"])
def test_an_instance_that_is_not_embedded(name: str) -> None:
    with pytest.raises(TrustError) as caught:
        TrustRoot.embedded(name)
    assert caught.value.code == "unknown_instance"


def test_a_private_profile_is_as_strict_as_the_public_ones() -> None:
    private = InstanceProfile.private("acme")
    assert (private.min_scts, private.min_log_entries, private.min_times) == (1, 1, 1)


def test_a_profile_that_asks_for_no_time_is_refused() -> None:
    with pytest.raises(TrustError) as caught:
        InstanceProfile(name="lax", min_times=0)
    assert caught.value.code == "invalid_instance_profile"


@pytest.mark.parametrize(
    ("name", "domain"), [("sigstore", "sigstore.dev"), ("staging", "sigstage.dev")]
)
def test_all_services_of_a_public_instance_have_one_operator(name: str, domain: str) -> None:
    """Its logs are on several hosts: two entries by it are no two witnesses."""
    root = TrustRoot.embedded(name)
    assert len({log.host for log in root.logs}) > 1
    keepers = [item.operator for item in (*root.logs, *root.ct_logs)]
    makers = [item.operator for item in (*root.authorities, *root.timestamp_authorities)]
    assert {*keepers, *makers} == {domain}
