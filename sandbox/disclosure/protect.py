"""The one door: raw table in, protected table out. Pure and deterministic."""

from __future__ import annotations

import pyarrow as pa

from contracts.policy.terms import Lane, Terms
from sandbox.disclosure.complementary import all_cells
from sandbox.disclosure.evidence import evidence_table, summary
from sandbox.disclosure.grid import read_grids
from sandbox.disclosure.perturbed import perturbed
from sandbox.disclosure.protected import Protected
from sandbox.disclosure.published import arrange, publish, published_table, total_rows
from sandbox.disclosure.withholding import SUMMED, Withholding, withhold
from sandbox.guard.cells import cell_values
from sandbox.guard.lanes import lane_of
from sandbox.guard.query import AggregateQuery, ColumnRef


def protect(raw: pa.Table, query: AggregateQuery, terms: Terms) -> Protected:
    """Apply the contract's disclosure rules to the answer of the generated SQL.

    Requires: `raw` has `engines.raw_schema(query, terms)`, rows in any order; `query` was checked.
    Ensures: the same cells give the same bytes; no value is shown that breaks a rule.
    Raises: Refused("disclosure.raw") where the raw table is not what it must be.
    """
    if lane_of(query, terms) is Lane.PERTURBED:
        return perturbed(raw, query, terms)
    grids = read_grids(raw, query, terms)
    known: dict[tuple[ColumnRef | None, bool], Withholding] = {}
    verdicts: dict[str, Withholding] = {}
    for measure in query.measures:
        pattern = (measure.column, measure.aggregate in SUMMED)
        if pattern not in known:
            known[pattern] = withhold(grids[measure.column], measure, terms.disclosure)
        verdicts[measure.label] = known[pattern]
    shape = tuple(len(values) for values in cell_values(query, terms))
    rows = [publish(cell, query, verdicts, terms) for cell in all_cells(shape)]
    table = published_table([(r.cell, r) for r in arrange(rows, query, terms)], query, terms)
    totals = published_table(total_rows(rows, query, terms), query, terms) if query.totals else None
    return Protected(
        table=table,
        totals=totals,
        summary=summary(query, table, terms),
        evidence=evidence_table(query, verdicts, terms),
        exposed=tuple(m.label for m in query.measures if verdicts[m.label].exposed),
    )
