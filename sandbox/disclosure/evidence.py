"""What the audit keeps about a protected table and what the requester is told about it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from contracts.policy.terms import Terms
from sandbox.disclosure.complementary import all_cells
from sandbox.disclosure.findings import MARKER, Rule
from sandbox.disclosure.withholding import SUMMED, Withholding
from sandbox.guard.cells import cell_values
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


def summary(query: AggregateQuery, table: pa.Table, terms: Terms) -> dict[str, Any]:
    """What the requester may know: rules with parameters, and how many values are not shown.

    Everything here follows from the contract, the question and the published table; empty and withheld
    values are counted together, unless the contract shows empty cells as 0 (`empty_cells`).
    """
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
    return {
        "rules": rules,
        "marker": MARKER,
        "rows": table.num_rows,
        "values": table.num_rows * len(query.measures),
        "not_shown": sum(table.column(m.label).null_count for m in query.measures),
        "empty_cells": "zero" if limits.show_zeros else "not_shown",
        "undeclared_values": "not_counted" if query.dimensions else "counted",
        "totals": "of_published_values" if query.totals else "none",
    }
