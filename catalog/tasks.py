"""What the worker runs. Tasks carry a uid; the row says what is to be done."""

from __future__ import annotations

import uuid

from celery import current_app

from catalog import jobs
from catalog.sweep import sweep


def ingest_version(version_uid: str) -> None:
    jobs.work_on(uuid.UUID(version_uid))


# Celery's decorator has no types; called as a function it leaves ours intact.
ingest = current_app.task(ingest_version, name="catalog.ingest", acks_late=True)
sweep_ingests = current_app.task(sweep, name="catalog.sweep")
