"""Background work of this room. Tasks carry ids; all they decide is which service to call."""

from __future__ import annotations

from typing import Any

from celery import current_app
from celery.signals import worker_process_init, worker_process_shutdown

from sandbox.kept import store
from sandbox.scripts import preparing
from sandbox.services import execute
from sandbox.trials import leases
from sandbox.worker import Worker

_worker: Worker | None = None


def _this_process() -> Worker:
    global _worker  # noqa: PLW0603  # one warm jail per worker process
    if _worker is None:
        _worker = Worker()
    return _worker


def _warm(**_kwargs: Any) -> None:
    """Only workers that take runs keep a warm jail."""
    if "runs" in current_app.amqp.queues.consume_from:
        _this_process()


def _cool(**_kwargs: Any) -> None:
    if _worker is not None:
        _worker.close()


worker_process_init.connect(_warm, weak=False)
worker_process_shutdown.connect(_cool, weak=False)


@current_app.task(name="sandbox.run")  # type: ignore[untyped-decorator]
def run(run_uid: str) -> None:
    """Idempotent: a second delivery finds nothing to take."""
    _this_process().work(run_uid)


@current_app.task(name="sandbox.prepare")  # type: ignore[untyped-decorator]
def prepare(script_uid: str) -> None:
    """Idempotent: a second delivery finds nothing to take."""
    _this_process().prepare(script_uid)


@current_app.task(name="sandbox.trial")  # type: ignore[untyped-decorator]
def trial(trial_uid: str) -> None:
    """Idempotent, as `run`."""
    _this_process().work_on_trial(trial_uid)


@current_app.task(name="sandbox.finish")  # type: ignore[untyped-decorator]
def finish(run_uid: str) -> None:
    """Idempotent: what was told is not due any more."""
    execute.finish(run_uid)


@current_app.task(name="sandbox.sweep")  # type: ignore[untyped-decorator]
def sweep() -> None:
    execute.sweep()
    preparing.sweep()
    leases.sweep()
    store.sweep()
