"""Processes of a killed supervisor: found by a mark in their environment, ended at the next start."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

# Set for every supervised process except PostgreSQL, whose processes must never be killed from outside.
SUPERVISED_VARIABLE = "DATASPACE_SUPERVISED_IN"
GRACE_SECONDS = 2.0


def end(data: Path) -> int:
    """Ends what still runs for `data` and returns how many had to be killed.

    Call it only while holding the lock of `data`: then nothing found can belong to a living supervisor. The
    kernel has already told them to end (see `dying_with_parent`); this waits for the slow and kills the rest.
    """
    deadline = time.monotonic() + GRACE_SECONDS
    while (found := _marked(data)) and time.monotonic() < deadline:
        time.sleep(0.05)
    for process in found:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return len(found)


def _marked(data: Path) -> list[int]:
    mark = f"{SUPERVISED_VARIABLE}={data}".encode()
    return [process for process in running() if mark in _environment(process)]


def running() -> list[int]:
    """The ids of all processes on this machine."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _environment(process: int) -> list[bytes]:
    try:
        return Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
    except OSError:  # it ended meanwhile, or is another user's
        return []
