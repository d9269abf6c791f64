"""Hand work to the background by task name, once the transaction is committed. The row is the truth, this a nudge (P4).

If the broker does not answer, nothing is lost: `catalog.sweep` finds the row.
"""

from __future__ import annotations

from uuid import UUID

from celery import current_app
from django.db import transaction

SWEEP_SECONDS = 10  # how often the sweep nudges again; see CELERY_BEAT_SCHEDULE


def enqueue_ingest(version_uid: UUID, *, expires: int | None = None) -> None:
    """Have a worker check or build this version. `expires`: seconds after which the message is dropped unread."""

    def send() -> None:
        current_app.send_task("catalog.ingest", args=[str(version_uid)], expires=expires, retry=False)

    transaction.on_commit(send, robust=True)
