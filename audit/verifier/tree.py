"""Merkle trees of RFC 6962 §2.1 from the verifying side: roots of streams, inclusion, consistency. Pure.

Proofs over a subtree [start, end) of the leaves follow draft-ietf-plants-merkle-tree-certs; with start 0 they are the
proofs of RFC 6962. The hash is SHA-256, for the parallel track SM3 (GB/T 32905).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from itertools import islice

Hash = Callable[[bytes], bytes]


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


class InvalidProof(ValueError):
    """The proof does not show what it should; the text says what is wrong with it."""


def leaf_hash(entry: bytes, digest: Hash = sha256) -> bytes:
    return digest(b"\x00" + entry)


def node_hash(left: bytes, right: bytes, digest: Hash = sha256) -> bytes:
    return digest(b"\x01" + left + right)


class Frontier:
    """The roots of the perfect subtrees of the leaves so far, largest first: enough to go on, and to know the root.

    Holds at most log2(size) + 1 hashes, whatever the size.
    """

    def __init__(self, size: int = 0, roots: Sequence[bytes] = (), digest: Hash = sha256) -> None:
        """Raises ValueError if there are not exactly as many roots as `size` has one bits, 32 bytes each."""
        if size < 0 or len(roots) != size.bit_count() or any(len(root) != 32 for root in roots):
            raise ValueError("these are not the subtree roots of a tree of that size")
        self.size, self._roots, self._digest = size, list(roots), digest

    @property
    def roots(self) -> tuple[bytes, ...]:
        return tuple(self._roots)

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Append leaf hashes. One hash per leaf, whatever the number at a time; many at a time is faster."""
        rest = iter(leaves)
        left = len(leaves)
        while left:
            # The largest perfect subtree that stands at this place and is full.
            aligned = self.size & -self.size or left
            width = min(aligned, 1 << (left.bit_length() - 1))
            self._push(self._perfect(list(islice(rest, width))), width)
            left -= width

    def root(self) -> bytes:
        """SHA-256 of nothing for an empty tree."""
        if not self._roots:
            return self._digest(b"")
        root = self._roots[-1]
        for left in reversed(self._roots[:-1]):
            root = node_hash(left, root, self._digest)
        return root

    def _perfect(self, level: list[bytes]) -> bytes:
        digest = self._digest
        while len(level) > 1:
            level = [
                digest(b"\x01" + left + right) for left, right in zip(level[::2], level[1::2], strict=True)
            ]
        return level[0]

    def _push(self, root: bytes, width: int) -> None:
        size = self.size
        while size & width:
            root = node_hash(self._roots.pop(), root, self._digest)
            size -= width
            width *= 2
        self._roots.append(root)
        self.size = size + width


def check_inclusion(
    index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes, digest: Hash = sha256
) -> None:
    """Leaf hash `leaf` stands at `index` of the tree of `size` leaves with this root. Raises InvalidProof."""
    check_subtree_inclusion(index, 0, size, leaf, proof, root, digest)


def check_consistency(
    first: int,
    second: int,
    first_root: bytes,
    second_root: bytes,
    proof: Sequence[bytes],
    digest: Hash = sha256,
) -> None:
    """The tree of `second` leaves begins with the tree of `first` leaves. Raises InvalidProof.

    There is nothing to prove of the empty tree, with which every tree begins: `first` is at least 1.
    """
    if first < 1:
        raise InvalidProof("no proof begins with the empty tree")
    check_subtree_consistency(0, first, second, first_root, second_root, proof, digest)


def check_subtree_inclusion(
    index: int, start: int, end: int, leaf: bytes, proof: Sequence[bytes], root: bytes, digest: Hash = sha256
) -> None:
    """Leaf hash `leaf` stands at `index` of the subtree [start, end) with this root. Raises InvalidProof."""
    _check_subtree(start, end)
    _check_lengths(leaf, root, *proof)
    if not start <= index < end:
        raise InvalidProof(f"there is no leaf {index} in [{start}, {end})")
    at, last = index - start, end - start - 1
    computed = leaf
    for sibling in proof:
        if last == 0:
            raise InvalidProof("the proof has hashes left over")
        if at & 1 or at == last:
            computed = node_hash(sibling, computed, digest)
            while at and not at & 1:  # levels at which this node has no sibling
                at, last = at >> 1, last >> 1
        else:
            computed = node_hash(computed, sibling, digest)
        at, last = at >> 1, last >> 1
    if last:
        raise InvalidProof("the proof lacks hashes")
    if computed != root:
        raise InvalidProof("the hashes lead to another root")


def check_subtree_consistency(
    start: int,
    end: int,
    size: int,
    subtree_root: bytes,
    root: bytes,
    proof: Sequence[bytes],
    digest: Hash = sha256,
) -> None:
    """The subtree [start, end) with its root is part of the tree of `size` leaves with root `root`.

    Raises InvalidProof.
    """
    _check_lengths(*proof)
    if not 0 <= start <= end <= size:
        raise InvalidProof(f"[{start}, {end}) is not within {size} leaves")
    if start == end:
        if proof or subtree_root != digest(b""):
            raise InvalidProof("the root of no leaves is fixed and its proof empty")
        return
    _check_subtree(start, end)
    at, last, whole = start, end - 1, size - 1
    shift = (at ^ last).bit_length()
    if last != whole:  # up to the largest perfect subtree that ends where the subtree ends
        shift = min(shift, (~last & (last + 1)).bit_length() - 1)
    at, last, whole = at >> shift, last >> shift, whole >> shift
    if at != last and not proof:
        raise InvalidProof("the proof lacks hashes")
    begun, siblings = (subtree_root, proof) if at == last else (proof[0], proof[1:])
    small, large = _climb(at, last, whole, begun, siblings, digest)
    if small != subtree_root:
        raise InvalidProof("the hashes lead to another root of the smaller tree")
    if large != root:
        raise InvalidProof("the hashes lead to another root of the larger tree")


def _climb(
    at: int, last: int, whole: int, begun: bytes, siblings: Sequence[bytes], digest: Hash
) -> tuple[bytes, bytes]:
    """The two roots that the siblings lead to, of the subtree and of the whole tree, from the node both contain."""
    small = large = begun
    for sibling in siblings:
        if whole == 0:
            raise InvalidProof("the proof has hashes left over")
        if last & 1 or last == whole:
            if at < last:
                small = node_hash(sibling, small, digest)
            large = node_hash(sibling, large, digest)
            while last and not last & 1:
                at, last, whole = at >> 1, last >> 1, whole >> 1
        else:
            large = node_hash(large, sibling, digest)
        at, last, whole = at >> 1, last >> 1, whole >> 1
    if whole:
        raise InvalidProof("the proof lacks hashes")
    return small, large


def _check_subtree(start: int, end: int) -> None:
    """[start, end) is a node of some tree over these leaves."""
    if not 0 <= start < end or start % (1 << (end - start - 1).bit_length()):
        raise InvalidProof(f"[{start}, {end}) is no subtree")


def _check_lengths(*hashes: bytes) -> None:
    if any(len(one) != 32 for one in hashes):
        raise InvalidProof("a hash has 32 bytes")
