"""The folder of static files: every entry, every hash of every tile, and nothing besides."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from audit.verifier import tiles
from audit.verifier.known import Noted
from audit.verifier.note import Checkpoint, Malformed, parse_checkpoint
from audit.verifier.result import Finding, Unreadable
from audit.verifier.sm2 import sm3
from audit.verifier.tiles import ENTRIES, HASH, WIDTH, BadBundle, TileTree
from audit.verifier.tree import leaf_hash
from audit.verifier.whole import Asked, Stated, Whole
from audit.verifier.wording import finding

_LONGEST_NOTE = 1 << 20
_TREES = {"tile": tiles.LONGEST_BUNDLE, "tile-sm3": tiles.LONGEST_TILE}


def read_folder(folder: Path, asked: Asked) -> Whole:
    """Whatever stands in the folder, this returns. Raises Unreadable if there is no checkpoint in it, or links lead out
    of it; OSError.
    """
    _check_no_links(folder)
    stated, findings = _stated(folder)
    whole = Whole(asked.reading(stated), stated, findings)
    if stated.checkpoint is None:
        return whole
    whole.hashes_only = not (folder / "tile" / "entries").is_dir()
    trees = {"tile": TileTree(partial(_tile, folder / "tile"))}
    if stated.sm3 is not None:
        trees["tile-sm3"] = TileTree(partial(_tile, folder / "tile-sm3"), sm3)
    if whole.hashes_only:
        _read_hashes(folder, "tile", trees["tile"], whole)
        if "tile-sm3" in trees and not whole.findings:
            _read_hashes(folder, "tile-sm3", trees["tile-sm3"], whole)
    else:
        _read_entries(folder, stated, trees, whole)
    if whole.reading.finding is not None and trees["tile"].differences:
        _, seq, path = min(trees["tile"].differences)
        whole.findings.append(finding("tile", seq, path=f"tile/{path}"))
    if whole.reading.finding is None and not whole.findings:
        for name, tree in trees.items():
            _hold(name, tree, stated, whole)
    if whole.reading.finding is None and not whole.findings:
        whole.findings += _strangers(folder, stated)
    return whole


def _stated(folder: Path) -> tuple[Stated, list[Finding]]:
    raw = _file(folder / "checkpoint", _LONGEST_NOTE)
    if raw is None:
        raise Unreadable(f"{folder} holds no file `checkpoint`: it is not the folder of a log")
    found: dict[str, Checkpoint] = {}
    findings = list[Finding]()
    paths = ["checkpoint", "checkpoint.sm3"]
    paths += [f"keys/{path.name}" for path in _listed(folder / "keys")]
    paths += [f"stamps/{path.name}" for path in _listed(folder / "stamps") if path.suffix == ".checkpoint"]
    for path in paths:
        raw = _file(folder / path, _LONGEST_NOTE)
        if raw is None:
            continue
        try:
            found[path] = parse_checkpoint(raw)
        except Malformed as error:
            findings.append(finding("checkpoint", path=path, detail=error))
    below = {
        name: sorted(
            (Noted(path, one) for path, one in found.items() if path.startswith(f"{name}/")),
            key=lambda noted: noted.checkpoint.size,
        )
        for name in ("keys", "stamps")
    }
    stated = Stated(found.get("checkpoint"), found.get("checkpoint.sm3"), below["keys"], below["stamps"])
    if stated.checkpoint and stated.sm3 and stated.sm3.size > stated.checkpoint.size:
        findings.append(finding("ahead", stated.checkpoint.size, size=stated.sm3.size))
    return stated, findings


def _read_entries(folder: Path, stated: Stated, trees: dict[str, TileTree], whole: Whole) -> None:
    assert stated.checkpoint is not None
    for index, width in _bundles(stated.checkpoint.size):
        path = tiles.path_of(ENTRIES, index, width)
        raw = _file(folder / "tile" / path, tiles.LONGEST_BUNDLE)
        if raw is None:
            whole.findings.append(finding("tile_missing", index * WIDTH, path=f"tile/{path}"))
            return
        fault: BadBundle | None = None
        try:
            entries = tiles.entries_of(raw, width)
        except BadBundle as error:
            fault, entries = error, error.entries
        leaves = whole.reading.block(entries)
        if fault is not None and whole.reading.finding is None:
            place = index * WIDTH + len(entries)
            whole.findings.append(finding("bundle", place, path=f"tile/{path}", detail=fault))
        if whole.reading.finding is not None or fault is not None:
            _pin_down(folder, index, leaves, whole)
            return
        trees["tile"].add(leaves)
        parallel = trees.get("tile-sm3")
        if parallel is not None and stated.sm3 is not None:
            parallel.add([leaf_hash(entry, sm3) for entry in entries[: stated.sm3.size - parallel.size]])
    whole.reading.finish()


def _pin_down(folder: Path, index: int, leaves: list[bytes], whole: Whole) -> None:
    """The reading ended in this bundle: the stored hashes may tell of an earlier entry that it was changed."""
    assert whole.stated.checkpoint is not None
    width = tiles.width_at(0, index, whole.stated.checkpoint.size)
    path = tiles.path_of(0, index, width)
    stored = _tile(folder / "tile", path) or b""
    for at, leaf in enumerate(leaves):
        if stored[at * HASH : (at + 1) * HASH] != leaf:
            whole.findings.append(finding("tile", index * WIDTH + at, path=f"tile/{path}"))
            return


def _read_hashes(folder: Path, name: str, tree: TileTree, whole: Whole) -> None:
    """A tree alone, from the leaf hashes stored at level 0."""
    for index, width in _bundles(_checkpoint_of(name, whole.stated).size):
        path = tiles.path_of(0, index, width)
        raw = _tile(folder / name, path) or b""
        if len(raw) != width * HASH:
            whole.findings.append(finding("tile_missing", index * WIDTH, path=f"{name}/{path}"))
            return
        leaves = [raw[at : at + HASH] for at in range(0, len(raw), HASH)]
        tree.add(leaves)
        if name == "tile":
            whole.reading.hashes(leaves)


def _checkpoint_of(name: str, stated: Stated) -> Checkpoint:
    """Requires: there is one over this tree."""
    checkpoint = stated.checkpoint if name == "tile" else stated.sm3
    assert checkpoint is not None
    return checkpoint


def _hold(name: str, tree: TileTree, stated: Stated, whole: Whole) -> None:
    """Hold the tree that the entries give against the tiles and the root that are stored."""
    checkpoint = _checkpoint_of(name, stated)
    same_root = tree.finish() == checkpoint.root
    if tree.differences:
        _, seq, path = min(tree.differences)
        code = "tile" if same_root else "rewritten"
        whole.findings.append(finding(code, seq, path=f"{name}/{path}"))
    elif tree.missing:
        _, seq, path = min(tree.missing)
        whole.findings.append(finding("tile_missing", seq, path=f"{name}/{path}"))
    elif not same_root and name == "tile-sm3":
        whole.findings.append(finding("other_root", path="checkpoint.sm3", size=checkpoint.size))


def _strangers(folder: Path, stated: Stated) -> Iterator[Finding]:
    """Files among the tiles that are none of this tree. Tiles that were partial once may stay."""
    sizes = {"tile": stated.checkpoint, "tile-sm3": stated.sm3}
    for name, checkpoint in sizes.items():
        for found in _walk(folder / name):
            place = tiles.parse_path(found)
            size = 0 if checkpoint is None else checkpoint.size
            now = 0 if place is None else tiles.width_at(place[0], place[1], size)
            if place is None or place[2] > now or (name == "tile-sm3" and place[0] == ENTRIES):
                yield finding("tile_extra", path=f"{name}/{found}")
            elif place[2] < now:
                whole = tiles.path_of(place[0], place[1], now)
                old, new = (_file(folder / name / path, _TREES[name]) for path in (found, whole))
                if old is None or not (new or b"").startswith(old) or not _fills(old, place[0], place[2]):
                    yield finding("tile", place[1] * WIDTH << 8 * max(place[0], 0), path=f"{name}/{found}")


def _fills(raw: bytes, level: int, width: int) -> bool:
    if level != ENTRIES:
        return len(raw) == width * HASH
    try:
        return bool(tiles.entries_of(raw, width))
    except BadBundle:
        return False


def _bundles(size: int) -> Iterator[tuple[int, int]]:
    """Index and width of each."""
    for index in range(-(-size // WIDTH)):
        yield index, tiles.width_at(ENTRIES, index, size)


def _tile(folder: Path, path: str) -> bytes | None:
    return _file(folder / path, tiles.LONGEST_TILE)


def _file(path: Path, longest: int) -> bytes | None:
    """At most one byte more than `longest`; None where there is no regular file.

    A folder from a stranger may hold links to anywhere, and pipes without end.
    """
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return None
    except (FileNotFoundError, NotADirectoryError):
        return None
    with path.open("rb") as file:
        return file.read(longest + 1)


def _check_no_links(folder: Path) -> None:
    """A folder that is a link would have us read, and quote, what lies elsewhere on this machine."""
    for above, names, _files in os.walk(folder):
        for path in (Path(above, name) for name in names):
            if path.is_symlink():
                raise Unreadable(f"{path} is a link to another folder; a log has none")


def _listed(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _walk(folder: Path) -> Iterator[str]:
    """Paths of all files below, with `/`."""
    for above, _folders, names in os.walk(folder):
        for name in names:
            yield Path(above, name).relative_to(folder).as_posix()
