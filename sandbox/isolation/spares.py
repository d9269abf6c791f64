"""Warm jails kept ready, so that a run does not wait for an interpreter. Each serves one job and is gone."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Self

from audit.wording import say
from sandbox.isolation.jail import DOES_NOT_START, Jail, NoSandbox
from sandbox.isolation.job import Job, check_descriptors
from sandbox.isolation.limits import Limits
from sandbox.isolation.outcome import Outcome, Status
from sandbox.isolation.watch import ASK_SECONDS, Watch

TRIES = 3  # spares that died while they waited are passed over, a few of them


class SparePool:
    """`size` warm jails, and one thread that starts them, clears them away and lives as long as they.

    Usable from several threads. Not usable in a forked child: make the pool after the fork (a Celery worker
    makes it in `worker_process_init`); there it raises RuntimeError, and the parent's jails stay untouched.
    """

    def __init__(self, size: int = 1, *, threads: int = Limits().threads, errors: int | None = None) -> None:
        """`threads`: that a spare starts with. `errors`: descriptor for what runs inside to complain to."""
        if size < 1:
            raise ValueError("a pool keeps at least one spare")
        self._size, self._threads, self._errors = size, threads, errors
        self._owner = os.getpid()
        self._change = threading.Condition()
        self._ready: deque[Jail] = deque()
        self._used: deque[Jail] = deque()
        self._waiting = 0  # runs that found no spare
        self._busy = 0  # jails at work
        self._failure: NoSandbox | None = None
        self._closing = False
        self._keeper = threading.Thread(target=self._keep, name="sandbox-spares", daemon=True)
        self._keeper.start()
        _forget_after_fork(self)

    def run(
        self, job: Job, descriptors: Sequence[int], *, limits: Limits, keep_going: Callable[[], bool]
    ) -> Outcome:
        """Run one job in a spare.

        `descriptors`: the extracts, open for reading; they stay the caller's. `keep_going` is asked about every
        quarter of a second; at the first False everything in the jail is killed and the outcome is cancelled.

        Raise NoSandbox where no jail can stand, ValueError for descriptors that may not go in, RuntimeError for
        a closed pool or one made before a fork.
        """
        check_descriptors(job, descriptors)
        self._check_usable()
        asked = time.monotonic()
        jail = self._take(keep_going)
        waited = time.monotonic() - asked
        if jail is None:
            return Outcome(Status.CANCELLED, waited_seconds=waited)
        try:
            outcome = Watch(jail, limits, keep_going).run(job, descriptors)
        finally:
            self._put_away(jail)
        return replace(outcome, warm_seconds=jail.warm_seconds, waited_seconds=waited)

    def wait_until_warm(self, timeout: float) -> bool:
        """Whether all spares stood ready before `timeout` seconds were over. Raise NoSandbox."""
        self._check_usable()
        with self._change:
            self._change.wait_for(lambda: len(self._ready) >= self._size or self._failure, timeout)
            self._raise_failure()
            return len(self._ready) >= self._size

    def close(self) -> None:
        """Kill what is left and wait for it. Afterwards no process of the pool exists."""
        if os.getpid() != self._owner:
            return
        with self._change:
            self._closing = True
            self._change.notify_all()
        self._keeper.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _check_usable(self) -> None:
        if os.getpid() != self._owner:
            raise RuntimeError("this pool belongs to the parent process: make one after the fork")
        if self._closing:
            raise RuntimeError("this pool is closed")

    def _raise_failure(self) -> None:
        """The failure is told once; the next run tries anew."""
        failure, self._failure = self._failure, None
        if failure is not None:
            self._change.notify_all()
            raise failure

    def _take(self, keep_going: Callable[[], bool]) -> Jail | None:
        """A living spare; None when `keep_going` says no meanwhile. Raise NoSandbox."""
        for _try in range(TRIES):
            jail = self._next(keep_going)
            if jail is None or jail.is_alive():
                return jail
            self._put_away(jail)
        raise NoSandbox(say("sandbox processes die while they wait"), "dmesg | tail")

    def _next(self, keep_going: Callable[[], bool]) -> Jail | None:
        with self._change:
            self._waiting += 1
        try:
            while True:
                with self._change:
                    self._change.notify_all()
                    self._change.wait_for(lambda: self._ready or self._failure or self._closing, ASK_SECONDS)
                    if self._ready:
                        self._busy += 1
                        return self._ready.popleft()
                    self._raise_failure()
                self._check_usable()
                if not keep_going():
                    return None
        finally:
            with self._change:
                self._waiting -= 1
                self._change.notify_all()

    def _put_away(self, jail: Jail) -> None:
        jail.kill()
        with self._change:
            self._busy -= 1
            if not self._closing:
                self._used.append(jail)
                self._change.notify_all()
                return
        jail.close()  # the keeper has gone

    def _keep(self) -> None:
        """The keeper's life. It starts every jail itself: a jail dies with the thread that started it."""
        while True:
            with self._change:
                self._change.wait_for(lambda: self._used or self._closing or self._lacks_spares())
                used = [self._used.popleft() for _ in range(len(self._used))]
                closing = self._closing
                if closing:
                    used += self._ready
                    self._ready.clear()
            for jail in used:
                jail.close()
            if closing:
                return
            if not used:
                self._start_one()

    def _lacks_spares(self) -> bool:
        """A jail at work counts: its successor is started when it is done, not at its expense."""
        wanted = max(self._size - self._busy, self._waiting)
        return self._failure is None and len(self._ready) < wanted

    def _start_one(self) -> None:
        failure, jail = None, None
        try:
            jail = Jail(threads=self._threads, errors=self._errors)
        except NoSandbox as error:
            failure = error
        except OSError as error:  # no descriptors, no memory for a process
            failure = NoSandbox(say(DOES_NOT_START, why=error.strerror))
        with self._change:
            self._failure = failure
            if jail is not None:
                self._ready.append(jail)
            self._change.notify_all()

    def _forget(self) -> None:
        """In a forked child: let go of the parent's jails without touching them, and of locks held elsewhere."""
        self._change = threading.Condition()
        for jail in (*self._ready, *self._used):
            jail.forget()
        self._ready.clear()
        self._used.clear()


def _forget_after_fork(pool: SparePool) -> None:
    reference = weakref.ref(pool)

    def forget() -> None:
        if (pool := reference()) is not None:
            pool._forget()  # noqa: SLF001 - the pool's own hook, kept outside so as not to keep the pool alive

    os.register_at_fork(after_in_child=forget)
