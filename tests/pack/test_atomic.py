from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from attest.atomic import create_file, locked, replace_file, write_new
from attest.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]


def writing(data: bytes) -> Callable[[BinaryIO], None]:
    def write(file: BinaryIO) -> None:
        file.write(data)

    return write


def failing(file: BinaryIO) -> None:
    file.write(b"half of it")
    raise RuntimeError("stopped")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions and links")
def test_a_new_file_gets_the_given_mode_less_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        replace_file(tmp_path / "a", writing(b"x"), mode=0o666)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640
    assert (tmp_path / "a").read_bytes() == b"x"


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions and links")
def test_an_existing_file_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(0o606)
    replace_file(path, writing(b"new"))
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"new", 0o606)


@pytest.mark.parametrize("function", [replace_file, create_file])
def test_a_failure_leaves_nothing(
    tmp_path: Path, function: Callable[[Path, Callable[[BinaryIO], None]], None]
) -> None:
    with pytest.raises(RuntimeError):
        function(tmp_path / "a", failing)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError):
        replace_file(path, failing)
    assert [item.name for item in tmp_path.iterdir()] == ["a"]
    assert path.read_bytes() == b"old"


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions and links")
def test_a_link_is_replaced_and_its_target_left_alone(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    link = tmp_path / "link"
    link.symlink_to(victim)
    replace_file(link, writing(b"new"))
    assert victim.read_bytes() == b"precious"
    assert not link.is_symlink()


@pytest.mark.parametrize(
    "kind", ["file", "folder", *([] if sys.platform == "win32" else ["link to nothing"])]
)
def test_a_taken_name_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    if kind == "file":
        path.write_bytes(b"old")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "nothing")
    with pytest.raises(UsageError) as caught:
        write_new(path, b"new")
    assert caught.value.code == "file_exists"
    assert [item.name for item in tmp_path.iterdir()] == ["a"]


def test_a_name_taken_while_writing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"

    def write(file: BinaryIO) -> None:
        file.write(b"ours")
        path.write_bytes(b"theirs")

    with pytest.raises(UsageError) as caught:
        create_file(path, write)
    assert caught.value.code == "file_exists"
    assert path.read_bytes() == b"theirs"
    assert [item.name for item in tmp_path.iterdir()] == ["a"]


def test_a_file_system_without_hard_links_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", refuse)
    write_new(tmp_path / "a", b"x")
    with pytest.raises(UsageError) as caught:
        write_new(tmp_path / "a", b"y")
    assert caught.value.code == "file_exists"
    assert (tmp_path / "a").read_bytes() == b"x"
    assert [item.name for item in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("name", ["missing/a", "folder", "file/a"])
def test_what_cannot_be_written_is_a_clear_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(UsageError) as caught:
        replace_file(tmp_path / name, writing(b"x"))
    assert caught.value.code == "unwritable_file"
    assert caught.value.where == str(tmp_path / name)


def test_the_content_can_be_read_back_while_writing(tmp_path: Path) -> None:
    def write(file: BinaryIO) -> None:
        file.write(b"abc")
        file.seek(1)
        assert file.read() == b"bc"

    replace_file(tmp_path / "a", write)


def test_a_lock_excludes_other_threads(tmp_path: Path) -> None:
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(20):
            with locked(tmp_path / "a"):
                inside += 1
                most = max(most, inside)
                time.sleep(0.001)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert most == 1
    assert list(tmp_path.iterdir()) == []


def test_a_lock_excludes_other_processes_and_ends_with_them(tmp_path: Path) -> None:
    path = tmp_path / "a"
    script = (
        "import sys, time; from pathlib import Path; from attest.atomic import locked\n"
        "with locked(Path(sys.argv[1])):\n"
        "    print('held', flush=True); time.sleep(60)\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, path],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        got = threading.Event()

        def take() -> None:
            with locked(path):
                got.set()

        waiter = threading.Thread(target=take)
        waiter.start()
        assert not got.wait(0.3)
        holder.kill()  # a crash: the lock file stays, the lock does not
        assert got.wait(30)
        waiter.join(30)
    assert list(tmp_path.iterdir()) == []


def test_a_lock_is_released_by_a_failure(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), locked(tmp_path / "a"):
        raise RuntimeError
    with locked(tmp_path / "a"):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions and links")
def test_a_planted_link_is_not_followed_by_the_lock(tmp_path: Path) -> None:
    (tmp_path / ".a.lock").symlink_to(tmp_path / "victim")
    with pytest.raises(UsageError) as caught, locked(tmp_path / "a"):
        pass
    assert caught.value.code == "unwritable_file"
    assert not (tmp_path / "victim").exists()
