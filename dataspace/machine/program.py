"""`Program`: one process the supervisor keeps running, and how it is started so that it cannot outlive us."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from dataspace.machine.account import Account
from dataspace.machine.blinders import blinders

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def _always(_process: int) -> bool:
    return True


def _nothing() -> None:
    return None


@dataclass(frozen=True, kw_only=True)
class Program:
    """What to run and how to end it.

    `rank`: programs stop in ascending rank, so that what others stand on goes last. `patience`: seconds
    between `stop_signal` and the harder one. `hard_signal` goes to the whole group. `death_signal` is what
    the kernel sends if the supervisor itself is killed. `ready` is asked with the process id. `prepare` runs
    before each start. `blind_to`: a folder the program must not see.
    """

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    account: Account | None = None
    rank: int = 0
    stop_signal: signal.Signals = signal.SIGTERM
    hard_signal: signal.Signals = signal.SIGKILL
    death_signal: signal.Signals = signal.SIGKILL
    patience: float = 10.0
    ready: Callable[[int], bool] = _always
    prepare: Callable[[], None] = _nothing
    blind_to: Path | None = None


def dying_with_parent(
    death_signal: signal.Signals, before: Callable[[], None] = _nothing
) -> Callable[[], None]:
    """For `preexec_fn`: the child gets `death_signal` when this process ends, however it ends.

    It runs after the change of user and after `before`, which would undo it. The signal mask is reset because
    the supervisor blocks the signals it waits for and a blocked SIGTERM would be inherited.
    """
    parent = os.getpid()

    def in_child() -> None:
        before()
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        if os.getppid() != parent:
            os._exit(1)  # the parent died before the kernel was told to watch it

    return in_child


def spawn(program: Program, log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Starts the program in its own session and process group, with its output in `log`."""
    account = program.account
    before = blinders(program.blind_to) if program.blind_to else _nothing
    return subprocess.Popen(
        program.argv,
        cwd=program.folder,
        env=dict(program.environment),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
        preexec_fn=dying_with_parent(program.death_signal, before),  # noqa: PLW1509 - the supervisor has no threads
    )
