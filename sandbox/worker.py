"""What a Celery worker does with one run: open the extracts, have the jail compute, protect, release.

The raw table lives in this process's memory between the jail and the disclosure rules, and nowhere else (P1).
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from django.conf import settings

from audit.refusals import Refused
from contracts.policy.canonical import digest
from contracts.policy.terms import Terms
from sandbox import extracts
from sandbox.disclosure import protect
from sandbox.formats import to_ipc
from sandbox.guard import AggregateQuery
from sandbox.isolation.jail import NoSandbox
from sandbox.isolation.job import Job, Kind
from sandbox.isolation.limits import Limits
from sandbox.isolation.outcome import Outcome, Status
from sandbox.isolation.spares import SparePool
from sandbox.services.execute import Claimed, Result, claim, end, give_back, keep, release
from sandbox.source import Source, plain_source, source_for
from sandbox.spec import RunSpec
from sandbox.states import Failure
from sandbox.warm_up import warm_up

log = logging.getLogger("sandbox.worker")

KEEP_SECONDS = 1.0
MAX_RAW_ROWS = 100_000

_ENDS = {
    Status.WALL_LIMIT: Failure.WALL_LIMIT,
    Status.CPU_LIMIT: Failure.CPU_LIMIT,
    Status.MEMORY_LIMIT: Failure.MEMORY_LIMIT,
    Status.OUTPUT_LIMIT: Failure.OUTPUT_LIMIT,
    Status.ENGINE_ERROR: Failure.ENGINE_ERROR,
    Status.BAD_ANSWER: Failure.ENGINE_ERROR,
}


class Worker:
    """One process's share of the work. Make it after the fork: it keeps a warm jail."""

    def __init__(self, *, limits: Limits | None = None) -> None:
        self.limits = limits or settings.SANDBOX_LIMITS
        self.pool = SparePool(1, threads=self.limits.threads)
        warm_up()

    def work(self, run_uid: str) -> None:
        """Run one queued run to its end. Does nothing if it is not there to be taken."""
        claimed = claim(run_uid)
        if claimed is None:
            return
        try:
            self._compute(claimed)
        except NoSandbox as error:
            log.error("no sandbox: %s", error)
            end(claimed, Failure.NO_SANDBOX)
        except extracts.ExtractChanged as error:
            log.error("%s", error)
            end(claimed, Failure.EXTRACT_CHANGED)
        except Exception as error:  # noqa: BLE001  # whatever it is, the run must end in a clear state
            log.error("run %s: %s", run_uid, _where(error))
            end(claimed, Failure.ENGINE_ERROR)

    def close(self) -> None:
        self.pool.close()

    def recompute(self, spec: RunSpec, query: AggregateQuery, terms: Terms) -> bytes:
        """The protected table's bytes, computed anew; nothing is stored. Raises what keeps it from being computed."""
        with plain_source(spec, query, terms) as source:
            outcome = self._in_jail(source, lambda: True)
        if outcome.table is None:
            raise NotProtectable(outcome.status)
        return _published(outcome.table, query, terms).table

    def _compute(self, claimed: Claimed) -> None:
        heart = Heart(claimed)
        with source_for(claimed.spec, claimed.query, claimed.terms, heart) as source:
            outcome = self._in_jail(source, heart)
        if outcome.status is not Status.OK:
            log.warning("run %s: the jail ended %s", claimed.run.uid, outcome.status)
        if outcome.status is Status.OK and outcome.table is not None:
            _protect_and_release(claimed, source.plain, outcome.engine_seconds, outcome.table)
        elif outcome.status is Status.CANCELLED and heart.stopped_by is not None:
            if heart.stopped_by is not Failure.INTERRUPTED:
                end(claimed, heart.stopped_by)
        elif outcome.status is Status.SANDBOX_LOST:
            give_back(claimed)
        else:
            end(claimed, _ENDS.get(outcome.status, Failure.ENGINE_ERROR))

    def _in_jail(self, source: Source, keep_going: Callable[[], bool]) -> Outcome:
        job = Job(Kind.SQL, source.sql, source.tables, max_rows=MAX_RAW_ROWS)
        return self.pool.run(job, source.descriptors, limits=self.limits, keep_going=keep_going)


class Heart:
    """Asked by the pool every quarter of a second; renews the lease and asks the contract about once a second."""

    def __init__(self, claimed: Claimed) -> None:
        self.claimed = claimed
        self.stopped_by: Failure | None = None
        self._next = time.monotonic() + KEEP_SECONDS

    def __call__(self) -> bool:
        if self.stopped_by is None and time.monotonic() >= self._next:
            self._next = time.monotonic() + KEEP_SECONDS
            self.stopped_by = keep(self.claimed)
        return self.stopped_by is None


@dataclass(frozen=True, slots=True)
class Published:
    """What may leave (`table`, `summary`), and what tells a reviewer why (`evidence`), serialized."""

    table: bytes
    evidence: bytes
    summary: dict[str, Any]


class NotProtectable(Exception):
    """Totals would tell values that are withheld although everything that helps is withheld."""


def _published(raw: pa.Table, query: AggregateQuery, terms: Terms) -> Published:
    protected = protect(raw, query, terms)
    if protected.exposed:
        raise NotProtectable(", ".join(protected.exposed))
    parts = [protected.table] if protected.totals is None else [protected.table, protected.totals]
    return Published(to_ipc(pa.concat_tables(parts)), to_ipc(protected.evidence), protected.summary)


def _protect_and_release(claimed: Claimed, sql: str, engine_seconds: float, raw: pa.Table) -> None:
    try:
        published = _published(raw, claimed.query, claimed.terms)
    except (NotProtectable, Refused, ValueError, ArithmeticError, pa.ArrowException, KeyError) as error:
        log.error("run %s could not be protected: %s", claimed.run.uid, _where(error))
        end(claimed, Failure.DISCLOSURE_ERROR)
        return
    release(
        claimed,
        Result(
            table=published.table,
            evidence=published.evidence,
            summary=published.summary,
            sql_digest=digest(sql.encode()),
            engine_seconds=engine_seconds,
        ),
    )


def _where(error: BaseException) -> str:
    """Type and place of an error, for the log. Never its text: it may quote data (P1)."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"
