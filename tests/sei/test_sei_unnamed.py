"""Artefacts whose payload does not say of which standard it is: one id for each file name."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest.errors import UsageError
from attest.formats.sei.artefact import Artefact
from attest.formats.sei.layout import only_id_of, path_of, slug_of
from attest.formats.sei.store import Stored, write_artefact
from attest.strictjson import JSON
from tests.sei.golden import golden_key

KEY = golden_key()


def write(repository: Path, standard: str, payload: dict[str, JSON] | None = None) -> Stored:
    artefact = Artefact(kind="conformance", system="loan", payload=payload or {})
    return write_artefact(repository, artefact, KEY, standard=standard)


def files(repository: Path) -> dict[str, bytes]:
    return {str(item): item.read_bytes() for item in repository.rglob("*") if item.is_file()}


def require_refused(
    repository: Path, standard: str, payload: dict[str, JSON] | None = None
) -> None:
    before = files(repository)
    with pytest.raises(UsageError) as caught:
        write(repository, standard, payload)
    assert caught.value.code == "slug_collision"
    assert files(repository) == before


@pytest.mark.parametrize("standard", ["eu/pren-18228@2026", "iso/23894@2023", "ai-act", "x"])
def test_an_id_that_its_file_name_says_needs_no_payload_that_does(
    tmp_path: Path, standard: str
) -> None:
    write(tmp_path, standard)
    write(tmp_path, standard, {"run": 2})


@pytest.mark.parametrize(
    "standard",
    ["a_b", "a/b", "a@b", "a_b@c", "a/b_c", "a/b/c", "a@b/c", "a/b@c@d", "_/a@b", "a@_/b"],
)
def test_any_other_is_refused_before_it_can_take_anothers_place(
    tmp_path: Path, standard: str
) -> None:
    require_refused(tmp_path, standard)
    write(tmp_path, standard, {"standard": standard})
    require_refused(tmp_path, standard)


@pytest.mark.parametrize("standard", ["a_b@c", "a/b_c", "a@b/c"])
def test_what_says_another_takes_no_place_of_what_does_not_say(
    tmp_path: Path, standard: str
) -> None:
    write(tmp_path, "a/b@c")
    require_refused(tmp_path, standard, {"standard": standard})
    write(tmp_path, "a/b@c", {"standard": "a/b@c"})


def test_what_nobody_can_tell_of_which_standard_it_is_stays(tmp_path: Path) -> None:
    said = write(tmp_path, "a_b", {"standard": "a_b"})
    file = tmp_path / said.path
    file.write_bytes(said.data.replace(b'"standard"', b'"of"'))  # as another program may write it
    require_refused(tmp_path, "a_b", {"standard": "a_b"})
    file.unlink()
    write(tmp_path, "a_b", {"standard": "a_b"})


@given(st.text("ab_/@", max_size=9), st.text("ab_/@", max_size=9))
def test_no_two_ids_that_go_unsaid_share_a_name(one: str, other: str) -> None:
    names = {}
    for standard in (one, other):
        try:
            artefact = Artefact(kind="conformance", system="s", payload={})
            names[standard] = path_of(artefact, standard)
            assert only_id_of(slug_of(standard)) == standard
        except UsageError:
            continue
    assert len(set(names.values())) == len(names)
