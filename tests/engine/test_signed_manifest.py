"""What is signed is the manifest in JCS form, recomputed: R-068 to R-072, R-077, R-078."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from attest.pack.reader import open_pack
from tests.engine.merged_evidence import good, judge, naming, sign_whole, signed
from tests.pack.merging import made, rewritten
from tests.pack.zipbytes import Item, Zip


def pack(folder: Path) -> Path:
    return made(folder / "a.epack", "acme/prod", {"data": b"1"})


def judged(path: Path) -> str | None:
    error = judge(path, naming("ana")).error
    return None if error is None else error.code


#: UTF-16 puts the second before the first, UTF-8 and code points the other way round.
METADATA = {"\ufb33": 1, "\U0001f600": 2, "b": 1.5, "a": 100, "nested": {"z": [True], "y": None}}


@dataclass(frozen=True, kw_only=True)
class Spelling:
    """A way to spell JSON: by which keys are sorted, what stands between, how numbers look."""

    key: Callable[[str], bytes] = lambda text: text.encode("utf-16-be")
    comma: str = ","
    number: Callable[[float], str] = json.dumps

    def of(self, value: object) -> str:
        if isinstance(value, dict):
            members = [
                f"{json.dumps(key, ensure_ascii=False)}:{self.of(value[key])}"
                for key in sorted(value, key=self.key)
            ]
            return "{" + self.comma.join(members) + "}"
        if isinstance(value, list):
            return "[" + self.comma.join(map(self.of, value)) + "]"
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self.number(value)
        return json.dumps(value, ensure_ascii=False)


SPELLINGS: dict[str, tuple[Spelling, str | None]] = {
    "R-068: sorted by UTF-16": (Spelling(), None),
    "R-068: sorted by UTF-8": (Spelling(key=str.encode), "manifest_digest_mismatch"),
    "R-069: with a space": (Spelling(comma=", "), "manifest_digest_mismatch"),
    "R-069: with a line end": (Spelling(comma=",\n"), "manifest_digest_mismatch"),
    "R-070: 1.50 and 100.0": (
        Spelling(number=lambda value: f"{value:.2f}"), "manifest_digest_mismatch",
    ),
    "R-070: exponents": (
        Spelling(number=lambda value: f"{value:e}"), "manifest_digest_mismatch",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SPELLINGS)
def test_what_is_signed_is_the_canonical_form(tmp_path: Path, name: str) -> None:
    spelling, code = SPELLINGS[name]
    path = pack(tmp_path)

    def describe(manifest: dict[str, object], _: dict[str, bytes]) -> None:
        artifacts = manifest["artifacts"]
        assert isinstance(artifacts, list)
        artifacts[0]["metadata"] = METADATA

    rewritten(path, describe)
    with open_pack(path) as opened:
        text = spelling.of(json.loads(opened.manifest_bytes))
    digest = hashlib.sha256(text.encode()).digest()
    sign_whole(path, lambda _: signed(digest))
    assert judged(path) == code


@pytest.mark.parametrize(
    ("member", "code"),
    [
        (b'"number":NaN', "non_finite_number"),
        (b'"number":-Infinity', "non_finite_number"),
        (b'"number":1e999', "non_finite_number"),
        (b'"stream":"acme/other"', "duplicate_keys"),
        (b'"\\u0073tream":"acme/other"', "duplicate_keys"),
        (b'"x":{"a":1,"a":1}', "duplicate_keys"),
    ],
)
def test_a_manifest_without_a_canonical_form_is_refused(
    tmp_path: Path, member: bytes, code: str
) -> None:
    path = sign_whole(pack(tmp_path), good)
    with open_pack(path) as opened:
        manifest = opened.manifest_bytes.rstrip()[:-1] + b"," + member + b"}"
        items = [Item(name=b"manifest.json", content=manifest), Item(name=b"artifacts/")]
        items += [
            Item(name=name.encode(), content=opened.read_attestation(name))
            for name in opened.attestation_names
        ]
    path.write_bytes(Zip(items=tuple(items)).build())
    assert judged(path) == code


def test_a_signed_pack_with_other_artifacts_fails(tmp_path: Path) -> None:
    path = sign_whole(pack(tmp_path), good)
    with open_pack(path) as opened:
        names = opened.attestation_names
        attestations = {name: opened.read_attestation(name) for name in names}

    def change(_: dict[str, object], files: dict[str, bytes]) -> None:
        files["artifacts/data"] = b"2"

    rewritten(path, change, attestations=attestations, consistent=False)
    assert judged(path) == "digest_mismatch"
