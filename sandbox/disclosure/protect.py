"""The one door: raw table in, protected table out. Pure and deterministic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from contracts.policy.terms import Terms
from sandbox.disclosure.complementary import all_cells
from sandbox.disclosure.evidence import evidence_table, summary
from sandbox.disclosure.grid import read_grids
from sandbox.disclosure.published import arrange, publish, published_table, total_rows
from sandbox.disclosure.withholding import SUMMED, Withholding, withhold
from sandbox.guard.cells import cell_values
from sandbox.guard.query import AggregateQuery, ColumnRef


@dataclass(frozen=True, slots=True)
class Protected:
    """`table`, `totals` and `summary` are for the requester; `evidence` and `exposed` never are.

    `table`: every declared cell that HAVING and LIMIT leave, null where nothing is shown.
    `totals`: sums of published values with null for "all"; None where not asked for.
    `exposed`: labels of measures where some withheld value could still be worked out from totals although
    everything that helps is withheld; a reviewer must judge before release.
    """

    table: pa.Table
    totals: pa.Table | None
    summary: dict[str, Any]
    evidence: pa.Table
    exposed: tuple[str, ...]


def protect(raw: pa.Table, query: AggregateQuery, terms: Terms) -> Protected:
    """Apply the contract's disclosure rules to the answer of the generated SQL.

    Requires: `raw` has `engines.raw_schema(query, terms)`, rows in any order; `query` was checked.
    Ensures: the same cells give the same bytes; no value is shown that breaks a rule.
    Raises: Refused("disclosure.raw") where the raw table is not what it must be.
    """
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
