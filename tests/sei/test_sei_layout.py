"""Slugs and paths: the document's own, and none that is unsafe or two things on some system."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest.errors import AttestError, MalformedEvidence, UsageError, VerificationFailed
from attest.formats.sei.artefact import Artefact
from attest.formats.sei.layout import (
    check_place,
    keyless_path,
    kind_of,
    path_of,
    signature_path,
    slug_of,
    standard_of,
)

STANDARD = "eu/pren-18228@2026"
PATH = PurePosixPath(".sei/conformance/eu_pren-18228_2026.json")


def conformance(**payload: Any) -> Artefact:  # noqa: ANN401  # any JSON
    return Artefact(kind="conformance", system="loan", payload=payload)


RECONSTRUCT = Artefact(kind="reconstruct", system="loan", payload={})


@pytest.mark.parametrize(
    ("standard", "slug"),
    [
        (STANDARD, "eu_pren-18228_2026"),
        ("iso/23894@2023", "iso_23894_2023"),
        ("a_b", "a_b"),
        ("ISO/23894@2023", "ISO_23894_2023"),
        ("a/b/c@1@2", "a_b_c_1_2"),
        ("x.json", "x.json"),
        ("été/ü", "été_ü"),
        ("con-1", "con-1"),
        ("console", "console"),
        ("com10", "com10"),
        ("@", "_"),
        ("a b", "a b"),
        ("con/1", "con_1"),
        ("a" * 200, "a" * 200),
    ],
)
def test_a_slug_is_the_id_with_slash_and_at_replaced(standard: str, slug: str) -> None:
    assert slug_of(standard) == slug


@pytest.mark.parametrize(
    "standard",
    [
        "",
        ".",
        "..",
        "../evil",
        "eu/../evil",
        "eu/./x",
        "/etc",
        "eu/",
        "eu//x",
        "a\x00b",
        "a\nb",
        "a\x7fb",
        "a\x85b",
        "a\u202eb",
        "a\u200bb",
        "a\u00a0b",
        "a\ud800",
        *(f"a{mark}b" for mark in '\\:*?"<>|'),
        "c:evil",
        ".hidden",
        " a",
        "a.",
        "a ",
        "con",
        "CON",
        "Nul",
        "nul.txt",
        "aux.tar.gz",
        "prn ",
        "con .x",
        "com1",
        "COM0",
        "LPT9.x",
        "com¹",
        "lpt³.x",
        "conin$",
        "CONOUT$.x",
        "e\u0301t\u0301",
        "a" * 201,
        "é" * 101,
        "x.json.sigstore",
        "x.JSON.SigStore",
    ],
)
def test_an_unsafe_id_is_refused(standard: str) -> None:
    with pytest.raises(UsageError) as caught:
        slug_of(standard)
    assert caught.value.code == "invalid_standard_id"


@given(st.text(max_size=12) | st.text("aA.@/_ \\:cCoOnN1é\u0301", max_size=8))
def test_a_slug_is_one_safe_file_name_and_its_own_slug(standard: str) -> None:
    try:
        slug = slug_of(standard)
    except UsageError:
        return
    assert slug == standard.replace("/", "_").replace("@", "_")
    assert slug_of(slug) == slug
    path = path_of(conformance(standard=standard))
    assert path.parent == PATH.parent
    assert path.parts == (".sei", "conformance", f"{slug}.json")
    assert kind_of(path) == "conformance"


def test_where_artefacts_belong() -> None:
    assert path_of(RECONSTRUCT) == PurePosixPath(".sei/reconstruct.json")
    assert path_of(conformance(), STANDARD) == PATH
    assert path_of(conformance(standard=STANDARD)) == PATH
    assert path_of(conformance(standard_id=STANDARD), STANDARD) == PATH
    assert signature_path(PATH).name == "eu_pren-18228_2026.json.sig"
    assert keyless_path(PATH).name == "eu_pren-18228_2026.json.sigstore.json"


@pytest.mark.parametrize(
    ("artefact", "standard", "code"),
    [
        (conformance(), None, "standard_needed"),
        (conformance(standard=["x"]), None, "standard_needed"),
        (conformance(), "", "invalid_standard_id"),
        (conformance(standard="a:b"), None, "invalid_standard_id"),
        (conformance(standard=STANDARD), "iso/1", "standard_mismatch"),
        (conformance(standard="a_b@c"), "a/b@c", "standard_mismatch"),
        (conformance(standard_id=STANDARD), "", "standard_mismatch"),
        (conformance(standard=STANDARD, standard_id="iso/1"), STANDARD, "standard_mismatch"),
        (RECONSTRUCT, STANDARD, "invalid_standard_id"),
    ],
)
def test_an_artefact_without_a_place_is_refused(
    artefact: Artefact, standard: str | None, code: str
) -> None:
    with pytest.raises(AttestError) as caught:
        path_of(artefact, standard)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (".sei/bundle.json", "bundle"),
        (".sei/reconstruct.json", "reconstruct"),
        (".sei/conformance/x.json", "conformance"),
        (".sei/conformance/bundle.json", "conformance"),
        (".sei/conformance/x.json.json", "conformance"),
        ("bundle.json", None),
        ("sub/.sei/bundle.json", None),
        ("/.sei/bundle.json", None),
        (".sei/Bundle.json", None),
        (".SEI/bundle.json", None),
        (".sei/other.json", None),
        (".sei/bundle.json.sig", None),
        (".sei/bundle.json.sigstore.json", None),
        (".sei/conformance/x.json.sig", None),
        (".sei/conformance/x.json.sigstore.json", None),
        (".sei/conformance/sub/x.json", None),
        (".sei/conformance", None),
        (".sei/conformance/x", None),
        (".sei/conformance/x.JSON", None),
        (".sei/conformance/.json", None),
        (".sei/conformance/.x.json", None),
        (".sei/conformance/con.json", None),
        (".sei/conformance/a@b.json", None),
        (".sei/conformance/a:b.json", None),
        (".sei/conformance/x.json.0011223344556677.tmp", None),
    ],
)
def test_what_a_path_holds(path: str, kind: str | None) -> None:
    assert kind_of(PurePosixPath(path)) == kind


@pytest.mark.parametrize(
    ("payload", "standard"),
    [
        ({}, None),
        ({"standard": "a"}, "a"),
        ({"standard_id": "a"}, "a"),
        ({"standard": "a", "standard_id": "a"}, "a"),
        ({"standard": {"id": "b"}, "standard_id": "a"}, "a"),
        ({"standard": None}, None),
        ({"standard": 7}, None),
        ({"results": {"standard": "a"}}, None),
    ],
)
def test_the_standard_that_a_payload_states(payload: Any, standard: str | None) -> None:  # noqa: ANN401
    assert standard_of(payload) == standard


def test_two_standards_in_one_payload_are_refused() -> None:
    with pytest.raises(MalformedEvidence) as caught:
        standard_of({"standard": "a", "standard_id": "b"})
    assert caught.value.code == "standard_mismatch"


@pytest.mark.parametrize(
    ("artefact", "path"),
    [
        (RECONSTRUCT, ".sei/reconstruct.json"),
        (conformance(), str(PATH)),
        (conformance(standard=STANDARD), str(PATH)),
        # Only on writing is the id itself compared; a path cannot tell these from each other.
        (conformance(standard="eu_pren-18228@2026"), str(PATH)),
        (Artefact(kind="reconstruct", system="x", payload={"standard": "a"}),
         ".sei/reconstruct.json"),
    ],
)  # fmt: skip
def test_an_artefact_in_its_place_passes(artefact: Artefact, path: str) -> None:
    check_place(artefact, PurePosixPath(path))


@pytest.mark.parametrize(
    ("artefact", "path", "code"),
    [
        (RECONSTRUCT, str(PATH), "kind_mismatch"),
        (conformance(), ".sei/reconstruct.json", "kind_mismatch"),
        (conformance(), ".sei/bundle.json", "kind_mismatch"),
        (conformance(), "elsewhere/x.json", "kind_mismatch"),
        (conformance(standard="iso/23894@2023"), str(PATH), "standard_mismatch"),
        (conformance(standard_id="iso/23894@2023"), str(PATH), "standard_mismatch"),
        (conformance(standard=STANDARD.upper()), str(PATH), "standard_mismatch"),
        (conformance(standard=""), str(PATH), "standard_mismatch"),
        (conformance(standard="../../x"), str(PATH), "standard_mismatch"),
    ],
)
def test_an_artefact_in_anothers_place_fails(artefact: Artefact, path: str, code: str) -> None:
    with pytest.raises(VerificationFailed) as caught:
        check_place(artefact, PurePosixPath(path))
    assert caught.value.code == code
