"""The folder of a mirror: what was verified, and, apart from it, what was fetched and not yet verified.

Nothing that was not verified ever stands among the tiles. What was verified together is put in place together, the
checkpoint last: its folder is renamed first, and if the process stops in the middle, the next run goes on with it.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Collection
from pathlib import Path

from audit.verifier import tiles
from audit.verifier.note import Checkpoint, Malformed, parse_checkpoint
from audit.verifier.result import Unreadable

if sys.platform != "win32":
    import fcntl

CHECKPOINTS = {"tile": "checkpoint", "tile-sm3": "checkpoint.sm3"}  # of each tree
_FETCHED, _VERIFIED, _EVIDENCE, _LOCK = ".fetched", ".verified", "evidence", ".lock"


class Replica:
    """Held by one process at a time, until it is closed."""

    def __init__(self, folder: Path) -> None:
        """Makes the folder, or goes on where the last run was stopped. Raises Unreadable, OSError."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = (folder / _LOCK).open("wb")
        if sys.platform != "win32":
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._lock.close()
                raise Unreadable(f"{folder} 正被另一个镜像进程使用 · another mirror works in it") from None
        self._put_in_place()

    def close(self) -> None:
        self._lock.close()

    def checkpoint(self, tree: str) -> Checkpoint | None:
        """The one everything in the folder was verified against. Raises Unreadable, OSError."""
        path = self.folder / CHECKPOINTS[tree]
        try:
            return parse_checkpoint(path.read_bytes())
        except FileNotFoundError:
            return None
        except Malformed as error:
            raise Unreadable(f"{path} 已损坏 · is damaged: {error}") from None

    def has(self, path: str) -> bool:
        """Verified, and in place."""
        return (self.folder / path).exists()

    def verified(self, path: str) -> bytes | None:
        return _read(self.folder / path)

    def read(self, path: str) -> bytes | None:
        """As the folder will be: what was fetched, else what is there."""
        fetched = self.fetched(path)
        return self.verified(path) if fetched is None else fetched

    def fetched(self, path: str) -> bytes | None:
        return _read(self.folder / _FETCHED / path)

    def stage(self, path: str, data: bytes) -> None:
        """Keep what was fetched until it is verified, and for a later run if this one is stopped."""
        _write(self.folder / _FETCHED / path, data)

    def keep(self, paths: Collection[str]) -> None:
        """Of what an earlier run left, only these are still wanted."""
        root = self.folder / _FETCHED
        for above, _below, names in os.walk(root):
            for path in (Path(above, name) for name in names):
                if path.relative_to(root).as_posix() not in paths:
                    path.unlink()

    def discard(self) -> None:
        """What was fetched is not to be trusted."""
        shutil.rmtree(self.folder / _FETCHED, ignore_errors=True)

    def accept(self) -> None:
        """All that was staged was verified, the checkpoints among it: put it in place."""
        for folder, _below, _files in os.walk(self.folder / _FETCHED, topdown=False):
            _sync(Path(folder))
        (self.folder / _FETCHED).rename(self.folder / _VERIFIED)
        _sync(self.folder)
        self._put_in_place()

    def evidence(self, *checkpoints: Checkpoint) -> list[Path]:
        """Keep checkpoints that contradict each other."""
        folder = self.folder / _EVIDENCE
        paths = [folder / f"{one.size}-{one.root.hex()[:16]}.checkpoint" for one in checkpoints]
        for path, checkpoint in zip(paths, checkpoints, strict=True):
            _write(path, checkpoint.raw)
        if paths:
            _sync(folder)
        return paths

    def _put_in_place(self) -> None:
        verified = self.folder / _VERIFIED
        if not verified.is_dir():
            return
        found = [
            Path(above, name).relative_to(verified)
            for above, _below, names in os.walk(verified)
            for name in names
            if not name.startswith(".")  # a draft
        ]
        for path in sorted(found, key=lambda path: path.as_posix() in CHECKPOINTS.values()):
            place = self.folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            (verified / path).replace(place)
            if path.parts[0] in CHECKPOINTS:
                self._drop_narrower(path)
        for folder in {(self.folder / path).parent for path in found}:
            _sync(folder)
        shutil.rmtree(verified)
        _sync(self.folder)

    def _drop_narrower(self, path: Path) -> None:
        """Partial tiles that a wider one replaces."""
        tree = self.folder / path.parts[0]
        place = tiles.parse_path(path.relative_to(path.parts[0]).as_posix())
        if place is None:
            return
        partials = tree / (tiles.path_of(place[0], place[1]) + ".p")
        for partial in partials.iterdir() if partials.is_dir() else ():
            if partial != self.folder / path:
                partial.unlink()
        if place[2] == tiles.WIDTH and partials.is_dir():
            partials.rmdir()


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _sync(folder: Path) -> None:
    """Names in it are on the disk, where the system can say so."""
    if sys.platform != "win32":
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
