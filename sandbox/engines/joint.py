"""Generated SQL of the joint question: the finest cells that several answers over the same rows can tell apart. Pure.

Its dimensions are the columns that any of the answers groups or filters by. A dimension's values are *classes* of
declared values: values that no answer tells apart share one, and class 0 holds all the others, with what is missing
or not declared. Rows are counted whatever their class. The result has one row for each cell that holds rows, and for
each total over some of the event-level dimensions, whose contributors cannot be had by adding up:

    d0, d1 ...  BIGINT         class; null where the dimension is added up
    k, n, m...  as in `raw`    of the contributors and measures of the question
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import combinations

from sqlglot import exp

from contracts.policy.terms import ColumnTerm, Level, Terms
from sandbox.engines.contributions import PER_CONTRIBUTOR, contributor_keys, per_contributor
from sandbox.engines.duckdb_sql import numbers_of_cell
from sandbox.engines.literals import literal
from sandbox.engines.raw import is_summed
from sandbox.guard.query import AggregateQuery, ColumnRef

MAX_EVENT_AXES = 3  # whose totals have their contributors counted; those of others are taken for different


@dataclass(frozen=True, slots=True)
class Axis:
    """`classes`: from 1 on, the declared values of each, with the column's term that declares them."""

    column: ColumnRef
    classes: tuple[tuple[tuple[ColumnTerm, str], ...], ...]
    level: Level


def counted_totals(axes: Sequence[Axis]) -> list[tuple[int, ...]]:
    """The sets of dimensions over which the result has totals; () for the cells themselves comes first."""
    several = [i for i, axis in enumerate(axes) if axis.level is Level.EVENT][:MAX_EVENT_AXES]
    return [summed for count in range(len(several) + 1) for summed in combinations(several, count)]


def joint(query: AggregateQuery, terms: Terms, axes: Sequence[Axis]) -> str:
    """One SELECT over the extracts of `query`: its sources, joins, contributors and measures, but these axes."""
    contributors = per_contributor(replace(query, dimensions=(), filters=()), terms)
    classes = [_class(axis) for axis in axes]
    contributors = contributors.select(*(exp.alias_(c, f"d{i}") for i, c in enumerate(classes)), copy=False)
    contributors = contributors.group_by(*(c.copy() for c in classes), copy=False)
    selects = [_cells(query, terms, len(axes), summed) for summed in counted_totals(axes)]
    whole = reduce(lambda one, other: exp.union(one, other, distinct=False, copy=False), selects)
    whole = whole.with_(PER_CONTRIBUTOR, as_=contributors, materialized=True, copy=False)
    return whole.sql(dialect="duckdb", identify=True, comments=False)


def _class(axis: Axis) -> exp.Expr:
    column = exp.column(axis.column.column, table=axis.column.dataset, quoted=True)
    cases = [
        exp.If(
            this=exp.In(this=column.copy(), expressions=[literal(term, text) for term, text in values]),
            true=exp.Literal.number(i),
        )
        for i, values in enumerate(axis.classes, start=1)
    ]
    # Neither true nor false of a missing value, so that it falls to the last case.
    return exp.cast(exp.Case(ifs=cases, default=exp.Literal.number(0)), exp.DType.BIGINT)


def _cells(query: AggregateQuery, terms: Terms, axes: int, summed: tuple[int, ...]) -> exp.Query:
    kept = [exp.column(f"d{i}") for i in range(axes) if i not in summed]
    null = exp.cast(exp.Null(), exp.DType.BIGINT)
    selected = [exp.alias_(null.copy() if i in summed else exp.column(f"d{i}"), f"d{i}") for i in range(axes)]
    select = exp.select(*selected, *numbers_of_cell(query, terms), copy=False)
    source = _merged(query, terms, kept) if summed else None
    select = select.from_(source.subquery("_merged") if source else PER_CONTRIBUTOR, copy=False)
    return select.group_by(*(k.copy() for k in kept), copy=False) if kept else select


def _merged(query: AggregateQuery, terms: Terms, kept: Sequence[exp.Column]) -> exp.Select:
    """One row for each contributor and total: what it puts into all the cells added up."""
    units = [exp.column(f"u{i}") for i in range(len(contributor_keys(query, terms)))]
    names = ["n"]
    for i, ref in enumerate(query.measured):
        names += [f"c{i}", f"s{i}"] if is_summed(ref, terms) else [f"c{i}"]
    sums = [exp.alias_(exp.Sum(this=exp.column(name)), name) for name in names]
    keys = [*kept, *units]
    select = exp.select(*(k.copy() for k in keys), *sums, copy=False).from_(PER_CONTRIBUTOR, copy=False)
    return select.group_by(*(k.copy() for k in keys), copy=False)
