"""What lies below `.sei`: nothing is missed, nothing is followed, nothing else is entered."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest

from attest.errors import AttestError, MalformedEvidence, UsageError
from attest.formats.sei.walk import Found, walk
from attest.limits import DEFAULT_LIMITS, Limits

POSIX = pytest.mark.skipif(os.name == "nt", reason="links and pipes need rights of their own there")
ONE = ".sei/conformance/iso_23894_2023.json"


def make(repository: Path, *names: str) -> None:
    for name in names:
        path = repository / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"{}")


def walked(repository: Path, limits: Limits = DEFAULT_LIMITS) -> dict[str, Found]:
    return {str(item.path): item for item in walk(repository, limits=limits).found}


def codes(repository: Path) -> dict[str, str | None]:
    found = walked(repository)
    return {name: item.error.code if item.error else None for name, item in found.items()}


def refused(repository: Path, limits: Limits = DEFAULT_LIMITS) -> AttestError:
    with pytest.raises(AttestError) as caught:
        walk(repository, limits=limits)
    return caught.value


def test_every_artefact_is_found_with_what_lies_beside_it(tmp_path: Path) -> None:
    make(tmp_path, ".sei/bundle.json", ".sei/bundle.json.sig", ".sei/reconstruct.json")
    make(tmp_path, ONE, f"{ONE}.sig", f"{ONE}.sigstore.json")
    make(tmp_path, ".sei/conformance/a.json", ".sei/conformance/a.json.sigstore.json")
    assert walked(tmp_path) == {
        name: Found(path=PurePosixPath(name), signed=signed, keyless=keyless)
        for name, signed, keyless in [
            (".sei/bundle.json", True, False),
            (".sei/conformance/a.json", False, True),
            (ONE, True, True),
            (".sei/reconstruct.json", False, False),
        ]
    }


@pytest.mark.parametrize("name", [".sei/bundle.json", ".sei/reconstruct.json", ONE])
@pytest.mark.parametrize("suffix", [".sig", ".sigstore.json"])
def test_a_signature_beside_nothing_is_told_of(name: str, suffix: str, tmp_path: Path) -> None:
    make(tmp_path, f"{name}{suffix}")
    assert codes(tmp_path) == {f"{name}{suffix}": "orphan_signature"}


@pytest.mark.parametrize(
    "name",
    [
        "readme.md",
        "keys.pub",
        "sei-policy.yaml",
        "other.json",
        "other.json.sig",
        "Bundle.json",
        "bundle.json.SIG",
        "bundle.json.sig.sig",
        ".sig",
        ".json",
        ".hidden.json",
        "bundle.json.pending.json",
        "conformance/.json",
        "conformance/nul.json",
        "conformance/a b .json",
        "conformance/A.JSON",
        "conformance/a",
        "conformance/.json.sig",
        "conformance/bundle.json.sigstore.json.sig",
    ],
)
def test_what_has_no_place_there_is_told_of(name: str, tmp_path: Path) -> None:
    make(tmp_path, ".sei/bundle.json", f".sei/{name}")
    assert codes(tmp_path) == {".sei/bundle.json": None, f".sei/{name}": "unexpected_file"}


def test_other_folders_are_told_of_and_not_entered(tmp_path: Path) -> None:
    make(tmp_path, ".sei/bundle.json", ".sei/old/bundle.json", ".sei/conformance/eu/x.json")
    (tmp_path / ".sei" / "reconstruct.json").mkdir()
    make(tmp_path, ".sei/reconstruct.json.sig")
    assert codes(tmp_path) == {
        ".sei/bundle.json": None,
        ".sei/conformance/eu": "unexpected_file",
        ".sei/old": "unexpected_file",
        ".sei/reconstruct.json": "unexpected_file",
    }


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_a_name_that_is_no_text_is_told_of(tmp_path: Path) -> None:
    make(tmp_path, ".sei/bundle.json")
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/.sei/conformance\xff.json")).write_bytes(b"{}")
    except OSError:
        pytest.skip("this file system takes text alone")
    assert list(codes(tmp_path).values()) == [None, "unexpected_file"]


@POSIX
@pytest.mark.parametrize("name", [".sei/bundle.json", ".sei/conformance", ONE, ".sei/x"])
def test_a_link_is_refused_wherever_it_leads(name: str, tmp_path: Path) -> None:
    make(tmp_path, "elsewhere/file", ".sei/reconstruct.json", f"{ONE}.keep")
    path = tmp_path / name
    if name == ".sei/conformance":
        path.rename(tmp_path / "elsewhere" / "conformance")
        path.symlink_to(tmp_path / "elsewhere" / "conformance")
    else:
        path.symlink_to(tmp_path / "elsewhere" / "file")
    found = codes(tmp_path)
    assert found[name] == "symlink_refused"
    assert found[".sei/reconstruct.json"] is None
    assert not any(key.startswith(f"{name}/") for key in found)


@POSIX
def test_a_linked_signature_signs_nothing(tmp_path: Path) -> None:
    make(tmp_path, "a.sig", ".sei/bundle.json")
    (tmp_path / ".sei" / "bundle.json.sig").symlink_to(tmp_path / "a.sig")
    found = walked(tmp_path)
    assert not found[".sei/bundle.json"].signed
    assert codes(tmp_path)[".sei/bundle.json.sig"] == "symlink_refused"


@POSIX
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    make(tmp_path, ".sei/bundle.json")
    os.mkfifo(tmp_path / ".sei" / "reconstruct.json")
    os.mkfifo(tmp_path / ".sei" / "bundle.json.sig")
    assert not walked(tmp_path)[".sei/bundle.json"].signed
    found = codes(tmp_path)
    assert found.pop(".sei/bundle.json") is None
    assert set(found.values()) == {"unexpected_file"}


@POSIX
def test_a_linked_folder_of_artefacts_is_a_verdict(tmp_path: Path) -> None:
    make(tmp_path, "outside/.sei/bundle.json")
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / ".sei").symlink_to(tmp_path / "outside" / ".sei")
    error = refused(tmp_path / "inside")
    assert (error.code, error.where, error.exit_code) == ("symlink_refused", ".sei", 1)
    assert isinstance(error, MalformedEvidence)


@POSIX
def test_the_repository_itself_may_be_reached_by_a_link(tmp_path: Path) -> None:
    make(tmp_path, "real/.sei/bundle.json")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert list(codes(tmp_path / "link")) == [".sei/bundle.json"]


def no_repository(_: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("prepare", "code", "exit_code"),
    [
        (no_repository, "no_sei_folder", 2),
        (lambda path: (path / ".sei").write_bytes(b""), "unexpected_file", 1),
    ],
)
def test_without_a_folder_there_is_nothing_to_walk(
    prepare: Callable[[Path], object], code: str, exit_code: int, tmp_path: Path
) -> None:
    prepare(tmp_path)
    error = refused(tmp_path)
    assert (error.code, error.exit_code) == (code, exit_code)


@pytest.mark.skipif(os.name == "nt" or os.getuid() == 0, reason="root reads everything")
def test_a_folder_that_cannot_be_read_is_no_verdict(tmp_path: Path) -> None:
    make(tmp_path, ONE)
    (tmp_path / ".sei" / "conformance").chmod(0)
    try:
        error = refused(tmp_path)
    finally:
        (tmp_path / ".sei" / "conformance").chmod(0o700)
    assert isinstance(error, UsageError)
    assert error.code == "unreadable_file"


def test_what_a_cut_off_write_leaves_is_no_evidence_and_is_named(tmp_path: Path) -> None:
    left = [".sei/.bundle.json.0123456789abcdef.tmp", ".sei/conformance/.a.json.lock"]
    make(tmp_path, ".sei/bundle.json", *left, ".sei/.bundle.json.0123.tmp", ".sei/x.tmp")
    found = walk(tmp_path, limits=DEFAULT_LIMITS)
    assert [str(item) for item in found.leftovers] == left
    assert codes(tmp_path) == {
        ".sei/.bundle.json.0123.tmp": "unexpected_file",
        ".sei/bundle.json": None,
        ".sei/x.tmp": "unexpected_file",
    }


def test_only_files_are_left_by_writes(tmp_path: Path) -> None:
    make(tmp_path, ".sei/bundle.json", ".sei/.hidden.lock/evidence.json")
    make(tmp_path, "outside")
    expected = {".sei/bundle.json": None, ".sei/.hidden.lock": "unexpected_file"}
    if os.name != "nt":
        (tmp_path / ".sei" / ".bundle.json.lock").symlink_to(tmp_path / "outside")
        expected[".sei/.bundle.json.lock"] = "symlink_refused"
    assert codes(tmp_path) == expected
    assert walk(tmp_path, limits=DEFAULT_LIMITS).leftovers == ()


def test_an_endless_folder_is_not_read_to_its_end(tmp_path: Path) -> None:
    make(tmp_path, *(f".sei/conformance/{number}.json" for number in range(301)))
    assert len(walked(tmp_path)) == 301
    error = refused(tmp_path, Limits(max_artifacts=100))
    assert (error.code, error.exit_code) == ("too_many_artifacts", 1)
