"""The perturbed lane: raw table in, table of perturbed cells out (see `cell_key`). Pure and deterministic.

First k and, for sums and averages, the dominance rules withhold cells; then every other number gets its change. A
count that would be published below k is withheld too: its size would tell that the true one is just above.
Perturbation takes the place of rounding for counts. Sums keep the contract's significant digits, because the digits
beyond could be matched against the 256 possible changes.

There is no complementary suppression. A total is a cell of its own, with its own contributors and its own key: the
same number as the question without the summed dimensions gives. So totals do not add up, and a withheld cell does not
follow from them exactly: what a total has beyond its other cells is the withheld cell and the changes of all of them.
For a count of m cells that has the standard deviation 2·sqrt(m); for a sum it is p % of the largest contribution of
the total, or more.
An average is published sum / published count (see `arrangement`). Empty cells are never perturbed: they look like
withheld ones, or, where the contract shows zeros, count 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from itertools import combinations
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from contracts.policy.terms import Aggregate, DisclosureTerms, Terms
from sandbox.disclosure.cell_key.change import change, changed_sum
from sandbox.disclosure.cell_key.tables import BOUND, DEVIATION, VERSION, count_change
from sandbox.disclosure.complementary import all_cells
from sandbox.disclosure.contributors import too_few
from sandbox.disclosure.dominance import dominated
from sandbox.disclosure.evidence import EVIDENCE, evidence_table, told
from sandbox.disclosure.findings import Key, Outcome, Rule
from sandbox.disclosure.grid import Contribution, Grid, inconsistent, read_grids
from sandbox.disclosure.protected import Protected
from sandbox.disclosure.published import Value, table_of
from sandbox.disclosure.rounding import round_sum
from sandbox.disclosure.withholding import SUMMED, Withholding
from sandbox.engines.raw import raw_schema, scale
from sandbox.guard.cells import cell_values
from sandbox.guard.query import COUNTS, AggregateQuery, Measure

Summed = tuple[int, ...]  # the dimensions that a total adds up, by their position


def perturbed(raw: pa.Table, query: AggregateQuery, terms: Terms) -> Protected:
    """As `protect`: requires, ensures and raises the same. With `query.totals` the totals stand below the cells."""
    if raw.column_names != raw_schema(query, terms).names:
        raise inconsistent()
    places: list[tuple[int | None, ...]] = []
    columns: dict[str, list[Value]] = {measure.label: [] for measure in query.measures}
    evidence: list[pa.Table] = []
    for summed in [(), *_totals(query)]:
        part = _without(query, summed)
        rows = _part(raw, query, terms, summed) if query.totals else raw
        cells, found, why = _cells(rows, part, terms)
        places += [_place(cell, summed) for cell in cells]
        for label, values in found.items():
            columns[label] += values
        named = [{**row, "cell": list(_place(row["cell"], summed))} for row in why.to_pylist()]
        evidence.append(pa.Table.from_pylist(named, schema=EVIDENCE))
    return Protected(
        table=table_of(places, columns, query, terms),
        summary=_summary(query, terms),
        evidence=pa.concat_tables(evidence),
    )


def _totals(query: AggregateQuery) -> list[Summed]:
    axes = range(len(query.dimensions))
    counts = axes if query.totals else ()
    return [summed for count in counts for summed in combinations(axes, count + 1)]


def _without(query: AggregateQuery, summed: Summed) -> AggregateQuery:
    """The question whose cells are these totals."""
    kept = tuple(d for axis, d in enumerate(query.dimensions) if axis not in summed)
    return replace(query, dimensions=kept, totals=False)


def _part(raw: pa.Table, query: AggregateQuery, terms: Terms, summed: Summed) -> pa.Table:
    """The rows of these totals, as the raw table of the question without the summed dimensions."""
    for axis in range(len(query.dimensions)):
        column = raw.column(f"d{axis}")
        raw = raw.filter(pc.is_null(column) if axis in summed else pc.is_valid(column))
    raw = raw.drop_columns([f"d{axis}" for axis in summed])
    schema = raw_schema(_without(query, summed), terms)
    if raw.num_rows == 0 and len(summed) == len(query.dimensions):
        nobody = {f.name: 0 for f in schema if pa.types.is_integer(f.type)}
        return pa.Table.from_pylist([nobody], schema=schema)
    return raw.rename_columns(schema.names)


def _place(cell: Iterable[Any], summed: Summed) -> tuple[Any, ...]:
    """Where a total stands among all dimensions: None for each that is summed."""
    found = list(cell)
    for axis in summed:
        found.insert(axis, None)
    return tuple(found)


def _cells(
    raw: pa.Table, query: AggregateQuery, terms: Terms
) -> tuple[list[Key], dict[str, list[Value]], pa.Table]:
    """The declared cells in order, what is published of each by label, and the evidence."""
    grids = read_grids(raw, query, terms)
    cells = list(all_cells(tuple(len(values) for values in cell_values(query, terms))))
    columns: dict[str, list[Value]] = {}
    verdicts: dict[str, Withholding] = {}
    for measure in query.measures:
        grid = grids[measure.column]
        values = {key: _value(measure, cell, terms) for key, cell in grid.cells.items()}
        verdict = verdicts[measure.label] = _withhold(grid, values, measure, terms.disclosure)
        zeros = terms.disclosure.show_zeros and measure.aggregate in COUNTS
        shown = {cell: values[cell] for cell in grid.cells if verdict.outcome(cell) is Outcome.PUBLISHED}
        columns[measure.label] = [0 if zeros and verdict.nobody(c) else shown.get(c) for c in cells]
    return cells, columns, evidence_table(query, verdicts, terms)


def _withhold(grid: Grid, values: dict[Key, Value], measure: Measure, limits: DisclosureTerms) -> Withholding:
    reasons: dict[Key, tuple[Rule, ...]] = {}
    for key, cell in sorted(grid.cells.items()):
        found = too_few([(cell,)], limits)
        if measure.aggregate in SUMMED:
            found += dominated([(cell,)], limits)
        value = values[key]
        small = measure.aggregate in COUNTS and value is not None and value < limits.min_contributors
        if found or small:
            reasons[key] = tuple(f.rule for f in found) or (Rule.MIN_CONTRIBUTORS,)
    return Withholding(grid, reasons, frozenset())


def _value(measure: Measure, cell: Contribution, terms: Terms) -> Value:
    """The cell's number with its change."""
    limits, keys = terms.disclosure, cell.keys
    if keys is None:
        raise inconsistent()
    if measure.aggregate is Aggregate.COUNT_UNITS:
        return cell.units + count_change(cell.units, keys.units)
    if measure.column is None or measure.aggregate is Aggregate.COUNT:
        return cell.rows + change(cell.rows, keys.most, keys.rows, limits.p_percent)
    largest = cell.largest[0] if cell.largest else Decimal(0)
    decimals = scale(measure.column, terms)
    total = changed_sum(
        cell.total, cell.absolute, largest, scale=decimals, key=keys.total, percent=limits.p_percent
    )
    return round_sum(total, limits.sum_digits)


def _summary(query: AggregateQuery, terms: Terms) -> dict[str, Any]:
    """Everything here follows from contract, question and the public perturbation tables."""
    limits = terms.disclosure
    share = {"low": limits.p_percent, "high": 2 * limits.p_percent, "table": VERSION}
    rules: list[dict[str, Any]] = [{"rule": Rule.MIN_CONTRIBUTORS.value, "k": limits.min_contributors}]
    if any(m.aggregate in SUMMED for m in query.measures):
        rules += [
            {"rule": Rule.DOMINANCE.value, "n": limits.dominance_n, "percent": limits.dominance_percent},
            {"rule": Rule.P_PERCENT.value, "percent": limits.p_percent},
            {"rule": Rule.ALL_ZERO.value},
            {"rule": "cell_key_sums", **share},
            {"rule": "sum_digits", "digits": limits.sum_digits},
        ]
    if any(m.aggregate is not Aggregate.SUM for m in query.measures):
        rules.append({"rule": "cell_key", "bound": BOUND, "deviation": DEVIATION, **share})
    return told(rules, query, terms)
