"""What tiles say: the proof that the log itself would give, and nothing that is not ours."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import given, settings
from hypothesis import strategies as st

from attest.errors import AttestError
from attest.sandbox import Sandbox, TransparencyLogV2
from attest.signing.tiles import Fetch, read_entry
from attest.trust.root import TrustRoot

#: Two full tiles of entries and a partial one, so that there is a second level.
SIZE = 600


@cache
def log() -> TransparencyLogV2:
    made = TransparencyLogV2(key=ed25519.Ed25519PrivateKey.generate())
    for number in range(SIZE - made.size):
        made.add(b"entry %d" % number)
    return made


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> TrustRoot:
    """One that lists a log of this host; who signed the checkpoint, the engine asks."""
    return TrustRoot.from_file(Sandbox.init(tmp_path_factory.mktemp("tiles")))


def served(size: int) -> Fetch:
    """The log's tiles as they were when it had so many entries."""

    def fetch(path: str) -> bytes:
        kind, _, rest = path.removeprefix("tile/").partition("/")
        if kind == "checkpoint":
            return log().checkpoint(size).encode()
        if kind == "entries":
            return log().entry_bundle(rest)
        return log().tile(int(kind), rest)

    return fetch


@settings(deadline=None)
@given(data=st.data(), size=st.integers(2, SIZE))
def test_the_proof_is_the_one_that_the_log_gives(
    root: TrustRoot, data: st.DataObject, size: int
) -> None:
    index = data.draw(st.integers(0, size - 1))
    expected = log().entry(index, tree_size=size)
    found = read_entry(index, expected.body, fetch=served(size), root=root)
    assert found.proof is not None
    assert (found.body, found.proof.hashes) == (expected.body, expected.hashes)
    assert (found.proof.root_hash, found.proof.tree_size) == (expected.root, size)


def changed(fetch: Fetch, start: str, change: Callable[[bytes], bytes]) -> Fetch:
    return lambda path: change(fetch(path)) if path.startswith(start) else fetch(path)


@pytest.mark.parametrize(
    ("index", "body", "fetch"),
    [
        (5, b"another", served(SIZE)),
        (6, b"entry 4", served(SIZE)),  # its neighbour's
        (SIZE, b"entry 4", served(SIZE)),
        (5, b"entry 4", served(5)),  # a checkpoint from before
        (5, b"entry 4", changed(served(SIZE), "checkpoint", lambda _: b"")),
        (5, b"entry 4", changed(served(SIZE), "checkpoint", lambda data: b"\xff" + data)),
        (5, b"entry 4", changed(served(SIZE), "checkpoint", lambda data: b"x" + data)),
        (5, b"entry 4", changed(served(SIZE), "tile/entries", lambda _: b"")),
        (5, b"entry 4", changed(served(SIZE), "tile/entries", lambda data: data[:50])),
        (5, b"entry 4", changed(served(SIZE), "tile/0", lambda data: data[:-1])),
        (5, b"entry 4", changed(served(SIZE), "tile/1", lambda data: data + data)),
    ],
)
def test_what_is_not_the_entry(root: TrustRoot, index: int, body: bytes, fetch: Fetch) -> None:
    assert read_entry(5, b"entry 4", fetch=served(SIZE), root=root).body == b"entry 4"
    with pytest.raises(AttestError) as caught:
        read_entry(index, body, fetch=fetch, root=root)
    assert caught.value.code in ("log_entry_not_ours", "invalid_checkpoint")


@pytest.mark.parametrize(
    ("size", "index", "name"),
    [
        (1_234_067 * 256 + 256, 1_234_067 * 256, "tile/entries/x001/x234/067"),
        (1_234_067 * 256 + 9, 1_234_067 * 256, "tile/entries/x001/x234/067.p/9"),
        (256, 3, "tile/entries/000"),
        (255, 3, "tile/entries/000.p/255"),
    ],
)
def test_tiles_are_named_by_their_number_and_width(
    root: TrustRoot, size: int, index: int, name: str
) -> None:
    asked: list[str] = []

    def fetch(path: str) -> bytes:
        asked.append(path)
        return log().checkpoint(2).replace("\n2\n", f"\n{size}\n").encode() * (len(asked) < 2)

    with pytest.raises(AttestError):
        read_entry(index, b"", fetch=fetch, root=root)
    assert asked == ["checkpoint", name]
