"""Signing configs: read strictly, and the services chosen as their format says."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest.errors import TrustError
from attest.sandbox import Sandbox
from attest.signing.config import MEDIA_TYPE, RekorVersion, SigningConfig
from attest.signing.instance import SigningInstance
from attest.strictjson import JSON
from attest.trust.shipped import embedded_signing_config

NOW = datetime(2026, 6, 1, tzinfo=UTC)
Document = dict[str, JSON]


def service(
    url: str, *, operator: str = "a", version: int = 1, start: str = "2025", end: str | None = None
) -> Document:
    window: Document = {"start": f"{start}-01-01T00:00:00Z"}
    if end is not None:
        window["end"] = f"{end}-01-01T00:00:00Z"
    return {
        "url": f"https://{url}.example",
        "majorApiVersion": version,
        "validFor": window,
        "operator": operator,
    }


def document(**members: JSON) -> Document:
    return {
        "mediaType": MEDIA_TYPE,
        "caUrls": [service("ca")],
        "oidcUrls": [service("login")],
        "rekorTlogUrls": [service("log")],
        "tsaUrls": [service("tsa")],
        "rekorTlogConfig": {"selector": "ANY"},
        "tsaConfig": {"selector": "ANY"},
        **members,
    }


def parse(value: JSON) -> SigningConfig:
    return SigningConfig.parse(value, where="config")


def logs(value: Document, version: RekorVersion | None = None) -> list[str]:
    found = parse(value).submission(NOW, rekor_version=version).logs
    return [item.url.removeprefix("https://").removesuffix(".example") for item in found]


def stamps(value: Document) -> list[str]:
    found = parse(value).submission(NOW, rekor_version=None).timestamp_authorities
    return [item.url.removeprefix("https://").removesuffix(".example") for item in found]


BOTH: list[JSON] = [service("two", version=2), service("one")]
OPERATORS: list[JSON] = [service(name, operator=name) for name in ("a", "b", "c")]


@pytest.mark.parametrize(
    ("listed", "version", "expected"),
    [
        (BOTH, None, ["one"]),
        (BOTH, 1, ["one"]),
        (BOTH, 2, ["two"]),
        ([service("two", version=2)], None, ["two"]),
        # The newest of an operator, within its validity.
        ([service("old", start="2021"), service("new", start="2024")], None, ["new"]),
        ([service("next", start="2027"), service("now")], None, ["now"]),
        ([service("past", start="2026", end="2026"), service("now")], None, ["now"]),
        ([service("first"), service("second")], None, ["first"]),
        # A version that nobody here speaks is not there.
        ([service("three", version=3), service("one")], None, ["one"]),
    ],
)
def test_the_log_that_is_chosen(
    listed: list[JSON], version: RekorVersion | None, expected: list[str]
) -> None:
    assert logs(document(rekorTlogUrls=listed), version) == expected


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ({"selector": "ANY"}, ["a"]),
        ({"selector": "ALL"}, ["a", "b", "c"]),
        ({"selector": "EXACT", "count": 2}, ["a", "b"]),
        ({"selector": "SERVICE_SELECTOR_UNDEFINED"}, ["a", "b", "c"]),
        ({}, ["a", "b", "c"]),
        (None, ["a", "b", "c"]),
    ],
)
def test_how_many_are_chosen(selection: JSON, expected: list[str]) -> None:
    assert stamps(document(tsaUrls=OPERATORS, tsaConfig=selection)) == expected
    assert logs(document(rekorTlogUrls=OPERATORS, rekorTlogConfig=selection)) == expected


def test_two_of_one_operator_are_one() -> None:
    twice: list[JSON] = [service("x"), service("y", start="2024")]
    assert stamps(document(tsaUrls=twice, tsaConfig={"selector": "ALL"})) == ["x"]
    with pytest.raises(TrustError) as caught:
        stamps(document(tsaUrls=twice, tsaConfig={"selector": "EXACT", "count": 2}))
    assert caught.value.code == "trust_config_invalid"


@pytest.mark.parametrize(
    ("members", "version"),
    [
        ({"rekorTlogUrls": []}, None),
        ({"rekorTlogUrls": [service("log", end="2026")]}, None),
        ({"rekorTlogUrls": [service("log", start="2027")]}, None),
        ({}, 2),
        ({"rekorTlogUrls": [service("log", version=3)]}, None),
        ({"rekorTlogUrls": [service("log", version=2)], "tsaUrls": []}, None),  # no time at all
        ({"rekorTlogConfig": {"selector": "EXACT", "count": 2}}, None),
    ],
)
def test_what_offers_too_little(members: Document, version: RekorVersion | None) -> None:
    with pytest.raises(TrustError) as caught:
        logs(document(**members), version)
    assert (caught.value.code, caught.value.where) == ("trust_config_invalid", "config")


def test_an_authority_and_a_login_are_needed_only_when_asked_for() -> None:
    config = parse(document(caUrls=[], oidcUrls=[]))
    assert config.submission(NOW, rekor_version=None).logs
    for ask in (config.certificate_authority, config.login):
        with pytest.raises(TrustError) as caught:
            ask(NOW)
        assert caught.value.code == "trust_config_invalid"


def edited(change: Callable[[Document], object]) -> Document:
    value = copy.deepcopy(document())
    change(value)
    return value


def first(value: Document) -> Document:
    listed = value["rekorTlogUrls"]
    assert isinstance(listed, list)
    item = listed[0]
    assert isinstance(item, dict)
    return item


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        document(mediaType="application/vnd.dev.sigstore.signingconfig.v0.1+json"),
        document(unknown=1),
        document(caUrls={}),
        document(caUrls=[1]),
        document(rekorTlogUrls=[service("log"), service("log")]),
        document(tsaConfig={"selector": "SOME"}),
        document(tsaConfig={"selector": "EXACT"}),
        document(tsaConfig={"selector": "EXACT", "count": -1}),
        document(tsaConfig={"selector": "EXACT", "count": True}),
        document(tsaConfig={"selector": "ANY", "more": 1}),
        edited(lambda value: first(value).update(url="http://log.example")),
        edited(lambda value: first(value).update(url="https://user:pw@log.example")),
        edited(lambda value: first(value).update(url="log")),
        edited(lambda value: first(value).update(url=1)),
        edited(lambda value: first(value).update(more=1)),
        edited(lambda value: first(value).update(majorApiVersion=0)),
        edited(lambda value: first(value).update(majorApiVersion="1")),
        edited(lambda value: first(value).update(majorApiVersion=True)),
        edited(lambda value: first(value).pop("majorApiVersion")),
        edited(lambda value: first(value).pop("validFor")),
        edited(lambda value: first(value).update(validFor={})),
        edited(lambda value: first(value).update(validFor={"start": "2025-01-01"})),
        edited(lambda value: first(value).update(validFor={"start": "2025-13-01T00:00:00Z"})),
        edited(lambda value: first(value).update(operator=1)),
    ],
)
def test_what_is_no_signing_config(value: JSON) -> None:
    with pytest.raises(TrustError) as caught:
        parse(value)
    assert caught.value.code == "trust_config_invalid"
    assert "pw" not in str(caught.value)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*document(), "url", "validFor"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(key=st.sampled_from(sorted(document())), value=_JSON)
def test_any_value_is_read_or_refused_in_our_own_words(key: str, value: JSON) -> None:
    with suppress(TrustError):
        config = parse(document(**{key: value}))
        config.submission(NOW, rekor_version=None)


@pytest.mark.parametrize(("name", "versions"), [("sigstore", {1}), ("staging", {1, 2})])
def test_the_public_instances_offer_what_their_files_say(name: str, versions: set[int]) -> None:
    config = parse(json.loads(embedded_signing_config(name) or b""))
    for version in versions:
        wanted: RekorVersion = 2 if version == 2 else 1
        chosen = config.submission(NOW, rekor_version=wanted)
        assert {item.version for item in chosen.logs} == {version}
        assert len(chosen.timestamp_authorities) == 1
    assert config.submission(NOW, rekor_version=None).logs[0].version == 1
    assert config.certificate_authority(NOW).url.startswith("https://fulcio.")
    assert SigningInstance.public(name).login_url().startswith("https://oauth2.")


def test_the_sandboxs_own_is_read(sandbox: Sandbox) -> None:
    config = parse(json.loads(sandbox.signing_config.read_bytes()))
    assert config.certificate_authority(datetime.now(UTC)).url == sandbox.url
