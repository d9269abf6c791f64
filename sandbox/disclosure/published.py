"""The published values of a bare question: rounded, or null. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import pyarrow as pa

from contracts.policy.terms import Aggregate, Terms
from sandbox.disclosure.findings import Key, Outcome
from sandbox.disclosure.grid import Contribution
from sandbox.disclosure.rounding import round_count, round_sum
from sandbox.disclosure.withholding import Withholding
from sandbox.engines.raw import scale
from sandbox.guard.cells import cell_values
from sandbox.guard.query import AggregateQuery, Measure

Value = int | float | Decimal | None


def published_value(cell: Key, measure: Measure, verdict: Withholding, terms: Terms) -> Value:
    """What may be shown of a cell, rounded; null otherwise, empty and withheld alike."""
    if verdict.outcome(cell) is not Outcome.PUBLISHED:
        return None
    return _rounded(verdict.grid.cells[cell], measure, terms)


def _rounded(contribution: Contribution, measure: Measure, terms: Terms) -> Value:
    limits = terms.disclosure
    if measure.aggregate is Aggregate.COUNT_UNITS:
        return round_count(contribution.units, limits.round_counts)
    if measure.aggregate is Aggregate.SUM:
        return round_sum(contribution.total, limits.sum_digits)
    return round_count(contribution.rows, limits.round_counts)


def table_of(
    cells: Sequence[tuple[int | None, ...]],
    columns: Mapping[str, list[Value]],
    query: AggregateQuery,
    terms: Terms,
) -> pa.Table:
    """Dimensions as text (null where the position is None), then `columns` by label of measure, a value per cell.

    Counts are int64, sums decimal128(38, scale), averages float64.
    """
    values = cell_values(query, terms)
    arrays: list[pa.Array] = []
    for axis in range(len(query.dimensions)):
        texts = {None: None} | dict(enumerate(values[axis]))
        arrays.append(pa.array([texts[cell[axis]] for cell in cells], pa.string()))
    for measure in query.measures:
        fitted = [_fit(value, measure, terms) for value in columns[measure.label]]
        arrays.append(pa.array(fitted, _type(measure, terms)))
    return pa.Table.from_arrays(arrays, names=list(query.labels))


def _fit(value: Value, measure: Measure, terms: Terms) -> Value:
    if isinstance(value, Decimal) and measure.column is not None:
        return value.quantize(Decimal(1).scaleb(-scale(measure.column, terms)))
    return value


def _type(measure: Measure, terms: Terms) -> pa.DataType:
    if measure.aggregate is Aggregate.SUM and measure.column is not None:
        return pa.decimal128(38, scale(measure.column, terms))
    return pa.float64() if measure.aggregate is Aggregate.AVG else pa.int64()
