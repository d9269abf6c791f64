"""Background work of this room."""

from __future__ import annotations

import logging

from celery import current_app

from audit import reconciliation
from audit.actors import RECONCILER

log = logging.getLogger("audit.reconciliation")


@current_app.task(name="audit.reconcile")  # type: ignore[untyped-decorator]
def reconcile() -> None:
    """Asked every hour, does it once a day: a machine that was off catches up."""
    if reconciliation.due():
        try:
            reconciliation.reconcile(actor=RECONCILER)
        except reconciliation.Busy as busy:
            log.info("%s", busy)
