"""Inclusion proofs against a naive tree: every index of every size to 70, and every wrong proof."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attest.merkle import leaf_hash, root_from_inclusion_proof

#: A machine with other work is no reason to fail.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

ENTRIES = [b"entry %d" % number for number in range(70)]
SIZES = range(1, len(ENTRIES) + 1)


def root(entries: Sequence[bytes]) -> bytes:
    """RFC 6962, section 2.1, as it is written there."""
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    split = 1 << (len(entries) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + root(entries[:split]) + root(entries[split:])).digest()


def path(index: int, entries: Sequence[bytes]) -> list[bytes]:
    """RFC 6962, section 2.1.1, as it is written there."""
    if len(entries) == 1:
        return []
    split = 1 << (len(entries) - 1).bit_length() - 1
    if index < split:
        return [*path(index, entries[:split]), root(entries[split:])]
    return [*path(index - split, entries[split:]), root(entries[:split])]


ROOTS = {size: root(ENTRIES[:size]) for size in SIZES}
PATHS = {(index, size): path(index, ENTRIES[:size]) for size in SIZES for index in range(size)}


def proves(entry: bytes, index: int, size: int, proof: Sequence[bytes], expected: bytes) -> bool:
    try:
        return root_from_inclusion_proof(leaf_hash(entry), index, size, proof) == expected
    except ValueError:
        return False


@pytest.mark.parametrize("size", SIZES)
def test_every_entry_of_a_tree_is_proven(size: int) -> None:
    for index in range(size):
        assert proves(ENTRIES[index], index, size, PATHS[index, size], ROOTS[size])


@pytest.mark.parametrize("size", SIZES)
def test_no_wrong_proof_is_taken(size: int) -> None:
    for index in range(size):
        proof, entry, expected = PATHS[index, size], ENTRIES[index], ROOTS[size]
        assert not proves(entry + b"x", index, size, proof, expected)
        assert not proves(entry, index, size, [*proof, bytes(32)], expected)
        assert not proves(entry, index, size, [*proof, expected], expected)
        assert not proves(entry, index, size, [b"", *proof], expected)
        for wrong in (-1, size, index + size, index + 2**64):
            assert not proves(entry, wrong, size, proof, expected)
        for other in range(size):
            if other != index:
                assert not proves(entry, other, size, proof, expected)
        for position, sibling in enumerate(proof):
            shorter = proof[:position] + proof[position + 1 :]
            assert not proves(entry, index, size, shorter, expected)
            for changed in (sibling[::-1], sibling[:-1], sibling + b"\x00"):
                swapped = [*proof[:position], changed, *proof[position + 1 :]]
                assert not proves(entry, index, size, swapped, expected)
        if proof[::-1] != proof:
            assert not proves(entry, index, size, proof[::-1], expected)


@pytest.mark.parametrize("size", SIZES)
def test_an_inner_node_is_no_entry(size: int) -> None:
    """Without the prefixes of leaves and nodes, a node's two children would be an entry."""
    for index in range(0, size - 1, 2):
        left, right = leaf_hash(ENTRIES[index]), leaf_hash(ENTRIES[index + 1])
        proof = PATHS[index, size][1:]
        assert not proves(left + right, index // 2, (size + 1) // 2, proof, ROOTS[size])


@PATIENT
@given(
    st.integers(-1, 2**70),
    st.integers(-1, 2**70),
    st.lists(st.binary(min_size=31, max_size=33), max_size=70),
)
def test_any_proof_leads_to_a_root_or_a_value_error(
    index: int, size: int, proof: list[bytes]
) -> None:
    try:
        found = root_from_inclusion_proof(leaf_hash(b""), index, size, proof)
    except ValueError:
        return
    assert len(found) == 32
    assert 0 <= index < size
    assert len(proof) <= (size - 1).bit_length()
