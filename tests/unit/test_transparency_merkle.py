"""P11: what the log proves is what RFC 6962 defines, and the verifier, which shares no code with it, accepts it."""

from __future__ import annotations

import hashlib
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.transparency import merkle
from audit.verifier import sm2, tree

MOST = 300
LEAVES = [hashlib.sha256(b"\x00%d" % n).digest() for n in range(MOST)]


# The definitions of RFC 6962 §2.1, word by word, over leaf hashes; a range instead of a list, so that results are kept.
def _split(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


@cache
def mth(start: int, end: int) -> bytes:
    n = end - start
    if n == 0:
        return hashlib.sha256(b"").digest()
    if n == 1:
        return LEAVES[start]
    k = _split(n)
    return hashlib.sha256(b"\x01" + mth(start, start + k) + mth(start + k, end)).digest()


def path(m: int, start: int, end: int) -> list[bytes]:
    n = end - start
    if n == 1:
        return []
    k = _split(n)
    if m < k:
        return [*path(m, start, start + k), mth(start + k, end)]
    return [*path(m - k, start + k, end), mth(start, start + k)]


def subproof(m: int, start: int, end: int, b: bool) -> list[bytes]:
    n = end - start
    if m == n:
        return [] if b else [mth(start, end)]
    k = _split(n)
    if m <= k:
        return [*subproof(m, start, start + k, b), mth(start + k, end)]
    return [*subproof(m - k, start + k, end, False), mth(start, start + k)]


def hashes(level: int, index: int) -> bytes:
    return mth(index << level, (index + 1) << level)


def test_every_inclusion_proof_is_that_of_the_definition_and_verifies():
    for size in range(1, MOST + 1):
        root = merkle.root(size, hashes)
        assert root == mth(0, size)
        for index in range(size):
            proof = merkle.inclusion(index, size, hashes)
            assert proof == path(index, 0, size)
            tree.check_inclusion(index, size, LEAVES[index], proof, root)


def test_every_consistency_proof_is_that_of_the_definition_and_verifies():
    for second in range(1, MOST + 1):
        for first in range(1, second + 1):
            proof = merkle.consistency(first, second, hashes)
            assert proof == subproof(first, 0, second, True)
            tree.check_consistency(first, second, mth(0, first), mth(0, second), proof)


def test_what_is_not_in_the_tree_has_no_proof():
    for index, size in ((-1, 5), (5, 5), (0, 0)):
        with pytest.raises(merkle.OutOfRange):
            merkle.inclusion(index, size, hashes)
    for first, second in ((0, 5), (6, 5), (-1, 5)):
        with pytest.raises(merkle.OutOfRange):
            merkle.consistency(first, second, hashes)


def test_a_growing_tree_has_the_root_and_the_frontier_the_verifier_computes():
    growing, other = merkle.Tree(), tree.Frontier()
    for size in range(MOST + 1):
        assert growing.size == size
        assert growing.root() == mth(0, size)
        assert growing.frontier() == other.roots
        if size < MOST:
            growing.append(LEAVES[size])
            other.extend(LEAVES[size : size + 1])


@pytest.mark.parametrize("size", [255, 256, 257, 65_535, 65_536, 65_537, 70_000])
def test_a_large_tree_has_the_tiles_the_specification_counts(size):
    growing, full = merkle.Tree(), []
    for n in range(size):
        full += growing.append(n.to_bytes(32, "big"))
    partial = growing.partial_tiles()
    for level in range(3):
        at_level = size >> (8 * level)
        assert [t.index for t in full if t.level == level] == list(range(at_level // 256))
        assert [(t.index, t.width) for t in partial if t.level == level] == (
            [(at_level // 256, at_level % 256)] if at_level % 256 else []
        )
    assert all(t.width == 256 for t in full)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, MOST), st.data())
def test_the_sm3_track_is_the_same_tree_over_another_hash(size, data):
    leaves = [merkle.leaf(b"%d" % n, merkle.sm3) for n in range(size)]
    assert leaves[0] == tree.leaf_hash(b"0", sm2.sm3)

    def of(level, index):
        return merkle.fold(leaves[index << level : (index + 1) << level], merkle.sm3)

    index, first = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    root = merkle.root(size, of, merkle.sm3)
    proof = merkle.inclusion(index, size, of, merkle.sm3)
    tree.check_inclusion(index, size, leaves[index], proof, root, sm2.sm3)
    small = merkle.root(first, of, merkle.sm3)
    proof = merkle.consistency(first, size, of, merkle.sm3)
    tree.check_consistency(first, size, small, root, proof, sm2.sm3)
