"""The one door: raw table in, protected answer out. Pure and deterministic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from contracts.policy.terms import Terms
from sandbox.disclosure.complementary import all_cells
from sandbox.disclosure.evidence import evidence_table, summary
from sandbox.disclosure.grid import read_grids
from sandbox.disclosure.published import published_value, table_of
from sandbox.disclosure.withholding import SUMMED, Withholding, withhold
from sandbox.guard.cells import cell_values
from sandbox.guard.query import AggregateQuery, ColumnRef


@dataclass(frozen=True, slots=True)
class Protected:
    """`table` and `summary` may be told; `evidence` and `exposed` never are.

    `table`: every declared cell, null where nothing is shown. `summary`: which rules ran with which parameters.
    `exposed`: labels of measures where some withheld value could still be worked out from totals although
    everything that helps is withheld; such an answer is not released.
    """

    table: pa.Table
    summary: dict[str, Any]
    evidence: pa.Table
    exposed: tuple[str, ...]


def protect(raw: pa.Table, query: AggregateQuery, terms: Terms) -> Protected:
    """Apply the contract's disclosure rules to the answer of the generated SQL.

    Requires: `query` is a bare question (`guard.bare`); `raw` has `engines.raw_schema(query, terms)`, rows in any
    order. Ensures: the same cells give the same bytes; no value is shown that breaks a rule.
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
    cells = list(all_cells(tuple(len(values) for values in cell_values(query, terms))))
    columns = {
        m.label: [published_value(cell, m, verdicts[m.label], terms) for cell in cells]
        for m in query.measures
    }
    return Protected(
        table=table_of(cells, columns, query, terms),
        summary=summary(query, terms),
        evidence=evidence_table(query, verdicts, terms),
        exposed=tuple(m.label for m in query.measures if verdicts[m.label].exposed),
    )
