"""What a Celery worker does with one trial: have the jail compute each table, protect it, keep the shares alone.

The raw table, the protected one and the evidence live in this process's memory and nowhere else (P1); nothing goes to
the ledger of answers, and no kept table is made.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import pyarrow as pa

from audit.refusals import Refused
from contracts.policy.terms import DatasetTerm, Lane, Terms
from sandbox.disclosure import protect
from sandbox.disclosure.private.expected import expected_error
from sandbox.engines import generate
from sandbox.extracts import ExtractChanged
from sandbox.guard import AggregateQuery, possible_cells
from sandbox.heart import Heart
from sandbox.isolation.jail import NoSandbox
from sandbox.isolation.outcome import Outcome, Status
from sandbox.ledger import budgets_under
from sandbox.models import Answer, Trial
from sandbox.source import Source, plain
from sandbox.spec import ExtractRef
from sandbox.states import Failure, TrialFailure
from sandbox.trials import leases
from sandbox.trials.result import Noise, Table, Tried, to_json, withheld_of
from sandbox.trials.tables import Dimensions, measures_in, question, tables_of

log = logging.getLogger("sandbox.trials")

BEGIN_SECONDS = 120.0  # after so long no further table is begun: runs wait behind trials
_LIMITS = frozenset({Status.WALL_LIMIT, Status.CPU_LIMIT, Status.MEMORY_LIMIT, Status.OUTPUT_LIMIT})

InJail = Callable[[Source, Callable[[], bool]], Outcome]


class Stopped(Exception):
    """Another worker took over, the request was closed, or the sandbox went away."""


def work_on(trial_uid: str, in_jail: InJail) -> None:
    """Compute one waiting trial to its end. Does nothing if it is not there to be taken."""
    held = leases.claim(trial_uid)
    if held is None:
        return
    try:
        heart = Heart(lambda: None if leases.keep(held) else Failure.INTERRUPTED)
        leases.finish(held, to_json(_tried(held.trial, in_jail, heart)))
    except Stopped:
        leases.give_back(held)
    except NoSandbox as error:
        log.error("no sandbox: %s", error)
        leases.fail(held, TrialFailure.NO_SANDBOX)
    except ExtractChanged as error:
        log.error("%s", error)
        leases.fail(held, TrialFailure.EXTRACT_CHANGED)
    except Exception as error:  # noqa: BLE001  # whatever it is, the trial must end in a clear state
        log.error("trial %s: %s", trial_uid, type(error).__name__)  # no text: it may quote data
        leases.fail(held, TrialFailure.NOT_COMPUTED)


def _tried(trial: Trial, in_jail: InJail, heart: Heart) -> list[Tried]:
    terms, found = trial.terms, []
    latest = time.monotonic() + BEGIN_SECONDS
    for ref in trial.refs:
        dataset = terms.dataset(ref.table)
        assert dataset is not None  # the extracts were chosen by these terms
        dimensions = tables_of(dataset, terms)
        tables = [
            _table(ref, dataset, by, lane, terms, in_jail, heart, latest)
            for lane in (Lane.TABLE, Lane.PERTURBED)
            for by in dimensions
            if measures_in(dataset, lane)
        ]
        found.append(Tried(dataset.name, tuple(tables), *_private(dataset, dimensions, terms)))
    return found


def _table(
    ref: ExtractRef,
    dataset: DatasetTerm,
    by: Dimensions,
    lane: Lane,
    terms: Terms,
    in_jail: InJail,
    heart: Heart,
    latest: float,
) -> Table:
    query = question(dataset, by, measures_in(dataset, lane), terms)
    cells = possible_cells(query, terms)
    if time.monotonic() > latest:
        return Table(by, cells, lane, problem="limit")
    with plain([ref], generate(query, terms)) as source:
        outcome = in_jail(source, heart)
    if outcome.status in (Status.CANCELLED, Status.SANDBOX_LOST) or not heart():
        raise Stopped
    if outcome.status in _LIMITS:
        return Table(by, cells, lane, problem="limit")
    if outcome.table is None:
        raise RuntimeError(outcome.status)
    return _shares(outcome.table, query, terms, Table(by, cells, lane))


def _shares(raw: pa.Table, query: AggregateQuery, terms: Terms, table: Table) -> Table:
    try:
        protected = protect(raw, query, terms)
    except (Refused, ValueError, ArithmeticError, pa.ArrowException, KeyError):
        return Table(table.by, table.cells, table.lane, problem="not_releasable")
    if protected.exposed:
        return Table(table.by, table.cells, table.lane, problem="not_releasable")
    return Table(table.by, table.cells, table.lane, withheld_of(protected.evidence, query))


def _private(
    dataset: DatasetTerm, dimensions: list[Dimensions], terms: Terms
) -> tuple[tuple[Noise, ...], int | None]:
    """What noise to expect in the largest of the tables, and how many questions there are. No data is needed."""
    measures = measures_in(dataset, Lane.PRIVATE)
    if not measures:
        return (), None
    noise = []
    for measure in measures:
        asked = [question(dataset, by, [measure], terms) for by in dimensions]
        widest = max(asked, key=lambda query: possible_cells(query, terms))
        (error,) = expected_error(widest, terms).values()
        noise.append(Noise(measure, tuple(d.column.column for d in widest.dimensions), error.half_width))
    budgets = budgets_under(terms, Answer.objects.none())
    left = [budget.questions_left for name, budget in budgets.items() if name in ("", dataset.name)]
    return tuple(noise), min(left, default=None)
