"""Tiles of hashes and bundles of entries: names, widths, contents (C2SP tlog-tiles, edition of 2026). Pure.

The tile of level L and index N holds the roots of 256 perfect subtrees of 256^L leaves each; the last may be partial.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from audit.verifier.tree import Frontier, Hash, node_hash, sha256

WIDTH, HASH = 256, 32
LONGEST_TILE = WIDTH * HASH
LONGEST_BUNDLE = WIDTH * (2 + 65_535)
ENTRIES = -1  # the "level" of bundles of entries
_PATH = re.compile(r"(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")


class BadBundle(ValueError):
    """The bundle is not entries with their lengths; `entries` are those before the fault."""

    def __init__(self, detail: str, entries: list[bytes]) -> None:
        super().__init__(detail)
        self.entries = entries


def path_of(level: int, index: int, width: int = WIDTH) -> str:
    """Below `tile/`: `<L>/<N>[.p/<W>]`, such as `0/x001/234.p/5`."""
    groups = [f"{index % 1000:03d}"]
    while index := index // 1000:
        groups.append(f"x{index % 1000:03d}")
    name = "entries" if level == ENTRIES else str(level)
    return f"{name}/{'/'.join(reversed(groups))}" + (f".p/{width}" if width < WIDTH else "")


def parse_path(path: str) -> tuple[int, int, int] | None:
    """Level, index and width of a path below `tile/`; None if it is none, or not written as it must be."""
    found = _PATH.fullmatch(path)
    if found is None:
        return None
    level = ENTRIES if found[1] == "entries" else int(found[1])
    index = int(found[2].replace("x", "").replace("/", ""))
    width = int(found[3] or WIDTH)
    return (level, index, width) if path_of(level, index, width) == path else None


def width_at(level: int, index: int, size: int) -> int:
    """How wide this tile is in a tree of that size; 0 if it does not exist."""
    hashes = size >> 8 * max(level, 0)
    return min(max(hashes - index * WIDTH, 0), WIDTH)


def entries_of(bundle: bytes, width: int) -> list[bytes]:
    """Raises BadBundle."""
    entries, at = list[bytes](), 0
    while at < len(bundle) and len(entries) < width:
        end = at + 2 + int.from_bytes(bundle[at : at + 2], "big")
        if end > len(bundle):
            raise BadBundle("an entry is cut short", entries)
        entries.append(bundle[at + 2 : end])
        at = end
    if len(entries) < width:
        raise BadBundle(f"{len(entries)} entries where {width} belong", entries)
    if at < len(bundle):
        raise BadBundle("bytes after the last entry", entries)
    return entries


class TileTree:
    """The tree over leaf hashes, built tile by tile and held against the tiles that are stored.

    `read` gives a stored tile by its path below the folder of tiles, or None. `missing` are tiles that it had none for,
    `differences` those that differ, each as level, first leaf below the first hash that differs, and path. The
    smallest is the one to name: of a changed entry, all levels above differ too.
    """

    def __init__(self, read: Callable[[str], bytes | None], digest: Hash = sha256) -> None:
        self.size = 0
        self.missing: list[tuple[int, int, str]] = []
        self.differences: list[tuple[int, int, str]] = []
        self._read, self._digest = read, digest
        self._levels: list[list[bytes]] = [[]]  # the hashes of the tile that is being filled, of each level

    @classmethod
    def resumed(
        cls, read: Callable[[str], bytes | None], digest: Hash, size: int, begun: list[list[bytes]]
    ) -> TileTree:
        """At `size` leaves, a multiple of 256: `begun` are the hashes of the tiles being filled, level by level."""
        tree = cls(read, digest)
        tree.size, tree._levels = size, [list(hashes) for hashes in begun]
        return tree

    def add(self, leaves: list[bytes]) -> None:
        """Requires: no tile is filled and another begun at once."""
        self._levels[0] += leaves
        self.size += len(leaves)
        level = 0
        while len(self._levels[level]) == WIDTH:
            tile = self._levels[level]
            self._compare(level, tile)
            if level + 1 == len(self._levels):
                self._levels.append([])
            self._levels[level + 1].append(self._perfect(tile))
            tile.clear()
            level += 1

    def finish(self) -> bytes:
        """Hold the partial tiles against those stored. Returns the root."""
        roots = list[bytes]()
        for level in reversed(range(len(self._levels))):
            if self._levels[level]:
                self._compare(level, self._levels[level])
            part = Frontier(digest=self._digest)
            part.extend(self._levels[level])
            roots += part.roots
        if not roots:
            return self._digest(b"")
        root = roots.pop()
        while roots:
            root = node_hash(roots.pop(), root, self._digest)
        return root

    def _perfect(self, tile: list[bytes]) -> bytes:
        part = Frontier(digest=self._digest)
        part.extend(tile)
        return part.root()

    def _compare(self, level: int, hashes: list[bytes]) -> None:
        span = 1 << 8 * level  # leaves below one hash
        index = (self.size // span - 1) // WIDTH
        path, computed = path_of(level, index, len(hashes)), b"".join(hashes)
        stored = self._read(path)
        if stored is None:
            self.missing.append((level, index * WIDTH * span, path))
        elif stored != computed:
            same = next(
                (i for i, one in enumerate(hashes) if stored[i * HASH : (i + 1) * HASH] != one),
                len(hashes) - 1,
            )
            self.differences.append((level, (index * WIDTH + same) * span, path))
