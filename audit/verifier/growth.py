"""A tree of tiles that has grown: whether the new tiles give the new root, and continue the tree that was there. Pure.

Only what grew is read: the tiles at the old right edge hold all that is needed of what stands before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from audit.verifier.note import Checkpoint
from audit.verifier.result import Finding, Unreadable
from audit.verifier.tiles import HASH, WIDTH, TileTree, path_of, width_at
from audit.verifier.tree import Frontier, Hash
from audit.verifier.wording import finding

Read = Callable[[str], bytes | None]  # a tile by its path below the tree's folder
Place = tuple[int, int, int]  # level, index, width


@dataclass(frozen=True, slots=True)
class Growth:
    """From the checkpoint `before`, whose tiles `own` reads, to `after`, whose tiles `new` reads.

    `served` reads what the server has of any tile of `after`, even where a verified one is at hand. `tree` is the
    name of the tree's folder.
    """

    tree: str
    before: Checkpoint | None
    noted: str  # where `before` is written
    after: Checkpoint
    own: Read
    new: Read
    served: Read
    digest: Hash

    def check(self, fetched: Iterable[Place]) -> Finding | None:
        """Every fetched tile of hashes and the new root, and that the old tree is part of the new.

        Raises Unreadable where the own tiles do not give the old root.
        """
        size = 0 if self.before is None else self.before.size
        start = min([size, *(_last_leaf(place) for place in fetched)]) // WIDTH * WIDTH
        begun = _edge(self.own, start, size)
        if begun is None:
            start, begun = 0, [[]]
        tree, old = TileTree.resumed(self.new, self.digest, start, begun), self._frontier(start, begun)
        for index, leaves in self._leaves(self.new, start, self.after.size):
            if leaves is None:
                path = path_of(0, index, width_at(0, index, self.after.size))
                return finding("tile_missing", index * WIDTH, path=f"{self.tree}/{path}")
            tree.add(leaves)
            old.extend(leaves[: max(size - old.size, 0)])
        fits = tree.finish() == self.after.root and not tree.differences and not tree.missing
        continues = self.before is None or old.root() == self.before.root
        if fits and continues:
            return None
        return self._diagnosis(start, tree, fits=fits)

    def _diagnosis(self, start: int, tree: TileTree, *, fits: bool) -> Finding:
        if self.before is not None:
            own = self._root(self.own, self.before.size, self.before.size)
            if own is not None and own != self.before.root:
                raise Unreadable(
                    f"本地镜像已损坏（{self.tree}），请保留备查，另建目录重新镜像 · "
                    f"the copy itself is damaged ({self.tree}): keep it, and mirror into a new folder"
                )
            if fits or self._tells_otherwise(start, self.before):
                return finding("fork", path=self.noted, size=self.before.size)
        if tree.differences or tree.missing:
            code = "tile" if tree.differences else "tile_missing"
            _level, seq, path = min(tree.differences or tree.missing)
            return finding(code, seq, path=f"{self.tree}/{path}")
        return finding("root")

    def _tells_otherwise(self, start: int, before: Checkpoint) -> bool:
        """Without anything of ours the server's tiles give the new root, and another root where the old tree ended."""
        begun = _edge(self.served, start, self.after.size)
        if begun is None:
            return False
        new = self._frontier(start, begun)
        old = self._frontier(start, begun)
        for _index, leaves in self._leaves(self.served, start, self.after.size):
            new.extend(leaves or [])
            old.extend((leaves or [])[: max(before.size - old.size, 0)])
        return new.root() == self.after.root and old.root() != before.root

    def root_at(self, size: int) -> bytes | None:
        """Of the first `size` leaves of the new tree; None where tiles are not there."""
        return self._root(self.new, size, self.after.size)

    def _root(self, read: Read, size: int, stored: int) -> bytes | None:
        """Of the first `size` leaves, from the tiles of a tree of `stored` leaves."""
        start = size // WIDTH * WIDTH
        begun = _edge(read, start, stored)
        if begun is None:
            return None
        frontier = self._frontier(start, begun)
        for _index, leaves in self._leaves(read, start, min(start + WIDTH, stored)):
            frontier.extend((leaves or [])[: size - start])
        return frontier.root() if frontier.size == size else None

    def _frontier(self, start: int, begun: list[list[bytes]]) -> Frontier:
        roots = list[bytes]()
        for hashes in reversed(begun):
            part = Frontier(digest=self.digest)
            part.extend(hashes)
            roots += part.roots
        return Frontier(start, roots, self.digest)

    @staticmethod
    def _leaves(read: Read, start: int, size: int) -> Iterator[tuple[int, list[bytes] | None]]:
        """Index and hashes of each tile of level 0 from `start` on; None where it is not there or not as wide."""
        for index in range(start // WIDTH, -(-size // WIDTH)):
            width = width_at(0, index, size)
            raw = read(path_of(0, index, width))
            yield index, None if raw is None or len(raw) != width * HASH else _split(raw)


def _edge(read: Read, start: int, size: int) -> list[list[bytes]] | None:
    """Of the tiles of a tree of `size` leaves, the hashes before `start`, level by level: what TileTree begins with.

    Requires: `start` is a multiple of 256. None if one is not there.
    """
    levels, level = list[list[bytes]](), 0
    while level == 0 or start >> 8 * level:
        index, count = divmod(start >> 8 * level, WIDTH)
        raw = read(path_of(level, index, width_at(level, index, size))) if count else b""
        if raw is None or len(raw) < count * HASH:
            return None
        levels.append(_split(raw[: count * HASH]))
        level += 1
    return levels


def _last_leaf(place: Place) -> int:
    level, index, width = place
    return (index * WIDTH + width << 8 * level) - 1


def _split(raw: bytes) -> list[bytes]:
    return [raw[at : at + HASH] for at in range(0, len(raw), HASH)]
