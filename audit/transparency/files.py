"""Files that are there whole or not at all, whenever the process or the machine stops. Pure."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PUBLIC, PRIVATE = 0o644, 0o600


def put(path: Path, data: bytes, mode: int = PUBLIC) -> None:
    """Write `path`, folders included, in one step: beside it, to the disk, then renamed over what was there.

    One writer at a time: a draft left by one that was killed is written over.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Renames and removals in it are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(path: Path) -> bytes | None:
    """None where there is no such file."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


@contextmanager
def only_one(folder: Path, *, wait: bool = False) -> Iterator[bool]:
    """Whether this process, and no other, is the one at work on `folder`; the kernel lets go when it ends.

    With `wait`, waits until it is.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield _locked(descriptor, 0 if wait else fcntl.LOCK_NB)
    finally:
        os.close(descriptor)


def _locked(descriptor: int, patience: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | patience)
    except BlockingIOError:
        return False
    return True


def destroy(path: Path) -> None:
    """Overwrite a secret, then remove it. What the file system or a backup copied elsewhere is beyond reach."""
    with path.open("r+b") as file:
        file.write(os.urandom(path.stat().st_size))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
    sync_folder(path.parent)
