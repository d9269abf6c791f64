"""Keeps named programs running until it is told to stop, then stops them in order.

One thread, no signal handlers: the signals it cares for are blocked and waited for, so none is lost or early.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from dataspace.machine.errors import MachineError
from dataspace.machine.program import Program, dying_with_parent, spawn

STOP_SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
WAITED_FOR = STOP_SIGNALS | {signal.SIGCHLD}
FIRST_DELAY_SECONDS = 0.1
LONGEST_DELAY_SECONDS = 30.0
STEADY_SECONDS = 10.0  # who ran this long starts again without having to wait
LONGEST_LOG_BYTES = 20 * 1024 * 1024


class StopRequestedError(Exception):
    """Ctrl-C, a termination or a closed terminal."""


@dataclass
class _Child:
    program: Program
    process: subprocess.Popen[bytes]
    started: float
    delay: float = FIRST_DELAY_SECONDS
    due: float | None = None  # when to start again, if it has ended

    def group_signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


class Supervisor:
    """`with Supervisor(folder_for_logs, say) as supervisor:` — on leaving the block everything is stopped."""

    def __init__(self, log_folder: Path, say: Callable[[str], None] = print) -> None:
        self._log_folder = log_folder
        self._say = say
        self._children: dict[str, _Child] = {}
        self._old_mask: Iterable[int] = ()

    def __enter__(self) -> Self:
        self._old_mask = signal.pthread_sigmask(signal.SIG_BLOCK, WAITED_FOR)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._stop()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._old_mask)

    def start(self, *programs: Program) -> None:
        for program in programs:
            self._children[program.name] = _Child(program, self._spawn(program), time.monotonic())

    def wait_ready(self, names: Sequence[str], seconds: float) -> None:
        """Returns when each named program is ready. Raises `MachineError` if one ends or time is up."""
        deadline = time.monotonic() + seconds
        for name in names:
            child = self._children[name]
            while not child.program.ready(child.process.pid):
                if child.process.poll() is not None:
                    raise MachineError(f"{name} ended at once:\n{self.tail(name)}")
                if time.monotonic() > deadline:
                    raise MachineError(f"{name} is not ready after {seconds:.0f} s:\n{self.tail(name)}")
                self._pause(0.02)

    def wait_until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Watches the programs until `condition()` holds (True) or time is up (False)."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            self._revive()
            self._pause(0.05)
        return True

    def watch(self) -> None:
        """Starts again what ends, until a stop signal comes: then raises `StopRequestedError`."""
        while True:
            self._revive()
            waiting = [
                child.due - time.monotonic() for child in self._children.values() if child.due is not None
            ]
            self._pause(max(0.0, min([60.0, *waiting])))

    def run(self, argv: Sequence[str], environment: Mapping[str, str], folder: Path | None = None) -> int:
        """Runs a command at this terminal to its end and returns its exit code.

        A Ctrl-C reaches it from the terminal; the other stop signals are handed on. Either way it is waited
        for, then `StopRequestedError` is raised.
        """
        stopping = False
        with subprocess.Popen(
            argv,
            env=dict(environment),
            cwd=folder,
            preexec_fn=dying_with_parent(signal.SIGTERM),  # noqa: PLW1509 - the supervisor has no threads
        ) as process:
            while process.poll() is None:
                received = signal.sigtimedwait(WAITED_FOR, 1.0)
                if received is None or received.si_signo == signal.SIGCHLD:
                    continue
                stopping = True
                if received.si_signo != signal.SIGINT:
                    process.terminate()
        if stopping:
            raise StopRequestedError
        return process.returncode

    def _spawn(self, program: Program) -> subprocess.Popen[bytes]:
        program.prepare()
        path = self._log_folder / f"{program.name}.log"
        if path.exists() and path.stat().st_size > LONGEST_LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        with path.open("ab") as log:
            return spawn(program, log)

    def tail(self, name: str) -> str:
        """The last lines of a program's log, and where the rest is."""
        path = self._log_folder / f"{name}.log"
        lines = path.read_text(errors="replace").splitlines()[-12:] if path.exists() else []
        return "\n".join([*(f"  {line}" for line in lines), f"  (all of it: {path})"])

    def _pause(self, seconds: float) -> None:
        """Sleeps until a child ends or time is up; raises `StopRequestedError` on a stop signal."""
        received = signal.sigtimedwait(WAITED_FOR, seconds)
        if received is not None and received.si_signo in STOP_SIGNALS:
            raise StopRequestedError

    def _revive(self) -> None:
        now = time.monotonic()
        for child in self._children.values():
            if child.due is None and child.process.poll() is not None:
                child.group_signal(child.program.hard_signal)  # what it may have left behind
                if now - child.started > STEADY_SECONDS:
                    child.delay = FIRST_DELAY_SECONDS
                child.due = now + child.delay
                self._say(
                    f"{child.program.name} ended ({_ending(child.process.returncode)}); "
                    f"starting it again in {child.delay:.1f} s"
                )
            elif child.due is not None and child.due <= now:
                child.delay = min(child.delay * 2, LONGEST_DELAY_SECONDS)
                child.due = None
                child.process = self._spawn(child.program)
                child.started = time.monotonic()

    def _stop(self) -> None:
        hurry = False
        for rank in sorted({child.program.rank for child in self._children.values()}):
            group = [
                child for child in self._children.values() if child.program.rank == rank and child.due is None
            ]
            for child in group:
                if child.process.poll() is None:
                    child.process.send_signal(child.program.stop_signal)
            hurry = self._await_end(group, hurry=hurry)
        self._children.clear()

    def _await_end(self, group: list[_Child], *, hurry: bool) -> bool:
        """Waits for the group to end, hard on those who take too long. Returns whether to hurry on."""
        began = time.monotonic()
        while alive := [child for child in group if child.process.poll() is None]:
            for child in alive:
                waited = time.monotonic() - began
                if hurry or waited > child.program.patience:
                    child.group_signal(child.program.hard_signal)
                if waited > child.program.patience + 10:
                    child.group_signal(signal.SIGKILL)
            received = signal.sigtimedwait(WAITED_FOR, 0.1)
            hurry = hurry or (received is not None and received.si_signo in STOP_SIGNALS)
        for child in group:
            child.group_signal(child.program.hard_signal)
        return hurry


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
