"""Bounded statistics for the private lane: the per-contributor relation, capped, clamped and summed per cell. Pure.

    d0, d1 ...  string             the cell's value of each dimension
    units, n    int64              contributors; rows
    mI_n        int64              rows with a value of measured column I
    mI_sum      decimal128(38, s)  sum; s is the column's scale

Only the statistics that the question needs are there; cells that hold nothing are absent and stand for 0. The table is
exact, so it never leaves the worker's memory.

Bounding follows all joins and is done per contributor, so it holds however often a join repeats a contributor's
rows: first at most `max_groups` cells of each contributor are kept, by an order of its own data (see `choice`);
then its rows in a cell are cut at `max_rows` and its sum is clamped to low..high. Adding or removing one
contributor therefore changes at most `groups_of` cells, each by at most `bound_of(...).magnitude`.

No error can depend on data: nothing is divided, casts widen only, and sums stay far below their type's limit. At most
2^31 units (10^5 rows each, 10^12 whole units of a column with up to 9 digits after the point) give counts below
2 * 10^14 and sums below 2 * 10^30 scaled units, where BIGINT holds 9 * 10^18 and DECIMAL(38) 10^38; a dataset without
unit would need 10^13 rows to reach the first and 10^17 to reach the second.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
from sqlglot import exp

from audit.wording import say
from contracts.policy.terms import Terms
from sandbox.engines.bounding import (
    Bound,
    Kind,
    Statistic,
    bound_of,
    groups_of,
    raw_name,
    reachable_cells,
    statistics_of,
)
from sandbox.engines.choice import codes_of_values, first_cells
from sandbox.engines.contributions import PER_CONTRIBUTOR, number_type, per_contributor
from sandbox.engines.duckdb_sql import DIALECTS
from sandbox.engines.raw import scale
from sandbox.guard.problems import refuse
from sandbox.guard.query import AggregateQuery

CAPPED = "_capped"  # as PER_CONTRIBUTOR, the name of no dataset
NARROW = 10**18  # beyond the numbers of a DECIMAL(18)


def private_schema(query: AggregateQuery, terms: Terms) -> pa.Schema:
    """The exact schema of the table that `generate_private` asks for."""
    fields = [pa.field(f"d{i}", pa.string()) for i in range(len(query.dimensions))]
    for statistic in statistics_of(query):
        number = pa.int64()
        if statistic.kind is Kind.SUM and statistic.column is not None:
            number = pa.decimal128(38, scale(statistic.column, terms))
        fields.append(pa.field(raw_name(statistic, query), number))
    return pa.schema(fields)


def generate_private(query: AggregateQuery, terms: Terms, dialect: str = "duckdb") -> str:
    """SQL whose result has the schema of `private_schema(query, terms)`, rows in any order.

    The extracts must have the columns of the per-contributor relation, the unit's pseudonym (or
    `_record_key`, where a dataset has no unit) among them.
    Raises: Refused engine.dialect, private.bounds, private.join, private.lane.
    """
    if dialect not in DIALECTS:
        raise refuse("engine.dialect", say("This engine is not offered."))
    capped = is_capped(query, terms)
    inner = per_contributor(query, terms, identified=capped)
    values = [exp.cast(exp.column(f"d{i}"), exp.DType.TEXT) for i in range(len(query.dimensions))]
    outer = bounded(query, terms, values)
    chosen = first_cells(codes_of_values(query, terms), groups_of(query, terms)) if capped else None
    return assembled(outer, inner, chosen)


def is_capped(query: AggregateQuery, terms: Terms) -> bool:
    """Whether a contributor could stand in more cells than it may count in."""
    return reachable_cells(query, terms) > groups_of(query, terms)


def assembled(outer: exp.Select, inner: exp.Select, chosen: exp.Select | None) -> str:
    """`outer` over `inner`, or over what is `chosen` of it."""
    outer = outer.from_(PER_CONTRIBUTOR if chosen is None else CAPPED, copy=False)
    outer = outer.with_(PER_CONTRIBUTOR, as_=inner, copy=False)
    if chosen is not None:
        outer = outer.with_(CAPPED, as_=chosen, copy=False)
    return outer.sql(dialect="duckdb", identify=True, comments=False)


def bounded(
    query: AggregateQuery, terms: Terms, values: Sequence[exp.Expr], *, narrow: bool = False
) -> exp.Select:
    """The last level, without its FROM. `values`: text of each dimension's value, from columns `d0`, `d1` ...

    `narrow`: sums are DECIMAL(18), and stay so until they are added up, where the bounds allow it.
    """
    keys = [exp.column(f"d{i}") for i in range(len(query.dimensions))]
    selected: list[exp.Expr] = [exp.alias_(value, f"d{i}") for i, value in enumerate(values)]
    selected += [
        exp.alias_(_statistic(s, query, terms, narrow=narrow), raw_name(s, query))
        for s in statistics_of(query)
    ]
    select = exp.select(*selected, copy=False)
    return select.group_by(*keys, copy=False) if keys else select


def _statistic(statistic: Statistic, query: AggregateQuery, terms: Terms, *, narrow: bool) -> exp.Expr:
    """Sum over contributors of what each adds; 0, not null, where there is none."""
    bound = bound_of(statistic, terms)
    if statistic.kind is Kind.UNITS:
        return exp.Count(this=exp.Star())
    if statistic.column is None:
        return _total(_clamped("n", bound, exp.DataType.build("BIGINT")), exp.DataType.build("BIGINT"))
    place = query.measured.index(statistic.column)
    if statistic.kind is Kind.VALUES:
        return _total(
            _clamped(f"c{place}", bound, exp.DataType.build("BIGINT")), exp.DataType.build("BIGINT")
        )
    number = added = number_type(statistic.column, terms)
    if narrow and bound.magnitude < NARROW:
        added = exp.DataType.build(f"DECIMAL(18, {bound.scale})")
    return _total(_clamped(f"s{place}", bound, added), number)


def _clamped(name: str, bound: Bound, number: exp.DataType) -> exp.Expr:
    """low..high; a contributor without a value adds 0. Null must go first: GREATEST would make it `low`."""
    known = exp.Coalesce(this=exp.column(name), expressions=[exp.Literal.number(0)])
    lifted = exp.func("GREATEST", known, _constant(bound.low, bound.scale, number), dialect="duckdb")
    return exp.func("LEAST", lifted, _constant(bound.high, bound.scale, number), dialect="duckdb")


def _constant(scaled: int, digits: int, number: exp.DataType) -> exp.Expr:
    """Bounds of the contract are whole units of the column, so nothing of `scaled` is lost."""
    whole = exp.Literal.number(abs(scaled) // 10**digits)
    return exp.cast(exp.Neg(this=whole) if scaled < 0 else whole, number.copy())


def _total(added: exp.Expr, number: exp.DataType) -> exp.Expr:
    total = exp.Coalesce(this=exp.Sum(this=added), expressions=[exp.Literal.number(0)])
    return exp.cast(total, number.copy())
