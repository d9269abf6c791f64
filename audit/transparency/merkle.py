"""Merkle trees of RFC 6962 §2.1 from the log's side: a tree that grows, roots, inclusion and consistency proofs. Pure.

A proof asks for the hashes of perfect subtrees only, O(log n) of them, wherever they are kept: `hashes(level, index)`
is MTH(D[index · 2^level : (index + 1) · 2^level]). The verifier has its own code for all of this.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes as algorithms

Digest = Callable[[bytes], bytes]
Hashes = Callable[[int, int], bytes]

TILE_HEIGHT = 8  # C2SP tlog-tiles
TILE_WIDTH = 1 << TILE_HEIGHT


class OutOfRange(ValueError):
    """There is no such leaf or no such smaller tree."""


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def sm3(data: bytes) -> bytes:
    """GB/T 32905, 32 bytes."""
    digest = algorithms.Hash(algorithms.SM3())
    digest.update(data)
    return digest.finalize()


def leaf(entry: bytes, digest: Digest = sha256) -> bytes:
    return digest(b"\x00" + entry)


def node(left: bytes, right: bytes, digest: Digest = sha256) -> bytes:
    return digest(b"\x01" + left + right)


# --- A tree that grows ------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Tile:
    """`width` consecutive hashes of the tree, 256 levels of height apart: the rightmost of a level may be narrower."""

    level: int
    index: int
    hashes: tuple[bytes, ...]

    @property
    def width(self) -> int:
        return len(self.hashes)


class Tree:
    """The right edge of a tree, as tiles hold it: less than 256 hashes for each level of tiles."""

    def __init__(self, digest: Digest = sha256) -> None:
        self.digest, self.size = digest, 0
        self._levels: list[list[bytes]] = []

    def append(self, leaf_hash: bytes) -> list[Tile]:
        """Returns the tiles this leaf has filled, lowest level first."""
        self.size += 1
        filled: list[Tile] = []
        level, carried = 0, leaf_hash
        while True:
            if level == len(self._levels):
                self._levels.append([])
            hashes = self._levels[level]
            hashes.append(carried)
            if len(hashes) < TILE_WIDTH:
                return filled
            index = (self.size >> (TILE_HEIGHT * (level + 1))) - 1
            filled.append(Tile(level, index, tuple(hashes)))
            carried = self._folded(hashes)
            self._levels[level] = []
            level += 1

    def partial_tiles(self) -> list[Tile]:
        """The tiles at the right edge that are not full, lowest level first."""
        return [
            Tile(level, self.size >> (TILE_HEIGHT * (level + 1)), tuple(hashes))
            for level, hashes in enumerate(self._levels)
            if hashes
        ]

    def frontier(self) -> tuple[bytes, ...]:
        """The roots of the perfect subtrees the tree consists of, largest first: one for each one bit of the size."""
        roots: list[bytes] = []
        for hashes in reversed(self._levels):
            start = 0
            for bit in range(TILE_HEIGHT - 1, -1, -1):
                if len(hashes) >> bit & 1:
                    roots.append(self._folded(hashes[start : start + (1 << bit)]))
                    start += 1 << bit
        return tuple(roots)

    def root(self) -> bytes:
        return root_of(self.frontier(), self.digest)

    def _folded(self, hashes: Sequence[bytes]) -> bytes:
        return fold(hashes, self.digest)


def fold(hashes: Sequence[bytes], digest: Digest = sha256) -> bytes:
    """The root over a power of two of hashes."""
    while len(hashes) > 1:
        hashes = [
            digest(b"\x01" + left + right) for left, right in zip(hashes[::2], hashes[1::2], strict=True)
        ]
    return hashes[0]


def root_of(frontier: Sequence[bytes], digest: Digest = sha256) -> bytes:
    """The root of the tree of these perfect subtrees, largest first; of nothing, the digest of nothing."""
    if not frontier:
        return digest(b"")
    result = frontier[-1]
    for left in reversed(frontier[:-1]):
        result = node(left, result, digest)
    return result


# --- Proofs from what is kept -----------------------------------------------------------------------------
def root(size: int, hashes: Hashes, digest: Digest = sha256) -> bytes:
    """The root of the first `size` leaves."""
    return _range_root(0, size, hashes, digest)


def inclusion(index: int, size: int, hashes: Hashes, digest: Digest = sha256) -> list[bytes]:
    """PATH(index, D[0:size]) of RFC 6962 §2.1.1: siblings from the leaf up. Raises OutOfRange."""
    if not 0 <= index < size:
        raise OutOfRange(f"there is no leaf {index} in a tree of {size}")
    return [_range_root(start, end, hashes, digest) for start, end in _siblings(index, size)][::-1]


def consistency(first: int, second: int, hashes: Hashes, digest: Digest = sha256) -> list[bytes]:
    """PROOF(first, D[0:second]) of RFC 6962 §2.1.2; empty for equal sizes. Raises OutOfRange.

    There is nothing to prove of the empty tree, with which every tree begins: `first` is at least 1.
    """
    if not 1 <= first <= second:
        raise OutOfRange(f"a tree of {second} leaves does not grow from one of {first}")
    start, end = 0, second
    proof: list[bytes] = []
    while first != end:
        middle = start + _largest_power_below(end - start)
        if first <= middle:
            proof.append(_range_root(middle, end, hashes, digest))
            end = middle
        else:
            proof.append(_range_root(start, middle, hashes, digest))
            start = middle
    if start:  # the smaller tree's root is known, unless the walk has left its left edge
        proof.append(_range_root(start, end, hashes, digest))
    return proof[::-1]


def _siblings(index: int, size: int) -> Iterator[tuple[int, int]]:
    """The ranges beside the way from the root down to the leaf."""
    start, end = 0, size
    while end - start > 1:
        middle = start + _largest_power_below(end - start)
        if index < middle:
            yield middle, end
            end = middle
        else:
            yield start, middle
            start = middle


def _range_root(start: int, end: int, hashes: Hashes, digest: Digest) -> bytes:
    """MTH(D[start:end]) for a range whose start is a multiple of the largest power of two in it."""
    roots = []
    while start < end:
        level = (end - start).bit_length() - 1
        roots.append(hashes(level, start >> level))
        start += 1 << level
    return root_of(roots, digest)


def _largest_power_below(count: int) -> int:
    return 1 << (count - 1).bit_length() - 1
