"""The space of cells a question can fill: known from contract and question alone, before any data is read."""

from __future__ import annotations

from math import prod

from audit.wording import say
from contracts.policy.terms import ColumnTerm, Terms
from sandbox.guard.domains import declared
from sandbox.guard.problems import refuse
from sandbox.guard.query import AggregateQuery, ColumnRef


def column_term(terms: Terms, ref: ColumnRef) -> ColumnTerm:
    """The contract's term of a column. Raise Refused("guard.column") where the contract has none."""
    dataset = terms.dataset(ref.dataset)
    column = None if dataset is None else dataset.column(ref.column)
    if column is None:
        reason = say('The contract has no column "%(column)s".', column=f"{ref.dataset}.{ref.column}")
        raise refuse("guard.column", reason)
    return column


def cell_values(query: AggregateQuery, terms: Terms) -> tuple[tuple[str, ...], ...]:
    """For each dimension the values its cells may have: its domain after filters, in declared order."""
    filters = {f.column: set(f.values) for f in query.filters}
    values = []
    for dimension in query.dimensions:
        domain = declared(column_term(terms, dimension.column)).values()
        kept = filters.get(dimension.column)
        values.append(tuple(v for v in domain if kept is None or v in kept))
    return tuple(values)


def possible_cells(query: AggregateQuery, terms: Terms) -> int:
    """How many cells the table has, empty ones counted."""
    return prod(len(values) for values in cell_values(query, terms))
