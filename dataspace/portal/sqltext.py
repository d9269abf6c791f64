"""A checked question as SQL that a person can read and go on editing. Pure.

Never executed: what runs is made by `sandbox.engines` from the question itself. The guard reads the text back
to the same question.
"""

from __future__ import annotations

import re

from sqlglot import exp

from catalog.schema import ColumnType
from contracts.policy.terms import Aggregate, Terms
from sandbox.engines.literals import literal
from sandbox.guard.cells import column_term
from sandbox.guard.query import AggregateQuery, ColumnRef, Comparison, Filter, JoinOn, Measure

DIALECT = "duckdb"
_PLAIN = re.compile(r"[a-z][a-z0-9_]*\Z")
_QUOTED_TYPES = (ColumnType.TEXT, ColumnType.DATE, ColumnType.TIMESTAMP)
_FUNCTIONS: dict[Aggregate, type[exp.AggFunc]] = {
    Aggregate.COUNT: exp.Count,
    Aggregate.SUM: exp.Sum,
    Aggregate.AVG: exp.Avg,
}
_COMPARISONS: dict[Comparison, type[exp.Binary]] = {
    Comparison.EQ: exp.EQ,
    Comparison.GT: exp.GT,
    Comparison.GTE: exp.GTE,
    Comparison.LT: exp.LT,
    Comparison.LTE: exp.LTE,
}


def sql_of(query: AggregateQuery, terms: Terms) -> str:
    """SQL text of `query`, one clause a line.

    Requires: `query` was checked against `terms`.
    Ensures: `check_sql(sql_of(query, terms), terms) == query`, if the text is within the guard's length.
    """
    return _Writer(query, terms).select().sql(dialect=DIALECT, pretty=True, comments=False)


class _Writer:
    def __init__(self, query: AggregateQuery, terms: Terms) -> None:
        self._query = query
        self._terms = terms

    def select(self) -> exp.Select:
        query = self._query
        select = exp.select(
            *(self._labelled(self._column(d.column), d.label, d.column.column) for d in query.dimensions),
            *(self._labelled(self._measure(m), m.label, "") for m in query.measures),
        )
        select = self._from(select)
        for condition in query.filters:
            select = select.where(self._filter(condition))
        if query.dimensions:
            group = exp.Group(expressions=[_name(d.label) for d in query.dimensions], totals=query.totals)
            select.set("group", group)
        for bound in query.having:
            count = exp.Literal.number(bound.value)
            select = select.having(_COMPARISONS[bound.comparison](this=_name(bound.label), expression=count))
        for order in query.order:
            select = select.order_by(exp.Ordered(this=_name(order.label), desc=order.descending))
        return select.limit(query.limit) if query.limit is not None else select

    def _from(self, select: exp.Select) -> exp.Select:
        """Each dataset after one it is joined with; the guard has made sure that all are connected."""
        first, *waiting = self._query.sources
        select, reached = select.from_(_table(first)), {first}
        while waiting:
            name = next(n for n in waiting if self._links(n, reached))
            links = self._links(name, reached)
            on = exp.and_(
                *(exp.EQ(this=self._column(j.left), expression=self._column(j.right)) for j in links)
            )
            select = select.join(_table(name), on=on)
            waiting.remove(name)
            reached.add(name)
        return select

    def _links(self, name: str, reached: set[str]) -> list[JoinOn]:
        return [
            join
            for join in self._query.joins
            for here, there in (
                (join.left.dataset, join.right.dataset),
                (join.right.dataset, join.left.dataset),
            )
            if here == name and there in reached
        ]

    def _column(self, ref: ColumnRef) -> exp.Column:
        several = len(self._query.sources) > 1
        return exp.Column(this=_identifier(ref.column), table=_identifier(ref.dataset) if several else None)

    def _labelled(self, expression: exp.Expr, label: str, default: str) -> exp.Expr:
        return expression if label == default else exp.Alias(this=expression, alias=_identifier(label))

    def _measure(self, measure: Measure) -> exp.Expr:
        if measure.column is not None:
            return _FUNCTIONS[measure.aggregate](this=self._column(measure.column))
        if measure.aggregate is Aggregate.COUNT_ROWS:
            return exp.Count(this=exp.Star())
        return exp.Count(this=exp.Distinct(expressions=[self._column(self._unit())]))

    def _unit(self) -> ColumnRef:
        """The privacy unit of the first dataset that has one; all such datasets are joined on theirs."""
        datasets = (self._terms.dataset(name) for name in self._query.sources)
        return next(ColumnRef(d.name, d.unit.name) for d in datasets if d is not None and d.unit is not None)

    def _filter(self, condition: Filter) -> exp.Expr:
        column = column_term(self._terms, condition.column)
        values = [
            exp.Literal.string(text) if column.type in _QUOTED_TYPES else literal(column, text)
            for text in condition.values
        ]
        if len(values) == 1:
            return exp.EQ(this=self._column(condition.column), expression=values[0])
        return exp.In(this=self._column(condition.column), expressions=values)


def _identifier(name: str) -> exp.Identifier:
    return exp.Identifier(this=name, quoted=not _PLAIN.match(name))


def _name(label: str) -> exp.Column:
    return exp.Column(this=_identifier(label))


def _table(name: str) -> exp.Table:
    return exp.Table(this=_identifier(name))
