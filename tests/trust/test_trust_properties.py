"""Whatever lies in a cache or a registration: it is what was signed and said, or a TrustError."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attest.errors import TrustError
from attest.trust.instance import InstanceProfile
from attest.trust.registry import Registered, Registry
from attest.trust.replay import Replayed, replay
from attest.trust.store import Cache
from attest.trust.update import fetch
from tests.trust.served import FIRST, SECOND, TRUSTED_ROOT, Served, serve

#: JSON of the kinds that occur in metadata, and of those that must not.
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 10) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Replayed]:
    """An anchor, and a sound state above it with one rotation."""
    with serve(tmp_path_factory.mktemp("served")) as served:
        served.repository.publish_root(rotate=True)
        served.repository.publish({TRUSTED_ROOT: SECOND})
        anchor = served.repository.root
        return anchor, fetch(served.url, anchor, None, deadline=time.monotonic() + 20)


def outcome(anchor: bytes, kept: Mapping[str, bytes], good: Replayed) -> None:
    try:
        found = replay(anchor, kept.get)
    except TrustError:
        return
    assert found.files == good.files
    assert found.versions.root <= good.versions.root


@given(data=st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_bytes_changed_anywhere(state: tuple[bytes, Replayed], data: st.DataObject) -> None:
    anchor, good = state
    name = data.draw(st.sampled_from(sorted(good.kept)))
    raw = bytearray(good.kept[name])
    at = data.draw(st.integers(0, len(raw) - 1))
    length = data.draw(st.integers(0, 4))
    raw[at : at + length] = data.draw(st.binary(max_size=4))
    outcome(anchor, {**good.kept, name: bytes(raw)}, good)


@given(data=st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_values_changed_anywhere(state: tuple[bytes, Replayed], data: st.DataObject) -> None:
    anchor, good = state
    name = data.draw(st.sampled_from([name for name in sorted(good.kept) if len(name) < 20]))
    document = json.loads(good.kept[name])
    parents: list[tuple[dict[str, object], str]] = []

    def walk(value: object) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                parents.append((value, key))
                walk(item)

    walk(document)
    parent, key = data.draw(st.sampled_from(parents))
    parent[key] = data.draw(VALUES)
    outcome(anchor, {**good.kept, name: json.dumps(document).encode()}, good)


@given(text=st.text() | VALUES.map(json.dumps))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_list_of_versions(tmp_path: Path, text: str) -> None:
    (tmp_path / "seen.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(TrustError) as caught:
        Cache(folder=tmp_path).seen()
    assert caught.value.code == "trust_cache_corrupt"


@given(key=st.sampled_from(["mediaType", "added", "scts", "log", "trustedRoot", "tufRoot", "url"]),
       value=VALUES)  # fmt: skip
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_registration(tmp_path: Path, key: str, value: object) -> None:
    registry = Registry(folder=tmp_path)
    path = tmp_path / "acme.json"
    path.unlink(missing_ok=True)
    profile = InstanceProfile.private("acme")
    registry.add(Registered(profile=profile, added=datetime.now(UTC), trusted_root=FIRST))
    document = json.loads(path.read_bytes())
    same = key in document and json.dumps(document[key]) == json.dumps(value)  # 1 equals True
    document[key] = value
    path.write_text(json.dumps(document))
    try:
        found = registry.find("acme")
    except TrustError:
        assert not same
        return
    assert found is not None
    assert found.trusted_root is not None


def test_half_an_instance_is_none(served: Served) -> None:
    whole = served.registered
    for given_ in (
        {"url": whole.url},
        {"anchor": whole.anchor},
        {},
        {"url": whole.url, "anchor": whole.anchor, "trusted_root": FIRST},
    ):
        with pytest.raises(TrustError) as caught:
            Registered(profile=whole.profile, added=whole.added, **given_)
        assert caught.value.code == "invalid_instance"
