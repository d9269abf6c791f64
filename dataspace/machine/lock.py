"""One data folder, one supervisor: a lock the kernel drops when its holder dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from dataspace.machine.errors import MachineError
from dataspace.machine.paths import Paths


class AlreadyRunningError(MachineError):
    """Another supervisor holds this data folder."""


@contextmanager
def held(paths: Paths) -> Iterator[None]:
    """Holds the lock of the data folder. Raises `AlreadyRunningError` at once if another process has it."""
    paths.data.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(paths.lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode().strip() or "unknown"
            raise AlreadyRunningError(
                f"dataspace is already running on {paths.data} (process {holder}).\n"
                f"Stop it with Ctrl-C in its terminal or: kill {holder}"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
