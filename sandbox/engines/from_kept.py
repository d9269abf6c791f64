"""`AggregateQuery` to SQL over a kept table (see `layout`), registered under the dataset's name. Pure.

The result is that of the plain plan (`duckdb_sql.generate`), cell for cell and type for type.
"""

from __future__ import annotations

from sqlglot import exp

from audit.wording import say
from contracts.policy.terms import Terms
from sandbox.engines.contributions import PER_CONTRIBUTOR, number_type
from sandbox.engines.duckdb_sql import per_cell
from sandbox.engines.layout import Facts, Layout, codes
from sandbox.engines.literals import literal, text_of
from sandbox.engines.raw import is_summed
from sandbox.guard.cells import cell_values, column_term
from sandbox.guard.domains import key
from sandbox.guard.problems import refuse
from sandbox.guard.query import AggregateQuery, ColumnRef


def generate_from_kept(query: AggregateQuery, terms: Terms, layout: Layout, facts: Facts) -> str:
    """SQL for DuckDB whose result has the schema of `raw.raw_schema(query, terms)`, rows in any order.

    Requires: `layout` is `layout_of(query, terms, ...)`, and `facts` are those of the table that will be read.
    """
    inner = Kept(query, terms, layout, facts).per_contributor()
    outer = per_cell(query, terms, labels(query, terms)).from_(PER_CONTRIBUTOR, copy=False)
    return outer.with_(PER_CONTRIBUTOR, as_=inner, copy=False).sql(
        dialect="duckdb", identify=True, comments=False
    )


class Kept:
    """The first level of the plan, read from a kept table."""

    def __init__(self, query: AggregateQuery, terms: Terms, layout: Layout, facts: Facts) -> None:
        self.query, self.terms, self.layout, self.facts = query, terms, layout, facts
        self.dimensions = {column.name: f"d{place}" for place, column in enumerate(layout.dimensions)}
        self.merged = self._merges_cells()

    def per_contributor(self) -> exp.Select:
        """The columns of `contributions.per_contributor`, but for those that say who contributes."""
        keys = [self._column(self.dimensions[d.column.column]) for d in self.query.dimensions]
        selected = [exp.alias_(k.copy(), f"d{i}") for i, k in enumerate(keys)]
        selected.append(exp.alias_(self._count("n"), "n"))
        for i, ref in enumerate(self.query.measured):
            counted = "n" if ref.column in self.facts.full else f"c{i}"
            selected.append(exp.alias_(self._count(counted), f"c{i}"))
            if is_summed(ref, self.terms):
                selected.append(exp.alias_(self._sum(f"s{i}", ref), f"s{i}"))
        select = exp.select(*selected, copy=False).from_(_quoted(self.query.sources[0]), copy=False)
        select = select.where(*self._conditions(), copy=False)
        return select.group_by(*keys, self._column("u"), copy=False) if self.merged else select

    def _merges_cells(self) -> bool:
        """Whether one contributor can have several kept rows in one cell of the answer."""
        grouped = {d.column for d in self.query.dimensions}
        return any(
            f.column not in grouped and len(f.values) > 1 and f.column.column not in self.facts.constant
            for f in self.query.filters
        )

    def _conditions(self) -> list[exp.Expr]:
        return [
            exp.In(
                this=self._column(self.dimensions[f.column.column]),
                expressions=[exp.Literal.number(_code(self.terms, f.column, value)) for value in f.values],
            )
            for f in self.query.filters
        ]

    def _count(self, name: str) -> exp.Expr:
        column = self._column(name)
        return exp.cast(exp.Sum(this=column), exp.DType.BIGINT) if self.merged else column

    def _sum(self, name: str, ref: ColumnRef) -> exp.Expr:
        column = self._column(name)
        return exp.cast(exp.Sum(this=column), number_type(ref, self.terms)) if self.merged else column

    def _column(self, name: str) -> exp.Column:
        return exp.column(name, table=self.query.sources[0], quoted=True)


def _quoted(name: str) -> exp.Table:
    return exp.Table(this=exp.to_identifier(name, quoted=True))


def _code(terms: Terms, ref: ColumnRef, text: str) -> int:
    column = column_term(terms, ref)
    code = codes(column).get(key(column.type, text))
    if code is None:
        reason = say("A value is not in the declared domain of %(column)s.", column=column.name)
        raise refuse("guard.domain", reason)
    return code


def labels(query: AggregateQuery, terms: Terms) -> list[exp.Expr]:
    """For each grouped column the text of its value, as the engine writes a value of the column's type."""
    found: list[exp.Expr] = []
    for i, (dimension, values) in enumerate(zip(query.dimensions, cell_values(query, terms), strict=True)):
        column = column_term(terms, dimension.column)
        ifs = [
            exp.If(
                this=exp.Literal.number(_code(terms, dimension.column, value)),
                true=text_of(literal(column, value), column),
            )
            for value in values
        ]
        found.append(
            exp.Case(this=exp.column(f"d{i}"), ifs=ifs) if ifs else exp.cast(exp.Null(), exp.DType.TEXT)
        )
    return found
