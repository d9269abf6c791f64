"""Bounded statistics for the private lane: the per-contributor relation, capped, clamped and summed per cell. Pure.

    d0, d1 ...  string             the cell's value of each dimension
    units, n    int64              contributors; rows
    mI_n        int64              rows with a value of measured column I
    mI_sum      decimal128(38, s)  sum; s is the column's scale

Only the statistics that the question needs are there; cells that hold nothing are absent and stand for 0. The table is
exact, so it never leaves the worker's memory.

Bounding follows all joins and is done per contributor, so it holds however often a join repeats a contributor's
rows: first at most `max_groups` cells of each contributor are kept, by an order that follows from its own data;
then its rows in a cell are cut at `max_rows` and its sum is clamped to low..high. Adding or removing one
contributor therefore changes at most `groups_of` cells, each by at most `bound_of(...).magnitude`.

No error can depend on data: nothing is divided, casts widen only, and sums stay far below their type's limit. At most
2^31 units (10^5 rows each, 10^12 whole units of a column with up to 9 digits after the point) give counts below
2 * 10^14 and sums below 2 * 10^30 scaled units, where BIGINT holds 9 * 10^18 and DECIMAL(38) 10^38; a dataset without
unit would need 10^13 rows to reach the first and 10^17 to reach the second.
"""

from __future__ import annotations

import pyarrow as pa
from sqlglot import exp

from audit.wording import say
from contracts.policy.terms import Terms
from sandbox.engines.bounding import (
    Bound,
    Kind,
    Statistic,
    bound_of,
    contributor_of,
    groups_of,
    raw_name,
    reachable_cells,
    statistics_of,
)
from sandbox.engines.contributions import PER_CONTRIBUTOR, number_type, per_contributor
from sandbox.engines.duckdb_sql import DIALECTS
from sandbox.engines.raw import scale
from sandbox.guard.problems import refuse
from sandbox.guard.query import AggregateQuery

CAPPED = "_capped"  # as PER_CONTRIBUTOR, the name of no dataset
_ORDER = "p"  # the contributor's own stable key


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
    inner = per_contributor(query, terms)
    capped = reachable_cells(query, terms) > groups_of(query, terms)
    if capped:
        _, own = contributor_of(query, terms)
        key = exp.Min(this=exp.column(own.column, table=own.dataset, quoted=True))
        inner = inner.select(exp.alias_(key, _ORDER), copy=False)
    outer = _per_cell(query, terms).from_(CAPPED if capped else PER_CONTRIBUTOR, copy=False)
    outer = outer.with_(PER_CONTRIBUTOR, as_=inner, copy=False)
    if capped:
        outer = outer.with_(CAPPED, as_=_capped(query, terms), copy=False)
    return outer.sql(dialect=dialect, identify=True, comments=False)


def _capped(query: AggregateQuery, terms: Terms) -> exp.Select:
    """The first cells of each contributor, in the order of a hash of its own key and the cell.

    The hash spreads what is dropped over the cells; any order of the contributor's own would bound as well.
    The cells themselves break ties, so the choice is the same on every run.
    """
    cells = [exp.column(f"d{i}") for i in range(len(query.dimensions))]
    mixed = exp.func("HASH", exp.column(_ORDER), *[c.copy() for c in cells])
    place = exp.Window(
        this=exp.RowNumber(),
        partition_by=[exp.column("u0")],
        order=exp.Order(expressions=[mixed, *cells]),
    )
    select = exp.select("*", copy=False).from_(PER_CONTRIBUTOR, copy=False)
    most = exp.Literal.number(groups_of(query, terms))
    select.set("qualify", exp.Qualify(this=exp.LTE(this=place, expression=most)))
    return select


def _per_cell(query: AggregateQuery, terms: Terms) -> exp.Select:
    keys = [exp.column(f"d{i}") for i in range(len(query.dimensions))]
    selected: list[exp.Expr] = [
        exp.alias_(exp.cast(k.copy(), exp.DType.TEXT), f"d{i}") for i, k in enumerate(keys)
    ]
    selected += [exp.alias_(_statistic(s, query, terms), raw_name(s, query)) for s in statistics_of(query)]
    select = exp.select(*selected, copy=False)
    return select.group_by(*keys, copy=False) if keys else select


def _statistic(statistic: Statistic, query: AggregateQuery, terms: Terms) -> exp.Expr:
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
    number = number_type(statistic.column, terms)
    return _total(_clamped(f"s{place}", bound, number), number)


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
