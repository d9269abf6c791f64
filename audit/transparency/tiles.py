"""The tree as static files (C2SP tlog-tiles): where each tile stands, writing them, reading hashes from them. Pure."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

from audit.transparency import files
from audit.transparency.merkle import TILE_HEIGHT, TILE_WIDTH, Digest, Tile, fold, sha256

SHA256_TREE, SM3_TREE, ENTRIES = "tile", "tile-sm3", "tile/entries"
HASH_BYTES = 32


class Damaged(RuntimeError):
    """A tile is missing or has not the bytes it should have."""


def number(index: int) -> str:
    """1234067 as `x001/x234/067`."""
    digits = f"{index:03}"
    digits = digits.zfill((len(digits) + 2) // 3 * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    return "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])


def tile_path(tree: str, level: int, index: int, width: int = TILE_WIDTH) -> str:
    return f"{tree}/{level}/{number(index)}{_suffix(width)}"


def bundle_path(index: int, width: int = TILE_WIDTH) -> str:
    return f"{ENTRIES}/{number(index)}{_suffix(width)}"


def bundle(entries: Iterable[bytes]) -> bytes:
    """Each entry behind its length as a big-endian uint16."""
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def entries_of(raw: bytes) -> Iterator[bytes]:
    """Raises Damaged."""
    at = 0
    while at < len(raw):
        length = int.from_bytes(raw[at : at + 2], "big")
        entry = raw[at + 2 : at + 2 + length]
        if len(entry) != length:
            raise Damaged("an entry bundle ends in the middle of an entry")
        yield entry
        at += 2 + length


@dataclass(frozen=True, slots=True)
class File:
    """One tile or bundle as it should stand: its name below the folder, its bytes, how wide it is."""

    name: str
    data: bytes
    width: int

    def stands_in(self, folder: Path) -> bool:
        """With these bytes, and a full one without the partial ones it replaces."""
        if self.width == TILE_WIDTH and self._partials(folder).exists():
            return False
        return files.read(folder / self.name) == self.data

    def write(self, folder: Path) -> None:
        files.put(folder / self.name, self.data)
        if self.width == TILE_WIDTH:
            shutil.rmtree(self._partials(folder), ignore_errors=True)

    def _partials(self, folder: Path) -> Path:
        return folder / f"{self.name}.p"


def tile_file(tree: str, tile: Tile) -> File:
    name = tile_path(tree, tile.level, tile.index, tile.width)
    return File(name, b"".join(tile.hashes), tile.width)


def bundle_file(index: int, entries: Sequence[bytes]) -> File:
    return File(bundle_path(index, len(entries)), bundle(entries), len(entries))


class Reader:
    """Hashes of perfect subtrees of the first `size` leaves, each tile read once."""

    def __init__(self, folder: Path, size: int, tree: str = SHA256_TREE, digest: Digest = sha256) -> None:
        self._folder, self._size, self._tree, self._digest = folder, size, tree, digest
        self.tile = lru_cache(maxsize=256)(self._read)

    def hashes(self, level: int, index: int) -> bytes:
        """MTH(D[index · 2^level : (index + 1) · 2^level]), which must lie within `size`. Raises Damaged."""
        tile_level, above = divmod(level, TILE_HEIGHT)
        first, count = index << above, 1 << above
        at = first % TILE_WIDTH
        found = self.tile(tile_level, first // TILE_WIDTH)[at : at + count]
        if len(found) != count:
            raise Damaged(f"{tile_path(self._tree, tile_level, first // TILE_WIDTH)} is too short")
        return fold(found, self._digest)

    def _read(self, level: int, index: int) -> list[bytes]:
        width = width_of(self._size, level, index)
        name = tile_path(self._tree, level, index, width)
        raw = self._file(name, width)
        return [raw[at : at + HASH_BYTES] for at in range(0, width * HASH_BYTES, HASH_BYTES)]

    def _file(self, name: str, width: int) -> bytes:
        """A partial tile goes when it is full: then the full one has its hashes."""
        for candidate in (name, name.partition(".p/")[0]):
            raw = files.read(self._folder / candidate)
            if raw is not None and len(raw) >= width * HASH_BYTES:
                return raw
        raise Damaged(f"{name} is missing or cut short")

    def entry(self, index: int) -> bytes:
        """The bytes of one entry. Raises Damaged."""
        at, place = divmod(index, TILE_WIDTH)
        return self._entries(at)[place]

    def files(self) -> Iterator[File]:
        """Every tile of the tree, as wide as it is at this size. Raises Damaged."""
        level = 0
        while at_level := self._size >> (TILE_HEIGHT * level):
            for index in range(-(-at_level // TILE_WIDTH)):
                yield tile_file(self._tree, Tile(level, index, tuple(self._read(level, index))))
            level += 1

    def bundles(self) -> Iterator[File]:
        """Every entry bundle, as wide as it is at this size. Raises Damaged."""
        for index in range(-(-self._size // TILE_WIDTH)):
            yield bundle_file(index, self._entries(index))

    def _entries(self, index: int) -> list[bytes]:
        width = width_of(self._size, 0, index)
        for name in (bundle_path(index, width), bundle_path(index)):
            raw = files.read(self._folder / name)
            found = [] if raw is None else list(islice(entries_of(raw), width))
            if len(found) == width:
                return found
        raise Damaged(f"{bundle_path(index, width)} is missing or cut short")


def width_of(size: int, level: int, index: int) -> int:
    """How many hashes (or entries, at level 0) tile `index` of `level` has in a tree of `size`."""
    return max(0, min(TILE_WIDTH, (size >> (TILE_HEIGHT * level)) - index * TILE_WIDTH))


def _suffix(width: int) -> str:
    return "" if width == TILE_WIDTH else f".p/{width}"
