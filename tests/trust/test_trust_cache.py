"""The cache under stress: slow servers, many processes, folders that cannot be written."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from attest.errors import NetworkError
from attest.trust.known import Places, known_of
from attest.trust.load import load_root
from attest.trust.refresh import refresh_within
from attest.trust.registry import Registered
from tests.trust.served import FIRST, NAME, Served, digest


@pytest.fixture
def trickle() -> Iterator[str]:
    """A server that sends a byte now and then, for ever."""
    listening = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def drip(connection: socket.socket) -> None:
        with connection:
            try:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
                while not ended.wait(0.05):
                    connection.sendall(b" ")
            except OSError:  # the client went away, as it should
                return

    def accept() -> None:
        while not ended.is_set():
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=drip, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    ended.set()
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join()


def test_a_slow_server_is_given_up(served: Served, trickle: str) -> None:
    slow = Registered(
        profile=served.registered.profile,
        added=datetime.now(UTC),
        url=trickle,
        anchor=served.repository.root,
    )
    start = time.monotonic()
    with pytest.raises(NetworkError) as caught:
        refresh_within(known_of(slow), served.places, seconds=0.5)
    assert caught.value.code == "network_unreachable"
    assert time.monotonic() - start < 3


def test_nobody_waits_for_a_lock_longer_than_for_the_network(served: Served) -> None:
    with served.cache.lock(), pytest.raises(NetworkError) as caught:
        refresh_within(served.known, served.places, seconds=0.5)
    assert caught.value.code == "network_unreachable"


#: As a command loads, but patient: many at once on a busy machine need longer than a command waits.
LOAD = """
import sys
from pathlib import Path
from attest.trust import load
from attest.trust.known import Places
load.REFRESH_SECONDS = 50
folder = Path(sys.argv[1])
places = Places(cache=folder / "cache", registered=folder / "instances")
print(load.load_root("acme", places=places, offline=False).root.sha256.hex())
"""


def test_many_processes_share_one_cache(served: Served) -> None:
    for _ in range(2):  # once to fill it, once to use it
        words = [sys.executable, "-c", LOAD, str(served.folder)]
        running = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(5)]
        answers = {process.communicate(timeout=60)[0].strip() for process in running}
        assert answers == {digest(FIRST).hex()}
    assert served.load(offline=True).root.sha256 == digest(FIRST)
    # All but those that came first found it done.
    assert served.asked.count("/timestamp.json") <= 5


def test_where_nothing_can_be_kept_what_was_fetched_is_used(served: Served) -> None:
    blocked = served.folder / "file"
    blocked.write_bytes(b"")
    for cache in (blocked / "cache", None):
        places = Places(cache=cache, registered=served.places.registered)
        loaded = load_root(NAME, places=places, offline=False)
        assert loaded.root.sha256 == digest(FIRST)
        assert [item.code for item in loaded.root.warnings] == ["trust_not_cached"]


def test_reading_writes_nothing(served: Served) -> None:
    served.load()

    def state() -> dict[str, tuple[int, bytes]]:
        return {
            path.relative_to(served.folder).as_posix(): (path.stat().st_mtime_ns, path.read_bytes())
            for path in served.folder.rglob("*")
            if path.is_file()
        }

    before = state()
    served.load(offline=True)
    served.load()
    assert state() == before


def test_what_nothing_points_to_goes_after_a_day(served: Served) -> None:
    served.load()
    old = served.cache.folder / "1.snapshot.json"
    os.utime(old, (time.time() - 90_000,) * 2)
    served.repository.publish()
    refresh_within(served.known, served.places, seconds=20)
    assert not old.exists()
    assert (served.cache.folder / "1.targets.json").exists()
    seen = json.loads((served.cache.folder / "seen.json").read_bytes())
    assert seen["versions"] == {"root": 1, "timestamp": 2, "snapshot": 2, "targets": 2}


def test_a_home_that_does_not_exist_is_made(served: Served, tmp_path: Path) -> None:
    cache = tmp_path / "not" / "yet"
    places = Places(cache=cache, registered=served.places.registered)
    refresh_within(served.known, places, seconds=20)
    assert (cache / NAME / "seen.json").is_file()


def test_without_a_temporary_folder_what_is_there_decides(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.load()
    monkeypatch.setattr(tempfile, "tempdir", str(served.folder / "none"))
    loaded = served.load(now=datetime.now(UTC) + timedelta(days=2))
    assert [item.code for item in loaded.root.warnings] == ["trust_refresh_failed"]
    assert "unwritable_file" in loaded.root.warnings[0].message
