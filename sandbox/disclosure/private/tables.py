"""Published lines as Arrow tables: the values, their errors, and the account of the noise. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import isnan
from typing import Any

import pyarrow as pa

from contracts.policy.terms import Aggregate, Terms
from sandbox.disclosure.private.estimates import Noisy
from sandbox.disclosure.private.intervals import Estimate
from sandbox.disclosure.private.mechanism import Mechanism
from sandbox.engines.bounding import Statistic, needed_by
from sandbox.engines.raw import scale
from sandbox.guard.cells import cell_values
from sandbox.guard.query import AggregateQuery, Measure

Value = int | float | Decimal | None
Place = tuple[int | None, ...]  # of each dimension's value in its domain; None for "all"

ERROR = pa.struct(
    [pa.field("error", pa.float64()), pa.field("low", pa.float64()), pa.field("high", pa.float64())]
)
EVIDENCE = pa.schema(
    [
        pa.field("statistic", pa.string()),
        pa.field("column", pa.string()),
        pa.field("low", pa.float64()),  # what one contributor adds to a cell, in whole units
        pa.field("high", pa.float64()),
        pa.field("groups", pa.int64()),  # cells it can add to
        pa.field("sensitivity", pa.float64()),  # L2, in whole units
        pa.field("scale", pa.float64()),  # standard deviation of the noise, in whole units
        pa.field("micro_rho", pa.int64()),
    ]
)


@dataclass(frozen=True, slots=True)
class Line:
    cell: Place
    values: dict[str, Value]  # by label
    errors: dict[str, dict[str, float] | None]


def lines_of(
    cells: Sequence[Place],
    estimates: Mapping[str, Estimate],
    noisy: Mapping[Statistic, Noisy],
    query: AggregateQuery,
) -> list[Line]:
    lines = [Line(cell, {}, {}) for cell in cells]
    for measure in query.measures:
        estimate = estimates[measure.label]
        values = _values(measure, estimate, noisy)
        errors = zip(*(part.tolist() for part in (estimate.error, estimate.low, estimate.high)), strict=True)
        for line, value, (error, low, high) in zip(lines, values, errors, strict=True):
            line.values[measure.label] = value
            known = value is not None
            line.errors[measure.label] = {"error": error, "low": low, "high": high} if known else None
    return lines


def _values(measure: Measure, estimate: Estimate, noisy: Mapping[Statistic, Noisy]) -> list[Value]:
    """Counts not below 0, sums exact to the step, averages as they are; null where there is no estimate."""
    if measure.aggregate is Aggregate.AVG:
        return [None if isnan(value) else value for value in estimate.values.tolist()]
    (statistic,) = needed_by(measure)
    mechanism, steps = noisy[statistic].mechanism, noisy[statistic].steps.tolist()
    if measure.aggregate is Aggregate.SUM:  # text, since arithmetic on decimals would round to 28 digits
        return [Decimal(f"{step * mechanism.step}E-{mechanism.bound.scale}") for step in steps]
    missing = map(isnan, estimate.values.tolist())
    return [None if none else max(0, step) for none, step in zip(missing, steps, strict=True)]


def value_table(lines: Sequence[Line], query: AggregateQuery, terms: Terms) -> pa.Table:
    """As the other lanes publish: dimensions as text, counts int64, sums decimal128(38, scale), averages float64."""
    measures = [pa.array([line.values[m.label] for line in lines], _type(m, terms)) for m in query.measures]
    return _table(lines, measures, query, terms)


def error_table(lines: Sequence[Line], query: AggregateQuery, terms: Terms) -> pa.Table:
    """The same lines and columns, each measure a struct of `error`, `low`, `high`; null where the value is."""
    measures = [pa.array([line.errors[m.label] for line in lines], ERROR) for m in query.measures]
    return _table(lines, measures, query, terms)


def _table(lines: Sequence[Line], measures: list[pa.Array], query: AggregateQuery, terms: Terms) -> pa.Table:
    columns = []
    for axis, values in enumerate(cell_values(query, terms)):
        places = [line.cell[axis] for line in lines]
        columns.append(pa.array([None if p is None else values[p] for p in places], pa.string()))
    return pa.Table.from_arrays([*columns, *measures], names=list(query.labels))


def _type(measure: Measure, terms: Terms) -> pa.DataType:
    if measure.aggregate is Aggregate.SUM and measure.column is not None:
        return pa.decimal128(38, scale(measure.column, terms))
    return pa.float64() if measure.aggregate is Aggregate.AVG else pa.int64()


def evidence_table(mechanisms: Sequence[Mechanism]) -> pa.Table:
    """One row per statistic. It holds no data, so a reviewer may see it and it may be kept."""
    rows: list[dict[str, Any]] = [
        {
            "statistic": m.statistic.kind.value,
            "column": m.statistic.column.column if m.statistic.column else None,
            "low": m.bound.low / 10**m.bound.scale,
            "high": m.bound.high / 10**m.bound.scale,
            "groups": m.groups,
            "sensitivity": m.sensitivity * m.unit,
            "scale": m.scale * m.unit,
            "micro_rho": m.micro_rho,
        }
        for m in mechanisms
    ]
    return pa.Table.from_pylist(rows, schema=EVIDENCE)


def unbiased(answer_errors: pa.Table, labels: Sequence[str]) -> pa.Table:
    """The lines of `PrivateAnswer.errors` with the middle of each interval: float64, never cut at 0.

    For counts and sums only: the middle of an average's interval is not its value.
    """
    found = answer_errors
    for label in labels:
        place = found.column_names.index(label)
        middles = [None if e is None else (e["low"] + e["high"]) / 2 for e in found.column(label).to_pylist()]
        found = found.set_column(place, label, pa.array(middles, pa.float64()))
    return found
