"""The log as it grows, in memory: its trees, the entries of the last tile, and when keys came and went. Pure.

Whatever reads entries hands them in one after the other; what comes out are the files they fill.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

from audit.transparency import merkle, tiles
from audit.transparency.tiles import SHA256_TREE, SM3_TREE, File

GENESIS = bytes(32)  # what the first entry holds as the leaf hash of the entry before
# Canonical bytes are written in one way only, and no text can hold these: its quotes would be escaped.
_ADDED, _RETIRED = b'"act":"log.key_added"', b'"act":"log.key_retired"'


@dataclass(frozen=True, slots=True)
class KeyDates:
    """The numbers of the entries that announced and ended a key; None where there is none."""

    added: int | None = None
    retired: int | None = None

    def after(self, entry: bytes, seq: int) -> KeyDates:
        """With what `entry` says of the key. Of each kind the first counts."""
        if _ADDED in entry:
            return self if self.added is not None else replace(self, added=seq)
        return self if self.retired is not None else replace(self, retired=seq)


class Growth:
    """Begins empty. `leaf` is the leaf hash of the last entry; `keys` maps verifier keys to their dates."""

    def __init__(self, *, with_sm3: bool) -> None:
        self.tree = merkle.Tree()
        self.sm3 = merkle.Tree(merkle.sm3) if with_sm3 else None
        self.leaf = GENESIS
        self.keys: dict[str, KeyDates] = {}
        self._bundle: list[bytes] = []

    @property
    def size(self) -> int:
        return self.tree.size

    def absorb(self, entry: bytes, leaf: bytes) -> Iterator[File]:
        """Take the next entry, whose leaf hash was checked. Returns the files it has filled."""
        self._note_keys(entry)
        self.leaf = leaf
        self._bundle.append(entry)
        filled = [tiles.tile_file(SHA256_TREE, tile) for tile in self.tree.append(leaf)]
        if self.sm3 is not None:
            sm3_leaf = merkle.leaf(entry, merkle.sm3)
            filled += [tiles.tile_file(SM3_TREE, tile) for tile in self.sm3.append(sm3_leaf)]
        if len(self._bundle) == merkle.TILE_WIDTH:
            filled.append(tiles.bundle_file(self.size // merkle.TILE_WIDTH - 1, self._bundle))
            self._bundle = []
        return iter(filled)

    def edge(self) -> Iterator[File]:
        """The files at the right edge that are not full."""
        for tile in self.tree.partial_tiles():
            yield tiles.tile_file(SHA256_TREE, tile)
        for tile in self.sm3.partial_tiles() if self.sm3 else ():
            yield tiles.tile_file(SM3_TREE, tile)
        if self._bundle:
            yield tiles.bundle_file(self.size // merkle.TILE_WIDTH, self._bundle)

    def _note_keys(self, entry: bytes) -> None:
        vkey = vkey_of(entry)
        if vkey:
            self.keys[vkey] = self.keys.get(vkey, KeyDates()).after(entry, self.size)


def vkey_of(entry: bytes) -> str:
    """The key that an entry announces or ends; "" for any other, whatever it may hold."""
    if not any(act in entry for act in (_ADDED, _RETIRED)):
        return ""
    try:
        said = json.loads(entry).get("x")
    except (ValueError, RecursionError):
        return ""
    vkey = said.get("vkey") if isinstance(said, dict) else None
    return vkey if isinstance(vkey, str) else ""
