"""The checkpointer as a service: alone at its work, and never silent about why it does not sign."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connection

from audit import lag
from audit.transparency import files, troubles
from audit.transparency.checkpointer import Cadence, Checkpointer, StartOver
from audit.transparency.keys import KeyRefused
from audit.transparency.troubles import WillNotSign

log = logging.getLogger("audit.checkpointer")

_LOCK = 0x64735F63686563  # "ds_chec"


class CheckpointerBusy(RuntimeError):
    """Another checkpointer is at work."""


@contextmanager
def alone() -> Iterator[None]:
    """No other checkpointer on this database, nor on this folder. Raises CheckpointerBusy."""
    settings.CHECKPOINTER_DIR.mkdir(parents=True, exist_ok=True, mode=0o700)
    with files.only_one(settings.CHECKPOINTER_DIR) as ours, connection.cursor() as cursor:
        if not ours:
            raise CheckpointerBusy(f"another checkpointer is at work on {settings.CHECKPOINTER_DIR}")
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            raise CheckpointerBusy("another checkpointer is at work on this database")
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def run(stop: threading.Event, cadence: Cadence | None = None) -> None:
    """Sign and publish until `stop` is set. Raises CheckpointerBusy if another is at work."""
    cadence = cadence or Cadence()
    pause = _Pause(stop)
    with alone():
        while not stop.is_set():
            try:
                _work(stop, pause, cadence)
            except StartOver as error:
                log.warning("reading everything again: %s", error)
                pause(cadence.poll)
            except WillNotSign as refusal:
                _refuse(refusal, pause, cadence)
            except (KeyRefused, OSError) as error:
                _refuse(WillNotSign("folder", reason=str(error)), pause, cadence)


class _Pause:
    """Waits, and looks meanwhile whether the sealer is at work: a dead one cannot say so itself."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop, self._watch = stop, lag.Watch()

    def __call__(self, seconds: float) -> None:
        """Until time is up or `stop` is set."""
        end = time.monotonic() + seconds
        while True:
            self._watch.look()
            left = end - time.monotonic()
            if self._stop.wait(max(0.0, min(left, lag.EVERY))) or left <= lag.EVERY:
                return


def _refuse(refusal: WillNotSign, pause: _Pause, cadence: Cadence) -> None:
    troubles.set_all(troubles.SIGNING, [refusal.finding])
    pause(cadence.refusal)


def _work(stop: threading.Event, pause: _Pause, cadence: Cadence) -> None:
    checkpointer = Checkpointer(cadence)
    troubles.set_all(troubles.SIGNING, [])
    while not stop.is_set():
        checkpointer.round()
        pause(cadence.poll)
