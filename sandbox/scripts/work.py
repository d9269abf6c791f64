"""What a worker does with one approved script: write its view, run it in the jail, fit what it hands over.

No word of the script leaves: not what it printed, not what it raised, not how long it took beyond a tick.
"""

from __future__ import annotations

import logging
import os
import time
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

from django.conf import settings
from django.utils import timezone

from catalog.ingest.digest import Digests
from contracts.policy.terms import DatasetTerm
from sandbox import extracts
from sandbox.errors import where
from sandbox.heart import Heart, JailEnded
from sandbox.isolation.jail import NoSandbox
from sandbox.isolation.job import Job, Kind
from sandbox.isolation.outcome import Status
from sandbox.isolation.spares import SparePool
from sandbox.kept.build import Stopped
from sandbox.models import Script
from sandbox.scripts import preparing
from sandbox.scripts.fitting import Unfit, fit
from sandbox.scripts.view import write_view
from sandbox.states import Failure
from sandbox.ticks import next_tick

log = logging.getLogger("sandbox.scripts")

MAX_ROWS = 10_000_000  # of the records handed over


def prepare(pool: SparePool, script_uid: str) -> None:
    """Run one approved script to its end. Does nothing if it is not there to be taken."""
    script = preparing.claim(script_uid)
    if script is None:
        return
    heart = Heart(lambda: preparing.keep(script))
    try:
        digests = _prepared(pool, script, heart)
    except NoSandbox as error:
        log.error("no sandbox: %s", error)
        preparing.failed(script, Failure.NO_SANDBOX)
    except extracts.ExtractChanged as error:
        log.error("%s", error)
        preparing.failed(script, Failure.EXTRACT_CHANGED)
    except (Stopped, JailEnded) as error:
        _ended(script, heart, error.status if isinstance(error, JailEnded) else Status.CANCELLED)
    except Exception as error:  # noqa: BLE001  # whatever it is, the script must end in a clear state
        cause = str(error) if isinstance(error, Unfit) else where(error)
        log.warning("script %s: not releasable: %s", script_uid, cause)
        _wait_for_tick(script)
        preparing.failed(script, Failure.NOT_RELEASABLE, cause=cause)
    else:
        _wait_for_tick(script)
        preparing.done(script, digests)


def _prepared(pool: SparePool, script: Script, heart: Heart) -> Digests:
    term = script.contract.terms.dataset(script.dataset)
    assert term is not None  # the terms are those it was submitted under
    scope, key = str(script.contract.uid), bytes.fromhex(settings.SPACE_KEY)
    with ExitStack() as opened:
        extract = extracts.open_verified(script.extract)
        opened.callback(os.close, extract)
        view = _view(term, extract, scope, key, heart)
        opened.callback(os.close, view)
        job = Job(Kind.SCRIPT, script.source, {script.dataset: 0}, max_rows=MAX_ROWS)
        outcome = pool.run(job, [view], limits=settings.SCRIPT_LIMITS, keep_going=heart)
        if outcome.table is None:
            raise JailEnded(outcome.status)
        return fit(
            outcome.table, extract, term, contract=scope, space_key=key, out_dir=Path(settings.EXTRACTS_DIR),
            keep_going=heart,
        )  # fmt: skip


def _view(term: DatasetTerm, extract: int, scope: str, key: bytes, heart: Heart) -> int:
    """Open for reading, its name gone already: nothing of it is left when the descriptor closes."""
    target = Path(settings.EXTRACTS_DIR).resolve() / f".extract-{uuid4().hex}.tmp"
    try:
        write_view(extract, target, term, contract=scope, space_key=key, keep_going=heart)
        return os.open(target, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    finally:
        target.unlink(missing_ok=True)


def _ended(script: Script, heart: Heart, status: Status) -> None:
    log.warning("script %s: the jail ended %s", script.uid, status)
    if status is Status.SANDBOX_LOST and script.attempts < preparing.MAX_ATTEMPTS:
        preparing.give_back(script)
    elif heart.stopped_by is None:
        _wait_for_tick(script)
        preparing.failed(script, Failure.NOT_RELEASABLE, cause=str(status))
    else:
        preparing.failed(script, heart.stopped_by)


def _wait_for_tick(script: Script) -> None:
    """When it ends would tell how long it took, and that tells of the data."""
    time.sleep(max(0.0, (next_tick(script.state_since) - timezone.now()).total_seconds()))
