"""The raw table: an engine's answer before protection. It never leaves the worker's memory.

One row for each cell that holds rows:

    d0, d1 ...  string             the cell's value of each dimension
    k           int64              distinct contributors
    n           int64              rows
    mI_k        int64              contributors with a value of measured column I
    mI_n        int64              rows with a value
    mI_sum      decimal128(38, s)  sum; s is the column's scale (absent, as the next two, if not a number)
    mI_abs      decimal128(38, s)  sum over contributors of the absolute value of each one's sum
    mI_top      list<decimal128>   the largest absolute sums of single contributors, largest first

Without dimensions there is exactly one row, with k = 0 where nothing matched.
"""

from __future__ import annotations

import pyarrow as pa

from catalog.schema import ColumnType
from contracts.policy.terms import Terms
from sandbox.guard.cells import column_term
from sandbox.guard.query import AggregateQuery, ColumnRef

_NUMERIC = {ColumnType.INTEGER, ColumnType.DECIMAL}


def raw_schema(query: AggregateQuery, terms: Terms) -> pa.Schema:
    """The exact schema of the raw table of `query`."""
    fields = [pa.field(f"d{i}", pa.string()) for i in range(len(query.dimensions))]
    fields += [pa.field("k", pa.int64()), pa.field("n", pa.int64())]
    for i, ref in enumerate(query.measured):
        fields += [pa.field(f"m{i}_k", pa.int64()), pa.field(f"m{i}_n", pa.int64())]
        if is_summed(ref, terms):
            number = pa.decimal128(38, scale(ref, terms))
            fields += [pa.field(f"m{i}_sum", number), pa.field(f"m{i}_abs", number)]
            fields.append(pa.field(f"m{i}_top", pa.list_(number)))
    return pa.schema(fields)


def is_summed(ref: ColumnRef, terms: Terms) -> bool:
    """Numbers are summed; other measured columns are only counted."""
    return column_term(terms, ref).type in _NUMERIC


def scale(ref: ColumnRef, terms: Terms) -> int:
    """Digits after the point of the column's sums."""
    column = column_term(terms, ref)
    return column.scale if column.type is ColumnType.DECIMAL else 0


def largest_kept(terms: Terms) -> int:
    """How many of the largest contributions the rules look at: two for p %, n for (n, k)."""
    return max(2, terms.disclosure.dominance_n)
