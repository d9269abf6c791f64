"""Nudge the workers: by task name, after commit. The sweep makes up for lost messages."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = logging.getLogger("sandbox.queue")

# The sweep repeats a nudge every few seconds while a run waits; old messages die by themselves.
MESSAGE_SECONDS = 30


def nudge(run_uid: object) -> None:
    """Call inside the transaction that queued the run."""
    transaction.on_commit(lambda: _send(str(run_uid)))


def finish_later(run_uid: object, due: datetime) -> None:
    """Call inside the transaction that held the run."""
    transaction.on_commit(lambda: _send(str(run_uid), "sandbox.finish", due))


def prepare(script_uid: object) -> None:
    """Call inside the transaction that approved the script."""
    transaction.on_commit(lambda: _send(str(script_uid), "sandbox.prepare"))


def nudge_trial(trial_uid: object) -> None:
    """Call inside the transaction that asked for the trial."""
    transaction.on_commit(lambda: _send(str(trial_uid), "sandbox.trial"))


def _send(run_uid: str, task: str = "sandbox.run", due: datetime | None = None) -> None:
    dies = MESSAGE_SECONDS if due is None else due + timedelta(seconds=MESSAGE_SECONDS)
    try:
        current_app.send_task(task, args=[run_uid], retry=False, eta=due, expires=dies)
    except OperationalError:
        # The broker is down: the row is written, and the sweep will send it when the broker is back.
        log.warning("broker unreachable; %s %s waits for the sweep", task, run_uid)
