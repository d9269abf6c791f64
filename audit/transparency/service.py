"""The checkpointer as a service: alone at its work, and never silent about why it does not sign."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connection

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
    with alone():
        while not stop.is_set():
            try:
                _work(stop, cadence)
            except StartOver as error:
                log.warning("reading everything again: %s", error)
                stop.wait(cadence.poll)
            except WillNotSign as refusal:
                _refuse(refusal, stop, cadence)
            except (KeyRefused, OSError) as error:
                _refuse(WillNotSign("folder", reason=str(error)), stop, cadence)


def _refuse(refusal: WillNotSign, stop: threading.Event, cadence: Cadence) -> None:
    troubles.set_all(troubles.SIGNING, [refusal.finding])
    stop.wait(cadence.refusal)


def _work(stop: threading.Event, cadence: Cadence) -> None:
    checkpointer = Checkpointer(cadence)
    troubles.set_all(troubles.SIGNING, [])
    while not stop.is_set():
        checkpointer.round()
        stop.wait(cadence.poll)
