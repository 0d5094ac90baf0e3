"""Trusted roots are parsed strictly: what is not understood is refused, never guessed."""

from __future__ import annotations

import base64
import functools
import json
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from attest.errors import TrustError
from attest.sandbox import SANDBOX_ORGANIZATION, Instance, Sandbox
from attest.trust.instance import InstanceProfile
from attest.trust.root import SANDBOX_ORGANIZATION as RECOGNISED
from attest.trust.root import TrustRoot, Validity

Json = dict[str, Any]
EMBEDDED = Path(__file__).resolve().parents[2] / "attest" / "trust" / "embedded"
PUBLIC_GOOD = (EMBEDDED / "sigstore" / "trusted_root.json").read_bytes()


def parse(data: bytes) -> TrustRoot:
    return TrustRoot.from_bytes(data, profile=InstanceProfile.private("test"), where="root")


def changed(edit: Callable[[Json], object]) -> bytes:
    root = json.loads(PUBLIC_GOOD)
    edit(root)
    return json.dumps(root).encode()


def refused(data: bytes) -> None:
    with pytest.raises(TrustError) as caught:
        parse(data)
    assert (caught.value.code, caught.value.exit_code) == ("invalid_trusted_root", 2)


def log(root: Json) -> Json:
    found: Json = root["tlogs"][0]
    return found


def key(root: Json) -> Json:
    found: Json = log(root)["publicKey"]
    return found


def set_key(root: Json, text: str) -> None:
    key(root)["rawBytes"] = text


def authority(root: Json) -> Json:
    found: Json = root["certificateAuthorities"][0]
    return found


def first_certificate(root: Json, data: bytes) -> None:
    authority(root)["certChain"]["certificates"][0]["rawBytes"] = base64.b64encode(data).decode()


def certificate(root: Json) -> bytes:
    raw = authority(root)["certChain"]["certificates"][0]["rawBytes"]
    return base64.b64decode(raw)


def patched(old: bytes, new: bytes) -> Callable[[Json], object]:
    def edit(root: Json) -> None:
        data = certificate(root)
        assert old in data
        first_certificate(root, data.replace(old, new, 1))

    return edit


EDITS: dict[str, Callable[[Json], object]] = {
    "no media type": lambda it: it.pop("mediaType"),
    "media type is null": lambda it: it.update(mediaType=None),
    "media type is a number": lambda it: it.update(mediaType=1),
    "a later version": lambda it: it.update(
        mediaType="application/vnd.dev.sigstore.trustedroot+json;version=0.2"
    ),
    "a bundle's media type": lambda it: it.update(
        mediaType="application/vnd.dev.sigstore.bundle.v0.3+json"
    ),
    "unknown member": lambda it: it.update(x=[]),
    "logs are an object": lambda it: it.update(tlogs={}),
    "a log is null": lambda it: it.update(tlogs=[None]),
    "unknown member of a log": lambda it: log(it).update(x=1),
    "a log without id": lambda it: log(it).pop("logId"),
    "an empty log id": lambda it: log(it).update(logId={"keyId": ""}),
    "unknown member of a log id": lambda it: log(it)["logId"].update(x=1),
    "another hash": lambda it: log(it).update(hashAlgorithm="SHA1"),
    "no address": lambda it: log(it).pop("baseUrl"),
    "an address that is none": lambda it: log(it).update(baseUrl="https://[::1"),
    "an address with a bad host": lambda it: log(it).update(baseUrl="https://[v1.x"),
    "no key": lambda it: log(it).pop("publicKey"),
    "a key without bytes": lambda it: key(it).pop("rawBytes"),
    "a key in the URL alphabet": lambda it: key(it).update(rawBytes="__--"),
    "a key with white space": lambda it: key(it).update(rawBytes="AA AA"),
    "a key without details": lambda it: key(it).pop("keyDetails"),
    "unknown member of a key": lambda it: key(it).update(x=1),
    "a key without validity": lambda it: key(it).pop("validFor"),
    "validity without start": lambda it: key(it).update(validFor={}),
    "validity with an end alone": lambda it: key(it).update(
        validFor={"end": "2030-01-01T00:00:00Z"}
    ),
    "unknown member of a validity": lambda it: key(it)["validFor"].update(x=1),
    "a time without zone": lambda it: key(it)["validFor"].update(start="2021-01-12T11:53:27"),
    "a time in another zone": lambda it: key(it)["validFor"].update(
        start="2021-01-12T11:53:27+02:00"
    ),
    "a date": lambda it: key(it)["validFor"].update(start="2021-01-12"),
    "no date": lambda it: key(it)["validFor"].update(start="2021-02-30T00:00:00Z"),
    "digits of another script": lambda it: key(it)["validFor"].update(
        start="\uff12\uff10\uff12\uff11-01-12T11:53:27Z"
    ),
    "a time as a number": lambda it: key(it)["validFor"].update(start=1610452407),
    "an authority without chain": lambda it: authority(it).pop("certChain"),
    "an empty chain": lambda it: authority(it).update(certChain={"certificates": []}),
    "unknown member of a chain": lambda it: authority(it)["certChain"].update(x=1),
    "unknown member of an authority": lambda it: authority(it).update(x=1),
    "an authority without validity": lambda it: authority(it).pop("validFor"),
    "a certificate that is none": lambda it: first_certificate(it, b"junk"),
    "an empty certificate": lambda it: first_certificate(it, b""),
    "a certificate cut off": lambda it: first_certificate(it, certificate(it)[:-1]),
    "a certificate of version 4": patched(bytes.fromhex("a003020102"), bytes.fromhex("a003020103")),
    "a certificate whose name is no text": patched(b"sigstore.dev", b"\xff\xfestore.dev"),
    "a certificate with an extension that is broken": patched(
        bytes.fromhex("0603551d0f0101ff0404"), bytes.fromhex("0603551d0f0101ff0405")
    ),
    "a certificate with an extension twice": patched(
        bytes.fromhex("0603551d0e"), bytes.fromhex("0603551d13")
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_root_that_breaks_its_format(name: str) -> None:
    refused(changed(EDITS[name]))


DOCUMENTS = {
    "empty": b"",
    "null": b"null",
    "a list": b"[]",
    "an empty object": b"{}",
    "not UTF-8": b"\xff",
    "byte order mark": b"\xef\xbb\xbf" + PUBLIC_GOOD,
    "trailing data": PUBLIC_GOOD + b"{}",
    "duplicate keys": b'{"mediaType":"x",' + PUBLIC_GOOD.strip()[1:],
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_that_is_no_root(name: str) -> None:
    refused(DOCUMENTS[name])


def test_members_of_newer_roots_that_change_no_verdict_are_read() -> None:
    def extend(root: Json) -> None:
        log(root).update(operator="sigstore.dev", checkpointKeyId={"keyId": "AAAAAA=="})
        authority(root).update(operator="sigstore.dev")

    assert parse(changed(extend)).logs


def test_the_other_spelling_of_the_media_type() -> None:
    media_type = "application/vnd.dev.sigstore.trustedroot.v0.1+json"
    assert parse(changed(lambda it: it.update(mediaType=media_type))).logs


def test_a_log_whose_key_cannot_be_used_is_left_out() -> None:
    spki = (
        x25519.X25519PrivateKey.generate()
        .public_key()
        .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )
    whole = parse(PUBLIC_GOOD)
    for raw in (spki, b"junk"):
        text = base64.b64encode(raw).decode()
        root = parse(changed(functools.partial(set_key, text=text)))
        assert len(root.logs) == len(whole.logs) - 1
        assert whole.logs[0].log_id not in {item.log_id for item in root.logs}


def test_a_root_of_nothing_trusts_nobody() -> None:
    root = parse(b'{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}')
    listed = (root.logs, root.ct_logs, root.authorities, root.timestamp_authorities)
    assert listed == ((), (), (), ())


def test_windows_include_both_ends() -> None:
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    window = Validity(start=start, end=end)
    assert window.contains(start)
    assert window.contains(end)
    assert not window.contains(start.replace(year=2025))
    assert not window.contains(end.replace(second=1))
    assert Validity(start=start, end=None).contains(end.replace(year=9999))


def test_times_may_have_fractions() -> None:
    text = "2021-01-12T11:53:27.123456789Z"
    root = parse(changed(lambda it: key(it)["validFor"].update(start=text)))
    assert root.logs[0].valid.start == datetime(2021, 1, 12, 11, 53, 27, 123456, tzinfo=UTC)


# Files, trust configs, the sandbox's mark


@pytest.fixture(scope="module")
def sandbox_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Sandbox.init(tmp_path_factory.mktemp("sandbox"))


def test_a_sandbox_is_recognised(sandbox_root: Path) -> None:
    assert RECOGNISED == SANDBOX_ORGANIZATION
    root = TrustRoot.from_file(sandbox_root)
    assert root.sandbox
    assert root.instance == sandbox_root.name


@pytest.mark.parametrize("member", ["certificateAuthorities", "timestampAuthorities"])
def test_one_certificate_of_a_sandbox_marks_the_whole_root(sandbox_root: Path, member: str) -> None:
    foreign = json.loads(sandbox_root.read_bytes())[member]
    assert parse(changed(lambda it: it[member].extend(foreign))).sandbox
    assert not parse(PUBLIC_GOOD).sandbox


def test_a_client_trust_config_serves_as_its_root() -> None:
    def wrap(**members: object) -> bytes:
        return json.dumps(
            {
                "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
                "trustedRoot": json.loads(PUBLIC_GOOD),
                "signingConfig": {"mediaType": "x"},
                **members,
            }
        ).encode()

    assert parse(wrap()).authorities == parse(PUBLIC_GOOD).authorities
    refused(wrap(unknown=1))
    refused(wrap(trustedRoot=None))
    refused(wrap(trustedRoot=[]))
    refused(wrap(mediaType="application/vnd.dev.sigstore.clienttrustconfig.v0.2+json"))


@pytest.mark.parametrize("name", ["missing.json", ".", "a\x00b", "x" * 5000])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(TrustError) as caught:
        TrustRoot.from_file(tmp_path / name)
    assert caught.value.code == "trust_file_unreadable"


def test_a_file_beyond_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "root.json"
    path.write_bytes(PUBLIC_GOOD + b" " * 4 * 1_048_576)
    with pytest.raises(TrustError) as caught:
        TrustRoot.from_file(os.fspath(path))
    assert caught.value.code == "invalid_trusted_root"


@settings(max_examples=200, deadline=None)
@given(position=st.integers(0, 499), flip=st.integers(1, 255))
def test_a_ca_certificate_with_any_byte_changed_is_read_or_refused(
    position: int, flip: int
) -> None:
    def damage(root: Json) -> None:
        data = bytearray(certificate(root))
        data[position % len(data)] ^= flip
        first_certificate(root, bytes(data))

    with suppress(TrustError):
        parse(changed(damage))


def test_the_instance_of_a_sandbox_has_the_parts_that_its_root_lists(tmp_path: Path) -> None:
    instance = Instance.open(tmp_path)
    root = parse(json.dumps(instance.trusted_root().to_dict()).encode())
    assert [item.log_id for item in root.logs] == [
        instance.rekor1.log_id,
        instance.rekor2.log_id,
    ]
    assert [item.log_id for item in root.ct_logs] == [instance.ctlog.log_id]
