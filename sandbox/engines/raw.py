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

In the perturbed lane, after these, with keys from 0 to 255 (see `cell_keys`):

    r           int64              key of the rows
    t           int64              the most rows of one contributor
    u           int64              key of the contributors, where there is a privacy unit
    mI_r        int64              key of the rows with a value of measured column I
    mI_t        int64              the most such rows of one contributor
    mI_q        int64              key of the column's sum (absent if not a number)

and, where totals are asked for, further rows in which each dimension that is summed over is null: what the
question without these dimensions, and with their values as filters, would return.
"""

from __future__ import annotations

import pyarrow as pa

from catalog.schema import ColumnType
from contracts.policy.terms import Lane, Terms
from sandbox.guard.cells import column_term
from sandbox.guard.lanes import lane_of
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
    if lane_of(query, terms) is Lane.PERTURBED:
        fields += [pa.field(name, pa.int64()) for name in _key_names(query, terms)]
    return pa.schema(fields)


def _key_names(query: AggregateQuery, terms: Terms) -> list[str]:
    units = any(d.unit is not None for d in terms.datasets if d.name in query.sources)
    names = ["r", "t", "u"] if units else ["r", "t"]
    for i, ref in enumerate(query.measured):
        names += [f"m{i}_r", f"m{i}_t"] + ([f"m{i}_q"] if is_summed(ref, terms) else [])
    return names


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
