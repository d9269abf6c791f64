"""The private lane's one door: bounded statistics in, published answer with its error out."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import prod
from typing import Any

import numpy as np
import pyarrow as pa

from contracts.policy.terms import Aggregate, Terms
from sandbox.disclosure.arrangement import Row, arranged
from sandbox.disclosure.evidence import shown
from sandbox.disclosure.findings import Key
from sandbox.disclosure.private.bounded import read_bounded
from sandbox.disclosure.private.estimates import Noisy, estimate_of
from sandbox.disclosure.private.intervals import Estimate
from sandbox.disclosure.private.mechanism import mechanisms_of
from sandbox.disclosure.private.noise import release
from sandbox.disclosure.private.tables import Line, error_table, evidence_table, lines_of, value_table
from sandbox.disclosure.private.words import summary
from sandbox.engines.bounding import Statistic, varies_within_unit
from sandbox.guard.cells import cell_values
from sandbox.guard.query import AggregateQuery, Measure

Released = dict[Statistic, Noisy]


@dataclass(frozen=True, slots=True)
class PrivateAnswer:
    """As `protect.Protected`; nothing in it depends on data except through the noise.

    `table`: every declared cell that HAVING and LIMIT leave. Counts below 0 are shown as 0; an average is null
    where the noisy count is too small to divide by.
    `errors`: the same lines; for each measure a struct of standard error and 95 % interval, `low` and `high`. The
    middle of a count's or sum's interval is its unbiased value: counts shown as 0 keep theirs, so that sums over
    cells can be taken without bias.
    `totals`, `total_errors`: sums of published cells (of their unbiased values); None where not asked for.
    `evidence`: what was done to each statistic; safe to show.
    """

    table: pa.Table
    errors: pa.Table
    totals: pa.Table | None
    total_errors: pa.Table | None
    summary: dict[str, Any]
    evidence: pa.Table
    exposed: tuple[str, ...] = ()  # nothing is withheld, so nothing can be worked out


def draw(raw: pa.Table, query: AggregateQuery, terms: Terms) -> Released:
    """Draw noise once. The budget must have been charged before, whatever happens here.

    Requires: `raw` has `engines.private_sql.private_schema(query, terms)`, rows in any order.
    Raises: Refused disclosure.raw, private.noise; both independent of data.
    """
    mechanisms = mechanisms_of(query, terms)
    exact = read_bounded(raw, query, terms, mechanisms)
    return {
        m.statistic: Noisy(m, release(cells, m).astype(object))
        for m, cells in zip(mechanisms, exact, strict=True)
    }


def answer(raw: pa.Table, query: AggregateQuery, terms: Terms) -> PrivateAnswer:
    """Draw and publish at once."""
    return publish(draw(raw, query, terms), query, terms)


def publish(released: Released, query: AggregateQuery, terms: Terms) -> PrivateAnswer:
    """From noisy statistics to tables: post-processing, free of budget and of randomness."""
    shape = tuple(len(values) for values in cell_values(query, terms))
    cells: list[Key] = [tuple(map(int, place)) for place in np.ndindex(shape)]
    estimates = {m.label: estimate_of(m, released) for m in query.measures}
    found = lines_of(cells, estimates, released, query)
    lines = {line.cell: line for line in found}
    in_order = arranged([Row(cell, dict(line.values), {}) for cell, line in lines.items()], query, terms)
    kept = [lines[row.cell] for row in in_order]
    table = value_table(kept, query, terms)
    totals = _totals(released, shape, query, terms) if query.totals else None
    return PrivateAnswer(
        table=table,
        errors=error_table(kept, query, terms),
        totals=None if totals is None else value_table(totals, query, terms),
        total_errors=None if totals is None else error_table(totals, query, terms),
        summary={**summary(query, terms), **shown(query, table, terms)},
        evidence=evidence_table([noisy.mechanism for noisy in released.values()]),
    )


def _totals(released: Released, shape: tuple[int, ...], query: AggregateQuery, terms: Terms) -> list[Line]:
    """Totals over one or more dimensions, the grand total last, in the order of the table lane's."""
    lines: list[Line] = []
    for count in range(1, len(shape) + 1):
        for axes in combinations(range(len(shape)), count):
            summed = {s: noisy.summed(shape, axes) for s, noisy in released.items()}
            left = tuple(1 if a in axes else size for a, size in enumerate(shape))
            cells = [
                tuple(None if a in axes else p for a, p in enumerate(place)) for place in np.ndindex(left)
            ]
            estimates = {
                m.label: estimate_of(m, summed) if _adds_up(m, axes, query, terms) else _none(prod(left))
                for m in query.measures
            }
            lines += lines_of(cells, estimates, summed, query)
    return lines


def _adds_up(measure: Measure, axes: tuple[int, ...], query: AggregateQuery, terms: Terms) -> bool:
    """Distinct contributors add up only over dimensions in which each has one value."""
    if measure.aggregate is not Aggregate.COUNT_UNITS:
        return True
    return not any(varies_within_unit(query.dimensions[a].column, query, terms) for a in axes)


def _none(size: int) -> Estimate:
    return Estimate(*[np.full(size, np.nan) for _ in range(4)])
