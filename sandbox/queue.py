"""Nudge the workers: by task name, after commit. The sweep makes up for lost messages."""

from __future__ import annotations

import logging

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = logging.getLogger("sandbox.queue")

# The sweep repeats a nudge every few seconds while a run waits; old messages die by themselves.
MESSAGE_SECONDS = 30


def nudge(run_uid: object) -> None:
    """Call inside the transaction that queued the run."""
    transaction.on_commit(lambda: _send(str(run_uid)))


def _send(run_uid: str) -> None:
    try:
        current_app.send_task("sandbox.run", args=[run_uid], retry=False, expires=MESSAGE_SECONDS)
    except OperationalError:
        # The broker is down: the row is written, and the sweep will send it when the broker is back.
        log.warning("broker unreachable; run %s waits for the sweep", run_uid)
