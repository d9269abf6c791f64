"""Generated SQL of the memory of answers: who stands behind each number, and how far two numbers differ. Pure.

An answer's *outline* has one row for each cell that holds rows, and for each total over one or more dimensions:

    summed       BIGINT    bit i is set where dimension i is added up (its d is null)
    d0, d1 ...   VARCHAR   the values of the other dimensions
    k, f         BIGINT    distinct contributors of the rows, and a fingerprint of what each contributes
    mI_k, mI_f   BIGINT    the same for the values of measured column I

Equal fingerprints mean equal contributions (of 63 bits: a chance of 10^-18 to be wrong); one contributor's
cannot be found from the sum of many.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import pyarrow as pa
from sqlglot import exp

from contracts.policy.terms import Terms
from sandbox.engines.contributions import PER_CONTRIBUTOR, per_contributor
from sandbox.engines.literals import literal
from sandbox.engines.raw import is_summed
from sandbox.guard.cells import column_term
from sandbox.guard.query import AggregateQuery, ColumnRef

PRIME = 9_223_372_036_854_775_783  # the largest below 2^63
EARLIER = "_earlier_"  # before the names of an earlier answer's tables: no dataset's name begins so


def outline_schema(query: AggregateQuery) -> pa.Schema:
    fields = [pa.field("summed", pa.int64())]
    fields += [pa.field(f"d{i}", pa.string()) for i in range(len(query.dimensions))]
    names = ["k", "f"]
    for i in range(len(query.measured)):
        names += [f"m{i}_k", f"m{i}_f"]
    return pa.schema(fields + [pa.field(name, pa.int64()) for name in names])


def outline(query: AggregateQuery, terms: Terms) -> str:
    """One SELECT with `outline_schema(query)`, rows in any order, over the extracts the question reads."""
    selects = [_cells(query, terms, summed) for summed in range(2 ** len(query.dimensions))]
    whole = _all(selects)
    contributors = per_contributor(query, terms, identified=True)
    return _sql(whole.with_(PER_CONTRIBUTOR, as_=contributors, materialized=True, copy=False))


def _cells(query: AggregateQuery, terms: Terms, summed: int) -> exp.Select:
    axes = range(len(query.dimensions))
    kept = [exp.column(f"d{i}") for i in axes if not summed >> i & 1]
    merged = exp.select(*(k.copy() for k in kept), exp.column("p"), *_merged(query, terms), copy=False)
    merged = merged.from_(PER_CONTRIBUTOR).group_by(*(k.copy() for k in kept), exp.column("p"), copy=False)
    columns: list[exp.Expr] = [exp.alias_(exp.cast(exp.Literal.number(summed), exp.DType.BIGINT), "summed")]
    for i in axes:
        key: exp.Expr = exp.Null() if summed >> i & 1 else exp.column(f"d{i}")
        columns.append(exp.alias_(exp.cast(key, exp.DType.TEXT), f"d{i}"))
    columns += [exp.alias_(exp.Count(this=exp.Star()), "k"), exp.alias_(_fingerprint("p", "n"), "f")]
    for i, ref in enumerate(query.measured):
        values = ["p", f"c{i}", f"s{i}"] if is_summed(ref, terms) else ["p", f"c{i}"]
        has_value = exp.column(f"c{i}") > 0
        contributor = exp.Case(ifs=[exp.If(this=has_value, true=exp.column(f"c{i}"))])
        columns.append(exp.alias_(exp.Count(this=contributor), f"m{i}_k"))
        columns.append(exp.alias_(_fingerprint(*values, where=has_value), f"m{i}_f"))
    select = exp.select(*columns, copy=False).from_(merged.subquery("_merged"), copy=False)
    return select.group_by(*(k.copy() for k in kept), copy=False) if kept else select


def _merged(query: AggregateQuery, terms: Terms) -> Iterator[exp.Expr]:
    """What one contributor puts into all the cells that a total adds up."""
    yield exp.alias_(exp.Sum(this=exp.column("n")), "n")
    for i, ref in enumerate(query.measured):
        yield exp.alias_(exp.Sum(this=exp.column(f"c{i}")), f"c{i}")
        if is_summed(ref, terms):
            yield exp.alias_(exp.Sum(this=exp.column(f"s{i}")), f"s{i}")


def _fingerprint(*names: str, where: exp.Expr | None = None) -> exp.Expr:
    number: exp.Expr = exp.Anonymous(this="hash", expressions=[exp.column(name) for name in names])
    number = exp.cast(number, exp.DType.INT128)
    if where is not None:
        number = exp.Case(ifs=[exp.If(this=where.copy(), true=number)])
    total = exp.Coalesce(this=exp.Sum(this=number), expressions=[exp.Literal.number(0)])
    return exp.cast(exp.Mod(this=exp.paren(total), expression=exp.Literal.number(PRIME)), exp.DType.BIGINT)


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell or total of an answer: for each dimension its value, or None where it is added up."""

    at: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two cells that may differ by few: `measured` is the column compared, None for rows."""

    new: Cell
    old: Cell
    measured: ColumnRef | None


def differences(
    new: AggregateQuery, new_terms: Terms, old: AggregateQuery, old_terms: Terms, pairs: Sequence[Pair]
) -> str:
    """One SELECT of `pair` (index into `pairs`) and `units`: contributors whose contribution to the two cells differs.

    The earlier answer's extracts are registered under EARLIER + the datasets' names. Contributors are told apart
    by what is the same in every version of a dataset: the same person's changed amount counts as a difference.
    """
    selects = [_difference(i, pair, (new, new_terms), (old, old_terms)) for i, pair in enumerate(pairs)]
    whole = _all(selects)
    sides = {"_new": per_contributor(new, new_terms, identified=True)}
    sides["_old"] = per_contributor(old, old_terms, identified=True, prefix=EARLIER)
    for name, select in sides.items():
        whole = whole.with_(name, as_=select, materialized=True, copy=False)
    return _sql(whole)


def _difference(
    index: int, pair: Pair, new: tuple[AggregateQuery, Terms], old: tuple[AggregateQuery, Terms]
) -> exp.Select:
    left = _side("_new", pair.new, pair.measured, *new).subquery("a")
    right = _side("_old", pair.old, pair.measured, *old).subquery("b")
    differs = [
        exp.NullSafeNEQ(this=exp.column(name, table="a"), expression=exp.column(name, table="b"))
        for name in ("c", "s")
    ]
    select = exp.select(
        exp.alias_(exp.Literal.number(index), "pair"),
        exp.alias_(exp.cast(exp.Count(this=exp.Star()), exp.DType.BIGINT), "units"),
        copy=False,
    ).from_(left, copy=False)
    same = exp.EQ(this=exp.column("p", table="a"), expression=exp.column("p", table="b"))
    return select.join(right, on=same, join_type="full", copy=False).where(exp.or_(*differs), copy=False)


def _side(
    name: str, cell: Cell, measured: ColumnRef | None, query: AggregateQuery, terms: Terms
) -> exp.Select:
    """Per contributor of the cell: `c` rows (or values) and `s` their sum, 0 where nothing is summed."""
    place = None if measured is None else query.measured.index(measured)
    count = exp.Sum(this=exp.column("n" if place is None else f"c{place}"))
    summed = measured is not None and is_summed(measured, terms)
    total: exp.Expr = exp.Sum(this=exp.column(f"s{place}")) if summed else exp.Literal.number(0)
    select = exp.select(exp.column("p"), exp.alias_(count, "c"), exp.alias_(total, "s"), copy=False)
    select = select.from_(name, copy=False)
    for i, (dimension, value) in enumerate(zip(query.dimensions, cell.at, strict=True)):
        if value is not None:
            wanted = literal(column_term(terms, dimension.column), value)
            select = select.where(exp.EQ(this=exp.column(f"d{i}"), expression=wanted), copy=False)
    return select.group_by(exp.column("p"), copy=False).having(exp.column("c") > 0, copy=False)


def _all(selects: Sequence[exp.Query]) -> exp.Query:
    return reduce(lambda one, other: exp.union(one, other, distinct=False, copy=False), selects)


def _sql(select: exp.Query) -> str:
    return select.sql(dialect="duckdb", identify=True, comments=False)
