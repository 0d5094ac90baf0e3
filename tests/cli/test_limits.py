"""Every limit: set from where it may be, never below its floor, and enforced at its very edge."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from attest.bundle import parse_bundle
from attest.config import load_settings
from attest.dsse import IN_TOTO_PAYLOAD_TYPE, UntrustedEnvelope
from attest.engine.content import ArtifactContent, check_content
from attest.errors import AttestError, UsageError
from attest.limits import FLOORS, Limits
from attest.pack.reader import open_pack
from tests.engine.virtual_evidence import V2_DSSE
from tests.engine.virtual_instance import b64
from tests.pack.zipbytes import Item, Zip, manifest, manifest_item

NAMES = sorted(FLOORS)


def from_option(name: str, value: str, _folder: Path) -> Limits:
    return load_settings({}, limits=[f"{name}={value}"]).limits


def from_environment(name: str, value: str, _folder: Path) -> Limits:
    return load_settings({f"ATTEST_{name.upper()}": value}).limits


def from_file(name: str, value: str, folder: Path) -> Limits:
    file = folder / "config.toml"
    file.write_text(f"[limits]\n{name} = {value}\n", encoding="utf-8")
    return load_settings({}, file=file).limits


SOURCES = [from_option, from_environment, from_file]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", NAMES)
def test_a_limit_may_be_its_floor_or_far_above(
    name: str, source: Callable[[str, str, Path], Limits], tmp_path: Path
) -> None:
    for value in (FLOORS[name], FLOORS[name] + 1, 2**53):
        assert getattr(source(name, str(value), tmp_path), name) == value


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", NAMES)
def test_no_source_undercuts_a_floor_or_switches_off(
    name: str, source: Callable[[str, str, Path], Limits], tmp_path: Path
) -> None:
    below = "limits_disabled" if FLOORS[name] == 1 else "below_minimum"
    for value, codes in (
        (str(FLOORS[name] - 1), {below}),
        ("0", {"limits_disabled"}),
        ("off", {"invalid_setting"}),
        ("-1", {"invalid_setting", "limits_disabled"}),
        ("inf", {"invalid_setting", "invalid_limit"}),
        ("1e9", {"invalid_setting", "invalid_limit"}),
    ):
        with pytest.raises(UsageError) as caught:
            source(name, value, tmp_path)
        assert caught.value.code in codes


@pytest.mark.parametrize(
    "option",
    ["max_artifacts", "max_artifacts=", "=5", "max_artefacts=200", "MAX_ARTIFACTS=200",
     "max_artifacts= 200", "max_artifacts=+200", "max_artifacts=2_00", "max_artifacts=٢٠٠",
     "max_artifacts=200MB", "max_artifacts=" + "9" * 20],
)  # fmt: skip
def test_a_bad_option_is_refused(option: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_settings({}, limits=[option])
    assert caught.value.code == "invalid_setting"


def test_an_option_beats_the_environment_which_beats_the_file(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        "[limits]\nmax_artifacts = 201\nmax_attestations = 21\nmax_timestamps = 2\n",
        encoding="utf-8",
    )
    environ = {"ATTEST_MAX_ARTIFACTS": "202", "ATTEST_MAX_ATTESTATIONS": "22"}
    limits = load_settings(environ, limits=["max_artifacts=203"], file=file).limits
    assert (limits.max_artifacts, limits.max_attestations) == (203, 22)
    assert (limits.max_timestamps, limits.max_log_entries) == (2, Limits().max_log_entries)


def test_of_one_name_the_last_option_counts() -> None:
    limits = load_settings({}, limits=["max_artifacts=200", "max_artifacts=300"]).limits
    assert limits.max_artifacts == 300


def packed(*items: Item, listed: dict[str, bytes] | None = None, padding: int = 0) -> bytes:
    first = manifest_item(json.dumps(manifest(listed or {})).encode() + b" " * padding)
    return Zip(items=(first, Item(name=b"artifacts/"), *items)).build()


def artifact(size: int) -> bytes:
    data = bytes(size)
    return packed(Item(name=b"artifacts/x", content=data), listed={"artifacts/x": data})


def whole(size: int) -> bytes:
    """A pack of so many bytes in all its entries."""
    data = bytes(size - len(json.dumps(manifest({"artifacts/x": bytes(size)}))))
    return packed(Item(name=b"artifacts/x", content=data), listed={"artifacts/x": data})


def many(count: int) -> bytes:
    listed = {f"artifacts/{index}": b"" for index in range(count)}
    return packed(*(Item(name=name.encode()) for name in listed), listed=listed)


def references(count: int) -> bytes:
    value = manifest({})
    value["artifacts"] = [
        {"type": "reference", "name": "x", "uri": "https://x", "access": {"policy": "public"}}
    ] * count
    return Zip(items=(manifest_item(value), Item(name=b"artifacts/"))).build()


def manifest_of(size: int) -> bytes:
    return packed(padding=size - len(json.dumps(manifest({}))))


def attested(count: int) -> bytes:
    return packed(*(Item(name=b"attestations/%d.sigstore.json" % n) for n in range(count)))


def nested(depth: int) -> bytes:
    value = manifest({"artifacts/x": b""})
    found: object = {}
    for _ in range(depth - 4):
        found = {"a": found}
    artifacts = value["artifacts"]
    assert isinstance(artifacts, list)
    artifacts[0]["metadata"] = found
    return Zip(items=(manifest_item(value), Item(name=b"artifacts/x"))).build()


PACKS: dict[str, tuple[str, Callable[[int], bytes], str]] = {
    "artifact": ("max_artifact_bytes", artifact, "artifact_too_large"),
    "pack": ("max_pack_bytes", whole, "pack_too_large"),
    "artifacts": ("max_artifacts", many, "too_many_artifacts"),
    "references": ("max_artifacts", references, "too_many_artifacts"),
    "manifest": ("max_manifest_bytes", manifest_of, "manifest_too_large"),
    "attestations": ("max_attestations", attested, "too_many_attestations"),
    "depth": ("max_json_depth", nested, "json_too_deep"),
}


def verdict(data: bytes, limits: Limits, folder: Path) -> str | None:
    path = folder / "a.epack"
    path.write_bytes(data)
    try:
        with open_pack(path, limits=limits) as pack:
            pack.check_integrity()
    except AttestError as error:
        return error.code
    return None


@pytest.mark.parametrize("above", [0, 1])
@pytest.mark.parametrize("name", PACKS)
def test_a_pack_is_held_to_each_limit(name: str, above: int, tmp_path: Path) -> None:
    limit, make, code = PACKS[name]
    most = FLOORS[limit] + above
    limits = from_option(limit, str(most), tmp_path)
    assert verdict(make(most), limits, tmp_path) is None
    assert verdict(make(most + 1), limits, tmp_path) == code


def test_the_compression_ratio_is_held(tmp_path: Path) -> None:
    data = b"a" * 4096
    item = Item(name=b"artifacts/x", method=8, content=data)
    ratio = -(-len(data) // len(item.stored))
    pack = packed(item, listed={"artifacts/x": data})
    for value, code in ((ratio, None), (ratio - 1, "zip_bomb"), (1, "zip_bomb")):
        limits = from_option("max_compression_ratio", str(value), tmp_path)
        assert verdict(pack, limits, tmp_path) == code
    # At its floor only what does not shrink is accepted.
    assert (
        verdict(artifact(100), from_option("max_compression_ratio", "1", tmp_path), tmp_path)
        is None
    )


def bundle_of(size: int) -> bytes:
    data = V2_DSSE.build()
    return data + b" " * (size - len(data))


def entries(count: int) -> bytes:
    bundle = json.loads(V2_DSSE.build())
    entry = bundle["verificationMaterial"]["tlogEntries"][0]
    bundle["verificationMaterial"]["tlogEntries"] = [
        {**entry, "canonicalizedBody": b64(b"%d" % n)} for n in range(count)
    ]
    return json.dumps(bundle).encode()


def timestamps(count: int) -> bytes:
    bundle = json.loads(V2_DSSE.build())
    bundle["verificationMaterial"]["timestampVerificationData"] = {
        "rfc3161Timestamps": [{"signedTimestamp": b64(b"%d" % n)} for n in range(count)]
    }
    return json.dumps(bundle).encode()


BUNDLES: dict[str, tuple[Callable[[int], bytes], str]] = {
    "max_bundle_bytes": (bundle_of, "bundle_too_large"),
    "max_log_entries": (entries, "malformed_bundle"),
    "max_timestamps": (timestamps, "malformed_bundle"),
}


@pytest.mark.parametrize("above", [0, 1])
@pytest.mark.parametrize("name", BUNDLES)
def test_a_bundle_is_held_to_each_limit(name: str, above: int, tmp_path: Path) -> None:
    make, code = BUNDLES[name]
    most = FLOORS[name] + above
    limits = from_option(name, str(most), tmp_path)
    assert parse_bundle(make(most), limits=limits).version == "0.3"
    with pytest.raises(AttestError) as caught:
        parse_bundle(make(most + 1), limits=limits)
    assert caught.value.code == code


@pytest.mark.parametrize("above", [0, 1])
def test_a_pack_and_the_command_hold_a_bundle_to_its_size(above: int, tmp_path: Path) -> None:
    limits = from_option("max_bundle_bytes", str(65_536 + above), tmp_path)
    name = "attestations/a.sigstore.json"
    for size, code in ((65_536 + above, None), (65_537 + above, "bundle_too_large")):
        path = tmp_path / "b.epack"
        path.write_bytes(packed(Item(name=name.encode(), content=bundle_of(size))))
        with open_pack(path, limits=limits) as pack:
            if code is None:
                assert len(pack.read_attestation(name)) == size
            else:
                with pytest.raises(AttestError) as caught:
                    pack.read_attestation(name)
                assert caught.value.code == code


@pytest.mark.parametrize("most", [16, 17, 64, 65, 100])
def test_a_statement_is_held_to_the_depth(most: int) -> None:
    limits = load_settings({}, limits=[f"max_json_depth={most}"]).limits
    for depth, code in ((most, None), (most + 1, "json_too_deep")):
        predicate = '{"a":' * (depth - 2) + "{}" + "}" * (depth - 2)
        payload = (
            '{"_type":"https://in-toto.io/Statement/v1","predicateType":"https://x.example/v1",'
            f'"subject":[{{"digest":{{"sha256":"{"0" * 64}"}}}}],"predicate":{predicate}}}'
        )
        signed = UntrustedEnvelope(
            payload_type=IN_TOTO_PAYLOAD_TYPE, payload=payload.encode(), signature=b"x"
        )
        content = ArtifactContent(digest_of=lambda _: bytes(32))
        if code is None:
            assert check_content(signed, content, limits=limits)
        else:
            with pytest.raises(AttestError) as caught:
                check_content(signed, content, limits=limits)
            assert caught.value.code == code
