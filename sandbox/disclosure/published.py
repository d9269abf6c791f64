"""The published values: rounded, arranged, and with totals of what is published. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations
from operator import eq, ge, gt, le, lt
from typing import Any

import pyarrow as pa

from contracts.policy.terms import Aggregate, Terms
from sandbox.disclosure.findings import Key, Outcome
from sandbox.disclosure.grid import Contribution
from sandbox.disclosure.rounding import average, round_count, round_sum
from sandbox.disclosure.withholding import Withholding
from sandbox.engines.raw import scale
from sandbox.guard.cells import cell_values, column_term
from sandbox.guard.domains import key
from sandbox.guard.query import AggregateQuery, Comparison, Measure

Value = int | float | Decimal | None
_COMPARE: Mapping[Comparison, Callable[[Any, Any], bool]] = {
    Comparison.EQ: eq,
    Comparison.GT: gt,
    Comparison.GTE: ge,
    Comparison.LT: lt,
    Comparison.LTE: le,
}


@dataclass(frozen=True, slots=True)
class Row:
    """One cell as published: `values` by label; `parts` are the published sum and count behind an average."""

    cell: Key
    values: dict[str, Value]
    parts: dict[str, tuple[Decimal, int]]


def publish(cell: Key, query: AggregateQuery, verdicts: Mapping[str, Withholding], terms: Terms) -> Row:
    """Round what may be shown of a cell; everything else is null, empty and withheld alike.

    With `show_zeros` a cell that nobody is in has 0 rows, 0 contributors and the sum 0; its average stays null.
    """
    row = Row(cell, {}, {})
    for measure in query.measures:
        verdict = verdicts[measure.label]
        row.values[measure.label] = None
        if verdict.outcome(cell) is Outcome.PUBLISHED:
            _fill(row, measure, verdict.grid.cells[cell], terms)
        elif terms.disclosure.show_zeros and measure.aggregate is not Aggregate.AVG and verdict.nobody(cell):
            row.values[measure.label] = Decimal(0) if measure.aggregate is Aggregate.SUM else 0
    return row


def _fill(row: Row, measure: Measure, contribution: Contribution, terms: Terms) -> None:
    limits = terms.disclosure
    count = round_count(contribution.rows, limits.round_counts)
    if measure.aggregate is Aggregate.COUNT_UNITS:
        row.values[measure.label] = round_count(contribution.units, limits.round_counts)
    elif measure.aggregate is Aggregate.SUM:
        row.values[measure.label] = round_sum(contribution.total, limits.sum_digits)
    elif measure.aggregate is Aggregate.AVG:
        total = round_sum(contribution.total, limits.sum_digits)
        row.parts[measure.label] = (total, count)
        row.values[measure.label] = average(total, count, limits.sum_digits)
    else:
        row.values[measure.label] = count


def arrange(rows: list[Row], query: AggregateQuery, terms: Terms) -> list[Row]:
    """HAVING, ORDER BY and LIMIT over published values; what is not shown meets no bound and sorts last."""
    kept = [row for row in rows if all(_meets(row, h.label, h.comparison, h.value) for h in query.having)]
    sort_keys = {d.label: _dimension_values(i, query, terms) for i, d in enumerate(query.dimensions)}
    for order in reversed(query.order):
        if order.label in sort_keys:
            axis, values = sort_keys[order.label]
            kept.sort(key=lambda r, a=axis, v=values: v[r.cell[a]], reverse=order.descending)  # type: ignore[misc]
        else:
            shown = [r for r in kept if r.values[order.label] is not None]
            shown.sort(key=lambda r, name=order.label: r.values[name], reverse=order.descending)  # type: ignore[misc]
            kept = shown + [r for r in kept if r.values[order.label] is None]
    return kept if query.limit is None else kept[: query.limit]


def _meets(row: Row, label: str, comparison: Comparison, value: int) -> bool:
    shown = row.values[label]
    return shown is not None and _COMPARE[comparison](shown, value)


def _dimension_values(axis: int, query: AggregateQuery, terms: Terms) -> tuple[int, list[Any]]:
    kind = column_term(terms, query.dimensions[axis].column).type
    return axis, [key(kind, text) for text in cell_values(query, terms)[axis]]


def total_rows(
    rows: list[Row], query: AggregateQuery, terms: Terms
) -> list[tuple[tuple[int | None, ...], Row]]:
    """Sums of published values over one or more dimensions, the grand total last. None stands for "all".

    They add published numbers and nothing else, so they tell nothing more; distinct contributors do not
    add up and get no total.
    """
    found: list[tuple[tuple[int | None, ...], Row]] = []
    axes = range(len(query.dimensions))
    for count in range(1, len(axes) + 1):
        for summed in combinations(axes, count):
            lines: dict[tuple[int | None, ...], list[Row]] = {}
            for row in rows:
                fixed = tuple(None if a in summed else row.cell[a] for a in axes)
                lines.setdefault(fixed, []).append(row)
            found += [(fixed, _total(line, query, terms)) for fixed, line in lines.items()]
    return found


def _total(rows: list[Row], query: AggregateQuery, terms: Terms) -> Row:
    total = Row((), {}, {})
    for measure in query.measures:
        label = measure.label
        total.values[label] = None
        if measure.aggregate is Aggregate.AVG:
            parts = [row.parts[label] for row in rows if label in row.parts]
            if parts:
                whole = sum((p[0] for p in parts), Decimal(0)), sum(p[1] for p in parts)
                total.values[label] = average(*whole, terms.disclosure.sum_digits)
        elif measure.aggregate is not Aggregate.COUNT_UNITS:
            shown: list[Any] = [v for row in rows if (v := row.values[label]) is not None]
            # Beside withheld cells, zeros of empty ones make no total: it would read as if all were empty.
            blank = terms.disclosure.show_zeros and len(shown) < len(rows) and not any(shown)
            total.values[label] = sum(shown[1:], shown[0]) if shown and not blank else None
    return total


def published_table(
    rows: list[tuple[tuple[int | None, ...], Row]], query: AggregateQuery, terms: Terms
) -> pa.Table:
    """Dimensions as text, then measures: counts int64, sums decimal128(38, scale), averages float64."""
    values = cell_values(query, terms)
    columns: list[pa.Array] = []
    for axis in range(len(query.dimensions)):
        places = [cell[axis] for cell, _ in rows]
        columns.append(pa.array([None if p is None else values[axis][p] for p in places], pa.string()))
    columns += [
        pa.array([_fit(row.values[m.label], m, terms) for _, row in rows], _type(m, terms))
        for m in query.measures
    ]
    return pa.Table.from_arrays(columns, names=list(query.labels))


def _fit(value: Value, measure: Measure, terms: Terms) -> Value:
    if isinstance(value, Decimal) and measure.column is not None:
        return value.quantize(Decimal(1).scaleb(-scale(measure.column, terms)))
    return value


def _type(measure: Measure, terms: Terms) -> pa.DataType:
    if measure.aggregate is Aggregate.SUM and measure.column is not None:
        return pa.decimal128(38, scale(measure.column, terms))
    return pa.float64() if measure.aggregate is Aggregate.AVG else pa.int64()
