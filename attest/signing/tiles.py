"""An entry that a tile log has already, read from its tiles with its proof (C2SP tlog-tiles).

What is read proves nothing until the engine has followed the proof to the signed checkpoint; here
it is only put together, and held to the entry that is looked for.
"""

from __future__ import annotations

from collections.abc import Callable

from attest import merkle
from attest.bundle import UntrustedInclusionProof, UntrustedLogEntry
from attest.engine.checkpoint import parse_checkpoint
from attest.signing.rekor1 import not_ours
from attest.trust.root import TrustRoot

#: Gives what lies at a path below the log's API; raises if there is nothing.
Fetch = Callable[[str], bytes]

_WIDTH = 256
_HEIGHT = 8
_HASH_SIZE = 32


def read_entry(index: int, body: bytes, *, fetch: Fetch, root: TrustRoot) -> UntrustedLogEntry:
    """The entry at an index, which must have this very body.

    Args:
        index: where the log says that it is.
        body: its canonical body.
        fetch: reads below the log's API.
        root: names the log by the host in its checkpoint.

    Raises:
        SigningError: `log_entry_not_ours`.
        MalformedEvidence: `invalid_checkpoint`.

    Source: C2SP tlog-tiles; RFC 6962, section 2.1.1.
    """
    note = _text(fetch("checkpoint"))
    checkpoint = parse_checkpoint(note, where="checkpoint")
    size = checkpoint.tree_size
    if index >= size:
        raise not_ours(f"the checkpoint of {size} entries does not reach it")
    tree = _Tree(size, fetch)
    if tree.body(index) != body:
        raise not_ours("another entry is there")
    log_id = next((log.log_id for log in root.logs if log.host == checkpoint.origin), None)
    if log_id is None:
        raise not_ours(f"{checkpoint.origin} is no log that the instance trusts")
    return UntrustedLogEntry(
        index=index,
        log_id=log_id,
        kind="hashedrekord",
        version="0.0.2",
        integrated_time=0,
        promise=None,
        proof=UntrustedInclusionProof(
            index=index,
            root_hash=checkpoint.root_hash,
            tree_size=size,
            hashes=tuple(tree.path(index, 0, size)),
            checkpoint=note,
        ),
        body=body,
        where="tiles",
    )


class _Tree:
    """A tree of so many entries, of which tiles are fetched when they are needed."""

    def __init__(self, size: int, fetch: Fetch) -> None:
        self._size = size
        self._fetch = fetch
        self._tiles: dict[tuple[int, int], bytes] = {}

    def body(self, index: int) -> bytes:
        """The body of an entry, from its entry bundle."""
        number, within = divmod(index, _WIDTH)
        data = self._fetch(f"tile/entries/{_name(number, self._width(0, number))}")
        for _ in range(within):
            data = data[2 + int.from_bytes(data[:2], "big") :]
        length = int.from_bytes(data[:2], "big")
        if len(data) < 2 + length:
            raise not_ours("an entry bundle is too short")
        return data[2 : 2 + length]

    def path(self, index: int, start: int, count: int) -> list[bytes]:
        """The audit path of a leaf within `count` leaves from `start`, the leaf's end first."""
        if count == 1:
            return []
        left = _largest_power_below(count)
        if index < left:
            return [*self.path(index, start, left), self._hash(start + left, count - left)]
        return [
            *self.path(index - left, start + left, count - left),
            self._hash(start, left),
        ]

    def _hash(self, start: int, count: int) -> bytes:
        """The hash of the subtree over `count` leaves from `start`."""
        if count & (count - 1) == 0:
            return self._node(count.bit_length() - 1, start // count)
        left = _largest_power_below(count)
        return merkle.node_hash(self._hash(start, left), self._hash(start + left, count - left))

    def _node(self, height: int, number: int) -> bytes:
        """The hash of a full subtree: a tile holds the lowest of its eight levels."""
        level, above = divmod(height, _HEIGHT)
        if above:
            left, right = (self._node(height - 1, 2 * number + side) for side in (0, 1))
            return merkle.node_hash(left, right)
        tile, within = divmod(number, _WIDTH)
        data = self._tile(level, tile)
        return data[within * _HASH_SIZE : (within + 1) * _HASH_SIZE]

    def _tile(self, level: int, number: int) -> bytes:
        if (level, number) not in self._tiles:
            width = self._width(level, number)
            data = self._fetch(f"tile/{level}/{_name(number, width)}")
            if len(data) != width * _HASH_SIZE:
                raise not_ours("a tile has not the size that it must have")
            self._tiles[level, number] = data
        return self._tiles[level, number]

    def _width(self, level: int, number: int) -> int:
        """How many hashes or entries a tile has in a tree of this size."""
        return min(_WIDTH, (self._size >> (level * _HEIGHT)) - number * _WIDTH)


def _name(number: int, width: int) -> str:
    """`x001/x234/067`, with `.p/W` where the tile is not full."""
    digits = f"{number:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    name = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    return name if width == _WIDTH else f"{name}.p/{width}"


def _largest_power_below(count: int) -> int:
    return 1 << ((count - 1).bit_length() - 1)


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise not_ours("the checkpoint is no text") from None
