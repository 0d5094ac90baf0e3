"""Writing artefacts: each beside its own signature, in its own place, or nothing is changed."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath
from stat import S_ISDIR
from typing import Any

import pytest

from attest.errors import AttestError, SigningError, UsageError
from attest.formats.sei.artefact import Artefact, encode_artefact
from attest.formats.sei.signature import SeiKey, digests_of, parse_signature, verify_signature
from attest.formats.sei.store import (
    Stored,
    read_artefact,
    sign_existing,
    write_artefact,
    write_bundle,
)
from attest.keys import PublicKey
from tests.sei.verdicts import KEY

STANDARD = "eu/pren-18228@2026"
PATH = PurePosixPath(".sei/conformance/eu_pren-18228_2026.json")
BUNDLE = PurePosixPath(".sei/bundle.json")
CONFORMANCE = Artefact(kind="conformance", system="loan", payload={"standard": STANDARD})
RECONSTRUCT = Artefact(kind="reconstruct", system="loan", payload={"x": 1})

links = pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")


def require_pair(repository: Path, path: PurePosixPath) -> None:
    """Hold a signature in a repository to what it stands beside."""
    data = (repository / path).read_bytes()
    parsed = parse_signature((repository / f"{path}.sig").read_bytes(), str(path))
    statement = verify_signature(parsed, digests_of(data), (KEY.public,)).statement
    assert statement is not None
    assert statement.subjects[0].name == str(path)


def tree(folder: Path) -> dict[str, bytes | None]:
    """Everything below a folder, hidden files and links too."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def refused(folder: Path, act: Callable[[], object]) -> str:
    """The code by which something is refused that then has changed nothing."""
    before = tree(folder)
    with pytest.raises(AttestError) as caught:
        act()
    assert {name: data for name, data in tree(folder).items() if data is not None} == {
        name: data for name, data in before.items() if data is not None
    }
    return caught.value.code


def test_a_pair_is_written_in_folders_made_for_it(tmp_path: Path) -> None:
    stored = write_artefact(tmp_path, CONFORMANCE, KEY)
    assert stored.path == PATH
    assert tree(tmp_path) == {
        ".sei": None,
        ".sei/conformance": None,
        str(PATH): stored.data,
        f"{PATH}.sig": stored.signature,
    }
    assert stored.data == encode_artefact(CONFORMANCE)
    require_pair(tmp_path, PATH)


def test_the_same_artefact_is_written_alike_again(tmp_path: Path) -> None:
    first = write_artefact(tmp_path, CONFORMANCE, KEY)
    before = tree(tmp_path)
    assert write_artefact(tmp_path, CONFORMANCE, KEY) == first
    assert tree(tmp_path) == before


def test_a_new_pair_replaces_every_signature_of_the_old_bytes(tmp_path: Path) -> None:
    write_artefact(tmp_path, CONFORMANCE, KEY)
    (tmp_path / f"{PATH}.sigstore.json").write_bytes(b"over the old bytes")
    write_artefact(tmp_path, replace(CONFORMANCE, system="other"), KEY)
    require_pair(tmp_path, PATH)
    assert not (tmp_path / f"{PATH}.sigstore.json").exists()


def test_a_bundle_is_written_exactly_as_given(tmp_path: Path) -> None:
    data = b' {"runs" :[]}\r\n'
    assert write_bundle(tmp_path, data, KEY).path == BUNDLE
    assert (tmp_path / BUNDLE).read_bytes() == data
    require_pair(tmp_path, BUNDLE)
    write_bundle(tmp_path, b"{}", KEY)
    require_pair(tmp_path, BUNDLE)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"[]", "invalid_artefact"),
        (b"", "invalid_json"),
        (encode_artefact(RECONSTRUCT), "kind_mismatch"),
    ],
)
def test_what_is_no_bundle_is_not_written_as_one(tmp_path: Path, data: bytes, code: str) -> None:
    write_bundle(tmp_path, b"{}", KEY)
    assert refused(tmp_path, lambda: write_bundle(tmp_path, data, KEY)) == code


def test_kinds_do_not_disturb_each_other(tmp_path: Path) -> None:
    paths = [
        write_artefact(tmp_path, CONFORMANCE, KEY).path,
        write_artefact(tmp_path, RECONSTRUCT, KEY).path,
        write_artefact(tmp_path, replace(RECONSTRUCT, kind="conformance"), KEY, standard="x").path,
        write_bundle(tmp_path, b"{}", KEY).path,
    ]
    assert len(tree(tmp_path)) == 2 + 2 * len(set(paths))
    for path in paths:
        require_pair(tmp_path, path)


class Key:
    """Signs as the test's key, after doing something."""

    def __init__(self, before: Callable[[], object]) -> None:
        self.public: PublicKey = KEY.public
        self._before = before

    def sign(self, message: bytes) -> bytes:
        self._before()
        return KEY.sign(message)


def failing() -> None:
    raise SigningError("signing_failed", "the service does not answer")


@pytest.mark.parametrize("code", ["signing_failed", "key_signature_invalid"])
@pytest.mark.parametrize("exists", [False, True])
def test_a_key_that_fails_changes_nothing(tmp_path: Path, code: str, exists: bool) -> None:  # noqa: FBT001
    if exists:
        write_artefact(tmp_path, RECONSTRUCT, KEY)
        write_bundle(tmp_path, b"{}", KEY)
    key: SeiKey = Key(failing)
    if code == "key_signature_invalid":
        key = Key(lambda: None)
        key.sign = lambda message: message  # type: ignore[method-assign]  # a faulty service
    other = replace(RECONSTRUCT, system="other")
    assert refused(tmp_path, lambda: write_artefact(tmp_path, other, key)) == code
    assert refused(tmp_path, lambda: write_bundle(tmp_path, b'{"x":1}', key)) == code
    if exists:
        assert refused(tmp_path, lambda: sign_existing(tmp_path, BUNDLE, key)) == code
    else:
        assert tree(tmp_path) == {}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a/b@c", "a_b@c"),
        ("a_b@c", "a/b@c"),
        ("a/b", "a@b"),
        ("ISO/1", "iso/1"),
        ("straße", "strasse"),
        ("É", "é"),
    ],
)
def test_two_standards_that_share_a_file_name_collide(
    tmp_path: Path, first: str, second: str
) -> None:
    def write(standard: str) -> Stored:
        artefact = replace(CONFORMANCE, payload={"standard_id": standard})
        return write_artefact(tmp_path, artefact, KEY)

    path = write(first).path
    assert refused(tmp_path, lambda: write(second)) == "slug_collision"
    require_pair(tmp_path, path)
    write(first)


def test_a_decomposed_name_that_others_made_collides(tmp_path: Path) -> None:
    write_artefact(tmp_path, CONFORMANCE, KEY)
    (tmp_path / ".sei/conformance/e\u0301.json").write_bytes(b"{}")
    artefact = replace(CONFORMANCE, payload={"standard": "é"})
    assert refused(tmp_path, lambda: write_artefact(tmp_path, artefact, KEY)) == "slug_collision"


def test_the_standard_that_is_given_counts_too(tmp_path: Path) -> None:
    write_artefact(tmp_path, replace(CONFORMANCE, payload={"standard": "a@b/c"}), KEY)
    unnamed = replace(CONFORMANCE, payload={})
    assert (
        refused(tmp_path, lambda: write_artefact(tmp_path, unnamed, KEY, standard="a/b@c"))
        == "slug_collision"
    )


@pytest.mark.parametrize("broken", [b"", b"{", b"\xff", b"[]", b'{"payload": {"standard": "x"}}'])
def test_what_cannot_be_read_is_repaired(tmp_path: Path, broken: bytes) -> None:
    write_artefact(tmp_path, CONFORMANCE, KEY)
    (tmp_path / PATH).write_bytes(broken)
    write_artefact(tmp_path, CONFORMANCE, KEY)
    require_pair(tmp_path, PATH)


def test_an_existing_artefact_is_signed_and_not_changed(tmp_path: Path) -> None:
    stored = write_artefact(tmp_path, CONFORMANCE, KEY)
    (tmp_path / f"{PATH}.sigstore.json").write_bytes(b"a bundle")
    (tmp_path / f"{PATH}.sig").unlink()
    assert sign_existing(tmp_path, PATH, KEY) == stored
    (tmp_path / f"{PATH}.sig").write_bytes(b"broken")
    assert sign_existing(tmp_path, PATH, KEY) == stored
    require_pair(tmp_path, PATH)
    assert (tmp_path / f"{PATH}.sigstore.json").read_bytes() == b"a bundle"


def put(tmp_path: Path, path: str, data: bytes) -> PurePosixPath:
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_bytes(data)
    return PurePosixPath(path)


@pytest.mark.parametrize(
    ("path", "data", "code"),
    [
        (str(BUNDLE), b"[]", "invalid_artefact"),
        (str(BUNDLE), encode_artefact(RECONSTRUCT), "kind_mismatch"),
        (".sei/reconstruct.json", b"{}", "invalid_artefact"),
        (".sei/reconstruct.json", encode_artefact(CONFORMANCE), "kind_mismatch"),
        (".sei/conformance/x.json", encode_artefact(CONFORMANCE), "standard_mismatch"),
        (".sei/conformance/x.json", encode_artefact(RECONSTRUCT), "kind_mismatch"),
        (".sei/other.json", b"{}", "not_an_artefact"),
        (".sei/bundle.json.sig", b"{}", "not_an_artefact"),
        ("bundle.json", b"{}", "not_an_artefact"),
        (".sei/conformance/../bundle.json", b"{}", "not_an_artefact"),
    ],
)
def test_what_would_not_verify_is_not_signed(
    tmp_path: Path, path: str, data: bytes, code: str
) -> None:
    name = put(tmp_path, path, data)
    assert refused(tmp_path, lambda: sign_existing(tmp_path, name, KEY)) == code


def test_what_is_not_there_is_not_signed(tmp_path: Path) -> None:
    assert refused(tmp_path, lambda: sign_existing(tmp_path, BUNDLE, KEY)) == "file_not_found"
    (tmp_path / BUNDLE).mkdir(parents=True)
    assert refused(tmp_path, lambda: sign_existing(tmp_path, BUNDLE, KEY)) == "unreadable_file"


def test_what_changes_while_it_is_signed_is_not_signed(tmp_path: Path) -> None:
    file = tmp_path / put(tmp_path, str(BUNDLE), b"{}")
    key = Key(lambda: file.write_bytes(b'{"x":1}'))
    with pytest.raises(UsageError) as caught:
        sign_existing(tmp_path, BUNDLE, key)
    assert caught.value.code == "artefact_changed"
    assert set(tree(tmp_path)) == {".sei", str(BUNDLE)}


@links
@pytest.mark.parametrize("place", [".sei", ".sei/conformance", str(PATH), f"{PATH}.sig",
                                   f"{PATH}.sigstore.json"])  # fmt: skip
@pytest.mark.parametrize("dangling", [False, True])
def test_no_link_is_followed_or_replaced(tmp_path: Path, place: str, dangling: bool) -> None:  # noqa: FBT001
    outside, repository = tmp_path / "outside", tmp_path / "repository"
    outside.mkdir()
    write_artefact(outside, CONFORMANCE, KEY)
    (repository / place).parent.mkdir(parents=True)
    target = outside / ("missing" if dangling else place)
    if not (dangling or target.exists()):
        target.write_bytes(b"a bundle")
    (repository / place).symlink_to(target)
    other = replace(CONFORMANCE, system="other")
    write = lambda: write_artefact(repository, other, KEY)  # noqa: E731
    assert refused(tmp_path, write) == "symlink_refused"
    assert (repository / place).is_symlink()
    if not place.startswith(str(PATH)) or place == str(PATH):
        with pytest.raises(UsageError) as caught:
            read_artefact(repository, PATH)
        assert caught.value.code == "symlink_refused"


@links
def test_a_link_in_the_bundles_place_is_not_signed(tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_bytes(b"{}")
    (tmp_path / ".sei").mkdir()
    (tmp_path / BUNDLE).symlink_to(tmp_path / "secret.json")
    assert refused(tmp_path, lambda: sign_existing(tmp_path, BUNDLE, KEY)) == "symlink_refused"


@links
def test_the_repository_itself_may_be_named_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "named").symlink_to(tmp_path / "real")
    write_artefact(tmp_path / "named", CONFORMANCE, KEY)
    require_pair(tmp_path / "real", PATH)


@pytest.mark.parametrize(
    ("in_the_way", "code"),
    [
        (".sei", "unwritable_file"),
        (".sei/conformance", "unwritable_file"),
        (f"{PATH}/x", "unreadable_file"),
        (f"{PATH}.sig/x", "unwritable_file"),
        (f"{PATH}.sigstore.json/x", "unwritable_file"),
    ],
)
def test_another_kind_of_thing_in_the_way_is_an_error(
    tmp_path: Path, in_the_way: str, code: str
) -> None:
    put(tmp_path, in_the_way, b"x")
    assert refused(tmp_path, lambda: write_artefact(tmp_path, CONFORMANCE, KEY)) == code


@pytest.mark.parametrize("name", ["missing", "file"])
def test_a_repository_is_a_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(b"x")
    act = lambda: write_artefact(tmp_path / name, CONFORMANCE, KEY)  # noqa: E731
    assert refused(tmp_path, act) == "not_a_repository"


def test_what_a_crash_left_is_swept_up_and_nothing_else(tmp_path: Path) -> None:
    write_artefact(tmp_path, CONFORMANCE, KEY)
    folder = (tmp_path / PATH).parent
    name = PATH.name
    left = [f".{name}{suffix}.{'a' * 16}.tmp" for suffix in ("", ".sig", ".sigstore.json")]
    others = [f".other.json.{'a' * 16}.tmp", f".{name}.tmp", f".{name}.{'a' * 15}g.tmp", "x.tmp"]
    for item in (*left, *others):
        (folder / item).write_bytes(b"x")
    write_artefact(tmp_path, CONFORMANCE, KEY)
    assert {item.name for item in folder.iterdir()} == {name, f"{name}.sig", *others}


def test_the_old_signature_is_gone_from_the_disk_before_the_new_bytes_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_artefact(tmp_path, RECONSTRUCT, KEY)
    calls: list[str] = []

    def spy(name: str) -> None:
        real: Callable[..., Any] = getattr(os, name)

        def call(*arguments: Any, **named: Any) -> object:  # noqa: ANN401  # as given
            what = arguments[-1]
            if name == "fsync":
                calls.append("fsync folder" if S_ISDIR(os.fstat(what).st_mode) else "fsync file")
            else:
                calls.append(f"{name} {Path(what).name}")
            return real(*arguments, **named)

        monkeypatch.setattr(os, name, call)

    for name in ("unlink", "replace", "fsync"):
        spy(name)
    write_artefact(tmp_path, replace(RECONSTRUCT, system="other"), KEY)
    removed = calls.index("unlink reconstruct.json.sig")
    replaced = calls.index("replace reconstruct.json")
    signed = calls.index("replace reconstruct.json.sig")
    assert removed < replaced < signed
    if sys.platform != "win32":
        assert {"fsync folder", "fsync file"} <= set(calls[removed:replaced])
        assert {"fsync folder", "fsync file"} <= set(calls[replaced:signed])
        assert calls[removed:replaced].index("fsync folder") == 1


def test_two_writers_leave_one_pair(tmp_path: Path) -> None:
    # Without the lock one would put its signature beside the other's bytes.
    barrier = threading.Barrier(4)

    def write(number: int) -> None:
        artefact = replace(RECONSTRUCT, system=f"writer {number}")
        barrier.wait()
        for _ in range(15):
            write_artefact(tmp_path, artefact, KEY)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    require_pair(tmp_path, PurePosixPath(".sei/reconstruct.json"))
    assert len(tree(tmp_path)) == 3
