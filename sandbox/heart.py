"""The pulse of long work: is asked often, and asks now and then whether the work may go on."""

from __future__ import annotations

import time
from collections.abc import Callable

from sandbox.isolation.outcome import Status
from sandbox.states import Failure

KEEP_SECONDS = 1.0


class JailEnded(Exception):
    def __init__(self, status: Status) -> None:
        super().__init__(str(status))
        self.status = status


class Heart:
    """Asked by the pool every quarter of a second; calls `keep` about once a second.

    `keep` renews the lease and asks the contract: why the work must stop, or None to go on.
    """

    def __init__(self, keep: Callable[[], Failure | None]) -> None:
        self.stopped_by: Failure | None = None
        self._keep = keep
        self._next = time.monotonic() + KEEP_SECONDS

    def __call__(self) -> bool:
        if self.stopped_by is None and time.monotonic() >= self._next:
            self._next = time.monotonic() + KEEP_SECONDS
            self.stopped_by = self._keep()
        return self.stopped_by is None

    def must_go_on(self) -> None:
        if not self():
            raise JailEnded(Status.CANCELLED)
