"""Which of several bad artifacts is reported, what stays behind, and what the caller is told."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from attest.errors import MalformedEvidence
from attest.pack.integrity import LARGE, MOST_WORKERS, check_artifacts
from attest.pack.manifest_model import EmbeddedArtifact
from attest.pack.reader import open_pack
from tests.pack.zipbytes import GOOD, Item, manifest, manifest_item

SIZES = [10, LARGE + 1, 400_000, 3, 500_000, LARGE, 700_000, 100, 300_000, 900_000]


def path_of(index: int) -> str:
    return f"artifacts/{index:02d}"


def pack_with_bad(folder: Path, bad: set[int]) -> Path:
    """A pack of large and small artifacts, of which some are not what the manifest says."""
    random_bytes = random.Random(7)
    contents = {path_of(index): random_bytes.randbytes(size) for index, size in enumerate(SIZES)}
    value = manifest(contents)
    items = [manifest_item(value)]
    for index, (name, content) in enumerate(contents.items()):
        written = content[:-1] + bytes([content[-1] ^ 1]) if index in bad else content
        items.append(Item(name=name.encode(), content=written, method=8 if index % 2 else 0))
    path = folder / "a.epack"
    path.write_bytes(type(GOOD)(items=tuple(items)).build())
    return path


@pytest.mark.parametrize(
    "bad", [{9}, {1, 2}, {0, 9}, {4, 5, 6}, {3, 8}, {2, 3}, {6, 7, 9}, set(range(10))]
)
def test_the_first_bad_artifact_of_the_manifest_is_reported(tmp_path: Path, bad: set[int]) -> None:
    path = pack_with_bad(tmp_path, bad)
    for _ in range(5):
        with open_pack(path) as pack, pytest.raises(MalformedEvidence) as caught:
            pack.check_integrity()
        assert (caught.value.code, caught.value.where) == ("digest_mismatch", path_of(min(bad)))


def artifacts(count: int) -> list[EmbeddedArtifact]:
    return [
        EmbeddedArtifact(path=path_of(index), digest="", size=LARGE + 1) for index in range(count)
    ]


def test_a_later_failure_that_comes_sooner_does_not_hide_an_earlier_one() -> None:
    late_has_failed = threading.Event()

    def pieces(artifact: EmbeddedArtifact) -> Iterator[bytes]:
        if artifact.path == path_of(0):
            assert late_has_failed.wait(10)
        else:
            late_has_failed.set()
        yield b"x"
        raise MalformedEvidence("digest_mismatch", "is bad", where=artifact.path)

    with pytest.raises(MalformedEvidence) as caught:
        check_artifacts(artifacts(2), pieces, workers=2)
    assert caught.value.where == path_of(0)


def test_after_a_failure_nothing_behind_it_is_begun() -> None:
    begun: list[str] = []

    def pieces(artifact: EmbeddedArtifact) -> Iterator[bytes]:
        begun.append(artifact.path)
        yield b"x"
        raise MalformedEvidence("digest_mismatch", "is bad", where=artifact.path)

    with pytest.raises(MalformedEvidence):
        check_artifacts(artifacts(100), pieces, workers=2)
    assert len(begun) <= 4


def test_no_thread_outlives_the_check(tmp_path: Path) -> None:
    before = threading.active_count()
    for bad in (set[int](), {2, 8}):
        with open_pack(pack_with_bad(tmp_path, bad)) as pack:
            try:
                pack.check_integrity()
            except MalformedEvidence:
                assert bad
            assert threading.active_count() == before


def test_an_interrupt_stops_all_threads_soon() -> None:
    main = threading.current_thread()
    before = threading.active_count()
    other_has_begun = threading.Event()

    def pieces(_: EmbeddedArtifact) -> Iterator[bytes]:
        if threading.current_thread() is main:
            assert other_has_begun.wait(10)
            raise KeyboardInterrupt
        other_has_begun.set()
        while True:  # would never end by itself
            yield b"x"

    with pytest.raises(KeyboardInterrupt):
        check_artifacts(artifacts(2), pieces, workers=2)
    assert threading.active_count() == before


def test_few_artifacts_are_in_memory_at_once() -> None:
    """What is open at once bounds the memory: each open artifact holds a few pieces."""
    lock = threading.Lock()
    opened = most = 0

    def pieces(_artifact: EmbeddedArtifact) -> Iterator[bytes]:
        nonlocal opened, most
        with lock:
            opened += 1
            most = max(most, opened)
        for _ in range(20):
            yield b"x"
        with lock:
            opened -= 1

    check_artifacts(artifacts(200), pieces, workers=1000)
    assert 1 <= most <= MOST_WORKERS
    assert opened == 0


def test_small_artifacts_are_read_by_the_caller_alone() -> None:
    seen: set[threading.Thread] = set()

    def pieces(_: EmbeddedArtifact) -> Iterator[bytes]:
        seen.add(threading.current_thread())
        yield b"x"

    small = [EmbeddedArtifact(path=path_of(index), digest="", size=LARGE) for index in range(50)]
    check_artifacts(small, pieces, workers=8)
    assert seen == {threading.current_thread()}


def test_progress_rises_to_the_sum_in_the_callers_thread(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        assert threading.current_thread() is threading.main_thread()
        told.append((done, total))

    with open_pack(pack_with_bad(tmp_path, set())) as pack:
        pack.check_integrity(progress=progress)
    done = [item[0] for item in told]
    assert done == sorted(done)
    assert {item[1] for item in told} == {sum(SIZES)}
    assert told[-1] == (sum(SIZES), sum(SIZES))


def test_progress_of_a_bad_pack_never_says_all(tmp_path: Path) -> None:
    told: list[int] = []
    with (
        open_pack(pack_with_bad(tmp_path, {3})) as pack,
        pytest.raises(MalformedEvidence),
    ):
        pack.check_integrity(progress=lambda done, _: told.append(done))
    assert max(told) < sum(SIZES)
