"""Merkle trees of transparency logs: leaf hashes and inclusion proofs (RFC 6962)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

HASH_SIZE = 32


def leaf_hash(entry: bytes) -> bytes:
    """Hash of a log entry as a leaf (RFC 6962, section 2.1)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node (RFC 6962, section 2.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_from_inclusion_proof(
    leaf: bytes, index: int, tree_size: int, proof: Sequence[bytes]
) -> bytes:
    """The root that an inclusion proof leads to; the caller compares it with a signed root.

    Args:
        leaf: 32-byte leaf hash.
        index: position of the leaf in the tree, from 0.
        tree_size: number of leaves.
        proof: 32-byte sibling hashes, lowest first.

    Raises:
        ValueError: index outside the tree, or a proof of the wrong length.

    Source: RFC 9162, section 2.1.3.2 (the algorithm for RFC 6962 trees).
    """
    if not 0 <= index < tree_size:
        raise ValueError("the index lies outside the tree")
    position, last, root = index, tree_size - 1, leaf
    for sibling in proof:
        if len(sibling) != HASH_SIZE:
            raise ValueError("a proof hash does not have 32 bytes")
        if last == 0:
            raise ValueError("the proof is too long for the tree")
        if position & 1 or position == last:
            root = node_hash(sibling, root)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            root = node_hash(root, sibling)
        position >>= 1
        last >>= 1
    if last != 0:
        raise ValueError("the proof is too short for the tree")
    return root
