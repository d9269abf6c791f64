"""Background work of this room."""

from __future__ import annotations

from celery import current_app

from contracts.services.signing import expire_contracts


@current_app.task(name="contracts.expire")  # type: ignore[untyped-decorator]
def expire() -> None:
    expire_contracts()
