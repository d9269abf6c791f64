"""Generated SQL of the memory of answers: who stands behind each number, and how far two numbers differ. Pure.

An answer's *outline* has one row for each cell that holds rows, and for each total over one or more dimensions:

    summed       BIGINT    bit i is set where dimension i is added up (its d is null)
    d0, d1 ...   VARCHAR   the values of the other dimensions
    k, f         BIGINT    distinct contributors of the rows, and a fingerprint of what each contributes
    mI_k, mI_f   BIGINT    the same for the values of measured column I

Equal fingerprints mean equal contributions (of 63 bits: a chance of 10^-18 to be wrong); one contributor's
cannot be found from those of many together. A fingerprint is the exclusive or of hashes of (p, n), of a measured column
(p, c, s): so the fingerprint of contributors in two cells, none of them in both, is that of both cells together, and
totals over dimensions that are constant for each contributor need no look at the contributors. Each hash is hashed
again, as the engine makes that of several values by an exclusive or of its own, which would cancel.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import pyarrow as pa
from sqlglot import exp

from contracts.policy.terms import Terms
from sandbox.engines.contributions import (
    PER_CONTRIBUTOR,
    number_type,
    per_contributor,
    varies_within_contributor,
)
from sandbox.engines.literals import literal
from sandbox.engines.raw import is_summed
from sandbox.guard.cells import column_term
from sandbox.guard.query import AggregateQuery, ColumnRef

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
    dimensions = enumerate(query.dimensions)
    constant = {i for i, d in dimensions if not varies_within_contributor(d.column, query, terms)}
    values = [exp.cast(exp.column(f"d{i}"), exp.DType.TEXT) for i in range(len(query.dimensions))]
    contributors = per_contributor(query, terms, identified=True)
    return assembled(query, terms, contributors, values, constant, stored=True)


def assembled(
    query: AggregateQuery, terms: Terms, contributors: exp.Select, values: Sequence[exp.Expr],
    constant: Collection[int], *, stored: bool,
) -> str:  # fmt: skip
    """`outline` over `contributors`, each of which has one value in the dimensions `constant`.

    `values`: text of each dimension's value, from columns `d0`, `d1` ... `stored`: computed once, not for each total.
    """
    added = sum(1 << i for i in constant)
    masks = range(2 ** len(query.dimensions))
    whole = _all(
        [
            _added(query, summed, summed & ~added)
            if summed & added
            else exp.select("*").from_(f"_cells{summed}")
            for summed in masks
        ]
    )
    whole = whole.with_(PER_CONTRIBUTOR, as_=contributors, materialized=stored, copy=False)
    for summed in masks:
        if not summed & added:
            cells = _cells(query, terms, values, summed)
            whole = whole.with_(f"_cells{summed}", as_=cells, materialized=True, copy=False)
    return _sql(whole)


def _cells(query: AggregateQuery, terms: Terms, values: Sequence[exp.Expr], summed: int) -> exp.Select:
    """The cells, or totals over the dimensions of `summed`, from the contributors."""
    left = _left(query, summed)
    columns = _keys(summed, values)
    columns += [exp.alias_(exp.Count(this=exp.Star()), "k"), exp.alias_(_fingerprint([_count("n")]), "f")]
    for i, ref in enumerate(query.measured):
        parts = [_count(f"c{i}")]
        if is_summed(ref, terms):
            parts.append(exp.cast(exp.column(f"s{i}"), number_type(ref, terms)))
        has_value = exp.column(f"c{i}") > 0
        contributor = exp.Case(ifs=[exp.If(this=has_value, true=exp.column(f"c{i}"))])
        columns.append(exp.alias_(exp.Count(this=contributor), f"m{i}_k"))
        columns.append(exp.alias_(_fingerprint(parts, where=has_value), f"m{i}_f"))
    select = exp.select(*columns, copy=False)
    if summed:
        merged = exp.select(*_copies(left), exp.column("p"), *_merged(query, terms), copy=False)
        merged = merged.from_(PER_CONTRIBUTOR).group_by(*_copies(left), exp.column("p"), copy=False)
        select = select.from_(merged.subquery("_merged"), copy=False)
    else:  # a contributor has one row in each cell
        select = select.from_(PER_CONTRIBUTOR, copy=False)
    return select.group_by(*left, copy=False) if left else select


def _merged(query: AggregateQuery, terms: Terms) -> Iterator[exp.Expr]:
    """What one contributor puts into all the cells that a total adds up."""
    yield exp.alias_(exp.Sum(this=exp.column("n")), "n")
    for i, ref in enumerate(query.measured):
        yield exp.alias_(exp.Sum(this=exp.column(f"c{i}")), f"c{i}")
        if is_summed(ref, terms):
            yield exp.alias_(exp.Sum(this=exp.column(f"s{i}")), f"s{i}")


def _added(query: AggregateQuery, summed: int, base: int) -> exp.Select:
    """The totals over `summed` from those over `base`, where none of the dimensions between divides a contributor."""
    left = _left(query, summed)
    columns = _keys(summed, [exp.column(f"d{i}") for i in range(len(query.dimensions))])
    for name in outline_schema(query).names[len(columns) :]:
        column = exp.column(name)
        total = exp.Sum(this=column) if name.endswith("k") else exp.func("BIT_XOR", column)
        columns.append(exp.alias_(_known(total), name))
    select = exp.select(*columns, copy=False).from_(f"_cells{base}", copy=False)
    return select.group_by(*left, copy=False) if left else select


def _keys(summed: int, values: Sequence[exp.Expr]) -> list[exp.Expr]:
    columns: list[exp.Expr] = [exp.alias_(exp.cast(exp.Literal.number(summed), exp.DType.BIGINT), "summed")]
    for i, value in enumerate(values):
        key: exp.Expr = exp.cast(exp.Null(), exp.DType.TEXT) if summed >> i & 1 else value.copy()
        columns.append(exp.alias_(key, f"d{i}"))
    return columns


def _left(query: AggregateQuery, summed: int) -> list[exp.Column]:
    """The dimensions that are not summed over."""
    return [exp.column(f"d{i}") for i in range(len(query.dimensions)) if not summed >> i & 1]


def _copies(columns: Sequence[exp.Column]) -> list[exp.Column]:
    return [column.copy() for column in columns]


def _count(name: str) -> exp.Expr:
    """Of one type whatever it was added up from, as the hash depends on it."""
    return exp.cast(exp.column(name), exp.DType.BIGINT)


def _fingerprint(parts: Sequence[exp.Expr], where: exp.Expr | None = None) -> exp.Expr:
    number: exp.Expr = exp.Anonymous(this="hash", expressions=[exp.column("p"), *parts])
    number = exp.Anonymous(this="hash", expressions=[number])
    if where is not None:
        number = exp.Case(ifs=[exp.If(this=where.copy(), true=number)])
    together = exp.func("BIT_XOR", number)
    return _known(exp.BitwiseRightShift(this=together, expression=exp.Literal.number(1)))  # fits a BIGINT


def _known(number: exp.Expr) -> exp.Expr:
    return exp.cast(exp.Coalesce(this=number, expressions=[exp.Literal.number(0)]), exp.DType.BIGINT)


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
