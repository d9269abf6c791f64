"""The tree on disk is what C2SP tlog-tiles says, whole after a kill, and enough for every proof at a few tile reads."""

from __future__ import annotations

import hashlib
import os
import random
from pathlib import Path

import pytest

from audit.transparency import files, merkle, tiles
from audit.verifier import tree


def entry(n: int) -> bytes:
    return b"entry %d" % n


class Log:
    """Grown in steps, written as the checkpointer writes it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.tree, self.bundle = folder, merkle.Tree(), []

    def grow(self, size: int) -> None:
        for n in range(self.tree.size, size):
            self.bundle.append(entry(n))
            for tile in self.tree.append(merkle.leaf(entry(n))):
                tiles.tile_file(tiles.SHA256_TREE, tile).write(self.folder)
            if len(self.bundle) == 256:
                tiles.bundle_file(n // 256, self.bundle).write(self.folder)
                self.bundle = []
        for tile in self.tree.partial_tiles():
            tiles.tile_file(tiles.SHA256_TREE, tile).write(self.folder)
        if self.bundle:
            tiles.bundle_file(size // 256, self.bundle).write(self.folder)


def naive(size: int) -> dict[str, bytes]:
    """Every file of a tree of `size` from the specification's sentences, without any code of the log."""
    found, level, hashes = {}, 0, [hashlib.sha256(b"\x00" + entry(n)).digest() for n in range(size)]
    for at in range(0, size, 256):
        some = [entry(n) for n in range(at, min(at + 256, size))]
        name = tiles.number(at // 256) + ("" if len(some) == 256 else f".p/{len(some)}")
        found[f"tile/entries/{name}"] = b"".join(len(e).to_bytes(2, "big") + e for e in some)
    while hashes:
        for at in range(0, len(hashes), 256):
            some = hashes[at : at + 256]
            name = tiles.number(at // 256) + ("" if len(some) == 256 else f".p/{len(some)}")
            found[f"tile/{level}/{name}"] = b"".join(some)
        above = []
        for at in range(0, len(hashes) - 255, 256):
            fold = tree.Frontier()
            fold.extend(hashes[at : at + 256])
            above.append(fold.root())
        level, hashes = level + 1, above
    return found


def on_disk(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    ("index", "path"),
    [(0, "000"), (7, "007"), (999, "999"), (1000, "x001/000"), (1234067, "x001/x234/067"), (10**9, "x001/x000/x000/000")],
)  # fmt: skip
def test_the_number_of_a_tile_is_written_as_the_specification_shows(index, path):
    assert tiles.number(index) == path


@pytest.mark.parametrize("size", [1, 255, 256, 257, 511, 513])
def test_the_tree_on_disk_equals_a_naive_rebuild_however_it_grew(tmp_path, size):
    draws, log = random.Random(size), Log(tmp_path)
    while log.tree.size < size:
        log.grow(min(size, log.tree.size + draws.randint(1, 100)))
    disk, wanted = on_disk(tmp_path), naive(size)
    assert {name: disk.get(name) for name in wanted} == wanted
    reader = tiles.Reader(tmp_path, size)
    assert {file.name: file.data for file in [*reader.files(), *reader.bundles()]} == wanted
    # What else is there are earlier partial tiles of what is still partial.
    ends = [name.partition(".p/")[0] for name in wanted if ".p/" in name]
    assert all(name.partition(".p/")[0] in ends for name in disk.keys() - wanted.keys())


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537])
def test_where_a_level_fills_the_tree_is_as_rebuilt_and_proves_its_ends(tmp_path, size, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)  # 500 files; what is tested is their bytes
    log = Log(tmp_path)
    log.grow(size)
    assert on_disk(tmp_path) == naive(size)
    reader = tiles.Reader(tmp_path, size)
    root = merkle.root(size, reader.hashes)
    assert root == log.tree.root()
    for index in (0, 1, 255, 256, 257, 32_767, 32_768, size - 2, size - 1):
        assert reader.entry(index) == entry(index)
        proof = merkle.inclusion(index, size, reader.hashes)
        tree.check_inclusion(index, size, merkle.leaf(entry(index)), proof, root)
    for first in (1, 255, 256, 257, 65_279, 65_281, size - 1):
        fresh = tiles.Reader(tmp_path, size)
        proof = merkle.consistency(first, size, fresh.hashes)
        tree.check_consistency(first, size, merkle.root(first, reader.hashes), root, proof)
        assert fresh.tile.cache_info().misses <= 6  # O(log n), not O(n)


def test_a_partial_tile_that_became_full_is_read_from_the_full_one(tmp_path):
    log = Log(tmp_path)
    log.grow(300)
    old = tiles.Reader(tmp_path, 300)
    root = merkle.root(300, old.hashes)
    log.grow(600)
    assert not (tmp_path / "tile/0/001.p").exists()
    late = tiles.Reader(tmp_path, 300)
    assert merkle.root(300, late.hashes) == root
    assert late.entry(299) == entry(299)


def test_a_missing_or_short_tile_is_told_and_never_a_wrong_proof(tmp_path):
    log = Log(tmp_path)
    log.grow(300)
    (tmp_path / "tile/0/001.p/44").write_bytes(bytes(32))
    with pytest.raises(tiles.Damaged, match="tile/0/001"):
        merkle.inclusion(299, 300, tiles.Reader(tmp_path, 300).hashes)
    (tmp_path / "tile/entries/000").unlink()
    with pytest.raises(tiles.Damaged, match="tile/entries/000"):
        tiles.Reader(tmp_path, 300).entry(3)
    (tmp_path / "tile/entries/001.p/44").write_bytes(b"\x00\x09short")
    with pytest.raises(tiles.Damaged, match="middle"):
        tiles.Reader(tmp_path, 300).entry(299)


def test_a_draft_left_by_a_kill_is_written_over_and_leaves_nothing(tmp_path):
    (tmp_path / ".checkpoint.new").write_bytes(b"half a chec")
    files.put(tmp_path / "checkpoint", b"whole")
    assert on_disk(tmp_path) == {"checkpoint": b"whole"}


def test_a_destroyed_file_held_other_bytes_before_it_went(tmp_path, monkeypatch):
    secret = tmp_path / "key"
    secret.write_bytes(b"secret" * 100)
    seen = []
    unlink = Path.unlink
    monkeypatch.setattr(Path, "unlink", lambda path: (seen.append(path.read_bytes()), unlink(path)))
    files.destroy(secret)
    assert not secret.exists()
    assert len(seen[0]) == 600
    assert b"secret" not in seen[0]
