"""An append-only Merkle tree (RFC 6962), written apart from the client's so neither hides a bug."""

from __future__ import annotations

import hashlib


def hash_leaf(data: bytes) -> bytes:
    """SHA-256 of a leaf: `00 | data` (RFC 6962, section 2.1)."""
    return hashlib.sha256(b"\x00" + data).digest()


def hash_node(left: bytes, right: bytes) -> bytes:
    """SHA-256 of an inner node: `01 | left | right` (RFC 6962, section 2.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def _split(size: int) -> int:
    """The largest power of two smaller than `size` (RFC 6962's k)."""
    return 1 << ((size - 1).bit_length() - 1)


class MerkleTree:
    """Keeps the hash of every complete subtree: appending is O(1), a root or a proof O(log n)."""

    def __init__(self) -> None:
        self._levels: list[list[bytes]] = [[]]

    @property
    def size(self) -> int:
        """Number of leaves."""
        return len(self._levels[0])

    def append(self, leaf_hash: bytes) -> int:
        """Append a leaf by its hash; returns its index."""
        index = self.size
        carry = leaf_hash
        for height in range(len(self._levels) + 1):
            if height == len(self._levels):
                self._levels.append([])
            row = self._levels[height]
            row.append(carry)
            if len(row) % 2:
                break
            carry = hash_node(row[-2], row[-1])
        return index

    def root(self, size: int | None = None) -> bytes:
        """The root over the first `size` leaves (all of them by default)."""
        count = self.size if size is None else size
        if not 0 <= count <= self.size:
            message = f"tree size {count} outside 0..{self.size}"
            raise ValueError(message)
        return self._subtree(0, count) if count else hashlib.sha256(b"").digest()

    def proof(self, index: int, size: int | None = None) -> list[bytes]:
        """Inclusion proof of leaf `index` in the first `size` leaves, leaf side first."""
        count = self.size if size is None else size
        if not 0 <= index < count <= self.size:
            message = f"leaf {index} outside a tree of size {count}"
            raise ValueError(message)
        return self._path(index, 0, count)

    def row(self, height: int, start: int, width: int) -> list[bytes]:
        """Hashes of up to `width` complete subtrees of 2**height leaves, from number `start`."""
        if height >= len(self._levels):
            return []
        return self._levels[height][start : start + width]

    def _subtree(self, start: int, count: int) -> bytes:
        if count & (count - 1) == 0:
            return self._levels[count.bit_length() - 1][start // count]
        left = _split(count)
        return hash_node(self._subtree(start, left), self._subtree(start + left, count - left))

    def _path(self, index: int, start: int, count: int) -> list[bytes]:
        if count == 1:
            return []
        left = _split(count)
        if index < left:
            return [
                *self._path(index, start, left),
                self._subtree(start + left, count - left),
            ]
        return [
            *self._path(index - left, start + left, count - left),
            self._subtree(start, left),
        ]
