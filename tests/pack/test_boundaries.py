"""Both sides of every boundary that the document draws, in every place where it holds."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest

from attest.errors import MalformedEvidence, UsageError
from attest.limits import FLOORS, Limits
from attest.pack.builder import build_pack
from attest.pack.manifest import parse_manifest
from attest.pack.paths import MAX_PATH_BYTES, MAX_SEGMENT_BYTES, check_path
from attest.pack.reader import open_pack
from tests.pack.full_manifest import FULL, PACK, code_of, code_of_manifest, written
from tests.pack.zipbytes import Item, Zip, manifest, manifest_item, with_more


def test_the_manifest_that_is_changed_is_sound() -> None:
    assert code_of_manifest(json.dumps(FULL).encode()) is None


# Paths


def longest(letter: str, size: int) -> str:
    """A path of exactly so many bytes, in segments that are not too long."""
    width = len(letter.encode())
    path = "artifacts/"
    while size - len(path.encode()) > MAX_SEGMENT_BYTES:
        path += letter * (60 // width) + "/"
    rest = size - len(path.encode())
    return path + letter * (rest // width) + "a" * (rest % width)


LETTERS = ["a", "\u00e9", "\u5b89", "\U0001f512"]


@pytest.mark.parametrize("letter", LETTERS)
@pytest.mark.parametrize(("more", "code"), [(-1, None), (0, None), (1, "invalid_path")])
def test_a_path_has_at_most_240_bytes(
    tmp_path: Path, letter: str, more: int, code: str | None
) -> None:
    path = longest(letter, MAX_PATH_BYTES + more)
    assert len(path.encode()) == 240 + more
    assert places(path, tmp_path) == [code] * 4


@pytest.mark.parametrize("letter", LETTERS)
@pytest.mark.parametrize(("more", "code"), [(-1, None), (0, None), (1, "invalid_path")])
def test_a_segment_has_at_most_80_bytes(
    tmp_path: Path, letter: str, more: int, code: str | None
) -> None:
    size, width = MAX_SEGMENT_BYTES + more, len(letter.encode())
    segment = letter * (size // width) + "a" * (size % width)
    assert len(segment.encode()) == 80 + more
    for path in (f"artifacts/{segment}", f"artifacts/{segment}/x"):
        assert places(path, tmp_path) == [code] * 4


def places(path: str, tmp_path: Path) -> list[str | None]:
    """The verdicts on a path: by itself, in a manifest, in an archive, and for building."""
    number = len(list(tmp_path.iterdir()))
    pack = tmp_path / f"{number}.epack"
    item = Item(name=path.encode())
    pack.write_bytes(Zip(items=(manifest_item(manifest({path: b""})), item)).build())
    source = tmp_path / str(number) / path.removeprefix("artifacts/")
    source.parent.mkdir(parents=True)
    source.touch()

    def read() -> None:
        with open_pack(pack) as opened:
            opened.check_integrity()

    def build() -> None:
        build_pack(pack, [tmp_path / str(number)], stream="s", replace=True)

    return [
        code_of(lambda: check_path(path)),
        code_of_manifest(written("artifacts", 0, "path", as_json=json.dumps(path))),
        code_of(read),
        code_of(build),
    ]


# Integers

INTEGERS = [("sources", 0, "artifacts"), ("artifacts", 0, "size"), (*PACK, "artifacts")]


@pytest.mark.parametrize("path", INTEGERS, ids=str)
@pytest.mark.parametrize(
    "text",
    ["0", "-0", "0.0", "-0.0", "0e9", "1", "1.0", "1e0", "1E+0", "10e-1", "1.50e1",
     "9007199254740990", "9007199254740991", "9007199254740991.0", "9.007199254740991e15",
     "9007199254740991e0"],
)  # fmt: skip
def test_whole_numbers_to_the_largest_are_accepted(path: tuple[str | int, ...], text: str) -> None:
    assert code_of_manifest(written(*path, as_json=text)) is None


@pytest.mark.parametrize("path", INTEGERS, ids=str)
@pytest.mark.parametrize(
    ("text", "code"),
    [
        *((text, "invalid_number") for text in (
            "-1", "-1.0", "-1e0", "0.5", "1.5", "1e-1", "15e-1", "9007199254740992",
            "9007199254740992.0", "9.007199254740992e15", "9007199254740993", "1e16", "1e308",
            "9007199254740990.5", "1.00000000000000000001", "0.99999999999999999999", "1e-400",
            '"1"', "true", "null", "[1]", "{}", "9" * 5000)),
        *((text, "non_finite_number") for text in (
            "1e400", "-1e400", "1" + "0" * 400 + ".0", "NaN", "Infinity", "-Infinity")),
        *((text, "invalid_json") for text in (
            "01", "-01", "+1", "1.", ".5", "0x1", "1_0", "--1", "1e", "1e+", "- 1", "nan", "inf",
            "-", "1 2", "\u0661", "1\u00a0")),
    ],
)  # fmt: skip
def test_other_numbers_are_refused(path: tuple[str | int, ...], text: str, code: str) -> None:
    assert code_of_manifest(written(*path, as_json=text)) == code


# Times

TIMES = [("generated_at",), ("artifacts", 0, "collected_at"), ("provenance", "merged_at")]


@pytest.mark.parametrize("path", TIMES, ids=str)
@pytest.mark.parametrize(
    "text",
    ["2024-02-29T00:00:00Z", "2000-02-29T23:59:59Z", "0001-01-01T00:00:00Z",
     "9999-12-31T23:59:59Z", "2026-01-31T00:00:00Z", "2026-04-30T12:30:30Z"],
)  # fmt: skip
def test_times_that_exist_are_accepted(path: tuple[str | int, ...], text: str) -> None:
    assert code_of_manifest(written(*path, as_json=json.dumps(text))) is None


@pytest.mark.parametrize("path", TIMES, ids=str)
@pytest.mark.parametrize(
    "text",
    ["2023-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "1900-02-29T00:00:00Z",
     "2024-02-30T00:00:00Z", "2026-04-31T00:00:00Z", "2026-01-32T00:00:00Z",
     "2026-01-00T00:00:00Z", "2026-00-01T00:00:00Z", "2026-13-01T00:00:00Z",
     "0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "2026-01-01T24:00:00Z",
     "2026-01-01T23:60:00Z", "2026-01-01T23:59:61Z",
     "2016-12-31T23:59:60Z",  # a leap second that there was: readers do not agree on it
     "2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00-00:00", "2026-01-01T00:00:00.0Z",
     "2026-01-01T00:00:00,0Z", "2026-01-01t00:00:00Z", "2026-01-01T00:00:00z",
     "2026-01-01 00:00:00Z", "2026-01-01T00:00Z", "20260101T000000Z", "2026-W01-1T00:00:00Z",
     "2026-001T00:00:00Z", " 2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z ",
     "2026-01-01T00:00:00Z\n", "2026-01-01T00:00:00ZZ", "-026-01-01T00:00:00Z", ""],
)  # fmt: skip
def test_other_times_are_refused(path: tuple[str | int, ...], text: str) -> None:
    assert code_of_manifest(written(*path, as_json=json.dumps(text))) == "invalid_timestamp"


# Digests

DIGESTS = [
    ("pack_digest",),
    ("sources", 0, "binary_digest"),
    ("artifacts", 0, "digest"),
    ("artifacts", 1, "digest"),
    (*PACK, "pack_digest"),
    ("profile_lock", 0, "digest"),
]
BARE = (*PACK, "manifest_digest")
HEX = "0123456789abcdef" * 4


@pytest.mark.parametrize("path", [*DIGESTS, BARE], ids=str)
def test_64_lowercase_hex_digits_are_a_digest(path: tuple[str | int, ...]) -> None:
    prefix = "" if path == BARE else "sha256:"
    for digits in (HEX, "0" * 64, "f" * 64):
        assert code_of_manifest(written(*path, as_json=json.dumps(prefix + digits))) is None


@pytest.mark.parametrize("path", [*DIGESTS, BARE], ids=str)
@pytest.mark.parametrize(
    "digits",
    [HEX[:63], HEX + "0", HEX[:-1] + "F", HEX.upper(), HEX[:-1] + "g", HEX[:-1] + "\u0661", "",
     HEX + "\n", " " + HEX, "sha512:" + HEX, HEX[:32]],
)  # fmt: skip
def test_nothing_else_is_a_digest(path: tuple[str | int, ...], digits: str) -> None:
    prefixes = ["", "sha256:sha256:"] if path == BARE else ["sha256:", "SHA256:", "sha-256:"]
    for prefix in prefixes:
        found = code_of_manifest(written(*path, as_json=json.dumps(prefix + digits)))
        assert found == "invalid_digest_format"


# Limits


@pytest.mark.parametrize("name", [field.name for field in fields(Limits)])
def test_every_limit_has_a_floor_and_cannot_be_off(name: str) -> None:
    floor = FLOORS[name]
    assert getattr(Limits(**{name: floor}), name) == floor
    assert getattr(Limits(), name) >= floor
    assert getattr(Limits(**{name: 2**62}), name) == 2**62
    for value, code in (
        (floor - 1, "below_minimum" if floor > 1 else "limits_disabled"),
        (0, "limits_disabled"),
        (-1, "limits_disabled"),
        (True, "invalid_limit"),
        (float("inf"), "invalid_limit"),
        (None, "invalid_limit"),
    ):
        with pytest.raises(UsageError) as caught:
            Limits(**{name: value})  # type: ignore[arg-type]  # wrong ones among them
        assert caught.value.code == code


def test_the_floors_of_the_document_are_kept() -> None:
    assert (FLOORS["max_artifact_bytes"], FLOORS["max_pack_bytes"]) == (2**20, 10 * 2**20)
    assert FLOORS["max_artifacts"] == 100
    limits = Limits()
    assert (limits.max_artifact_bytes, limits.max_pack_bytes) == (100 * 2**20, 2 * 2**30)
    assert (limits.max_artifacts, limits.max_compression_ratio) == (10_000, 100)


@pytest.mark.parametrize(("more", "code"), [(0, None), (1, "bundle_too_large")])
def test_an_attestation_is_no_larger_than_allowed(
    tmp_path: Path, more: int, code: str | None
) -> None:
    name = "attestations/a.sigstore.json"
    path = tmp_path / "a.epack"
    path.write_bytes(with_more(Item(name=name.encode(), content=bytes(65_536 + more))).build())
    with open_pack(path, limits=Limits(max_bundle_bytes=65_536)) as pack:
        assert code_of(lambda: pack.read_attestation(name)) == code


def test_a_rule_is_named_for_every_kind_of_breach() -> None:
    for path, text, rule in (
        (("artifacts", 0, "size"), "-1", "R-033"),
        (("sources", 0, "artifacts"), "-1", "R-027"),
        (("generated_at",), '"now"', "R-030"),
        (("pack_digest",), '"x"', "R-031"),
        (("stream",), '""', "R-029"),
        (("spec_version",), '"2.0"', "R-028"),
        (("sources", 0), '{"name": "x", "more": 1}', "R-027a"),
        (("profile",), '""', "R-028b"),
        (("overlays",), "[1]", "R-028c"),
        (("profile_lock", 0, "digest"), '""', "R-028d"),
        (("artifacts", 1, "uri"), '"http://x"', "R-039"),
        (("artifacts", 1, "uri"), '"https://x/#a"', "R-040"),
    ):
        with pytest.raises(MalformedEvidence) as caught:
            parse_manifest(written(*path, as_json=text))
        assert caught.value.rule == rule
