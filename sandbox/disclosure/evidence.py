"""What the audit keeps about a protected table and what the requester is told about it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from contracts.policy.terms import Lane, Terms
from sandbox.disclosure.complementary import all_cells
from sandbox.disclosure.findings import MARKER, Rule
from sandbox.disclosure.withholding import SUMMED, Withholding
from sandbox.guard.cells import cell_values
from sandbox.guard.lanes import lane_of
from sandbox.guard.query import AggregateQuery

EVIDENCE = pa.schema(
    [
        pa.field("cell", pa.list_(pa.string())),  # the dimensions' values, in the query's order
        pa.field("measure", pa.string()),  # its label
        pa.field("contributors", pa.int64()),
        pa.field("rows", pa.int64()),
        pa.field("largest_share", pa.float64()),  # of the largest contributor in the absolute sum, 0 to 1
        pa.field("outcome", pa.string()),
        pa.field("reasons", pa.list_(pa.string())),
        # Of a cell that breaks a rule: all totals together do not tell it more closely than from `low` to `high`
        # (null: no limit), and this interval must be `demanded` wide. In the measure's unit; of counts, contributors.
        pa.field("low", pa.float64()),
        pa.field("high", pa.float64()),
        pa.field("demanded", pa.float64()),
    ]
)


def evidence_table(query: AggregateQuery, verdicts: Mapping[str, Withholding], terms: Terms) -> pa.Table:
    """One row for each declared cell and measure. For reviewers and auditors only: it tells all."""
    values = cell_values(query, terms)
    rows: list[dict[str, Any]] = []
    for cell in all_cells(tuple(len(v) for v in values)):
        texts = [values[axis][place] for axis, place in enumerate(cell)]
        for measure in query.measures:
            verdict = verdicts[measure.label]
            found = verdict.grid.cells.get(cell)
            squeeze = verdict.squeezes.get(cell)
            share = float(found.largest[0] / found.absolute) if found and found.absolute else None
            rows.append(
                {
                    "cell": texts,
                    "measure": measure.label,
                    "contributors": found.units if found else 0,
                    "rows": found.rows if found else 0,
                    "largest_share": share,
                    "outcome": verdict.outcome(cell).value,
                    "reasons": [rule.value for rule in verdict.reasons.get(cell, ())],
                    "low": squeeze and squeeze.low,
                    "high": squeeze and squeeze.high,
                    "demanded": squeeze and squeeze.demanded,
                }
            )
    return pa.Table.from_pylist(rows, schema=EVIDENCE)


def summary(query: AggregateQuery, terms: Terms) -> dict[str, Any]:
    """What the requester may know of how the answer was protected; follows from contract and question alone."""
    limits = terms.disclosure
    rules: list[dict[str, Any]] = [{"rule": Rule.MIN_CONTRIBUTORS.value, "k": limits.min_contributors}]
    if any(m.aggregate in SUMMED for m in query.measures):
        rules += [
            {"rule": Rule.DOMINANCE.value, "n": limits.dominance_n, "percent": limits.dominance_percent},
            {"rule": Rule.P_PERCENT.value, "percent": limits.p_percent},
            {"rule": Rule.ALL_ZERO.value},
            {"rule": "sum_digits", "digits": limits.sum_digits},
        ]
    rules.append({"rule": "round_counts", "base": limits.round_counts})
    if query.dimensions:
        rules.append({"rule": Rule.COMPLEMENTARY.value})
    return told(rules, query, terms)


def told(rules: list[dict[str, Any]], query: AggregateQuery, terms: Terms) -> dict[str, Any]:
    """A summary in its form, for the rules of any lane."""
    return {
        "rules": rules,
        "marker": MARKER,
        "empty_cells": "zero" if terms.disclosure.show_zeros else "not_shown",
        "undeclared_values": "not_counted" if query.dimensions else "counted",
    }


def shown(query: AggregateQuery, table: pa.Table, terms: Terms) -> dict[str, Any]:
    """How many values of the arranged table are not shown; empty and withheld ones are counted together."""
    cells = table.num_rows if not query.totals else _without_totals(query, table)
    measures = [table.column(m.label).slice(0, cells) for m in query.measures]
    return {
        "rows": cells,
        "values": cells * len(measures),
        "not_shown": sum(column.null_count for column in measures),
        "totals": _totals(query, terms),
    }


def _totals(query: AggregateQuery, terms: Terms) -> str:
    if not query.totals:
        return "none"
    own = lane_of(query, terms) is Lane.PERTURBED
    return "of_their_own_contributors" if own else "of_published_values"


def _without_totals(query: AggregateQuery, table: pa.Table) -> int:
    """Rows in which every dimension has a value."""
    columns = [table.column(d.label).to_pylist() for d in query.dimensions]
    return sum(None not in cell for cell in zip(*columns, strict=True))
