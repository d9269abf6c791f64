"""`AggregateQuery` to SQL over a kept table (see `layout`), registered under the dataset's name. Pure.

The result is that of the plain plan, cell for cell and type for type: of `duckdb_sql.generate` in the table lane, of
`private_sql.generate_private` in the private one, and of `overlap.outline`.

In the private lane the plain plan ranks a contributor's cells after the filters. The rank kept with a row was taken
before them, and is the same where each filter takes whole contributors (its column is constant), or sets a column that
is not grouped by to one value. Elsewhere cells are ranked anew, at the price of a window over the kept rows.
"""

from __future__ import annotations

from sqlglot import exp

from contracts.policy.terms import Lane, Terms
from sandbox.engines import overlap, private_sql
from sandbox.engines.bounding import groups_of
from sandbox.engines.choice import codes_as_kept, first_cells
from sandbox.engines.codes import code_of
from sandbox.engines.contributions import PER_CONTRIBUTOR, number_type
from sandbox.engines.duckdb_sql import per_cell
from sandbox.engines.layout import LARGEST_RANK, Facts, Layout
from sandbox.engines.literals import literal, text_of
from sandbox.engines.raw import is_summed
from sandbox.guard.cells import cell_values, column_term
from sandbox.guard.lanes import lane_of
from sandbox.guard.query import AggregateQuery, ColumnRef


def generate_from_kept(query: AggregateQuery, terms: Terms, layout: Layout, facts: Facts) -> str:
    """SQL for DuckDB whose result has the schema of `engines.raw_schema(query, terms)`, rows in any order.

    Requires: `layout` is `layout_of(query, terms, ...)`, `facts` are those of the table that will be read, and the
    lane is not the perturbed one, whose sums of keys no table holds.
    """
    kept = Kept(query, terms, layout, facts)
    if lane_of(query, terms) is Lane.PRIVATE:
        return _private(kept)
    outer = per_cell(query, terms, labels(query, terms)).from_(PER_CONTRIBUTOR, copy=False)
    return outer.with_(PER_CONTRIBUTOR, as_=kept.per_contributor(), copy=False).sql(
        dialect="duckdb", identify=True, comments=False
    )


def outline_from_kept(query: AggregateQuery, terms: Terms, layout: Layout, facts: Facts) -> str:
    """As `overlap.outline`. Requires: as `generate_from_kept`."""
    kept = Kept(query, terms, layout, facts)
    constant = {i for i, d in enumerate(query.dimensions) if d.column.column in facts.constant}
    return overlap.assembled(
        query,
        terms,
        kept.per_contributor(identified=True),
        labels(query, terms),
        constant,
        stored=kept.merged,
    )


def _private(kept: Kept) -> str:
    query, terms = kept.query, kept.terms
    capped, most = private_sql.is_capped(query, terms), groups_of(query, terms)
    ranked = kept.is_ranked() and most < LARGEST_RANK
    inner = kept.per_contributor(identified=capped and not ranked, most=most if capped and ranked else None)
    outer = private_sql.bounded(query, terms, labels(query, terms), narrow=not kept.merged)
    chosen = first_cells(codes_as_kept(query), most) if capped and not ranked else None
    return private_sql.assembled(outer, inner, chosen)


class Kept:
    """The first level of the plan, read from a kept table."""

    def __init__(self, query: AggregateQuery, terms: Terms, layout: Layout, facts: Facts) -> None:
        self.query, self.terms, self.layout, self.facts = query, terms, layout, facts
        self.dimensions = {column.name: f"d{place}" for place, column in enumerate(layout.dimensions)}
        self.merged = self._merges_cells()

    def per_contributor(self, *, identified: bool = False, most: int | None = None) -> exp.Select:
        """The columns of `contributions.per_contributor`; those that say who contributes only if `identified`.

        `most`: of each contributor no more cells than that. Requires `is_ranked()`.
        """
        keys = [self._column(self.dimensions[d.column.column]) for d in self.query.dimensions]
        selected = [exp.alias_(k.copy(), f"d{i}") for i, k in enumerate(keys)]
        selected.append(exp.alias_(self._count("n"), "n"))
        for i, ref in enumerate(self.query.measured):
            counted = "n" if ref.column in self.facts.full else f"c{i}"
            selected.append(exp.alias_(self._count(counted), f"c{i}"))
            if is_summed(ref, self.terms):
                selected.append(exp.alias_(self._sum(f"s{i}", ref), f"s{i}"))
        if identified:
            stable = self._column("p")
            selected.append(exp.alias_(self._column("u"), "u0"))
            selected.append(exp.alias_(exp.Min(this=stable) if self.merged else stable, "p"))
        select = exp.select(*selected, copy=False).from_(_quoted(self.query.sources[0]), copy=False)
        select = select.where(*self._conditions(), copy=False)
        if most is not None:
            select = select.where(self._column("g") <= exp.Literal.number(most), copy=False)
        return select.group_by(*keys, self._column("u"), copy=False) if self.merged else select

    def is_ranked(self) -> bool:
        """Whether the kept rank is that among the cells that the filters leave."""
        grouped = {d.column for d in self.query.dimensions}
        return all(
            f.column.column in self.facts.constant or (f.column not in grouped and len(f.values) == 1)
            for f in self.query.filters
        )

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
                expressions=[exp.Literal.number(code_of(self.terms, f.column, value)) for value in f.values],
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


def labels(query: AggregateQuery, terms: Terms) -> list[exp.Expr]:
    """For each grouped column the text of its value, as the engine writes a value of the column's type."""
    found: list[exp.Expr] = []
    for i, (dimension, values) in enumerate(zip(query.dimensions, cell_values(query, terms), strict=True)):
        column = column_term(terms, dimension.column)
        ifs = [
            exp.If(
                this=exp.Literal.number(code_of(terms, dimension.column, value)),
                true=text_of(literal(column, value), column),
            )
            for value in values
        ]
        found.append(
            exp.Case(this=exp.column(f"d{i}"), ifs=ifs) if ifs else exp.cast(exp.Null(), exp.DType.TEXT)
        )
    return found
