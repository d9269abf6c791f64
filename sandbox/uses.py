"""What a checked query does with the contract's columns, as facts for `contracts.decisions`. Pure."""

from __future__ import annotations

from contracts.policy.facts import ColumnUse
from contracts.policy.terms import Aggregate, ColumnRole, JoinTerm, Terms
from sandbox.guard import AggregateQuery


def uses_of(query: AggregateQuery, terms: Terms) -> tuple[tuple[ColumnUse, ...], tuple[JoinTerm, ...]]:
    """Every use of a column and every join. The decision checks them against the signed terms a second time,
    by code that shares nothing with the guard.
    """
    uses = [ColumnUse(d.column.dataset, d.column.column, ColumnRole.DIMENSION) for d in query.dimensions]
    uses += [
        ColumnUse(f.column.dataset, f.column.column, ColumnRole.DIMENSION, values=f.values)
        for f in query.filters
    ]
    uses += [
        ColumnUse(m.column.dataset, m.column.column, ColumnRole.MEASURE, m.aggregate)
        for m in query.measures
        if m.column is not None
    ]
    if any(m.aggregate is Aggregate.COUNT_UNITS for m in query.measures):
        for name in query.sources:
            dataset = terms.dataset(name)
            if dataset is not None and dataset.unit is not None:
                uses.append(ColumnUse(name, dataset.unit.name, ColumnRole.UNIT, Aggregate.COUNT_UNITS))
    joins = tuple(
        JoinTerm((j.left.dataset, j.left.column), (j.right.dataset, j.right.column)) for j in query.joins
    )
    return tuple(uses), joins
