"""Starts one jailed process and holds on to it.

No sandbox, no run: whatever keeps the jail from standing whole raises `NoSandbox`; there is no weaker jail.
"""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Self

from audit.refusals import Refused
from audit.wording import say, template
from sandbox.isolation import interpreter, walls
from sandbox.isolation.runner.protocol import READY

START_SECONDS = 60.0  # a cold disk and a busy machine; a warm start takes well under one
END_SECONDS = 10.0  # for the kernel to clear away what was killed
CREDENTIALS = struct.Struct("iII")  # struct ucred: process, user, group
MENDS = (  # what bubblewrap or the kernel says → the one line that mends it
    (
        r"Unknown option|unrecognized option",
        template("bubblewrap is older than 0.8: apt install -t stable bubblewrap"),
    ),
    (r"apparmor|setting up uid map", "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"),
    (r"No permissions to creat\w+ new namespace", "sysctl -w kernel.unprivileged_userns_clone=1"),
    (r"No space left on device", "sysctl -w user.max_user_namespaces=15000"),
    (r"system-call filter", template("a kernel with CONFIG_SECCOMP_FILTER on x86_64 or aarch64")),
    (
        r"Can't mount proc",
        template("run the worker outside of a container, or in one that may mount /proc"),
    ),
)


DOES_NOT_START = template("the sandbox does not start: %(why)s")


class NoSandbox(Refused):
    """The jail cannot stand on this machine. `mend` is the one line that mends it, "" where none is known.

    Both are said already.
    """

    def __init__(self, reason: str, mend: str = "") -> None:
        both = say("%(reason)s (to mend it: %(mend)s)", reason=reason, mend=mend)
        super().__init__("sandbox.missing", both if mend else reason)
        self.mend = mend


class Jail:
    """One jailed process, warm and waiting for its one job.

    `channel`: the worker's end of the socket. `process`: the runner's number outside. `warm_seconds`: its start.
    The thread that starts a jail must live as long as the jail: the kernel kills it when that *thread* ends.
    """

    def __init__(self, *, threads: int, errors: int | None = None) -> None:
        """Start and wait until ready. `errors`: descriptor for the runner's standard error, None to drop it.

        Raise NoSandbox.
        """
        started = time.monotonic()
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.channel.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)  # the kernel tells who says "ready"
        self._init: int | None = None  # a handle on the jail's first process: when it dies, all in there die
        try:
            with theirs:
                self._bubblewrap, info = _launch(theirs, threads, errors)
            with info:
                self.process = self._await_ready(info, started + START_SECONDS)
        except BaseException:
            self.close()
            raise
        self.warm_seconds = time.monotonic() - started

    def _await_ready(self, info: IO[bytes], deadline: float) -> int:
        if not readable(self.channel.fileno(), deadline - time.monotonic()):
            raise self._explain()
        head, ancillary, _flags, _address = self.channel.recvmsg(
            len(READY), socket.CMSG_SPACE(CREDENTIALS.size)
        )
        if head != READY or not ancillary:
            raise self._explain()
        self._close_errors()
        self._init = os.pidfd_open(_first_process(info))
        return int(CREDENTIALS.unpack(ancillary[0][2])[0])

    def _explain(self) -> NoSandbox:
        self._bubblewrap.kill()
        said = (
            self._bubblewrap.stderr.read().decode(errors="replace").strip() if self._bubblewrap.stderr else ""
        )
        mend = next((say(mend) for pattern, mend in MENDS if re.search(pattern, said)), "")
        last = said.splitlines()[-1] if said else say("it did not answer in time")
        return NoSandbox(say(DOES_NOT_START, why=last), mend)

    def is_alive(self) -> bool:
        """Whether the process still waits for its job: nothing to read, not even the end of the stream."""
        return not readable(self.channel.fileno(), 0)

    def cpu_seconds(self) -> float:
        """CPU time of the runner so far, 0.0 when it is gone. proc_pid_stat(5), fields 14 and 15."""
        try:
            fields = Path(f"/proc/{self.process}/stat").read_text("ascii").rpartition(") ")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def exit_status(self, timeout: float) -> int | None:
        """How the runner ended: its exit status, or 128 + signal; None when bubblewrap itself was killed."""
        try:
            status = self._bubblewrap.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        return status if status >= 0 else None

    def kill(self) -> None:
        """Kill everything in the jail at once. Does not wait.

        It is enough to kill its first process: the kernel takes the others along, and bubblewrap sees it end.
        """
        if self._init is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._init, signal.SIGKILL)
        elif hasattr(self, "_bubblewrap"):
            self._bubblewrap.kill()

    def close(self) -> None:
        """Kill, wait until no process of the jail is left, and give back every descriptor."""
        self.kill()
        if self._init is not None:
            readable(self._init, END_SECONDS)
        if hasattr(self, "_bubblewrap"):
            try:
                self._bubblewrap.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                self._bubblewrap.kill()
                self._bubblewrap.wait()
            self._close_errors()
        self.forget()

    def forget(self) -> None:
        """Give back the descriptors only: in a forked child the jail belongs to the parent."""
        self.channel.close()
        if self._init is not None:
            os.close(self._init)
            self._init = None

    def _close_errors(self) -> None:
        if self._bubblewrap.stderr:
            self._bubblewrap.stderr.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def readable(descriptor: int, seconds: float) -> bool:
    """Whether something can be read, or the other side has gone, within `seconds` (select knows 1024 only)."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(max(0.0, seconds) * 1000))


def check() -> float:
    """Start one jail and end it again; return the seconds until it was ready. Raise NoSandbox."""
    with Jail(threads=1) as jail:
        return jail.warm_seconds


def _first_process(info: IO[bytes]) -> int:
    """Bubblewrap's {"child-pid": ...}: read to its brace, as another fork may hold the pipe open meanwhile."""
    said = b""
    while not said.rstrip().endswith(b"}") and (part := os.read(info.fileno(), 4096)):
        said += part
    return int(json.loads(said)["child-pid"])


def _launch(
    theirs: socket.socket, threads: int, errors: int | None
) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
    bubblewrap = shutil.which("bwrap", path=os.defpath + ":/usr/local/bin:/usr/bin:/bin")
    if bubblewrap is None:
        raise NoSandbox(say("bubblewrap is not installed"), "apt install bubblewrap")
    if not sys.platform.startswith("linux"):
        raise NoSandbox(say("the sandbox needs Linux"))
    reader, writer = os.pipe()
    info = os.fdopen(reader, "rb")
    keep_errors = "0" if errors is None else "1"
    command = (*interpreter.COMMAND, str(theirs.fileno()), str(threads), keep_errors)
    try:
        arguments = walls.arguments(info=writer, command=command)
        process = subprocess.Popen(  # noqa: S603 - no word of it comes from outside
            [bubblewrap, *arguments],
            env={},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE if errors is None else errors,
            pass_fds=(theirs.fileno(), writer),
            start_new_session=True,  # Ctrl-C at the worker's terminal is the worker's to answer
        )
    except BaseException as error:
        info.close()
        if isinstance(error, interpreter.MissingPackage):
            reason = say("the package %(package)s is not installed", package=error)
            raise NoSandbox(reason, "uv sync") from error
        raise
    finally:
        os.close(writer)
    return process, info
