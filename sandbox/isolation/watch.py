"""Hands one job to one jailed process and watches it until it has answered, or must be ended."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Callable, Sequence

from sandbox.isolation.answer import BadAnswer, Head, read_head, read_table
from sandbox.isolation.jail import Jail, readable
from sandbox.isolation.job import Job
from sandbox.isolation.limits import Limits
from sandbox.isolation.outcome import FROM_CODE, Outcome, Status
from sandbox.isolation.runner.protocol import LENGTH, MAX_ANSWER_BYTES, Code

ASK_SECONDS = 0.25  # between two questions to `keep_going`
END_SECONDS = 5.0  # for bubblewrap to tell how a process ended that has hung up
CHUNK_BYTES = 1024**2


class _Ended(Exception):
    """The job is over before its answer."""

    def __init__(self, status: Status) -> None:
        super().__init__(status)
        self.status = status


class Watch:
    """One job in one jail. The caller closes the jail afterwards, whatever the outcome."""

    def __init__(self, jail: Jail, limits: Limits, keep_going: Callable[[], bool]) -> None:
        self._jail = jail
        self._limits = limits
        self._keep_going = keep_going
        self._deadline = time.monotonic() + limits.wall_seconds
        self._cpu_at_start = jail.cpu_seconds()
        self._cpu_seen = self._cpu_at_start

    def run(self, job: Job, descriptors: Sequence[int]) -> Outcome:
        """Everything that can happen inside ends in an outcome; only `keep_going` may raise."""
        try:
            self._hand_over(job.to_frame(self._limits), descriptors)
            head = self._head()
            if head.code is not Code.OK:
                return Outcome(FROM_CODE[head.code])
            if head.size > self._limits.output_bytes:
                return Outcome(Status.OUTPUT_LIMIT)
            table = read_table(self._receive(head.size), max_rows=job.max_rows)
        except _Ended as end:
            return Outcome(end.status)
        except BadAnswer:
            return Outcome(Status.BAD_ANSWER)
        return Outcome(Status.OK, table, head.engine_seconds)

    def _head(self) -> Head:
        size = LENGTH.unpack(self._receive(LENGTH.size))[0]
        if size > MAX_ANSWER_BYTES:
            raise BadAnswer
        return read_head(bytes(self._receive(size)))

    def _hand_over(self, data: bytes, descriptors: Sequence[int]) -> None:
        channel = self._jail.channel
        channel.settimeout(self._limits.wall_seconds)
        try:
            socket.send_fds(channel, [data[: LENGTH.size]], descriptors)
            channel.sendall(data[LENGTH.size :])
        except TimeoutError:
            raise _Ended(Status.WALL_LIMIT) from None
        except OSError:
            raise _Ended(Status.SANDBOX_LOST) from None

    def _receive(self, count: int) -> bytearray:
        """Exactly `count` bytes, asking `keep_going` and the clock meanwhile. Raise _Ended."""
        data = bytearray()
        asked = time.monotonic()
        while len(data) < count:
            wait = max(0.0, min(ASK_SECONDS, self._deadline - time.monotonic()))
            waiting = readable(self._jail.channel.fileno(), wait)
            if time.monotonic() - asked >= ASK_SECONDS or not waiting:
                self._may_go_on()
                asked = time.monotonic()
            if waiting:
                data += self._read(min(count - len(data), CHUNK_BYTES))
        return data

    def _read(self, count: int) -> bytes:
        try:
            part = self._jail.channel.recv(count)
        except OSError:
            part = b""
        if not part:
            raise _Ended(self._how_it_ended())
        return part

    def _may_go_on(self) -> None:
        self._cpu_seen = max(self._cpu_seen, self._jail.cpu_seconds())
        if time.monotonic() >= self._deadline:
            raise _Ended(Status.WALL_LIMIT)
        if not self._keep_going():
            raise _Ended(Status.CANCELLED)

    def _how_it_ended(self) -> Status:
        """The process hung up. A crash is the engine's; a kill that no limit explains came from outside."""
        status = self._jail.exit_status(END_SECONDS)
        if status == 128 + signal.SIGXCPU:
            return Status.CPU_LIMIT
        if status == 128 + signal.SIGKILL and self._cpu_seen - self._cpu_at_start >= self._limits.cpu_seconds:
            return Status.CPU_LIMIT  # it ignored SIGXCPU; the kernel does not ask twice
        if status is None or status == 128 + signal.SIGKILL:
            return Status.SANDBOX_LOST
        return Status.ENGINE_ERROR
