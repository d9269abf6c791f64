"""From the protected answer of a bare question to the table that was asked for. Pure.

Labels, averages, HAVING, ORDER, LIMIT and totals are worked out from published values alone, so that none of them
tells more than the answer does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations
from operator import eq, ge, gt, le, lt
from typing import Any

import pyarrow as pa

from contracts.policy.terms import Aggregate, Terms
from sandbox.disclosure.findings import Key
from sandbox.disclosure.published import Value, table_of
from sandbox.disclosure.rounding import average
from sandbox.guard.bare import dimension_label, measure_label, parts
from sandbox.guard.cells import cell_values, column_term
from sandbox.guard.domains import key
from sandbox.guard.query import AggregateQuery, Comparison, Measure

_COMPARE: Mapping[Comparison, Callable[[Any, Any], bool]] = {
    Comparison.EQ: eq,
    Comparison.GT: gt,
    Comparison.GTE: ge,
    Comparison.LT: lt,
    Comparison.LTE: le,
}


@dataclass(frozen=True, slots=True)
class Row:
    """One cell: `values` by label of the question, `parts` the published sum and count behind an average."""

    cell: Key
    values: dict[str, Value]
    parts: dict[str, tuple[Decimal, int]]


def arrange(answer: pa.Table, query: AggregateQuery, terms: Terms) -> pa.Table:
    """The table of `query` from the answer of `bare(query)`; its totals, if asked for, stand below its cells.

    A total has null for the dimensions it adds up. HAVING and LIMIT leave cells out, never totals.
    """
    rows = _rows(answer, query, terms)
    lines: list[tuple[tuple[int | None, ...], Row]] = [(r.cell, r) for r in _arranged(rows, query, terms)]
    if query.totals:
        lines += _totals(rows, query, terms)
    columns = {m.label: [row.values[m.label] for _, row in lines] for m in query.measures}
    return table_of([cell for cell, _ in lines], columns, query, terms)


def _rows(answer: pa.Table, query: AggregateQuery, terms: Terms) -> list[Row]:
    """In the order of the declared domains of the question's own dimensions."""
    places = [{text: i for i, text in enumerate(texts)} for texts in cell_values(query, terms)]
    texts = [answer.column(dimension_label(d.column)).to_pylist() for d in query.dimensions]
    numbers = {
        name: answer.column(name).to_pylist()
        for name in {measure_label(*part) for measure in query.measures for part in parts(measure)}
    }
    rows = []
    for i in range(answer.num_rows):
        row = Row(tuple(place[text[i]] for place, text in zip(places, texts, strict=True)), {}, {})
        for measure in query.measures:
            _fill(row, measure, [numbers[measure_label(*part)][i] for part in parts(measure)], terms)
        rows.append(row)
    return sorted(rows, key=lambda row: row.cell)


def _fill(row: Row, measure: Measure, found: list[Any], terms: Terms) -> None:
    row.values[measure.label] = found[0]
    if measure.aggregate is Aggregate.AVG:
        total, count = found
        shown = total is not None and count is not None
        row.values[measure.label] = average(total, count, terms.disclosure.sum_digits) if shown else None
        if shown:
            row.parts[measure.label] = (total, count)


def _arranged(rows: list[Row], query: AggregateQuery, terms: Terms) -> list[Row]:
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


def _totals(rows: list[Row], query: AggregateQuery, terms: Terms) -> list[tuple[tuple[int | None, ...], Row]]:
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
            shares = [row.parts[label] for row in rows if label in row.parts]
            if shares:
                whole, count = sum((s[0] for s in shares), Decimal(0)), sum(s[1] for s in shares)
                total.values[label] = average(whole, count, terms.disclosure.sum_digits)
        elif measure.aggregate is not Aggregate.COUNT_UNITS:
            shown: list[Any] = [v for row in rows if (v := row.values[label]) is not None]
            total.values[label] = sum(shown[1:], shown[0]) if shown else None
    return total
